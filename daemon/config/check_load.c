#include "config/check_parts.h"

#include "core/limiter.h"

#define K_MIN \
    1100 /* throttle.k below 1.1 lets the share of admitted calls rise too slowly: it would take many minutes */
#define RUN_MIN 100 /* a run of failures this long comes once in 400,000 calls, where 9 of 10 calls fail */
#define BURST_NS_MAX \
    (104 * 24 * 3600 * TRIP_S) /* the furthest that a bucket's word can look ahead: BUCKET_AHEAD_MAX at 8 GHz */

static void check_retry(const struct check *check)
{
    const struct breaker_settings *settings = check->settings;
    char base[CONFIG_TEXT_MAX], max[CONFIG_TEXT_MAX], total[CONFIG_TEXT_MAX];
    shown(CONFIG_DURATION, settings->retry.base, base);
    shown(CONFIG_DURATION, settings->retry.max, max);
    shown(CONFIG_DURATION, settings->retry.total, total);
    if (settings->retry.max < settings->retry.base && SOUND(check, KEY_retry_max, KEY_retry_base))
        config_problem(check->problems, line_of(check, KEY_retry_max, KEY_retry_base),
                       "retry.base: %s can never be reached, as retry.max is %s%s; write max: %s or more", base, max,
                       by_default(check, KEY_retry_max), base);
    if (settings->retry.total && settings->retry.total < settings->retry.base &&
        SOUND(check, KEY_retry_total, KEY_retry_base))
        config_problem(check->problems, line_of(check, KEY_retry_total, KEY_retry_base),
                       "retry.total: %s ends before the first retry, as retry.base is %s%s; write total: %s or more, "
                       "or 0s for no limit",
                       total, base, by_default(check, KEY_retry_base), base);
}

static void check_concurrency(const struct check *check)
{
    const struct breaker_settings *settings = check->settings;
    const unsigned long long max = settings->concurrency.max, min = settings->concurrency.min;
    char wait[CONFIG_TEXT_MAX], reserve[CONFIG_TEXT_MAX];
    if (!SOUND(check, KEY_concurrency_max))
        return;
    if (!max && settings->concurrency.adaptive != LIMITER_NONE && SOUND(check, KEY_concurrency_adaptive))
        config_problem(check->problems, line_of(check, KEY_concurrency_adaptive, KEY_concurrency_max),
                       "concurrency.adaptive: %s has no upper bound while max is 0; write the most calls at the same "
                       "time, as max: 200, or adaptive: none",
                       config_keys[KEY_concurrency_adaptive].words[settings->concurrency.adaptive]);
    if (!max && settings->concurrency.wait && SOUND(check, KEY_concurrency_wait))
        config_problem(check->problems, line_of(check, KEY_concurrency_wait, KEY_concurrency_max),
                       "concurrency.wait: %s has nothing to wait for while max is 0; write the most calls at the same "
                       "time, as max: 50, or wait: 0s",
                       shown(CONFIG_DURATION, settings->concurrency.wait, wait));
    if (max && settings->concurrency.adaptive != LIMITER_NONE && settings->priority.sheddable_below > 500 &&
        SOUND(check, KEY_concurrency_adaptive, KEY_priority_sheddable_below))
        config_problem(check->notes, line_of(check, KEY_priority_sheddable_below, KEY_concurrency_adaptive),
                       "concurrency.adaptive: a limit rises only while half of it is used, and sheddable calls alone, "
                       "which leave %s free, never use that",
                       shown(CONFIG_RATE, settings->priority.sheddable_below, reserve));
    if (max && min > max && SOUND(check, KEY_concurrency_min))
        config_problem(check->problems, line_of(check, KEY_concurrency_min, KEY_concurrency_max),
                       "concurrency.min: %llu is more than max: %llu; write min: %llu at most, or max: %llu or more",
                       min, max, max, min);
}

static void check_rate(const struct check *check)
{
    const struct breaker_settings *settings = check->settings;
    if (settings->rate.window != RATE_BUCKET || !settings->rate.burst ||
        !SOUND(check, KEY_rate_window, KEY_rate_burst, KEY_rate_limit))
        return;
    const unsigned long long burst = settings->rate.burst;
    if (!settings->rate.limit) {
        config_problem(check->problems, line_of(check, KEY_rate_burst, KEY_rate_limit),
                       "rate.burst: %llu has no effect while limit is 0; write how many calls pass in each per, as "
                       "limit: 100, or burst: 0",
                       burst);
        return;
    }
    if (!SOUND(check, KEY_rate_per))
        return;
    const uint64_t most = (uint64_t)((unsigned __int128)BURST_NS_MAX * settings->rate.limit / settings->rate.per);
    if (burst > most)
        config_problem(check->problems, line_of(check, KEY_rate_burst, KEY_rate_limit),
                       "rate.burst: %llu would take more than 104 days to come back at this limit; write burst: %llu "
                       "at most, or a higher limit",
                       burst, (unsigned long long)most);
}

static void check_throttle(const struct check *check)
{
    const uint64_t k = check->settings->throttle.k;
    char text[CONFIG_TEXT_MAX];
    if (k && k < K_MIN)
        config_problem(check->problems, line_of(check, KEY_throttle_k, KEY_throttle_k),
                       "throttle.k: %s would not admit all again when an overload is over; write 1.1 or more, as "
                       "2.0, or 0 for no throttling",
                       shown(CONFIG_FACTOR, k, text));
}

/* Notes a throttle that begins to shed only when the breaker has opened already. */
static void check_throttle_before_trip(const struct check *check)
{
    const struct breaker_settings *settings = check->settings;
    const uint64_t k = settings->throttle.k, rate = settings->trip.failure_rate;
    const unsigned long long run = settings->trip.consecutive_failures;
    const uint64_t sheds_from =
        k > 1000 ? (k - 1000) * 1000 / k : 0; /* permille of failed calls: of k calls, one went well */
    const bool by_rate = rate && rate <= sheds_from, by_run = run && run < RUN_MIN;
    char factor[CONFIG_TEXT_MAX], from[CONFIG_TEXT_MAX], opens[CONFIG_TEXT_MAX], rates[96] = "", runs[96] = "";
    if (k < 1000 || (!by_rate && !by_run) ||
        !SOUND(check, KEY_throttle_k, KEY_trip_failure_rate, KEY_trip_consecutive_failures))
        return;
    if (by_rate)
        snprintf(rates, sizeof(rates), "trip.failure_rate: %s%s", shown(CONFIG_RATE, rate, opens),
                 by_default(check, KEY_trip_failure_rate));
    if (by_run)
        snprintf(runs, sizeof(runs), "trip.consecutive_failures: %llu%s", run,
                 by_default(check, KEY_trip_consecutive_failures));
    config_problem(
        check->notes, line_of(check, KEY_throttle_k, KEY_throttle_k),
        "throttle.k: %s sheds calls once more than %s of them fail over 10 s, and the breaker opens no later "
        "by %s%s%s; shedding comes first with %s%s%s",
        shown(CONFIG_FACTOR, k, factor), shown(CONFIG_RATE, sheds_from, from), rates, by_rate && by_run ? " and " : "",
        runs, by_rate ? "a higher failure_rate or a lower k" : "", by_rate && by_run ? ", and " : "",
        by_run ? "consecutive_failures: 0, or 100 at least" : "");
}

/* Refuses a reserve that leaves calls of this priority nothing of the limit. */
static void check_below(const struct check *check, enum config_key_id id, const char *calls)
{
    if (config_key_get(&config_keys[id], check->settings) >= 1000 && SOUND(check, id))
        config_problem(
            check->problems, check->lines->keys[id],
            "priority.%s: 100%% leaves nothing of any limit to %s calls, so none could ever be admitted; write "
            "less, as %s",
            config_key_name(&config_keys[id]), calls, id == KEY_priority_normal_below ? "5%" : "20%");
}

static void check_priority(const struct check *check)
{
    check_below(check, KEY_priority_sheddable_below, "sheddable");
    check_below(check, KEY_priority_normal_below, "normal");
    const struct breaker_settings *settings = check->settings;
    char normal[CONFIG_TEXT_MAX], sheddable[CONFIG_TEXT_MAX];
    shown(CONFIG_RATE, settings->priority.normal_below, normal);
    shown(CONFIG_RATE, settings->priority.sheddable_below, sheddable);
    if (settings->priority.normal_below > settings->priority.sheddable_below &&
        SOUND(check, KEY_priority_normal_below, KEY_priority_sheddable_below))
        config_problem(check->problems, line_of(check, KEY_priority_normal_below, KEY_priority_sheddable_below),
                       "priority.normal_below: %s%s would refuse normal calls before sheddable ones, whose "
                       "sheddable_below is %s%s; write normal_below: %s at most, or sheddable_below: %s or more",
                       normal, by_default(check, KEY_priority_normal_below), sheddable,
                       by_default(check, KEY_priority_sheddable_below), sheddable, normal);
}

void config_check_load(const struct check *check)
{
    check_retry(check);
    check_concurrency(check);
    check_rate(check);
    check_throttle(check);
    check_throttle_before_trip(check);
    check_priority(check);
}
