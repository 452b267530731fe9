#include "config/check.h"

#include <string.h>

#include "config/check_parts.h"
#include "core/breaker.h"
#include "internal/layout.h"
#include "internal/state_word.h"

/* Complains about keys that another key's word makes void: window.size has no effect with `type: time`. Where the file
 * says `type: time` this is a note; where it leaves `type` out, the writer meant the other type, and it is a problem.
 */
static void check_void_keys(const struct check *check)
{
    for (enum config_key_id id = 0; id < CONFIG_KEY_COUNT; id++) {
        enum config_key_id word;
        const char *instead;
        if (!check->lines->keys[id] || config_key_applies(id, check->settings, &word, &instead) || !SOUND(check, word))
            continue;
        const struct config_key *key = &config_keys[id], *by = &config_keys[word];
        if (check->lines->keys[word])
            config_problem(check->notes, check->lines->keys[id], "%s.%s has no effect with %s: %s", key->section,
                           config_key_name(key), config_key_name(by), by->words[config_key_get(by, check->settings)]);
        else
            config_problem(check->problems, check->lines->keys[id],
                           "%s.%s has no effect without %s: %s; add %s: %s, or leave it out", key->section,
                           config_key_name(key), config_key_name(by), instead, config_key_name(by), instead);
    }
}

/* The trip conditions over the window, by their keys. */
#define KEY(reason, key, of, rate)       KEY_trip_##key,
#define CONDITION(reason, key, of, rate) {KEY_trip_##key, rate},
static const struct {
    enum config_key_id id;
    bool rate;
} window_conditions[] = {WINDOW_CONDITIONS(CONDITION)};
#define CONDITION_COUNT (sizeof(window_conditions) / sizeof(window_conditions[0]))

/* Refuses a condition that needs more calls than the window holds. */
static void check_count(const struct check *check, enum config_key_id id)
{
    const unsigned long long size = check->settings->window.size;
    const unsigned long long calls = config_key_get(&config_keys[id], check->settings);
    if (calls > size && SOUND(check, id))
        config_problem(check->problems, line_of(check, id, KEY_window_size),
                       "trip.%s: %llu can never be reached in a window of %llu calls; write %llu at most, or "
                       "window.size: %llu",
                       config_key_name(&config_keys[id]), calls, size, size, calls);
}

static void check_window(const struct check *check)
{
    const struct breaker_settings *settings = check->settings;
    if (settings->window.type != WINDOW_COUNT || !SOUND(check, KEY_window_type, KEY_window_size))
        return;
    const unsigned long long size = settings->window.size;
    bool rates = false, sound = true;
    for (size_t i = 0; i < CONDITION_COUNT; i++) {
        const enum config_key_id id = window_conditions[i].id;
        if (!window_conditions[i].rate)
            check_count(check, id);
        rates |= window_conditions[i].rate && config_key_get(&config_keys[id], settings);
        sound &= !window_conditions[i].rate || SOUND(check, id);
    }
    if (settings->window.minimum_calls > size && rates && sound && SOUND(check, KEY_window_minimum_calls))
        config_problem(check->problems, line_of(check, KEY_window_minimum_calls, KEY_window_size),
                       "window.minimum_calls: %llu can never be reached in a window of %llu calls, so no rate would "
                       "count; write minimum_calls: %llu at most, or size: %llu",
                       (unsigned long long)settings->window.minimum_calls, size, size,
                       (unsigned long long)settings->window.minimum_calls);
}

static void check_trip(const struct check *check)
{
    const struct breaker_settings *settings = check->settings;
    if (settings->trip.slow_rate && !settings->trip.slow_after && SOUND(check, KEY_trip_slow_rate, KEY_trip_slow_after))
        config_problem(check->problems, line_of(check, KEY_trip_slow_after, KEY_trip_slow_rate),
                       "trip.slow_rate can never be reached while slow_after is 0: no call is slow; write how long a "
                       "slow call takes, as slow_after: 2s, or slow_rate: 0%%");
    if (settings->trip.slow_rate && settings->trip.stall_after &&
        settings->trip.stall_after <= settings->trip.slow_after &&
        SOUND(check, KEY_trip_slow_rate, KEY_trip_stall_after, KEY_trip_slow_after))
        config_problem(check->notes, line_of(check, KEY_trip_stall_after, KEY_trip_slow_after),
                       "trip.stall_after is not longer than slow_after: calls that begin and end count as stalled "
                       "before they could count as slow");
    if (!settings->trip.consecutive_failures && !core_counts(settings, CALL_ANY) && !settings->trip.in_flight &&
        SOUND(check, WINDOW_CONDITIONS(KEY) KEY_trip_consecutive_failures, KEY_trip_in_flight))
        config_problem(check->notes, line_of(check, KEY_trip_failure_rate, KEY_trip_consecutive_failures),
                       "no trip condition is on: these breakers open only when an operator opens them");
}

static void check_open(const struct check *check)
{
    const struct breaker_settings *settings = check->settings;
    char span[CONFIG_TEXT_MAX], max[CONFIG_TEXT_MAX];
    shown(CONFIG_DURATION, settings->open.span, span);
    shown(CONFIG_DURATION, settings->open.max, max);
    if (settings->open.max < settings->open.span && SOUND(check, KEY_open_max, KEY_open_span))
        config_problem(check->problems, line_of(check, KEY_open_max, KEY_open_span),
                       "open.for: %s can never be reached, as open.max is %s%s; write max: %s or more", span, max,
                       by_default(check, KEY_open_max), span);
}

/* Notes a multiplier of open times that can have no effect, whether the file states it or not. */
static void check_growth(const struct check *check)
{
    const struct breaker_settings *settings = check->settings;
    char factor[CONFIG_TEXT_MAX], max[CONFIG_TEXT_MAX];
    if (settings->open.multiplier == 1000 ||
        !SOUND(check, KEY_open_multiplier, KEY_open_forget, KEY_open_max, KEY_open_span))
        return;
    shown(CONFIG_FACTOR, settings->open.multiplier, factor);
    shown(CONFIG_DURATION, settings->open.max, max);
    if (settings->open.forget == 0)
        config_problem(check->notes, line_of(check, KEY_open_multiplier, KEY_open_forget),
                       "open.multiplier: %s%s has no effect with forget: 0s, as no opening follows that soon; write "
                       "forget: 10m, or multiplier: 1.0",
                       factor, by_default(check, KEY_open_multiplier));
    else if (settings->open.max == settings->open.span)
        config_problem(
            check->notes,
            check->lines->keys[KEY_open_multiplier] ? check->lines->keys[KEY_open_multiplier]
                                                    : line_of(check, KEY_open_max, KEY_open_span),
            "open.multiplier: %s%s has no effect, as open.max is no longer than open.for: %s%s; write a longer "
            "max, or multiplier: 1.0",
            factor, by_default(check, KEY_open_multiplier), max, by_default(check, KEY_open_max));
}

static void check_granted(const struct check *check, enum config_key_id probes)
{
    const struct config_key *const key = &config_keys[probes];
    const unsigned long long most = config_key_get(key, check->settings);
    if (check->settings->half_open.permits > most && SOUND(check, KEY_half_open_permits, probes, KEY_half_open_verdict))
        config_problem(check->notes, line_of(check, KEY_half_open_permits, probes),
                       "half_open.permits is more than %s: no more than %llu are ever granted at once",
                       config_key_name(key), most);
}

static void check_max_wait(const struct check *check)
{
    char max_wait[CONFIG_TEXT_MAX];
    if (check->settings->half_open.max_wait < LEASE_STEP_MS * TRIP_MS && SOUND(check, KEY_half_open_max_wait))
        config_problem(
            check->problems, check->lines->keys[KEY_half_open_max_wait],
            "half_open.max_wait: %s cannot be kept, as the leases of probes end in steps of 64ms; write 64ms "
            "or more",
            shown(CONFIG_DURATION, check->settings->half_open.max_wait, max_wait));
}

static void check_half_open(const struct check *check)
{
    const struct breaker_settings *settings = check->settings;
    const bool by_rate = settings->half_open.verdict == PROBE_VERDICT_RATE;
    check_max_wait(check);
    check_granted(check, by_rate ? KEY_half_open_sample : KEY_half_open_successes);
    if (by_rate && !settings->trip.failure_rate && !settings->trip.slow_rate &&
        SOUND(check, KEY_half_open_verdict, KEY_trip_failure_rate, KEY_trip_slow_rate))
        config_problem(check->problems, line_of(check, KEY_half_open_verdict, KEY_trip_failure_rate),
                       "half_open.verdict: rate has no rate to judge by, so every sample would close; write "
                       "trip.failure_rate, as 50%%, or verdict: successes");
}

static void check_ramp(const struct check *check)
{
    const struct breaker_settings *settings = check->settings;
    if (!SOUND(check, KEY_ramp_steps, KEY_ramp_over))
        return;
    for (uint32_t i = 1; i < settings->ramp.step_count; i++) {
        if (settings->ramp.steps[i] > settings->ramp.steps[i - 1])
            continue;
        char before[CONFIG_TEXT_MAX], after[CONFIG_TEXT_MAX];
        shown(CONFIG_RATE, settings->ramp.steps[i - 1], before);
        shown(CONFIG_RATE, settings->ramp.steps[i], after);
        config_problem(check->problems, line_of(check, KEY_ramp_steps, KEY_ramp_over),
                       "ramp.steps do not rise from %s to %s; write rising steps, as [10%%, 25%%, 50%%, 100%%]", before,
                       after);
        return;
    }
    if (check->lines->keys[KEY_ramp_steps] && !check->lines->keys[KEY_ramp_over])
        config_problem(check->problems, check->lines->keys[KEY_ramp_steps],
                       "ramp.steps has no effect without over; add how long they take together, as over: 30s, or leave "
                       "it out");
    if (settings->ramp.over && settings->ramp.over / settings->ramp.step_count < TRIP_MS)
        config_problem(check->problems, line_of(check, KEY_ramp_over, KEY_ramp_steps),
                       "ramp.over leaves less than 1ms to each of its %u steps; write %ums or more",
                       settings->ramp.step_count, settings->ramp.step_count);
}

void config_check_breaker(const struct breaker_settings *settings, const struct config_lines *lines,
                          struct config_problems *problems, struct config_problems *notes)
{
    const struct check check = {settings, lines, problems, notes};
    check_void_keys(&check);
    check_trip(&check);
    check_window(&check);
    check_open(&check);
    check_growth(&check);
    check_half_open(&check);
    check_ramp(&check);
    config_check_load(&check);
}

/* Matches the pattern against the other pattern's text. The other one's wildcards are letters there, which only a
 * wildcard at least as wide takes. */
bool config_pattern_covers(const char *pattern, const char *other)
{
    const char *star = NULL, *resume = NULL;
    while (*other) {
        if (*pattern == '*') {
            star = pattern++;
            resume = other;
        } else if (*pattern && (*pattern == '?' ? *other != '*' : *pattern == *other)) {
            pattern++;
            other++;
        } else if (star) {
            pattern = star + 1;
            other = ++resume;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}
