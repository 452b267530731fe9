/* The config file: its meaning, the words in which it is refused, and hostile texts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../support/folder.h"
#include "config/check.h"
#include "config/config.h"
#include "core/limiter.h"
#include "internal/backoff.h"
#include "trip.h"

static struct config *accepted(const char *text)
{
    struct config *config = NULL;
    char *problems = NULL;
    const int r = config_parse(text, strlen(text), "t.yaml", &config, &problems);
    if (r != 0)
        fail_msg("refused with %d:\n%s", r, problems ? problems : "(nothing)");
    assert_null(problems);
    return config;
}

/* Asserts that the text is refused with exactly these lines. */
static void refused(const char *text, const char *lines)
{
    struct config *config = NULL;
    char *problems = NULL;
    assert_int_equal(config_parse(text, strlen(text), "t.yaml", &config, &problems), -EINVAL);
    assert_null(config);
    assert_string_equal(problems, lines);
    free(problems);
}

/* Checks one setting of one entry, in line 3. */
static void refused_setting(const char *section, const char *setting, const char *what)
{
    char text[256], lines[512];
    snprintf(text, sizeof(text), "breakers:\n  - match: a\n    %s: {%s}\n", section, setting);
    snprintf(lines, sizeof(lines), "t.yaml:3: %s\n", what);
    refused(text, lines);
}

/* ------------------------------------------------------------------------------------------------------- meaning */

static void assert_contract_defaults(const struct breaker_settings *settings)
{
    assert_string_equal(settings->match, "*");
    assert_int_equal(settings->mode, TRIP_MODE_AUTO);
    assert_int_equal(settings->trip.consecutive_failures, 5);
    assert_int_equal(settings->trip.failures, 0);
    assert_int_equal(settings->trip.failure_rate, 500);
    assert_int_equal(settings->trip.slow_rate, 0);
    assert_int_equal(settings->trip.slow_after, 60000000000);
    assert_int_equal(settings->trip.stall_after, 0);
    assert_int_equal(settings->trip.in_flight, 0);
    assert_int_equal(settings->window.type, WINDOW_COUNT);
    assert_int_equal(settings->window.size, 100);
    assert_int_equal(settings->window.minimum_calls, 10);
    assert_int_equal(settings->open.span, 30000000000);
    assert_int_equal(settings->open.multiplier, 2000);
    assert_int_equal(settings->open.max, 300000000000);
    assert_int_equal(settings->open.jitter, 100);
    assert_int_equal(settings->open.forget, 600000000000);
    assert_int_equal(settings->half_open.permits, 1);
    assert_int_equal(settings->half_open.successes, 3);
    assert_int_equal(settings->half_open.max_wait, 10000000000);
    assert_int_equal(settings->half_open.verdict, PROBE_VERDICT_SUCCESSES);
    assert_int_equal(settings->ramp.over, 0);
    assert_int_equal(settings->ramp.step_count, 4);
    assert_int_equal(settings->ramp.steps[0], 100);
    assert_int_equal(settings->ramp.steps[1], 250);
    assert_int_equal(settings->ramp.steps[2], 500);
    assert_int_equal(settings->ramp.steps[3], 1000);
    assert_int_equal(settings->retry.backoff, BACKOFF_EXPONENTIAL);
    assert_int_equal(settings->retry.jitter, JITTER_PROPORTIONAL);
    assert_int_equal(settings->retry.on, 0x1e); /* network, timeout, service_unavailable, rate_limited */
    assert_int_equal(settings->retry.attempts, 3);
    assert_int_equal(settings->retry.base, 100000000);
    assert_int_equal(settings->retry.multiplier, 2000);
    assert_int_equal(settings->retry.max, 10000000000);
    assert_int_equal(settings->retry.jitter_ratio, 100);
    assert_int_equal(settings->retry.total, 0);
    assert_int_equal(settings->budget.ratio, 200);
    assert_int_equal(settings->budget.min_per_second, 10);
    assert_int_equal(settings->hedge.set, 0);
    assert_int_equal(settings->hedge.at, HEDGE_AT_P95);
    assert_int_equal(settings->hedge.after, 0);
    assert_int_equal(settings->hedge.max, 1);
    assert_int_equal(settings->concurrency.adaptive, LIMITER_NONE);
    assert_int_equal(settings->concurrency.max, 0);
    assert_int_equal(settings->concurrency.wait, 0);
    assert_int_equal(settings->concurrency.min, 1);
    assert_int_equal(settings->rate.window, RATE_BUCKET);
    assert_int_equal(settings->rate.limit, 0);
    assert_int_equal(settings->rate.per, 1000000000);
    assert_int_equal(settings->rate.burst, 0);
    assert_int_equal(settings->throttle.k, 0);
    assert_int_equal(settings->priority.sheddable_below, 200);
    assert_int_equal(settings->priority.normal_below, 50);
    assert_int_equal(settings->forget_after, 3600000000000);
}

static void test_no_file_gives_the_contracts_defaults(void **state)
{
    (void)state;
    struct config *config = NULL;
    char *problems = NULL;
    assert_int_equal(config_load(NULL, &config, &problems), 0);
    assert_null(problems);
    assert_int_equal(config->limits.max_breakers, 1024);
    assert_int_equal(config->limits.max_lanes, 1024);
    assert_int_equal(config->limits.lane_memory_per_user, 268435456);
    assert_int_equal(config->limits.breakers_per_user, 500);
    assert_int_equal(config->breaker_count, 1);
    assert_contract_defaults(&config->breakers[0]);
    assert_string_equal(config->access[CONFIG_OBSERVE].who[0].text, "any");
    assert_string_equal(config->access[CONFIG_REPORT].who[0].text, "group:tripd");
    assert_string_equal(config->access[CONFIG_CONTROL].who[0].text, "user:root");
    assert_string_equal(config->access[CONFIG_CONTROL].who[1].text, "group:tripadm");
    config_free(config);
}

static void test_correlation_is_read_within_its_bounds(void **state)
{
    (void)state;
    struct config *config =
        accepted("correlation: {window: 5m, max_errors: 4096, high_error_rate: 2.5, pattern_share: 80%}\n");
    assert_int_equal(config->correlation.window, 300000000000);
    assert_int_equal(config->correlation.max_errors, 4096);
    assert_int_equal(config->correlation.high_error_rate, 2500);
    assert_int_equal(config->correlation.pattern_share, 800);
    config_free(config);
    refused("correlation: {window: 0.5s}\n", "t.yaml:1: correlation.window: '0.5s' is less than 1s; write 1s to 1h\n");
    refused("correlation: {max_errors: 16385}\n",
            "t.yaml:1: correlation.max_errors: '16385' is more than 16384; write 16 to 16384\n");
    refused("correlation: {high_error_rate: 0}\n",
            "t.yaml:1: correlation.high_error_rate: '0' is less than 0.001; write 0.001 to 1000000.0\n");
    refused("correlation: {pattern_share: 100%}\n",
            "t.yaml:1: correlation.pattern_share: '100%' is more than 99.9%; write 0% to 99.9%\n");
    refused("correlation: {windw: 1m}\n", "t.yaml:1: unknown key 'windw' in correlation; write window\n");
}

static void test_the_contracts_own_text_gives_its_defaults(void **state)
{
    (void)state;
    struct config *config =
        accepted("limits: {max_breakers: 1024, max_lanes: 1024, lane_memory_per_user: 256MiB, breakers_per_user: 50%}\n"
                 "access: {observe: [any], report: [\"group:tripd\"], control: [\"user:root\", \"group:tripadm\"]}\n"
                 "breakers:\n"
                 "  - match: \"payments/*\"\n"
                 "    mode: auto                       # auto | forced_open | disabled | shadow\n"
                 "    trip:\n"
                 "      consecutive_failures: 5\n"
                 "      failures: 0                    # at least this many in the window, whatever the rate\n"
                 "      failure_rate: 50%\n"
                 "      slow_rate: 0%\n"
                 "      slow_after: 60s                # a call that takes strictly longer is slow\n"
                 "      stall_after: 0s\n"
                 "      in_flight: 0\n"
                 "      cut_short: false\n"
                 "    window: {type: count, size: 100, minimum_calls: 10}    # or {type: time, for: 60s, ...}\n"
                 "    open: {for: 30s, multiplier: 2.0, max: 5m, jitter: 10%, forget: 10m}\n"
                 "    half_open: {permits: 1, successes: 3, max_wait: 10s, verdict: successes}\n"
                 "    ramp: {over: 0s, steps: [10%, 25%, 50%, 100%]}\n"
                 "    forget_after: 1h\n");
    assert_int_equal(config->breaker_count, 2);
    assert_string_equal(config->breakers[0].match, "payments/*");
    strcpy(config->breakers[0].match, "*");
    assert_contract_defaults(&config->breakers[0]);
    assert_contract_defaults(&config->breakers[1]);
    config_free(config);
}

static void test_each_setting_takes_its_unit(void **state)
{
    (void)state;
    struct config *config =
        accepted("limits: {max_breakers: 10, max_lanes: 4095, lane_memory_per_user: 2GiB, breakers_per_user: 12.5%}\n"
                 "breakers:\n"
                 "- match: db-?\n"
                 "  mode: shadow\n"
                 "  trip: {consecutive_failures: 0, failures: 7, failure_rate: 12.5%, slow_rate: 1%,\n"
                 "    slow_after: 0.5ms, stall_after: 1.5s, in_flight: 200}\n"
                 "  window: {type: time, for: 2m, minimum_calls: 1}\n"
                 "  open: {for: 250ms, multiplier: 1.25, max: 1d, jitter: 0, forget: 90s}\n"
                 "  half_open: {permits: 64, max_wait: 12h, verdict: rate, sample: 100}\n"
                 "  ramp: {over: 10s, steps: [1%, 99.9%]}\n"
                 "  forget_after: 0s\n");
    const struct breaker_settings *settings = &config->breakers[0];
    assert_int_equal(config->limits.max_breakers, 10);
    assert_int_equal(config->limits.max_lanes, 4095);
    assert_int_equal(config->limits.lane_memory_per_user, 2147483648);
    assert_int_equal(config->limits.breakers_per_user, 125);
    assert_string_equal(settings->match, "db-?");
    assert_int_equal(settings->mode, TRIP_MODE_SHADOW);
    assert_int_equal(settings->trip.consecutive_failures, 0);
    assert_int_equal(settings->trip.failures, 7);
    assert_int_equal(settings->trip.failure_rate, 125);
    assert_int_equal(settings->trip.slow_rate, 10);
    assert_int_equal(settings->trip.slow_after, 500000);
    assert_int_equal(settings->trip.stall_after, 1500000000);
    assert_int_equal(settings->trip.in_flight, 200);
    assert_int_equal(settings->window.type, WINDOW_TIME);
    assert_int_equal(settings->window.span, 120000000000);
    assert_int_equal(settings->window.minimum_calls, 1);
    assert_int_equal(settings->open.span, 250000000);
    assert_int_equal(settings->open.multiplier, 1250);
    assert_int_equal(settings->open.max, 86400000000000);
    assert_int_equal(settings->open.jitter, 0);
    assert_int_equal(settings->open.forget, 90000000000);
    assert_int_equal(settings->half_open.permits, 64);
    assert_int_equal(settings->half_open.max_wait, 43200000000000);
    assert_int_equal(settings->half_open.verdict, PROBE_VERDICT_RATE);
    assert_int_equal(settings->half_open.sample, 100);
    assert_int_equal(settings->ramp.over, 10000000000);
    assert_int_equal(settings->ramp.step_count, 2);
    assert_int_equal(settings->ramp.steps[0], 10);
    assert_int_equal(settings->ramp.steps[1], 999);
    assert_int_equal(settings->forget_after, 0);
    config_free(config);
}

static void test_the_limits_own_text_gives_their_defaults(void **state)
{
    (void)state;
    struct config *config =
        accepted("breakers:\n"
                 "  - match: \"*\"\n"
                 "    retry: {attempts: 3, backoff: exponential, base: 100ms, multiplier: 2.0, max: 10s,\n"
                 "            jitter: proportional, jitter_ratio: 10%, total: 0s,\n"
                 "            on: [network, timeout, service_unavailable, rate_limited],\n"
                 "            budget: {ratio: 20%, min_per_second: 10}}\n"
                 "    hedge: {after: 0s, at: p95, max: 1}\n"
                 "    concurrency: {max: 0, wait: 0s, adaptive: none, min: 1}   # none | aimd | gradient2 | vegas\n"
                 "    rate: {limit: 0, per: 1s, burst: 0, window: bucket}       # window: bucket | sliding\n"
                 "    throttle: {k: 0}                                          # 2.0 is the SRE book's\n"
                 "    priority: {sheddable_below: 20%, normal_below: 5%}\n");
    assert_null(config->notes);
    assert_int_equal(config->breaker_count, 1);
    assert_int_equal(config->breakers[0].hedge.set, 1);
    config->breakers[0].hedge.set = 0;
    assert_contract_defaults(&config->breakers[0]);
    config_free(config);
}

static void test_each_limit_takes_its_unit(void **state)
{
    (void)state;
    struct config *config = accepted("breakers:\n"
                                     "- match: db\n"
                                     "  retry:\n"
                                     "    attempts: 5\n"
                                     "    backoff: linear\n"
                                     "    base: 20ms\n"
                                     "    max: 3s\n"
                                     "    jitter: decorrelated\n"
                                     "    total: 30s\n"
                                     "    on: [unknown, internal, user_0, user_15]\n"
                                     "    budget: {ratio: 12.5%, min_per_second: 0}\n"
                                     "  hedge: {after: 50ms, at: p99, max: 0}\n"
                                     "  concurrency: {max: 1024, wait: 250ms, adaptive: vegas, min: 4}\n"
                                     "  rate: {limit: 100, per: 1m, burst: 20, window: bucket}\n"
                                     "  trip: {consecutive_failures: 0}\n"
                                     "  throttle: {k: 1.1}\n"
                                     "  priority: {sheddable_below: 50%, normal_below: 0.1%}\n"
                                     "- match: web\n"
                                     "  retry: {multiplier: 1.5, jitter_ratio: 25%, on: []}\n"
                                     "  rate: {limit: 16777215, window: sliding}\n");
    assert_null(config->notes);
    const struct breaker_settings *settings = &config->breakers[0];
    assert_int_equal(settings->retry.attempts, 5);
    assert_int_equal(settings->retry.backoff, BACKOFF_LINEAR);
    assert_int_equal(settings->retry.base, 20000000);
    assert_int_equal(settings->retry.max, 3000000000);
    assert_int_equal(settings->retry.jitter, JITTER_DECORRELATED);
    assert_int_equal(settings->retry.total, 30000000000);
    assert_int_equal(settings->retry.on, 1u << 0 | 1u << 8 | 1u << 9 | 1u << 24);
    assert_int_equal(settings->budget.ratio, 125);
    assert_int_equal(settings->budget.min_per_second, 0);
    assert_int_equal(settings->hedge.set, 1);
    assert_int_equal(settings->hedge.after, 50000000);
    assert_int_equal(settings->hedge.at, HEDGE_AT_P99);
    assert_int_equal(settings->hedge.max, 0);
    assert_int_equal(settings->concurrency.max, 1024);
    assert_int_equal(settings->concurrency.wait, 250000000);
    assert_int_equal(settings->concurrency.adaptive, LIMITER_VEGAS);
    assert_int_equal(settings->concurrency.min, 4);
    assert_int_equal(settings->rate.limit, 100);
    assert_int_equal(settings->rate.per, 60000000000);
    assert_int_equal(settings->rate.burst, 20);
    assert_int_equal(settings->rate.window, RATE_BUCKET);
    assert_int_equal(settings->throttle.k, 1100);
    assert_int_equal(settings->priority.sheddable_below, 500);
    assert_int_equal(settings->priority.normal_below, 1);
    settings = &config->breakers[1];
    assert_int_equal(settings->retry.multiplier, 1500);
    assert_int_equal(settings->retry.jitter_ratio, 250);
    assert_int_equal(settings->retry.on, 0);
    assert_int_equal(settings->hedge.set, 0);
    assert_int_equal(settings->rate.limit, 16777215);
    assert_int_equal(settings->rate.window, RATE_SLIDING);
    config_free(config);
}

static void test_each_word_is_the_enumerations(void **state)
{
    (void)state;
    static const struct {
        const char *settings;
        size_t offset;
        unsigned value;
    } cases[] = {
#define CASE(settings, member, value) {settings, offsetof(struct breaker_settings, member), value}
        CASE("retry: {backoff: fixed}", retry.backoff, BACKOFF_FIXED),
        CASE("retry: {backoff: linear}", retry.backoff, BACKOFF_LINEAR),
        CASE("retry: {jitter: none}", retry.jitter, JITTER_NONE),
        CASE("retry: {jitter: full}", retry.jitter, JITTER_FULL),
        CASE("retry: {jitter: equal}", retry.jitter, JITTER_EQUAL),
        CASE("hedge: {at: p50}", hedge.at, HEDGE_AT_P50),
        CASE("concurrency: {max: 9, adaptive: aimd}", concurrency.adaptive, LIMITER_AIMD),
        CASE("concurrency: {max: 9, adaptive: gradient2}", concurrency.adaptive, LIMITER_GRADIENT2),
#undef CASE
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "breakers: [{match: a, %s}]\n", cases[i].settings);
        struct config *config = accepted(text);
        assert_int_equal(((const uint8_t *)&config->breakers[0])[cases[i].offset], cases[i].value);
        config_free(config);
    }
}

static void test_a_section_alone_turns_hedging_on(void **state)
{
    (void)state;
    struct config *config = accepted("breakers:\n"
                                     "- {match: a, hedge: {}}\n"
                                     "- match: b\n"
                                     "  hedge:\n"
                                     "#   after: 20ms\n"
                                     "- {match: c}\n");
    assert_int_equal(config_settings_for(config, "a")->hedge.set, 1);
    assert_int_equal(config_settings_for(config, "b")->hedge.set, 0);
    assert_int_equal(config_settings_for(config, "c")->hedge.set, 0);
    config_free(config);
}

static void test_the_first_pattern_that_matches_wins(void **state)
{
    (void)state;
    struct config *config = accepted("breakers:\n"
                                     "- {match: payments/eu, open: {for: 1s}}\n"
                                     "- {match: payments/*, open: {for: 2s}}\n"
                                     "- {match: \"*/eu\", open: {for: 3s}}\n");
    assert_int_equal(config_settings_for(config, "payments/eu")->open.span, 1000000000);
    assert_int_equal(config_settings_for(config, "payments/us")->open.span, 2000000000);
    assert_int_equal(config_settings_for(config, "search/eu")->open.span, 3000000000);
    assert_int_equal(config_settings_for(config, "search/us")->open.span, 30000000000);
    assert_int_equal(config->breaker_count, 4);
    config_free(config);
}

static void test_an_entry_for_all_names_replaces_the_defaults(void **state)
{
    (void)state;
    struct config *config = accepted("breakers:\n- {match: \"*\", open: {for: 7s}}\n");
    assert_int_equal(config->breaker_count, 1);
    assert_int_equal(config_settings_for(config, "anything")->open.span, 7000000000);
    config_free(config);
}

static void test_empty_files_and_empty_sections_mean_the_defaults(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "# nothing\n", "---\n", "{}", "breakers:\n", "breakers: []\n", "limits:\n#  max_lanes: 3\naccess:\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct config *config = accepted(texts[i]);
        assert_int_equal(config->breaker_count, 1);
        assert_int_equal(config->limits.max_lanes, 1024);
        assert_int_equal(config->access[CONFIG_CONTROL].count, 2);
        config_free(config);
    }
}

/* -------------------------------------------------------------------------------------------------------- access */

#define STRANGER 4000000

static void test_roles_admit_the_users_they_list(void **state)
{
    (void)state;
    struct config *config = accepted("access:\n"
                                     "  observe: [\"group:4000001\"]\n"
                                     "  report: [\"user:4000002\"]\n"
                                     "  control: [\"group:4000003\"]\n");
    const gid_t observers[] = {7, 4000001}, controllers[] = {4000003}, others[] = {8};
    assert_true(config_allows(config, CONFIG_OBSERVE, STRANGER, observers, 2));
    assert_false(config_allows(config, CONFIG_REPORT, STRANGER, observers, 2));
    assert_false(config_allows(config, CONFIG_CONTROL, STRANGER, observers, 2));
    assert_true(config_allows(config, CONFIG_OBSERVE, 4000002, others, 1));
    assert_true(config_allows(config, CONFIG_REPORT, 4000002, others, 1));
    assert_false(config_allows(config, CONFIG_CONTROL, 4000002, others, 1));
    assert_true(config_allows(config, CONFIG_OBSERVE, STRANGER, controllers, 1));
    assert_true(config_allows(config, CONFIG_CONTROL, STRANGER, controllers, 1));
    assert_false(config_allows(config, CONFIG_OBSERVE, STRANGER, others, 1));
    assert_false(config_allows(config, CONFIG_OBSERVE, STRANGER, NULL, 0));
    config_free(config);
}

static void test_by_default_anyone_observes_and_root_controls(void **state)
{
    (void)state;
    struct config *config = accepted("");
    assert_true(config_allows(config, CONFIG_OBSERVE, STRANGER, NULL, 0));
    assert_false(config_allows(config, CONFIG_REPORT, STRANGER, NULL, 0));
    assert_false(config_allows(config, CONFIG_CONTROL, STRANGER, NULL, 0));
    assert_true(config_allows(config, CONFIG_CONTROL, 0, NULL, 0));
    assert_true(config_allows(config, CONFIG_REPORT, 0, NULL, 0));
    config_free(config);
}

static void test_the_user_tripd_runs_as_may_do_everything(void **state)
{
    (void)state;
    struct config *config = accepted("access: {observe: [], report: [], control: []}\n");
    assert_true(config_allows(config, CONFIG_CONTROL, geteuid(), NULL, 0));
    assert_false(config_allows(config, CONFIG_OBSERVE, STRANGER, NULL, 0));
    config_free(config);
}

static void test_users_and_groups_are_found_by_name(void **state)
{
    (void)state;
    struct config *config = accepted("access: {control: [\"user:root\", \"group:root\", any]}\n");
    assert_int_equal(config->access[CONFIG_CONTROL].who[0].who, CONFIG_USER);
    assert_int_equal(config->access[CONFIG_CONTROL].who[0].id, 0);
    assert_int_equal(config->access[CONFIG_CONTROL].who[1].who, CONFIG_GROUP);
    assert_int_equal(config->access[CONFIG_CONTROL].who[2].who, CONFIG_ANY);
    config_free(config);
}

static void test_unknown_users_and_groups_are_refused_where_they_stand(void **state)
{
    (void)state;
    refused("access:\n"
            "  report:\n"
            "    - user:no-such-user\n"
            "    - group:no-such-group\n"
            "    - users:root\n"
            "    - user:010\n"
            "    - group:\n"
            "    - \"group:4294967295\"\n",
            "t.yaml:3: access.report: 'user:no-such-user' names a user that this host does not have; create the user "
            "or write a UID\n"
            "t.yaml:4: access.report: 'group:no-such-group' names a group that this host does not have; create the "
            "group or write a GID\n"
            "t.yaml:5: access.report: 'users:root' is none of any, user:NAME or UID, group:NAME or GID; write one of "
            "these\n"
            "t.yaml:6: access.report: 'user:010' names a user that this host does not have; create the user or write "
            "a UID\n"
            "t.yaml:7: access.report: a mapping is none of any, user:NAME or UID, group:NAME or GID; write one of "
            "these\n"
            "t.yaml:8: access.report: 'group:4294967295' names a group that this host does not have; create the group "
            "or write a GID\n");
    refused("access: {observe: any}\n",
            "t.yaml:1: access.observe: 'any' is no list of at most 64 names; write it as [\"user:root\", "
            "\"group:tripadm\"]\n");
}

/* ------------------------------------------------------------------------------------------------------- refusals */

static void test_values_are_read_in_one_way_only(void **state)
{
    (void)state;
    refused_setting("open", "for: 5x",
                    "open.for: '5x' has a unit that is none; write a number and ms, s, m, h or d, as 250ms or 30s");
    refused_setting("open", "for: 30",
                    "open.for: '30' has no unit; write a number and ms, s, m, h or d, as 250ms or 30s");
    refused_setting("open", "for: 010s", "open.for: '010s' has a leading zero; write 10s");
    refused_setting("open", "for: 30S",
                    "open.for: '30S' has a unit that is none; write a number and ms, s, m, h or d, as 250ms or 30s");
    refused_setting("open", "for: -1s",
                    "open.for: '-1s' is negative; write a number and ms, s, m, h or d, as 250ms or 30s");
    refused_setting("open", "for: soon",
                    "open.for: 'soon' is not understood; write a number and ms, s, m, h or d, as 250ms or 30s");
    refused_setting("open", "for: \"\"",
                    "open.for: nothing is not understood; write a number and ms, s, m, h or d, as 250ms or 30s");
    refused_setting("open", "for: 1.2345s",
                    "open.for: '1.2345s' is finer than 0.001; write a number and ms, s, m, h or d, as 250ms or 30s");
    refused_setting("open", "for: [30s]",
                    "open.for: a list is not understood; write a number and ms, s, m, h or d, as 250ms or 30s");
    refused_setting("open", "for: 1 s",
                    "open.for: '1 s' has a unit that is none; write a number and ms, s, m, h or d, as 250ms or 30s");
    refused_setting("trip", "consecutive_failures: 010",
                    "trip.consecutive_failures: '010' has a leading zero; write 10");
    refused_setting("trip", "consecutive_failures: 00", "trip.consecutive_failures: '00' has a leading zero; write 0");
    refused_setting("trip", "consecutive_failures: 0x10",
                    "trip.consecutive_failures: '0x10' is not a number; write a whole number, as 100");
    refused_setting("trip", "failures: 1e3", "trip.failures: '1e3' is not a number; write a whole number, as 100");
    refused_setting("trip", "failures: 2.0",
                    "trip.failures: '2.0' is not a whole number; write a whole number, as 100");
    refused_setting("trip", "failures: \"5\\0\"",
                    "trip.failures: '5?' is not understood; write a whole number, as 100");
    refused_setting("trip", "failure_rate: 50", "trip.failure_rate: '50' has no unit; write a percentage, as 50%");
    refused_setting("trip", "failure_rate: 0.5", "trip.failure_rate: '0.5' has no unit; write a percentage, as 50%");
    refused_setting("trip", "failure_rate: 12.55%",
                    "trip.failure_rate: '12.55%' is finer than 0.1; write a percentage, as 50%");
    refused_setting("open", "multiplier: 2.", "open.multiplier: '2.' ends in a dot; write a number, as 2.0");
    refused("limits: {lane_memory_per_user: 256MB}\n",
            "t.yaml:1: limits.lane_memory_per_user: '256MB' has a unit that is none; write a whole number and KiB, MiB "
            "or GiB, as 256MiB\n");
}

static void test_durations_may_be_of_several_units(void **state)
{
    (void)state;
    static const char text[] = "breakers: [{match: a, open: {for: 1m30s, max: 1h02m03s, forget: 1d1.5s}}]\n";
    struct config *config = accepted(text);
    assert_int_equal(config->breakers[0].open.span, 90 * TRIP_S);
    assert_int_equal(config->breakers[0].open.max, 3723 * TRIP_S);
    assert_int_equal(config->breakers[0].open.forget, 86401500 * TRIP_MS);
    config_free(config);
    refused_setting("open", "for: 30s1m",
                    "open.for: '30s1m' has its units out of order; begin with the largest, as 1m30s");
    refused_setting("open", "for: 1m30",
                    "open.for: '1m30' has no unit; write a number and ms, s, m, h or d, as 250ms or 30s");
    refused_setting("open", "for: 1m30x",
                    "open.for: '1m30x' has a unit that is none; write a number and ms, s, m, h or d, as 250ms or 30s");
    refused_setting("open", "for: 29d25h", "open.for: '29d25h' is more than 30d; write 1ms to 30d");
    refused_setting("trip", "failure_rate: 5%5%",
                    "trip.failure_rate: '5%5%' has a unit that is none; write a percentage, as 50%");
}

static void test_values_have_bounds(void **state)
{
    (void)state;
    refused_setting("trip", "consecutive_failures: 32768",
                    "trip.consecutive_failures: '32768' is more than 32767; write 0 to 32767");
    refused_setting(
        "trip", "failures: 99999999999999999999999999999999999999999999",
        "trip.failures: '999999999999999999999999999999999999999999...' is more than 4294967295; write 0 to "
        "4294967295");
    refused_setting("trip", "failure_rate: 150%", "trip.failure_rate: '150%' is more than 100%; write 0% to 100%");
    refused_setting("window", "size: 0", "window.size: '0' is less than 1; write 1 to 4096");
    refused_setting("window", "size: 4097", "window.size: '4097' is more than 4096; write 1 to 4096");
    refused_setting("open", "for: 0.5ms", "open.for: '0.5ms' is less than 1ms; write 1ms to 30d");
    /* In thousandths of a nanosecond this is 2^128 and 18 hours: it must not wrap around to an allowed value. */
    refused_setting("open", "for: 3938453320844195178975d",
                    "open.for: '3938453320844195178975d' is more than 30d; write 1ms to 30d");
    refused_setting("open", "for: 31d", "open.for: '31d' is more than 30d; write 1ms to 30d");
    refused_setting("open", "multiplier: 0.5", "open.multiplier: '0.5' is less than 1.0; write 1.0 to 1000.0");
    refused_setting("half_open", "permits: 65", "half_open.permits: '65' is more than 64; write 1 to 64");
    refused_setting("half_open", "max_wait: 13h", "half_open.max_wait: '13h' is more than 12h; write 1ms to 12h");
    refused_setting("half_open", "verdict: maybe", "half_open.verdict: 'maybe' is not one; write successes or rate");
    refused("limits: {max_lanes: 4096}\n", "t.yaml:1: limits.max_lanes: '4096' is more than 4095; write 1 to 4095\n");
    refused("breakers:\n- match: a\n  mode: on\n",
            "t.yaml:3: mode: 'on' is not one; write auto, forced_open, disabled or shadow\n");
}

static void test_unknown_keys_are_refused_with_the_nearest(void **state)
{
    (void)state;
    refused("limit: {}\n", "t.yaml:1: unknown key 'limit'; write limits\n");
    refused("?",
            "t.yaml:1: unknown key nothing; known here: limits, access, correlation, breakers, levels, features\n");
    refused("limits: {max_breaker: 3}\n", "t.yaml:1: unknown key 'max_breaker' in limits; write max_breakers\n");
    refused("access: {admin: []}\n", "t.yaml:1: unknown key 'admin' in access; known here: observe, report, control\n");
    refused_setting("trip", "failure_rat: 50%", "unknown key 'failure_rat' in trip; write failure_rate");
    refused_setting("trip", "consecutive_fialures: 5",
                    "unknown key 'consecutive_fialures' in trip; write consecutive_failures");
    refused_setting("half_opn", "permits: 1", "unknown key 'half_opn' in breakers; write half_open");
    refused_setting("window", "span: 60s", "unknown key 'span' in window; known here: type, size, for, minimum_calls");
    refused_setting("open", "[a]: 1",
                    "unknown key that is no word in open; known here: for, multiplier, max, jitter, forget");
    refused_setting("open", "<<: 1", "unknown key '<<' in open; known here: for, multiplier, max, jitter, forget");
}

static void test_a_key_in_the_wrong_place_is_sent_to_the_right_one(void **state)
{
    (void)state;
    refused("breakers:\n- match: a\n  failure_rate: 50%\n",
            "t.yaml:3: unknown key 'failure_rate' in breakers; it belongs in trip: of a breakers entry\n");
    refused_setting("trip", "permits: 1",
                    "unknown key 'permits' in trip; it belongs in half_open: of a breakers entry");
    refused_setting("half_open", "jitter: 5%",
                    "unknown key 'jitter' in half_open; it belongs in retry: or open: of a breakers entry");
    refused("window: {}\n",
            "t.yaml:1: unknown key 'window'; known here: limits, access, correlation, breakers, levels, features\n");
    refused("trip: {}\n",
            "t.yaml:1: unknown key 'trip'; known here: limits, access, correlation, breakers, levels, features\n");
}

static void test_a_key_may_stand_only_once(void **state)
{
    (void)state;
    refused("breakers:\n"
            "- match: a\n"
            "  trip:\n"
            "    failures: 3\n"
            "    in_flight: 9\n"
            "    failures: 4\n",
            "t.yaml:6: failures stands here and in line 4; remove one of the two\n");
    refused("limits: {}\naccess: {}\nlimits: {}\n",
            "t.yaml:3: limits stands here and in line 1; remove one of the two\n");
}

static void test_wrong_structure_is_refused_at_its_line(void **state)
{
    (void)state;
    refused("- a\n", "t.yaml:1: the file is a list; write keys and values, as limits: ...\n");
    refused("limits: 5\n", "t.yaml:1: limits is '5'; write keys and values, as max_breakers: ...\n");
    refused("breakers: {match: a}\n",
            "t.yaml:1: breakers: a mapping is no list; write each entry as - match: \"payments/*\"\n");
    refused("breakers:\n- a\n", "t.yaml:2: breakers is 'a'; write keys and values, as match: ...\n");
    refused("breakers:\n- mode: auto\n", "t.yaml:2: this breakers entry has no match; write which names it is for, as "
                                         "match: \"payments/*\"\n");
    refused_setting("ramp", "steps: []",
                    "ramp.steps: a list is no list of 1 to 16 rates; write them as [10%, 25%, "
                    "50%, 100%]");
    refused_setting("ramp", "steps: 10%",
                    "ramp.steps: '10%' is no list of 1 to 16 rates; write them as [10%, 25%, "
                    "50%, 100%]");
    refused_setting("ramp", "steps: [1%,2%,3%,4%,5%,6%,7%,8%,9%,10%,11%,12%,13%,14%,15%,16%,17%]",
                    "ramp.steps: a list is no list of 1 to 16 rates; write them as [10%, 25%, 50%, 100%]");
    refused_setting("ramp", "steps: [0%, 100%]", "ramp.steps: '0%' is less than 0.1%; write 0.1% to 100%");
}

static void test_patterns_that_can_match_no_name_are_refused(void **state)
{
    (void)state;
    static const char right[] = " can match no name; write 1 to 127 of letters, digits and . _ : / @ - with * for any "
                                "run and ? for one, as \"payments/*\"\n";
    char lines[512];
    snprintf(lines, sizeof(lines), "t.yaml:1: match: 'pay ments'%s", right);
    refused("breakers: [{match: pay ments}]\n", lines);
    snprintf(lines, sizeof(lines), "t.yaml:1: match: nothing%s", right);
    refused("breakers: [{match: \"\"}]\n", lines);
    snprintf(lines, sizeof(lines), "t.yaml:1: match: 'a[bc]'%s", right);
    refused("breakers: [{match: \"a[bc]\"}]\n", lines);
}

static void test_entries_that_are_never_reached_are_refused(void **state)
{
    (void)state;
    refused("breakers:\n"
            "- match: \"*\"\n"
            "- match: payments/*\n",
            "t.yaml:3: match: \"payments/*\" is never reached, as \"*\" stands before it and the first that matches "
            "wins; write the narrower pattern first, or remove one\n");
    refused("breakers:\n"
            "- match: db\n"
            "- match: payments/*\n"
            "- match: payments/eu\n",
            "t.yaml:4: match: \"payments/eu\" is never reached, as \"payments/*\" stands before it and the first that "
            "matches wins; write the narrower pattern first, or remove one\n");
}

static void test_a_pattern_covers_what_it_matches_whole(void **state)
{
    (void)state;
    assert_true(config_pattern_covers("*", "*"));
    assert_true(config_pattern_covers("*", "a?b*c"));
    assert_true(config_pattern_covers("**", "*"));
    assert_true(config_pattern_covers("a*", "ab*"));
    assert_true(config_pattern_covers("a?", "ab"));
    assert_true(config_pattern_covers("a?", "a?"));
    assert_true(config_pattern_covers("a*c", "ab?c"));
    assert_true(config_pattern_covers("*b*", "abc"));
    assert_false(config_pattern_covers("a?", "a*"));
    assert_false(config_pattern_covers("ab*", "a*"));
    assert_false(config_pattern_covers("a", "?"));
    assert_false(config_pattern_covers("a*", "*"));
    assert_false(config_pattern_covers("a", "ab"));
    assert_false(config_pattern_covers("ab", "a"));
    assert_false(config_pattern_covers("?", "*"));
}

static void test_settings_that_can_never_work_are_refused(void **state)
{
    (void)state;
    refused_setting(
        "window", "size: 5, minimum_calls: 6",
        "window.minimum_calls: 6 can never be reached in a window of 5 calls, so no rate would count; write "
        "minimum_calls: 5 at most, or size: 6");
    refused_setting("window", "size: 9",
                    "window.minimum_calls: 10 can never be reached in a window of 9 calls, so no rate would count; "
                    "write minimum_calls: 9 at most, or size: 10");
    refused_setting("trip", "failures: 101",
                    "trip.failures: 101 can never be reached in a window of 100 calls; write 100 at most, or "
                    "window.size: 101");
    refused_setting("open", "for: 10m",
                    "open.for: 10m can never be reached, as open.max is 5m by default; write max: 10m or more");
    refused_setting("open", "for: 10s, max: 5s",
                    "open.for: 10s can never be reached, as open.max is 5s; write max: 10s or more");
    refused_setting("trip", "slow_rate: 50%, slow_after: 0",
                    "trip.slow_rate can never be reached while slow_after is 0: no call is slow; write how long a slow "
                    "call takes, as slow_after: 2s, or slow_rate: 0%");
    refused_setting("ramp", "over: 10s, steps: [10%, 50%, 50%]",
                    "ramp.steps do not rise from 50% to 50%; write rising steps, as [10%, 25%, 50%, 100%]");
    refused_setting("ramp", "over: 3ms", "ramp.over leaves less than 1ms to each of its 4 steps; write 4ms or more");
    refused_setting("ramp", "steps: [10%, 100%]",
                    "ramp.steps has no effect without over; add how long they take together, as over: 30s, or leave it "
                    "out");
    refused_setting(
        "half_open", "max_wait: 63ms",
        "half_open.max_wait: 63ms cannot be kept, as the leases of probes end in steps of 64ms; write 64ms or "
        "more");
    refused_setting(
        "priority", "sheddable_below: 100%",
        "priority.sheddable_below: 100% leaves nothing of any limit to sheddable calls, so none could ever be "
        "admitted; write less, as 20%");
    refused_setting("window", "for: 60s",
                    "window.for has no effect without type: time; add type: time, or leave it out");
    refused_setting("half_open", "sample: 20",
                    "half_open.sample has no effect without verdict: rate; add verdict: rate, or leave it out");
    refused("breakers:\n"
            "- match: a\n"
            "  trip: {failure_rate: 0}\n"
            "  half_open: {verdict: rate}\n",
            "t.yaml:4: half_open.verdict: rate has no rate to judge by, so every sample would close; write "
            "trip.failure_rate, as 50%, or verdict: successes\n");
}

static void test_retries_that_can_never_work_are_refused(void **state)
{
    (void)state;
    refused_setting("retry", "base: 11s",
                    "retry.base: 11s can never be reached, as retry.max is 10s by default; write max: 11s or more");
    refused_setting("retry", "base: 2s, max: 1s",
                    "retry.base: 2s can never be reached, as retry.max is 1s; write max: 2s or more");
    refused_setting("retry", "total: 99ms",
                    "retry.total: 99ms ends before the first retry, as retry.base is 100ms by default; write total: "
                    "100ms or more, or 0s for no limit");
    refused_setting("retry", "base: 2s, total: 1s",
                    "retry.total: 1s ends before the first retry, as retry.base is 2s; write total: 2s or more, or 0s "
                    "for no limit");
    config_free(accepted("breakers: [{match: a, retry: {base: 1s, max: 1s, total: 1s}}]\n"));
}

static void test_limits_that_can_never_work_are_refused(void **state)
{
    (void)state;
    refused_setting("concurrency", "adaptive: gradient2",
                    "concurrency.adaptive: gradient2 has no upper bound while max is 0; write the most calls at the "
                    "same time, as max: 200, or adaptive: none");
    refused_setting("concurrency", "wait: 100ms",
                    "concurrency.wait: 100ms has nothing to wait for while max is 0; write the most calls at the same "
                    "time, as max: 50, or wait: 0s");
    refused_setting("concurrency", "max: 8, min: 9",
                    "concurrency.min: 9 is more than max: 8; write min: 8 at most, or max: 9 or more");
    refused_setting("rate", "burst: 5",
                    "rate.burst: 5 has no effect while limit is 0; write how many calls pass in each per, as limit: "
                    "100, or burst: 0");
    refused_setting("rate", "limit: 1, per: 24h, burst: 105",
                    "rate.burst: 105 would take more than 104 days to come back at this limit; write burst: 104 at "
                    "most, or a higher limit");
    refused_setting("throttle", "k: 1.099",
                    "throttle.k: 1.099 would not admit all again when an overload is over; write 1.1 or more, as 2.0, "
                    "or 0 for no throttling");
    refused_setting("priority", "sheddable_below: 10%, normal_below: 10.1%",
                    "priority.normal_below: 10.1% would refuse normal calls before sheddable ones, whose "
                    "sheddable_below is 10%; write normal_below: 10% at most, or sheddable_below: 10.1% or more");
    refused_setting("priority", "sheddable_below: 3%",
                    "priority.normal_below: 5% by default would refuse normal calls before sheddable ones, whose "
                    "sheddable_below is 3%; write normal_below: 3% at most, or sheddable_below: 5% or more");
    config_free(accepted("breakers:\n"
                         "- match: a\n"
                         "  concurrency: {max: 8, min: 8, wait: 1m}\n"
                         "  rate: {limit: 1, per: 24h, burst: 104}\n"
                         "  throttle: {k: 1.1}\n"
                         "  priority: {sheddable_below: 0, normal_below: 0}\n"));
}

static void test_limits_are_refused_in_the_line_that_is_wrong(void **state)
{
    (void)state;
    refused("breakers:\n"
            "- match: a\n"
            "  retry:\n"
            "    on:\n"
            "    - network\n"
            "    - user_16\n"
            "    budget:\n"
            "      ratio: 101%\n"
            "      min: 5\n"
            "      rati: 5%\n",
            "t.yaml:6: retry.on: 'user_16' is no error type; write unknown, network, timeout, service_unavailable, "
            "rate_limited, resource_exhausted, protocol, authentication, internal, or user_0 to user_15\n"
            "t.yaml:8: retry.budget.ratio: '101%' is more than 100%; write 0% to 100%\n"
            "t.yaml:9: unknown key 'min' in retry.budget; it belongs in concurrency: of a breakers entry\n"
            "t.yaml:10: unknown key 'rati' in retry.budget; write ratio\n");
    refused("breakers:\n"
            "- match: a\n"
            "  concurrency:\n"
            "    max: 4\n"
            "    min: 5\n"
            "  rate:\n"
            "    per: 1s\n"
            "    burst: 5\n",
            "t.yaml:5: concurrency.min: 5 is more than max: 4; write min: 4 at most, or max: 5 or more\n"
            "t.yaml:8: rate.burst: 5 has no effect while limit is 0; write how many calls pass in each per, as limit: "
            "100, or burst: 0\n");
    refused_setting("retry", "on: network",
                    "retry.on: 'network' is no list of error types; write it as [network, timeout]");
    refused_setting("retry", "budget: 20%", "retry.budget is '20%'; write keys and values, as ratio: ...");
    refused_setting("retry", "backoff: expo", "retry.backoff: 'expo' is not one; write fixed, linear or exponential");
    refused_setting("retry", "jitter: half",
                    "retry.jitter: 'half' is not one; write none, proportional, full, equal or decorrelated");
    refused_setting("hedge", "at: p90", "hedge.at: 'p90' is not one; write p50, p95 or p99");
    refused_setting("concurrency", "adaptive: reno",
                    "concurrency.adaptive: 'reno' is not one; write none, aimd, gradient2 or vegas");
    refused_setting("rate", "window: fixed", "rate.window: 'fixed' is not one; write bucket or sliding");
}

static void test_limits_have_bounds(void **state)
{
    (void)state;
    refused_setting("retry", "attempts: 0", "retry.attempts: '0' is less than 1; write 1 to 100");
    refused_setting("retry", "base: 0s", "retry.base: '0s' is less than 1ms; write 1ms to 12h");
    refused_setting("hedge", "max: 2", "hedge.max: '2' is more than 1; write 0 to 1");
    refused_setting("concurrency", "max: 1025", "concurrency.max: '1025' is more than 1024; write 0 to 1024");
    refused_setting("concurrency", "min: 0", "concurrency.min: '0' is less than 1; write 1 to 1024");
    refused_setting("concurrency", "wait: 61s", "concurrency.wait: '61s' is more than 1m; write 0s to 1m");
    refused_setting("rate", "limit: 16777216", "rate.limit: '16777216' is more than 16777215; write 0 to 16777215");
    refused_setting("rate", "per: 25h", "rate.per: '25h' is more than 1d; write 1ms to 1d");
    refused_setting("throttle", "k: 101", "throttle.k: '101' is more than 100.0; write 0.0 to 100.0");
}

static void test_a_word_may_make_keys_of_a_limit_void(void **state)
{
    (void)state;
    struct config *config = accepted("breakers:\n"
                                     "- match: a\n"
                                     "  retry:\n"
                                     "    backoff: linear\n"
                                     "    multiplier: 3.0\n"
                                     "    jitter: full\n"
                                     "    jitter_ratio: 5%\n"
                                     "  rate: {window: sliding, limit: 9, burst: 3}\n");
    assert_string_equal(config->notes, "t.yaml:5: retry.multiplier has no effect with backoff: linear\n"
                                       "t.yaml:7: retry.jitter_ratio has no effect with jitter: full\n"
                                       "t.yaml:8: rate.burst has no effect with window: sliding\n");
    config_free(config);
}

static void test_by_default_a_user_has_a_quarter_of_a_mib_for_each_lane_there_may_be(void **state)
{
    (void)state;
    struct config *config = accepted("limits: {max_lanes: 2047}\n");
    assert_int_equal(config->limits.lane_memory_per_user, 2047 * 262144);
    config_free(config);
    config = accepted("limits: {max_lanes: 2}\n");
    assert_int_equal(config->limits.lane_memory_per_user, 1048576);
    config_free(config);
    config = accepted("limits: {max_lanes: 2047, lane_memory_per_user: 2MiB}\n");
    assert_int_equal(config->limits.lane_memory_per_user, 2097152);
    config_free(config);
}

static void test_without_rates_the_minimum_of_calls_may_be_out_of_reach(void **state)
{
    (void)state;
    config_free(accepted("breakers: [{match: a, trip: {failure_rate: 0}, window: {size: 5}}]\n"));
    config_free(accepted("breakers: [{match: a, window: {type: time, for: 1s, minimum_calls: 5000}}]\n"));
}

static void test_settings_that_work_but_surprise_are_noted(void **state)
{
    (void)state;
    struct config *config = accepted("breakers:\n"
                                     "- match: a\n"
                                     "  window: {type: time, for: 10s, size: 100}\n"
                                     "- match: b\n"
                                     "  trip: {failure_rate: 0, consecutive_failures: 0}\n"
                                     "- match: c\n"
                                     "  half_open: {verdict: rate, sample: 4, permits: 8}\n"
                                     "- match: d\n"
                                     "  open: {for: 10s, forget: 10s}\n"
                                     "- match: e\n"
                                     "  trip: {slow_rate: 50%, slow_after: 2s, stall_after: 2s}\n"
                                     "- match: f\n"
                                     "  half_open: {permits: 4}\n"
                                     "- match: g\n"
                                     "  open: {multiplier: 2.0, forget: 0s}\n"
                                     "- match: h\n"
                                     "  open: {for: 30s, max: 30s, multiplier: 2.0}\n"
                                     "- match: i\n"
                                     "  throttle: {k: 2.0}\n"
                                     "- match: j\n"
                                     "  throttle: {k: 2.0}\n"
                                     "  trip: {consecutive_failures: 0}\n"
                                     "- match: k\n"
                                     "  throttle: {k: 1.5}\n"
                                     "  trip: {consecutive_failures: 99, failure_rate: 0}\n"
                                     "- match: l\n"
                                     "  concurrency: {max: 9, adaptive: vegas}\n"
                                     "  priority: {sheddable_below: 50.1%}\n"
                                     "- match: m\n"
                                     "  open: {multiplier: 1.5, for: 5m}\n"
                                     "- match: n\n"
                                     "  open: {for: 30s, max: 30s}\n"
                                     "- match: o\n"
                                     "  open: {forget: 0s}\n");
    assert_string_equal(
        config->notes,
        "t.yaml:3: window.size has no effect with type: time\n"
        "t.yaml:5: no trip condition is on: these breakers open only when an operator opens them\n"
        "t.yaml:7: half_open.permits is more than sample: no more than 4 are ever granted at once\n"
        "t.yaml:11: trip.stall_after is not longer than slow_after: calls that begin and end count as stalled before "
        "they could count as slow\n"
        "t.yaml:13: half_open.permits is more than successes: no more than 3 are ever granted at once\n"
        "t.yaml:15: open.multiplier: 2.0 has no effect with forget: 0s, as no opening follows that soon; write forget: "
        "10m, or multiplier: 1.0\n"
        "t.yaml:17: open.multiplier: 2.0 has no effect, as open.max is no longer than open.for: 30s; write a longer "
        "max, or multiplier: 1.0\n"
        "t.yaml:19: throttle.k: 2.0 sheds calls once more than 50% of them fail over 10 s, and the breaker opens no "
        "later by trip.failure_rate: 50% by default and trip.consecutive_failures: 5 by default; shedding comes first "
        "with a higher failure_rate or a lower k, and consecutive_failures: 0, or 100 at least\n"
        "t.yaml:21: throttle.k: 2.0 sheds calls once more than 50% of them fail over 10 s, and the breaker opens no "
        "later by trip.failure_rate: 50% by default; shedding comes first with a higher failure_rate or a lower k\n"
        "t.yaml:24: throttle.k: 1.5 sheds calls once more than 33.3% of them fail over 10 s, and the breaker opens no "
        "later by trip.consecutive_failures: 99; shedding comes first with consecutive_failures: 0, or 100 at least\n"
        "t.yaml:28: concurrency.adaptive: a limit rises only while half of it is used, and sheddable calls alone, "
        "which "
        "leave 50.1% free, never use that\n"
        "t.yaml:30: open.multiplier: 1.5 has no effect, as open.max is no longer than open.for: 5m by default; write a "
        "longer max, or multiplier: 1.0\n"
        "t.yaml:32: open.multiplier: 2.0 by default has no effect, as open.max is no longer than open.for: 30s; write "
        "a "
        "longer max, or multiplier: 1.0\n"
        "t.yaml:34: open.multiplier: 2.0 by default has no effect with forget: 0s, as no opening follows that soon; "
        "write "
        "forget: 10m, or multiplier: 1.0\n");
    config_free(config);
}

/* A setting that was not written surprises nobody, nor does a condition that was turned off. */
static void test_defaults_and_conditions_turned_off_are_no_note(void **state)
{
    (void)state;
    static const char *const entries[] = {
        "match: a",
        "match: a, open: {for: 30s, max: 30s, multiplier: 1.0}",
        "match: a, ramp: {over: 0s, steps: [10%, 100%]}",
        "match: a, half_open: {permits: 3}",
        "match: a, throttle: {k: 1.5}, trip: {consecutive_failures: 0}",
        "match: a, throttle: {k: 2.0}, trip: {failure_rate: 50.1%, consecutive_failures: 100}",
        "match: a, throttle: {k: 2.0}, trip: {failure_rate: 0, failures: 9, consecutive_failures: 0}",
    };
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "breakers: [{%s}]\n", entries[i]);
        struct config *config = accepted(text);
        assert_null(config->notes);
        config_free(config);
    }
}

static void test_all_problems_come_at_once(void **state)
{
    (void)state;
    refused("limits: {max_lanes: 0}\n"
            "acces: {}\n"
            "breakers:\n"
            "  - match: a\n"
            "    trip: {failures: x}\n"
            "    open:\n"
            "      for: 5\n"
            "  - match: a\n"
            "    window: {size: 5}\n",
            "t.yaml:1: limits.max_lanes: '0' is less than 1; write 1 to 4095\n"
            "t.yaml:2: unknown key 'acces'; write access\n"
            "t.yaml:5: trip.failures: 'x' is not understood; write a whole number, as 100\n"
            "t.yaml:7: open.for: '5' has no unit; write a number and ms, s, m, h or d, as 250ms or 30s\n"
            "t.yaml:8: match: \"a\" is never reached, as \"a\" stands before it and the first that matches wins; write "
            "the narrower pattern first, or remove one\n"
            "t.yaml:9: window.minimum_calls: 10 can never be reached in a window of 5 calls, so no rate would count; "
            "write minimum_calls: 5 at most, or size: 10\n");
}

static void test_conflicting_settings_are_reported_beside_invalid_ones(void **state)
{
    (void)state;
    refused("limits:\n"
            "  max_lanes: x\n"
            "breakers:\n"
            "  - match: a\n"
            "    trip: {failures: x}\n"
            "    open: {for: 2h, max: 1h}\n"
            "    priority: {normal_below: 40%, sheddable_below: 30%}\n"
            "    windou: {}\n",
            "t.yaml:2: limits.max_lanes: 'x' is not understood; write a whole number, as 100\n"
            "t.yaml:5: trip.failures: 'x' is not understood; write a whole number, as 100\n"
            "t.yaml:8: unknown key 'windou' in breakers; write window\n"
            "t.yaml:6: open.for: 2h can never be reached, as open.max is 1h; write max: 2h or more\n"
            "t.yaml:7: priority.normal_below: 40% would refuse normal calls before sheddable ones, whose "
            "sheddable_below is 30%; write normal_below: 30% at most, or sheddable_below: 40% or more\n");
}

static void test_an_invalid_value_is_not_checked_against_other_settings(void **state)
{
    (void)state;
    static const char *const broken[] = {"open: {for: 10m, max: 1y}",
                                         "open: {for: 1y, max: 1s}",
                                         "window: {type: time, size: x, for: 1s}",
                                         "window: {type: x, size: 5, minimum_calls: 9}",
                                         "window: {size: 5, minimum_calls: x}",
                                         "trip: {slow_rate: 10%, slow_after: x}",
                                         "ramp: {steps: [50%, x]}",
                                         "half_open: {verdict: x, sample: 3}",
                                         "retry: {base: x, max: 1ms}",
                                         "retry: {backoff: x, multiplier: 3.0}",
                                         "concurrency: {max: x, adaptive: aimd, wait: 1s, min: 5}",
                                         "rate: {limit: x, burst: 5}",
                                         "throttle: {k: 1.05x}",
                                         "priority: {normal_below: x, sheddable_below: 1%}"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct config *config = NULL;
        char text[256], *problems = NULL;
        snprintf(text, sizeof(text), "breakers:\n- match: a\n  %s\n", broken[i]);
        assert_int_equal(config_parse(text, strlen(text), "t.yaml", &config, &problems), -EINVAL);
        if (strchr(problems, '\n') != strrchr(problems, '\n'))
            fail_msg("%s gives more than one problem:\n%s", broken[i], problems);
        free(problems);
    }
}

/* -------------------------------------------------------------------------------------------------- hostile text */

static void test_anchors_aliases_and_tags_are_refused(void **state)
{
    (void)state;
    static const char anchors[] = "anchors and aliases have no place here; write the settings out, and quotes around a "
                                  "pattern that begins with *\n";
    char lines[256];
    snprintf(lines, sizeof(lines), "t.yaml:2: %s", anchors);
    refused("breakers:\n- &a {match: a}\n- *a\n", lines);
    refused("breakers:\n- match: *payments\n", lines);
    refused("breakers:\n- match: *\n", "t.yaml:2: not YAML: while scanning an alias: did not find expected alphabetic "
                                       "or numeric character; a pattern that begins with * needs quotes, as match: "
                                       "\"*\"\n");
    refused("limits: {max_lanes: !!int 5}\n", "t.yaml:1: tags (!) have no place here; write the value alone, in quotes "
                                              "if it begins with !\n");
}

static void test_invalid_yaml_is_refused_with_its_line(void **state)
{
    (void)state;
    refused("limits:\n\tmax_lanes: 5\n", "t.yaml:2: not YAML: while scanning for the next token: found character that "
                                         "cannot start any token; indent with spaces, not tabs, and quote what begins "
                                         "with a sign\n");
    refused("limits: {max_lanes: 5\n", "t.yaml:2: not YAML: while parsing a flow mapping: did not find expected ',' or "
                                       "'}'; check brackets, quotes and indentation\n");
    refused("limits: {}\nbreakers:\n  - match: \"db\n    open: {for: 5s}\n\n\n",
            "t.yaml:3: not YAML: while scanning a quoted scalar: found unexpected end of stream; close the quote that "
            "begins here\n");
    refused("a: 1\nb: \xff\n", "t.yaml:2: not YAML: invalid leading UTF-8 octet; save the file as plain UTF-8 text\n");
    refused("limits: {}\n---\nlimits: {}\n", "t.yaml:2: a second document begins here; remove the --- and all that "
                                             "follows\n");
}

static void test_deep_nesting_is_refused_early(void **state)
{
    (void)state;
    enum { DEPTH = 500000 };
    char *text = malloc(DEPTH + 1);
    assert_non_null(text);
    memset(text, '[', DEPTH);
    text[DEPTH] = '\0';
    refused(text, "t.yaml:1: nested too deep for any setting; close the brackets, or indent less\n");
    free(text);
}

static void test_only_the_first_50_problems_are_shown(void **state)
{
    (void)state;
    char text[2048] = "limits:\n";
    for (unsigned i = 0; i < 60; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "  key%u: 1\n", i);
    struct config *config = NULL;
    char *problems = NULL;
    assert_int_equal(config_parse(text, strlen(text), "t.yaml", &config, &problems), -EINVAL);
    assert_non_null(strstr(problems, "t.yaml:51: unknown key 'key49'"));
    assert_null(strstr(problems, "key50"));
    assert_non_null(strstr(problems, "\nand 10 more\n"));
    free(problems);
}

static void test_bytes_that_a_terminal_would_obey_are_not_repeated(void **state)
{
    (void)state;
    refused("\"\\e[31m\\n\": 1\n",
            "t.yaml:1: unknown key '?[31m?'; known here: limits, access, correlation, breakers, levels, features\n");
    refused("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 1\n",
            "t.yaml:1: unknown key 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'; known here: limits, access, "
            "correlation, breakers, levels, features\n");
}

/* -------------------------------------------------------------------------------------------------------- files */

static void make_path(char path[64])
{
    char folder[FOLDER_ROOM];
    folder_make(folder, FOLDER_IN_TMP);
    snprintf(path, 64, "%s/t.yaml", folder);
}

static void write_file(char path[64], const char *text, size_t length)
{
    make_path(path);
    FILE *const file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void test_a_file_is_named_in_its_problems(void **state)
{
    (void)state;
    char path[64], lines[192];
    struct config *config = NULL;
    char *problems = NULL;
    write_file(path, "nothing: 1\n", 11);
    assert_int_equal(config_load(path, &config, &problems), -EINVAL);
    snprintf(lines, sizeof(lines),
             "%s:1: unknown key 'nothing'; known here: limits, access, correlation, breakers, levels, features\n",
             path);
    assert_string_equal(problems, lines);
    assert_null(config);
    free(problems);
}

static void test_files_that_cannot_be_read_say_why(void **state)
{
    (void)state;
    struct config *config = NULL;
    char *problems = NULL;
    assert_int_equal(config_load("/nonexistent/a.yaml", &config, &problems), -ENOENT);
    assert_string_equal(problems, "/nonexistent/a.yaml: cannot be read: No such file or directory; create it, or name "
                                  "another one\n");
    free(problems);
    assert_int_equal(config_load("/tmp", &config, &problems), -EINVAL);
    assert_string_equal(problems, "/tmp: not a file; name the YAML file itself\n");
    free(problems);
    assert_null(config);
}

static void test_a_fifo_in_the_files_place_does_not_block(void **state)
{
    (void)state;
    char path[64], line[128];
    struct config *config = NULL;
    char *problems = NULL;
    make_path(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(config_load(path, &config, &problems), -EINVAL);
    snprintf(line, sizeof(line), "%s: not a file; name the YAML file itself\n", path);
    assert_string_equal(problems, line);
    free(problems);
}

static void test_a_file_beyond_1_mib_is_refused(void **state)
{
    (void)state;
    const size_t size = (1 << 20) + 1;
    char *text = malloc(size), path[64], line[128];
    struct config *config = NULL;
    char *problems = NULL;
    assert_non_null(text);
    memset(text, '#', size);
    write_file(path, text, size);
    assert_int_equal(config_load(path, &config, &problems), -EFBIG);
    snprintf(line, sizeof(line), "%s: larger than 1MiB; let patterns with * stand for many breakers\n", path);
    assert_string_equal(problems, line);
    free(problems);
    write_file(path, text, size - 1);
    assert_int_equal(config_load(path, &config, &problems), 0);
    config_free(config);
    free(text);
}

static void test_the_example_is_the_defaults_written_out(void **state)
{
    (void)state;
    const char *source = getenv("TRIP_SOURCE_DIR");
    if (!source)
        skip();
    char path[512];
    struct config *config = NULL;
    char *problems = NULL;
    snprintf(path, sizeof(path), "%s/docs/tripd.yaml.example", source);
    if (config_load(path, &config, &problems) != 0)
        fail_msg("%s", problems);
    assert_int_equal(config->limits.max_breakers, 1024);
    assert_int_equal(config->limits.max_lanes, 1024);
    assert_int_equal(config->limits.lane_memory_per_user, 268435456);
    assert_int_equal(config->limits.breakers_per_user, 500);
    assert_contract_defaults(config_settings_for(config, "anything"));
    config_free(config);
}

/* ------------------------------------------------------------------------------------------------------- showing */

static char *yaml_of(const struct config *config)
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    assert_non_null(file);
    assert_int_equal(config_write_yaml(config, file, false), 0);
    fclose(file);
    return text;
}

static void test_defaults_are_shown_as_a_config_file(void **state)
{
    (void)state;
    struct config *config = accepted("");
    char *text = yaml_of(config);
    assert_string_equal(
        text, "limits: {max_breakers: 1024, max_lanes: 1024, lane_memory_per_user: 256MiB, breakers_per_user: 50%}\n"
              "correlation: {window: 1m, max_errors: 1024, high_error_rate: 10.0, pattern_share: 50%, "
              "fingerprints: 512, cascade_window: 5s, quiet: 5m}\n"
              "access: {observe: [\"any\"], report: [\"group:tripd\"], control: [\"user:root\", \"group:tripadm\"]}\n"
              "levels: {names: [normal, degraded, minimal, emergency], back_after: 30s}\n"
              "features: {}\n"
              "breakers:\n"
              "  - match: \"*\"\n"
              "    mode: auto\n"
              "    depends_on: []\n"
              "    trip: {consecutive_failures: 5, failures: 0, failure_rate: 50%, slow_rate: 0%, slow_after: 1m, "
              "stall_after: 0s, in_flight: 0, cut_short: false}\n"
              "    window: {type: count, size: 100, minimum_calls: 10}\n"
              "    open: {for: 30s, multiplier: 2.0, max: 5m, jitter: 10%, forget: 10m}\n"
              "    half_open: {verdict: successes, permits: 1, successes: 3, max_wait: 10s}\n"
              "    ramp: {over: 0s, steps: [10%, 25%, 50%, 100%]}\n"
              "    retry: {backoff: exponential, jitter: proportional, attempts: 3, base: 100ms, multiplier: 2.0, "
              "max: 10s, jitter_ratio: 10%, total: 0s, on: [network, timeout, service_unavailable, rate_limited], "
              "budget: {ratio: 20%, min_per_second: 10}}\n"
              "    concurrency: {adaptive: none, max: 0, wait: 0s, min: 1}\n"
              "    rate: {window: bucket, limit: 0, per: 1s, burst: 0}\n"
              "    throttle: {k: 0.0}\n"
              "    priority: {sheddable_below: 20%, normal_below: 5%}\n"
              "    forget_after: 1h\n");
    free(text);
    config_free(config);
}

static void test_a_shown_config_reads_back_the_same(void **state)
{
    (void)state;
    struct config *config = accepted(
        "limits: {max_breakers: 65535, max_lanes: 1, lane_memory_per_user: 1000MiB, breakers_per_user: 99.9%}\n"
        "correlation: {window: 90s, max_errors: 16, high_error_rate: 0.5, pattern_share: 33.3%}\n"
        "access: {observe: [\"user:7\"], report: [], control: [any]}\n"
        "breakers:\n"
        "- match: a.b:c/d@e-f?*\n"
        "  mode: disabled\n"
        "  trip: {failure_rate: 33.3%, slow_after: 1.001s, stall_after: 0.25ms}\n"
        "  window: {type: time, for: 90s}\n"
        "  open: {multiplier: 1.001, for: 36h, max: 3d}\n"
        "  half_open: {verdict: rate, sample: 65535}\n"
        "  ramp: {over: 1m, steps: [0.1%]}\n"
        "  retry: {backoff: fixed, jitter: none, on: [], budget: {ratio: 0.1%}}\n"
        "  hedge: {}\n"
        "- match: b\n"
        "  retry: {on: [user_15, unknown], total: 1m, multiplier: 1.25}\n"
        "  hedge: {after: 0.25ms, at: p50, max: 0}\n"
        "  concurrency: {max: 7, wait: 1s, adaptive: aimd, min: 2}\n"
        "  rate: {limit: 9, per: 1.5s, window: sliding}\n"
        "  throttle: {k: 2.5}\n"
        "  priority: {sheddable_below: 7.5%, normal_below: 0}\n");
    char *text = yaml_of(config);
    struct config *again = accepted(text);
    char *text_again = yaml_of(again);
    assert_string_equal(text, text_again);
    assert_memory_equal(&config->limits, &again->limits, sizeof(config->limits));
    assert_int_equal(again->breaker_count, 3);
    assert_memory_equal(config->breakers, again->breakers, 3 * sizeof(struct breaker_settings));
    free(text);
    free(text_again);
    config_free(config);
    config_free(again);
}

/* A visitor that writes what it is told, so that keys, order and counts show. */
static void seen(void *context, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void seen(void *context, const char *key, const char *format, ...)
{
    va_list arguments;
    if (key)
        fprintf(context, "%s=", key);
    va_start(arguments, format);
    vfprintf(context, format, arguments);
    va_end(arguments);
    fputc(' ', context);
}

static void seen_map(void *context, const char *key, size_t count)
{
    seen(context, key, "map%zu(", count);
}

static void seen_list(void *context, const char *key, size_t count)
{
    seen(context, key, "list%zu(", count);
}

static void seen_end(void *context)
{
    seen(context, NULL, ")");
}

static void seen_integer(void *context, const char *key, uint64_t value)
{
    seen(context, key, "%llu", (unsigned long long)value);
}

static void seen_number(void *context, const char *key, double value)
{
    seen(context, key, "%g", value);
}

static void seen_flag(void *context, const char *key, bool value)
{
    fprintf(context, "%s=%s ", key, value ? "true" : "false");
}

static void seen_text(void *context, const char *key, const char *value)
{
    seen(context, key, "%s", value);
}

static void test_the_visitor_gives_keys_with_units_and_right_counts(void **state)
{
    (void)state;
    struct config *config = accepted("breakers:\n"
                                     "- match: \"*\"\n"
                                     "  trip: {failure_rate: 12.5%, slow_after: 0.5ms}\n"
                                     "  window: {type: time}\n"
                                     "  open: {multiplier: 1.5}\n"
                                     "  retry: {backoff: fixed, on: [timeout, user_1], budget: {ratio: 2.5%}}\n"
                                     "  hedge: {after: 20ms}\n"
                                     "  throttle: {k: 2.0}\n");
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    const struct config_visitor visitor = {.context = file,
                                           .map_begin = seen_map,
                                           .list_begin = seen_list,
                                           .end = seen_end,
                                           .integer = seen_integer,
                                           .number = seen_number,
                                           .text = seen_text,
                                           .flag = seen_flag};
    config_visit(config, &visitor);
    fclose(file);
    assert_string_equal(
        text,
        "map6( limits=map4( max_breakers=1024 max_lanes=1024 lane_memory_per_user=268435456 breakers_per_user=50 ) "
        "correlation=map7( window_ms=60000 max_errors=1024 high_error_rate=10 pattern_share=50 fingerprints=512 "
        "cascade_window_ms=5000 quiet_ms=300000 ) "
        "access=map3( observe=list1( any ) report=list1( group:tripd ) control=list2( user:root group:tripadm ) ) "
        "levels=map2( names=list4( normal degraded minimal emergency ) back_after_ms=30000 ) features=list0( ) "
        "breakers=list1( map15( match=* mode=auto depends_on=list0( ) forget_after_ms=3600000 "
        "trip=map8( consecutive_failures=5 failures=0 failure_rate=12.5 slow_rate=0 slow_after_ms=0.5 "
        "stall_after_ms=0 in_flight=0 cut_short=false ) "
        "window=map3( type=time for_ms=60000 minimum_calls=10 ) "
        "open=map5( for_ms=30000 multiplier=1.5 max_ms=300000 jitter=10 forget_ms=600000 ) "
        "half_open=map4( verdict=successes permits=1 successes=3 max_wait_ms=10000 ) "
        "ramp=map2( over_ms=0 steps=list4( 10 25 50 100 ) ) "
        "retry=map9( backoff=fixed jitter=proportional attempts=3 base_ms=100 max_ms=10000 jitter_ratio=10 total_ms=0 "
        "on=list2( timeout user_1 ) budget=map2( ratio=2.5 min_per_second=10 ) ) "
        "hedge=map3( at=p95 after_ms=20 max=1 ) "
        "concurrency=map4( adaptive=none max=0 wait_ms=0 min=1 ) "
        "rate=map4( window=bucket limit=0 per_ms=1000 burst=0 ) "
        "throttle=map1( k=2 ) "
        "priority=map2( sheddable_below=20 normal_below=5 ) ) ) ) ");
    free(text);
    config_free(config);
}

static const struct config_principal *reporter(const struct config *config, size_t i)
{
    return &config->access[CONFIG_REPORT].who[i];
}

static void test_names_come_from_what_was_looked_up_before(void **state)
{
    (void)state;
    static const char found[] = "u 4711 an na\ng - tripd\ng 7 staff\n";
    static const char text[] = "access: {report: [\"user:an na\", \"group:staff\", \"user:new\", any]}\n";
    struct config_names *names;
    struct config *config;
    char *problems, *written = NULL;
    size_t size;
    assert_int_equal(config_names_new(found, strlen(found), &names), 0);
    config_names_use(names);
    assert_int_equal(config_parse(text, strlen(text), "test", &config, &problems), 0);
    assert_true(config_names_missed()); /* user:new, and those of the default lists */
    config_names_use(NULL);
    names = config_names_free(names);
    assert_true(reporter(config, 0)->known && reporter(config, 1)->known && !reporter(config, 2)->known);
    assert_int_equal(reporter(config, 0)->id, 4711);
    assert_int_equal(reporter(config, 1)->id, 7);

    FILE *file = open_memstream(&written, &size);
    config_names_write(config, file);
    fclose(file);
    assert_non_null(strstr(written, "u 4711 an na\ng 7 staff\n"));
    assert_null(strstr(written, "new"));
    free(written);
    config_free(config);
}

static void test_names_that_are_looked_up_can_be_told(void **state)
{
    (void)state;
    static const char text[] = "access: {report: [\"user:root\", \"group:4711\"]}\n";
    struct config *config;
    char *problems, *written = NULL;
    size_t size;
    FILE *file = open_memstream(&written, &size);
    config_names_tell(file);
    assert_int_equal(config_parse(text, strlen(text), "test", &config, &problems), 0);
    config_names_tell(NULL);
    fclose(file);
    assert_non_null(strstr(written, "u 0 root\ng 4711 4711\n"));
    config_free(config);

    struct config_names *names; /* with all of them nothing is missed */
    assert_int_equal(config_names_new(written, size, &names), 0);
    config_names_use(names);
    assert_int_equal(config_parse(text, strlen(text), "test", &config, &problems), 0);
    assert_false(config_names_missed());
    config_names_use(NULL);
    config_names_free(names);
    assert_int_equal(reporter(config, 0)->id, 0);
    assert_int_equal(reporter(config, 1)->id, 4711);
    config_free(config);
    free(written);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_come_from_what_was_looked_up_before),
        cmocka_unit_test(test_names_that_are_looked_up_can_be_told),
        cmocka_unit_test(test_no_file_gives_the_contracts_defaults),
        cmocka_unit_test(test_correlation_is_read_within_its_bounds),
        cmocka_unit_test(test_the_contracts_own_text_gives_its_defaults),
        cmocka_unit_test(test_each_setting_takes_its_unit),
        cmocka_unit_test(test_the_limits_own_text_gives_their_defaults),
        cmocka_unit_test(test_each_limit_takes_its_unit),
        cmocka_unit_test(test_each_word_is_the_enumerations),
        cmocka_unit_test(test_a_section_alone_turns_hedging_on),
        cmocka_unit_test(test_the_first_pattern_that_matches_wins),
        cmocka_unit_test(test_an_entry_for_all_names_replaces_the_defaults),
        cmocka_unit_test(test_empty_files_and_empty_sections_mean_the_defaults),
        cmocka_unit_test(test_roles_admit_the_users_they_list),
        cmocka_unit_test(test_by_default_anyone_observes_and_root_controls),
        cmocka_unit_test(test_the_user_tripd_runs_as_may_do_everything),
        cmocka_unit_test(test_users_and_groups_are_found_by_name),
        cmocka_unit_test(test_unknown_users_and_groups_are_refused_where_they_stand),
        cmocka_unit_test(test_values_are_read_in_one_way_only),
        cmocka_unit_test(test_durations_may_be_of_several_units),
        cmocka_unit_test(test_values_have_bounds),
        cmocka_unit_test(test_unknown_keys_are_refused_with_the_nearest),
        cmocka_unit_test(test_a_key_in_the_wrong_place_is_sent_to_the_right_one),
        cmocka_unit_test(test_a_key_may_stand_only_once),
        cmocka_unit_test(test_wrong_structure_is_refused_at_its_line),
        cmocka_unit_test(test_patterns_that_can_match_no_name_are_refused),
        cmocka_unit_test(test_entries_that_are_never_reached_are_refused),
        cmocka_unit_test(test_a_pattern_covers_what_it_matches_whole),
        cmocka_unit_test(test_settings_that_can_never_work_are_refused),
        cmocka_unit_test(test_retries_that_can_never_work_are_refused),
        cmocka_unit_test(test_limits_that_can_never_work_are_refused),
        cmocka_unit_test(test_limits_are_refused_in_the_line_that_is_wrong),
        cmocka_unit_test(test_limits_have_bounds),
        cmocka_unit_test(test_a_word_may_make_keys_of_a_limit_void),
        cmocka_unit_test(test_by_default_a_user_has_a_quarter_of_a_mib_for_each_lane_there_may_be),
        cmocka_unit_test(test_without_rates_the_minimum_of_calls_may_be_out_of_reach),
        cmocka_unit_test(test_settings_that_work_but_surprise_are_noted),
        cmocka_unit_test(test_defaults_and_conditions_turned_off_are_no_note),
        cmocka_unit_test(test_all_problems_come_at_once),
        cmocka_unit_test(test_conflicting_settings_are_reported_beside_invalid_ones),
        cmocka_unit_test(test_an_invalid_value_is_not_checked_against_other_settings),
        cmocka_unit_test(test_anchors_aliases_and_tags_are_refused),
        cmocka_unit_test(test_invalid_yaml_is_refused_with_its_line),
        cmocka_unit_test(test_deep_nesting_is_refused_early),
        cmocka_unit_test(test_only_the_first_50_problems_are_shown),
        cmocka_unit_test(test_bytes_that_a_terminal_would_obey_are_not_repeated),
        cmocka_unit_test(test_a_file_is_named_in_its_problems),
        cmocka_unit_test(test_files_that_cannot_be_read_say_why),
        cmocka_unit_test(test_a_fifo_in_the_files_place_does_not_block),
        cmocka_unit_test(test_a_file_beyond_1_mib_is_refused),
        cmocka_unit_test(test_the_example_is_the_defaults_written_out),
        cmocka_unit_test(test_defaults_are_shown_as_a_config_file),
        cmocka_unit_test(test_a_shown_config_reads_back_the_same),
        cmocka_unit_test(test_the_visitor_gives_keys_with_units_and_right_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
