#include "config_keys.h"

#include <string.h>

#include "trip.h"

const char *const config_sections[CONFIG_SECTION_COUNT] = {"trip", "window", "open", "half_open", "ramp"};

#define WORD(suffix, name) name,
static const char *const mode_words[] = {TRIP_MODES(WORD)};
#undef WORD
static const char *const window_words[] = {[WINDOW_COUNT] = "count", [WINDOW_TIME] = "time"};
static const char *const verdict_words[] = {[PROBE_VERDICT_SUCCESSES] = "successes", [PROBE_VERDICT_RATE] = "rate"};

#define AT(type, member) .offset = offsetof(struct type, member), .width = sizeof(((struct type *)0)->member)
#define WORDS(list)      .kind = CONFIG_WORD, .words = (list), .highest = sizeof(list) / sizeof((list)[0]) - 1

const struct config_key config_keys[CONFIG_KEY_COUNT] = {
    [KEY_match] = {.section = "", .field = "match", .kind = CONFIG_PATTERN, AT(breaker_settings, match)},
    [KEY_mode] = {.section = "", .field = "mode", WORDS(mode_words), AT(breaker_settings, mode)},
    [KEY_window_type] = {.section = "window", .field = "type", WORDS(window_words), AT(breaker_settings, window.type)},
    [KEY_half_open_verdict] = {.section = "half_open",
                               .field = "verdict",
                               WORDS(verdict_words),
                               AT(breaker_settings, half_open.verdict)},
#define SCALAR(part, name, unit, initial, low, high) \
    [KEY_##part##_##name] = {.section = #part,       \
                             .field = #name,         \
                             .kind = CONFIG_##unit,  \
                             .lowest = (low),        \
                             .highest = (high),      \
                             AT(breaker_settings, part.name)},
    SETTINGS_SCALARS(SCALAR)
#undef SCALAR
        [KEY_ramp_steps] = {.section = "ramp",
                            .field = "steps",
                            .kind = CONFIG_STEPS,
                            AT(breaker_settings, ramp.steps)},
    [KEY_forget_after] = {.section = "",
                          .field = "forget_after",
                          .kind = CONFIG_DURATION,
                          .highest = SETTINGS_OPEN_MAX,
                          AT(breaker_settings, forget_after)},
};

const struct config_key config_limit_keys[CONFIG_LIMIT_COUNT] = {
#define LIMIT(name, unit, initial, low, high) \
    [LIMIT_##name] = {.section = "limits",    \
                      .field = #name,         \
                      .kind = CONFIG_##unit,  \
                      .lowest = (low),        \
                      .highest = (high),      \
                      AT(config_limits, name)},
    CONFIG_LIMITS(LIMIT)
#undef LIMIT
};

const char *config_key_name(const struct config_key *key)
{
    return strcmp(key->field, "span") == 0 ? "for" : key->field;
}

uint64_t config_key_get(const struct config_key *key, const void *base)
{
    const void *place = (const char *)base + key->offset;
    switch (key->width) {
    case 1:
        return *(const uint8_t *)place;
    case 4:
        return *(const uint32_t *)place;
    default:
        return *(const uint64_t *)place;
    }
}

void config_key_set(const struct config_key *key, void *base, uint64_t value)
{
    void *place = (char *)base + key->offset;
    switch (key->width) {
    case 1:
        *(uint8_t *)place = (uint8_t)value;
        break;
    case 4:
        *(uint32_t *)place = (uint32_t)value;
        break;
    default:
        *(uint64_t *)place = value;
    }
}

/* Keys that count only while a word of their section has this value. */
static const struct {
    enum config_key_id key, word;
    uint64_t value;
} conditional[] = {
    {KEY_window_size, KEY_window_type, WINDOW_COUNT},
    {KEY_window_span, KEY_window_type, WINDOW_TIME},
    {KEY_half_open_successes, KEY_half_open_verdict, PROBE_VERDICT_SUCCESSES},
    {KEY_half_open_sample, KEY_half_open_verdict, PROBE_VERDICT_RATE},
};

bool config_key_applies(enum config_key_id id, const struct breaker_settings *settings, enum config_key_id *ret_word,
                        const char **ret_instead)
{
    for (size_t i = 0; i < sizeof(conditional) / sizeof(conditional[0]); i++) {
        const struct config_key *word = &config_keys[conditional[i].word];
        if (conditional[i].key != id || config_key_get(word, settings) == conditional[i].value)
            continue;
        *ret_word = conditional[i].word;
        *ret_instead = word->words[conditional[i].value];
        return false;
    }
    return true;
}
