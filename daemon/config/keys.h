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
    const char *section; /* SECTION_...; "": the breakers entry itself */
    const char *field;   /* the struct's member; config_key_name gives the name that people write */
    enum config_kind kind;
    size_t offset; /* in struct breaker_settings; for a key of the host, in its section's struct */
    size_t width;
    uint64_t lowest, highest;
    const char *const *words; /* CONFIG_WORD, CONFIG_FLAG, CONFIG_ERROR_TYPES: the `highest` + 1 words */
};

/* The keys of a `breakers:` entry, in the order in which they are shown. */
enum config_key_id {
#define KEY_ID(section, field, kind, initial, lowest, highest) KEY_##section##_##field,
    KEY_match,
    KEY_mode,
    KEY_depends_on,
    KEY_window_type,
    KEY_half_open_verdict,
    KEY_retry_backoff,
    KEY_retry_jitter,
    KEY_hedge_at,
    KEY_concurrency_adaptive,
    KEY_rate_window,
    SETTINGS_SCALARS(KEY_ID) KEY_trip_cut_short,
    KEY_ramp_steps,
    KEY_retry_on,
    KEY_fallback,
    KEY_forget_after,
#undef KEY_ID
    CONFIG_KEY_COUNT
};
extern const struct config_key config_keys[CONFIG_KEY_COUNT];

/* Sections as people write them: retry.budget is `budget` within `retry`. */
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

/* Sections in the order in which they are shown. */
#define CONFIG_SECTION_COUNT 12
extern const char *const config_sections[CONFIG_SECTION_COUNT];

const char *config_section_name(const char *section);
/* Does this section stand directly within the other one? "": directly within the entry. */
bool config_section_within(const char *section, const char *outer);
/* Does this section apply to these settings? Only `hedge` may not: hedging is off where the section is missing. */
bool config_section_applies(const char *section, const struct breaker_settings *settings);

/* The keys of `limits:`. */
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

/* A section whose keys hold for the whole host; they stand in the order in which they are shown. */
struct config_flat {
    const char *name;
    const struct config_key *keys; /* each `offset` is within the section's own struct */
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

/* Returns the name that people write. It differs for `for`, a word of C: the struct's member is called span. */
const char *config_key_name(const struct config_key *key);
uint64_t config_key_get(const struct config_key *key, const void *base);
void config_key_set(const struct config_key *key, void *base, uint64_t value);

/* Visits a key: a name that ends in _ms for a duration, percent for a rate. */
void config_visit_key(const struct config_visitor *visitor, const struct config_key *key, const void *base);

/* Has this key an effect beside these settings? window.size has none in a window of time. False: *ret_word is the key
 * that takes the effect away, *ret_instead the word that key would need. */
bool config_key_applies(enum config_key_id id, const struct breaker_settings *settings, enum config_key_id *ret_word,
                        const char **ret_instead);

#endif
