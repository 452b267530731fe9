#include "config/keys.h"

#include <string.h>

#include "core/limiter.h"
#include "internal/backoff.h"
#include "internal/error_names.h"

const char *const config_sections[CONFIG_SECTION_COUNT] = {
    SECTION_trip,   SECTION_window, SECTION_open,        SECTION_half_open, SECTION_ramp,     SECTION_retry,
    SECTION_budget, SECTION_hedge,  SECTION_concurrency, SECTION_rate,      SECTION_throttle, SECTION_priority,
};

#define WORD(suffix, name) name,
static const char *const mode_words[] = {TRIP_MODES(WORD)};
static const char *const backoff_words[] = {BACKOFF_KINDS(WORD)};
static const char *const jitter_words[] = {JITTER_KINDS(WORD)};
static const char *const adaptive_words[] = {LIMITER_KINDS(WORD)};
static const char *const error_words[] = {ERROR_NAMES};
_Static_assert(sizeof(error_words) / sizeof(error_words[0]) == TRIP_ERROR_TYPE_COUNT, "a word for each error type");
#undef WORD
static const char *const flag_words[] = {"false", "true"};
static const char *const window_words[] = {[WINDOW_COUNT] = "count", [WINDOW_TIME] = "time"};
static const char *const verdict_words[] = {[PROBE_VERDICT_SUCCESSES] = "successes", [PROBE_VERDICT_RATE] = "rate"};
static const char *const hedge_words[] = {[HEDGE_AT_P50] = "p50", [HEDGE_AT_P95] = "p95", [HEDGE_AT_P99] = "p99"};
static const char *const rate_words[] = {[RATE_BUCKET] = "bucket", [RATE_SLIDING] = "sliding"};

#define AT(type, member) .offset = offsetof(struct type, member), .width = sizeof(((struct type *)0)->member)
#define LIST(list)       .words = (list), .highest = sizeof(list) / sizeof((list)[0]) - 1
#define WORDS(list)      .kind = CONFIG_WORD, LIST(list)

const struct config_key config_keys[CONFIG_KEY_COUNT] = {
    [KEY_match] = {.section = "", .field = "match", .kind = CONFIG_PATTERN, AT(breaker_settings, match)},
    [KEY_mode] = {.section = "", .field = "mode", WORDS(mode_words), AT(breaker_settings, mode)},
    [KEY_depends_on] = {.section = "",
                        .field = "depends_on",
                        .kind = CONFIG_PATTERNS,
                        AT(breaker_settings, depends_on)},
    [KEY_window_type] = {.section = "window", .field = "type", WORDS(window_words), AT(breaker_settings, window.type)},
    [KEY_half_open_verdict] = {.section = "half_open",
                               .field = "verdict",
                               WORDS(verdict_words),
                               AT(breaker_settings, half_open.verdict)},
    [KEY_retry_backoff] = {.section = SECTION_retry,
                           .field = "backoff",
                           WORDS(backoff_words),
                           AT(breaker_settings, retry.backoff)},
    [KEY_retry_jitter] = {.section = SECTION_retry,
                          .field = "jitter",
                          WORDS(jitter_words),
                          AT(breaker_settings, retry.jitter)},
    [KEY_hedge_at] = {.section = SECTION_hedge, .field = "at", WORDS(hedge_words), AT(breaker_settings, hedge.at)},
    [KEY_concurrency_adaptive] = {.section = SECTION_concurrency,
                                  .field = "adaptive",
                                  WORDS(adaptive_words),
                                  AT(breaker_settings, concurrency.adaptive)},
    [KEY_rate_window] = {.section = SECTION_rate,
                         .field = "window",
                         WORDS(rate_words),
                         AT(breaker_settings, rate.window)},
#define SCALAR(part, name, unit, initial, low, high)    \
    [KEY_##part##_##name] = {.section = SECTION_##part, \
                             .field = #name,            \
                             .kind = CONFIG_##unit,     \
                             .lowest = (low),           \
                             .highest = (high),         \
                             AT(breaker_settings, part.name)},
    SETTINGS_SCALARS(SCALAR)
#undef SCALAR
        [KEY_trip_cut_short] = {.section = SECTION_trip,
                                .field = "cut_short",
                                .kind = CONFIG_FLAG,
                                LIST(flag_words),
                                AT(breaker_settings, trip.cut_short)},
    [KEY_ramp_steps] = {.section = "ramp", .field = "steps", .kind = CONFIG_STEPS, AT(breaker_settings, ramp.steps)},
    [KEY_retry_on] = {.section = SECTION_retry,
                      .field = "on",
                      .kind = CONFIG_ERROR_TYPES,
                      LIST(error_words),
                      AT(breaker_settings, retry.on)},
    [KEY_fallback] = {.section = "", .field = "fallback", .kind = CONFIG_FALLBACK, AT(breaker_settings, fallback)},
    [KEY_forget_after] = {.section = "",
                          .field = "forget_after",
                          .kind = CONFIG_DURATION,
                          .highest = SETTINGS_OPEN_MAX,
                          AT(breaker_settings, forget_after)},
};

/* Declares a key of the host: its section, and the member of the section's struct that holds its value. */
#define HOST_KEY(in, values, name, unit, low, high) \
    {.section = (in), .field = #name, .kind = CONFIG_##unit, .lowest = (low), .highest = (high), AT(values, name)},

static const struct config_key limit_keys[] = {
#define LIMIT(name, unit, initial, low, high) HOST_KEY("limits", config_limits, name, unit, low, high)
    CONFIG_LIMITS(LIMIT)
#undef LIMIT
};

static const struct config_key correlation_keys[] = {
#define SCALAR(name, unit, initial, low, high) HOST_KEY("correlation", correlation_settings, name, unit, low, high)
    CORRELATION_SCALARS(SCALAR)
#undef SCALAR
};

#define FLAT(section, its_keys, its_origins)                             \
    [FLAT_##section] = {.name = #section,                                \
                        .keys = its_keys,                                \
                        .count = sizeof(its_keys) / sizeof(its_keys[0]), \
                        .values = offsetof(struct config, section),      \
                        .origins = offsetof(struct config, its_origins)}

const struct config_flat config_flats[CONFIG_FLAT_COUNT] = {
    FLAT(limits, limit_keys, limit_origins),
    FLAT(correlation, correlation_keys, correlation_origins),
};
_Static_assert(sizeof(correlation_keys) / sizeof(correlation_keys[0]) == CONFIG_CORRELATION_KEYS,
               "each key of correlation has an origin");

const char *config_section_name(const char *section)
{
    const char *dot = strchr(section, '.');
    return dot ? dot + 1 : section;
}

bool config_section_within(const char *section, const char *outer)
{
    const size_t length = strlen(outer);
    if (!length)
        return !strchr(section, '.');
    return strncmp(section, outer, length) == 0 && section[length] == '.';
}

bool config_section_applies(const char *section, const struct breaker_settings *settings)
{
    return strcmp(section, SECTION_hedge) != 0 || settings->hedge.set;
}

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

/* Keys that have an effect only while another key of their section has this word. */
static const struct {
    enum config_key_id key, word;
    uint64_t value;
} conditional[] = {
    {KEY_window_size, KEY_window_type, WINDOW_COUNT},
    {KEY_window_span, KEY_window_type, WINDOW_TIME},
    {KEY_half_open_successes, KEY_half_open_verdict, PROBE_VERDICT_SUCCESSES},
    {KEY_half_open_sample, KEY_half_open_verdict, PROBE_VERDICT_RATE},
    {KEY_retry_multiplier, KEY_retry_backoff, BACKOFF_EXPONENTIAL},
    {KEY_retry_jitter_ratio, KEY_retry_jitter, JITTER_PROPORTIONAL},
    {KEY_rate_burst, KEY_rate_window, RATE_BUCKET},
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
