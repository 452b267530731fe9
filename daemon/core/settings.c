/* The default settings, and which names and patterns are valid. */
#include "core/settings.h"

#include <string.h>

#include "core/limiter.h"
#include "internal/backoff.h"
#include "trip.h"

void breaker_settings_defaults(struct breaker_settings *ret_settings)
{
    static const uint16_t steps[] = {100, 250, 500, 1000};

    memset(ret_settings, 0, sizeof(*ret_settings));
    ret_settings->match[0] = '*';
    ret_settings->mode = TRIP_MODE_AUTO;
    ret_settings->window.type = WINDOW_COUNT;
    ret_settings->half_open.verdict = PROBE_VERDICT_SUCCESSES;
#define SET_DEFAULT(section, key, kind, value, lowest, highest) ret_settings->section.key = (value);
    SETTINGS_SCALARS(SET_DEFAULT)
#undef SET_DEFAULT
    memcpy(ret_settings->ramp.steps, steps, sizeof(steps));
    ret_settings->ramp.step_count = sizeof(steps) / sizeof(steps[0]);
    ret_settings->retry.backoff = BACKOFF_EXPONENTIAL;
    ret_settings->retry.jitter = JITTER_PROPORTIONAL;
    ret_settings->retry.on = DEFAULT_RETRY_ON;
    ret_settings->hedge.at = HEDGE_AT_P95;
    ret_settings->concurrency.adaptive = LIMITER_NONE;
    ret_settings->rate.window = RATE_BUCKET;
    ret_settings->forget_after = 3600 * TRIP_S;
}

/* Only the last `*` met can need another try, at most once a byte of the name: no pattern is slow. */
_Bool settings_pattern_matches(const char *pattern, const char *name)
{
    const char *after_star = NULL, *retry = NULL;

    while (*name) {
        if (*pattern == '*') {
            after_star = ++pattern;
            retry = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (after_star) {
            pattern = after_star;
            name = ++retry;
        } else {
            return 0;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static _Bool name_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           (byte != '\0' && strchr("._:/@-", byte) != NULL);
}

_Bool settings_name_valid(const char *name, size_t length)
{
    if (length < 1 || length > TRIP_NAME_MAX)
        return 0;
    for (size_t i = 0; i < length; i++)
        if (!name_byte(name[i]))
            return 0;
    return 1;
}

struct correlation_settings correlation_defaults(void)
{
#define INITIAL(name, kind, initial, lowest, highest) .name = (initial),
    return (struct correlation_settings){CORRELATION_SCALARS(INITIAL)};
#undef INITIAL
}

struct levels_settings levels_defaults(void)
{
    return (struct levels_settings){
        .back_after = 30 * TRIP_S, .count = 4, .names = {"normal", "degraded", "minimal", "emergency"}};
}
