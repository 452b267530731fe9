/* Every key of the config file, made from SETTINGS_SCALARS: what the parser, the checks and `config show` walk over. */
#ifndef TRIPD_CONFIG_KEYS_H
#define TRIPD_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "config/value.h"
#include "internal/layout.h"

struct config_key {
    const char *section; /* SECTION_...; "": the entry itself */
    const char *field;   /* config_key_name gives what people write */
    enum config_kind kind;
    size_t offset; /* in struct breaker_settings; of a key of the host: in its section's */
    size_t width;
    uint64_t lowest, highest;
    const char *const *words; /* CONFIG_WORD, CONFIG_ERROR_TYPES: `highest` + 1 of them */
};

/* Of a `breakers:` entry, in the order in which they are shown. */
enum config_key_id {
#define KEY_ID(section, field, kind, initial, lowest, highest) KEY_##section##_##field,
    KEY_match,
    KEY_mode,
    KEY_window_type,
    KEY_half_open_verdict,
    KEY_retry_backoff,
    KEY_retry_jitter,
    KEY_hedge_at,
    KEY_concurrency_adaptive,
    KEY_rate_window,
    SETTINGS_SCALARS(KEY_ID) KEY_ramp_steps,
    KEY_retry_on,
    KEY_forget_after,
#undef KEY_ID
    CONFIG_KEY_COUNT
};
extern const struct config_key config_keys[CONFIG_KEY_COUNT];

/* As people write them: retry.budget is `budget` in `retry`. */
#define SECTION_trip        "trip"
#define SECTION_window      "window"
#define SECTION_open        "open"
#define SECTION_half_open   "half_open"
#define SECTION_ramp        "ramp"
#define SECTION_retry       "retry"
#define SECTION_budget      "retry.budget"
#define SECTION_hedge       "hedge"
#define SECTION_concurrency "concurrency"
#define SECTION_rate        "rate"
#define SECTION_throttle    "throttle"
#define SECTION_priority    "priority"

/* In the order in which they are shown. */
#define CONFIG_SECTION_COUNT 12
extern const char *const config_sections[CONFIG_SECTION_COUNT];

const char *config_section_name(const char *section);
/* Does it stand right in the other one? "": in the entry itself. */
bool config_section_within(const char *section, const char *outer);
/* Is it part of these settings? hedge is, or is not: that turns hedging on. */
bool config_section_applies(const char *section, const struct breaker_settings *settings);

/* Of `limits:`. */
#define CONFIG_LIMITS(X)                                                                      \
    X(max_breakers, COUNT, 1024, 1, BREAKERS_MAX)                                             \
    X(max_lanes, COUNT, 1024, 1, LANES_MAX)                                                   \
    X(lane_memory_per_user, BYTES, UINT64_C(256) << 20, UINT64_C(1) << 20, UINT64_C(1) << 40) \
    X(breakers_per_user, RATE, 500, 1, 1000)

enum config_limit_id {
#define LIMIT_ID(field, ...) LIMIT_##field,
    CONFIG_LIMITS(LIMIT_ID)
#undef LIMIT_ID
        CONFIG_LIMIT_COUNT
};
_Static_assert(CONFIG_LIMIT_COUNT == CONFIG_LIMIT_KEYS, "each limit has an origin");

/* Sections whose keys hold for the whole host, in the order in which they are shown. */
struct config_flat {
    const char *name;
    const struct config_key *keys; /* of which `offset` counts from the section's own struct */
    size_t count;
    size_t values, origins; /* offsets in struct config */
};
#define CONFIG_FLAT_KEYS_MAX 8
enum config_flat_id { FLAT_limits, FLAT_correlation, CONFIG_FLAT_COUNT };
extern const struct config_flat config_flats[CONFIG_FLAT_COUNT];

static inline void *config_flat_values(const struct config_flat *flat, struct config *config)
{
    return (uint8_t *)config + flat->values;
}
static inline struct config_origin *config_flat_origins(const struct config_flat *flat, struct config *config)
{
    return (struct config_origin *)(void *)((uint8_t *)config + flat->origins);
}

/* `for` is a word of C: the field is called span. */
const char *config_key_name(const struct config_key *key);
uint64_t config_key_get(const struct config_key *key, const void *base);
void config_key_set(const struct config_key *key, void *base, uint64_t value);

/* Has this key a meaning beside these settings? `size` has none in a window of time. False: *ret_because names the
 * word that takes it away, *ret_instead the one under which it would count. */
bool config_key_applies(enum config_key_id id, const struct breaker_settings *settings, enum config_key_id *ret_word,
                        const char **ret_instead);

#endif
