#include "config/value.h"

#include <stdio.h>
#include <string.h>

#include "core/settings.h"

struct unit {
    const char *name;
    uint64_t size;
};

#define UNITS_MAX 5

/* The grammar of one kind of value. Values are counted in thousandths while they are read: `decimals` digits may follow
 * the dot. */
struct grammar {
    struct unit units[UNITS_MAX]; /* smallest first */
    unsigned decimals;
    bool bare_zero; /* 0 needs no unit */
    bool compound;  /* 1m30s: more of smaller units may follow */
    const char *right;
};

static const struct grammar grammars[] = {
    [CONFIG_DURATION] =
        {.units = {{"ms", TRIP_MS}, {"s", TRIP_S}, {"m", 60 * TRIP_S}, {"h", 3600 * TRIP_S}, {"d", 86400 * TRIP_S}},
         .decimals = 3,
         .bare_zero = true,
         .compound = true,
         .right = "write a number and ms, s, m, h or d, as 250ms or 30s"},
    [CONFIG_RATE] = {.units = {{"%", 10}}, .decimals = 1, .bare_zero = true, .right = "write a percentage, as 50%"},
    [CONFIG_COUNT] = {.units = {{"", 1}}, .decimals = 0, .right = "write a whole number, as 100"},
    [CONFIG_FACTOR] = {.units = {{"", 1000}}, .decimals = 3, .right = "write a number, as 2.0"},
    [CONFIG_BYTES] = {.units = {{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}},
                      .decimals = 0,
                      .right = "write a whole number and KiB, MiB or GiB, as 256MiB"},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits, then perhaps a dot and `decimals` digits at most. zeros: the number may begin with a zero. Returns the
 * text behind it; NULL: *why is set. */
static const char *number_parse(const char *text, const struct grammar *grammar, bool zeros,
                                unsigned __int128 *ret_thousandths, char why[CONFIG_WHY_MAX])
{
    const char *at = text;
    unsigned __int128 thousandths = 0;
    for (; is_digit(*at); at++)
        if (thousandths < (unsigned __int128)1 << 70) /* the sum, times the largest unit, still fits */
            thousandths = thousandths * 10 + (unsigned)(*at - '0') * 1000u;
    if (at == text) {
        snprintf(why, CONFIG_WHY_MAX, "%s; %s", *text == '-' ? "is negative" : "is not understood", grammar->right);
        return NULL;
    }
    if (text[0] == '0' && at > text + 1 && !zeros) {
        const size_t count = strspn(text, "0");
        const char *rest = text + (is_digit(text[count]) ? count : count - 1);
        snprintf(why, CONFIG_WHY_MAX, "has a leading zero; write %.24s", rest);
        return NULL;
    }
    if (*at == '.') {
        const char *dot = at++;
        for (unsigned worth = 100; is_digit(*at); at++, worth /= 10)
            thousandths += (unsigned)(*at - '0') * worth;
        const size_t decimals = (size_t)(at - dot) - 1;
        if (decimals == 0 || decimals > grammar->decimals) {
            static const char *const finest[] = {"is not a whole number", "is finer than 0.1", "",
                                                 "is finer than 0.001"};
            snprintf(why, CONFIG_WHY_MAX, "%s; %s", decimals == 0 ? "ends in a dot" : finest[grammar->decimals],
                     grammar->right);
            return NULL;
        }
    }
    *ret_thousandths = thousandths;
    return at;
}

static const struct unit *unit_find(const struct grammar *grammar, const char *name, size_t length)
{
    for (const struct unit *unit = grammar->units; unit < grammar->units + UNITS_MAX && unit->name; unit++)
        if (strlen(unit->name) == length && memcmp(unit->name, name, length) == 0)
            return unit;
    return NULL;
}

static bool no_unit(const struct grammar *grammar, const char *rest, char why[CONFIG_WHY_MAX])
{
    snprintf(why, CONFIG_WHY_MAX, "%s; %s", *rest ? "has a unit that is none" : "has no unit", grammar->right);
    if (grammar->units[0].name[0] == '\0')
        snprintf(why, CONFIG_WHY_MAX, "is not a number; %s", grammar->right);
    return false;
}

/* Reads a number and its unit; in a compound kind more of them, from the largest unit to the smallest. The sum is in
 * thousandths. Durations as tripctl prints them (1m03s) are read, too. */
static bool parts_parse(const struct grammar *grammar, const char *text, unsigned __int128 *ret_sum,
                        char why[CONFIG_WHY_MAX])
{
    const struct unit *before = NULL;
    unsigned __int128 thousandths;
    const char *at = text;
    *ret_sum = 0;
    do {
        at = number_parse(at, grammar, before != NULL, &thousandths, why);
        if (!at)
            return false;
        const size_t length = grammar->compound ? strcspn(at, "0123456789") : strlen(at);
        const struct unit *unit = unit_find(grammar, at, length);
        if (!unit && *at == '\0' && !before && thousandths == 0 && grammar->bare_zero)
            unit = grammar->units;
        if (!unit)
            return no_unit(grammar, at, why);
        if (before && unit >= before) {
            snprintf(why, CONFIG_WHY_MAX, "has its units out of order; begin with the largest, as 1m30s");
            return false;
        }
        *ret_sum += thousandths * unit->size;
        before = unit;
        at += length;
    } while (*at);
    return true;
}

bool config_value_parse(enum config_kind kind, const char *text, uint64_t lowest, uint64_t highest, uint64_t *ret_value,
                        char why[CONFIG_WHY_MAX])
{
    unsigned __int128 sum;
    if (!parts_parse(&grammars[kind], text, &sum, why))
        return false;
    const uint64_t value = sum / 1000 > UINT64_MAX ? UINT64_MAX : (uint64_t)(sum / 1000);
    if (value < lowest || value > highest) {
        char low[CONFIG_TEXT_MAX], high[CONFIG_TEXT_MAX];
        config_value_format(kind, lowest, low);
        config_value_format(kind, highest, high);
        snprintf(why, CONFIG_WHY_MAX, "is %s than %s; write %s to %s", value < lowest ? "less" : "more",
                 value < lowest ? low : high, low, high);
        return false;
    }
    *ret_value = value;
    return true;
}

const char *config_value_format(enum config_kind kind, uint64_t value, char text[CONFIG_TEXT_MAX])
{
    const struct grammar *grammar = &grammars[kind];
    const struct unit *unit = grammar->units;
    if (value == 0)
        unit = kind == CONFIG_DURATION ? unit_find(grammar, "s", 1) : unit;
    else
        while (unit + 1 < grammar->units + UNITS_MAX && unit[1].name && value % unit[1].size == 0)
            unit++;

    const uint64_t thousandths = value % unit->size * 1000 / unit->size;
    int length = snprintf(text, CONFIG_TEXT_MAX, "%llu", (unsigned long long)(value / unit->size));
    if (thousandths || kind == CONFIG_FACTOR) {
        length += snprintf(text + length, CONFIG_TEXT_MAX - (size_t)length, ".%03u", (unsigned)thousandths);
        while (text[length - 1] == '0' && text[length - 2] != '.')
            text[--length] = '\0';
    }
    snprintf(text + length, CONFIG_TEXT_MAX - (size_t)length, "%s", unit->name);
    return text;
}

bool config_value_id(const char *text, uint32_t *ret_id)
{
    char why[CONFIG_WHY_MAX];
    uint64_t value;
    /* the highest number is no id: to chown and setuid it says "unchanged" */
    if (!config_value_parse(CONFIG_COUNT, text, 0, UINT32_MAX - 1, &value, why))
        return false;
    *ret_id = (uint32_t)value;
    return true;
}

#define NEAREST_LENGTH 32

/* Counts the letters to change, add, drop, or swap with a neighbour until a is b. */
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned cost[NEAREST_LENGTH + 1][NEAREST_LENGTH + 1];
    for (size_t i = 0; i <= a_length; i++) {
        for (size_t j = 0; j <= b_length; j++) {
            if (i == 0 || j == 0) {
                cost[i][j] = (unsigned)(i + j);
                continue;
            }
            unsigned least = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (cost[i - 1][j] + 1 < least)
                least = cost[i - 1][j] + 1;
            if (cost[i][j - 1] + 1 < least)
                least = cost[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && cost[i - 2][j - 2] + 1 < least)
                least = cost[i - 2][j - 2] + 1;
            cost[i][j] = least;
        }
    }
    return cost[a_length][b_length];
}

const char *config_value_nearest(const char *text, const char *const *names, size_t count)
{
    const size_t length = strlen(text);
    if (length > NEAREST_LENGTH)
        return NULL;
    const char *nearest = NULL;
    unsigned least = 3;
    for (size_t i = 0; i < count; i++) {
        const size_t name_length = strlen(names[i]);
        if (name_length > NEAREST_LENGTH)
            continue;
        const unsigned away = distance(text, length, names[i], name_length);
        if (away < least && away < name_length) {
            least = away;
            nearest = names[i];
        }
    }
    return nearest;
}
