/* Defaults as the contract states them, patterns, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/limiter.h"
#include "core/settings.h"
#include "internal/backoff.h"
#include "trip.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

static void test_defaults_are_the_contracts(void **state)
{
    (void)state;
    struct breaker_settings settings;
    memset(&settings, 0xff, sizeof(settings));
    breaker_settings_defaults(&settings);

    assert_string_equal(settings.match, "*");
    assert_int_equal(settings.mode, TRIP_MODE_AUTO);
    assert_int_equal(settings.trip.consecutive_failures, 5);
    assert_int_equal(settings.trip.failures, 0);
    assert_int_equal(settings.trip.failure_rate, 500);
    assert_int_equal(settings.trip.slow_rate, 0);
    assert_int_equal(settings.trip.slow_after, 60 * S);
    assert_int_equal(settings.trip.stall_after, 0);
    assert_int_equal(settings.trip.in_flight, 0);
    assert_int_equal(settings.window.type, WINDOW_COUNT);
    assert_int_equal(settings.window.size, 100);
    assert_int_equal(settings.window.span, 60 * S);
    assert_int_equal(settings.window.minimum_calls, 10);
    assert_int_equal(settings.open.span, 30 * S);
    assert_int_equal(settings.open.multiplier, 2000);
    assert_int_equal(settings.open.max, 300 * S);
    assert_int_equal(settings.open.jitter, 100);
    assert_int_equal(settings.open.forget, 600 * S);
    assert_int_equal(settings.half_open.verdict, PROBE_VERDICT_SUCCESSES);
    assert_int_equal(settings.half_open.permits, 1);
    assert_int_equal(settings.half_open.successes, 3);
    assert_int_equal(settings.half_open.max_wait, 10 * S);
    assert_int_equal(settings.half_open.sample, 10);
    assert_int_equal(settings.ramp.over, 0);
    assert_int_equal(settings.ramp.step_count, 4);
    assert_int_equal(settings.ramp.steps[0], 100);
    assert_int_equal(settings.ramp.steps[1], 250);
    assert_int_equal(settings.ramp.steps[2], 500);
    assert_int_equal(settings.ramp.steps[3], 1000);
    assert_int_equal(settings.retry.backoff, BACKOFF_EXPONENTIAL);
    assert_int_equal(settings.retry.jitter, JITTER_PROPORTIONAL);
    assert_int_equal(settings.retry.on, 0x1e); /* network, timeout, service_unavailable, rate_limited */
    assert_int_equal(settings.retry.attempts, 3);
    assert_int_equal(settings.retry.base, 100 * MS);
    assert_int_equal(settings.retry.multiplier, 2000);
    assert_int_equal(settings.retry.max, 10 * S);
    assert_int_equal(settings.retry.jitter_ratio, 100);
    assert_int_equal(settings.retry.total, 0);
    assert_int_equal(settings.budget.ratio, 200);
    assert_int_equal(settings.budget.min_per_second, 10);
    assert_int_equal(settings.hedge.set, 0);
    assert_int_equal(settings.hedge.at, HEDGE_AT_P95);
    assert_int_equal(settings.hedge.after, 0);
    assert_int_equal(settings.hedge.max, 1);
    assert_int_equal(settings.concurrency.adaptive, LIMITER_NONE);
    assert_int_equal(settings.concurrency.max, 0);
    assert_int_equal(settings.concurrency.wait, 0);
    assert_int_equal(settings.concurrency.min, 1);
    assert_int_equal(settings.rate.window, RATE_BUCKET);
    assert_int_equal(settings.rate.limit, 0);
    assert_int_equal(settings.rate.per, S);
    assert_int_equal(settings.rate.burst, 0);
    assert_int_equal(settings.throttle.k, 0);
    assert_int_equal(settings.priority.sheddable_below, 200);
    assert_int_equal(settings.priority.normal_below, 50);
    assert_int_equal(settings.forget_after, 3600 * S);
}

static void test_every_default_lies_within_its_bounds(void **state)
{
    (void)state;
    struct breaker_settings settings;
    breaker_settings_defaults(&settings);
    unsigned keys = 0;
#define WITHIN(section, key, kind, value, lowest, highest)  \
    assert_in_range(settings.section.key, lowest, highest); \
    keys++;
    SETTINGS_SCALARS(WITHIN)
#undef WITHIN
    assert_int_equal(keys, 39);
}

static void test_patterns_match(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name;
        _Bool matches;
    } cases[] = {
        {"*", "db", 1},
        {"*", "", 1},
        {"", "", 1},
        {"", "db", 0},
        {"db", "db", 1},
        {"db", "dB", 0},
        {"db", "db1", 0},
        {"db1", "db", 0},
        {"payments/*", "payments/", 1},
        {"payments/*", "payments/eu/cards", 1},
        {"payments/*", "payment", 0},
        {"payments/*", "payments", 0},
        {"*/cards", "payments/eu/cards", 1},
        {"*/cards", "payments/eu/cards2", 0},
        {"?", "a", 1},
        {"?", "", 0},
        {"?", "ab", 0},
        {"db-?", "db-1", 1},
        {"db-?", "db-12", 0},
        {"db-?*", "db-12", 1},
        {"db-?*", "db-", 0},
        {"a*b*c", "abc", 1},
        {"a*b*c", "a-b-b-c", 1},
        {"a*b*c", "a-b-c-", 0},
        {"a*b*c", "acb", 0},
        {"*ab", "aab", 1},
        {"*aab*", "aaaab", 1},
        {"**", "x", 1},
        {"a**", "a", 1},
        {"*?*", "", 0},
        {"*?*", "x", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (settings_pattern_matches(cases[i].pattern, cases[i].name) != cases[i].matches)
            fail_msg("pattern %s, name %s: expected %d", cases[i].pattern, cases[i].name, cases[i].matches);
}

/* Backtracking through every star would take 2^60 steps here. */
static void test_no_pattern_is_slow(void **state)
{
    (void)state;
    char pattern[SETTINGS_PATTERN_MAX + 1], name[TRIP_NAME_MAX + 1];
    for (size_t i = 0; i < SETTINGS_PATTERN_MAX - 1; i++)
        pattern[i] = i % 2 ? '*' : 'a';
    pattern[SETTINGS_PATTERN_MAX - 1] = 'b';
    pattern[SETTINGS_PATTERN_MAX] = '\0';
    memset(name, 'a', TRIP_NAME_MAX);
    name[TRIP_NAME_MAX] = '\0';

    const clock_t began = clock();
    for (int i = 0; i < 1000; i++)
        assert_false(settings_pattern_matches(pattern, name));
    assert_true(clock() - began < CLOCKS_PER_SEC);
}

static void test_names_are_1_to_127_of_their_letters(void **state)
{
    (void)state;
    char name[TRIP_NAME_MAX + 2];
    memset(name, 'x', sizeof(name));

    assert_false(settings_name_valid(name, 0));
    assert_true(settings_name_valid(name, 1));
    assert_true(settings_name_valid(name, 127));
    assert_false(settings_name_valid(name, 128));
    assert_true(settings_name_valid("payments/eu:443@a-B_c.9", 23));

    unsigned allowed = 0;
    for (int byte = 0; byte < 256; byte++) {
        const char one = (char)byte;
        allowed += settings_name_valid(&one, 1);
    }
    assert_int_equal(allowed, 26 + 26 + 10 + 6);
    for (const char *byte = "._:/@-"; *byte; byte++)
        assert_true(settings_name_valid(byte, 1));
    assert_false(settings_name_valid("", 1)); /* its NUL */
    assert_false(settings_name_valid("a b", 3));
    assert_false(settings_name_valid("a*", 2));
    assert_false(settings_name_valid("\xc3\xa9", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_the_contracts),
        cmocka_unit_test(test_every_default_lies_within_its_bounds),
        cmocka_unit_test(test_patterns_match),
        cmocka_unit_test(test_no_pattern_is_slow),
        cmocka_unit_test(test_names_are_1_to_127_of_their_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
