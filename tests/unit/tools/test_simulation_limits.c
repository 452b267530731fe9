/* Limits and retries in a replay: what is denied by what, and which retries go out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "../../support/simulated.h"
#include "internal/numbers.h"

#define ENTRY(settings) "breakers: [{match: \"*\", open: {for: 30s, jitter: 0%}, " settings "}]"
#define NO_RESERVE      ", priority: {sheddable_below: 0%, normal_below: 0%}"
#define NEVER_OPENS     "trip: {consecutive_failures: 0, failure_rate: 0%}, "

/* Returns a number of the summary. */
static long long limit(const struct run *run, const char *group, const char *key)
{
    return number(json_object_get(last(run), "limits"), group, key);
}

static void test_no_more_calls_run_at_once_than_there_are_tickets(void **state)
{
    struct run run = begin(ENTRY("concurrency: {max: 2}" NO_RESERVE), true);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){
                    "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"latency_ms\":10,\"n\":3}",
                    "{\"t_ms\":10,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"latency_ms\":10}", NULL});
    simulation_end(run.simulation);
    assert_string_equal(story(&run, text), "0 allow; 0 allow; 0 deny_concurrency; 10 allow; ");
    assert_int_equal(limit(&run, "concurrency", "rejected"), 1);
    assert_int_equal(limit(&run, "concurrency", "taken"), 0);
    assert_int_equal(number(last(&run), "totals", "denied"), 0);
    assert_int_equal(number(last(&run), "totals", "calls"), 3);
    end(&run);
}

static void test_a_ticket_comes_back_with_its_end(void **state)
{
    struct run run = begin(ENTRY("concurrency: {max: 1}" NO_RESERVE), true);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"a\"}",
                                 "{\"t_ms\":1,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"b\"}",
                                 "{\"t_ms\":2,\"op\":\"end\",\"id\":\"a\",\"outcome\":\"cancelled\"}",
                                 "{\"t_ms\":3,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"c\"}", NULL});
    simulation_end(run.simulation);
    assert_string_equal(story(&run, text), "0 allow; 1 deny_concurrency; 3 allow; ");
    assert_int_equal(limit(&run, "concurrency", "taken"), 1);
    end(&run);
}

static void test_the_more_important_find_a_ticket_for_longer(void **state)
{
    struct run run = begin(ENTRY("concurrency: {max: 4}, priority: {sheddable_below: 50%, normal_below: 25%}"), true);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"latency_ms\":9,"
                                 "\"n\":3,\"priority\":\"sheddable\"}",
                                 "{\"t_ms\":1,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"latency_ms\":9,"
                                 "\"n\":2,\"priority\":\"normal\"}",
                                 "{\"t_ms\":2,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"latency_ms\":9,"
                                 "\"n\":2,\"priority\":\"critical\"}",
                                 NULL});
    simulation_end(run.simulation);
    assert_string_equal(
        story(&run, text),
        "0 allow; 0 allow; 0 deny_concurrency; 1 allow; 1 deny_concurrency; 2 allow; 2 deny_concurrency; ");
    end(&run);
}

static void test_a_bucket_admits_its_burst_and_then_its_rate(void **state)
{
    struct run run = begin(ENTRY("rate: {limit: 10, per: 1s, burst: 2}" NO_RESERVE), true);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":3}",
                                 "{\"t_ms\":100,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":2}",
                                 "{\"t_ms\":350,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":3}", NULL});
    simulation_end(run.simulation);
    assert_string_equal(
        story(&run, text),
        "0 allow; 0 allow; 0 deny_rate; 100 allow; 100 deny_rate; 350 allow; 350 allow; 350 deny_rate; ");
    assert_int_equal(limit(&run, "rate", "rejected"), 3);
    assert_int_equal(limit(&run, "rate", "free"), 0);
    end(&run);
}

static void test_a_sliding_window_admits_its_limit(void **state)
{
    struct run run = begin(ENTRY("rate: {limit: 2, per: 1s, window: sliding}" NO_RESERVE), true);
    char text[1024];
    (void)state;
    steps(&run,
          (const char *[]){"{\"t_ms\":900,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":3}",
                           "{\"t_ms\":1100,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":1}",
                           "{\"t_ms\":1600,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":2}", NULL});
    simulation_end(run.simulation);
    assert_string_equal(story(&run, text),
                        "900 allow; 900 allow; 900 deny_rate; 1100 deny_rate; 1600 allow; 1600 deny_rate; ");
    end(&run);
}

static void test_a_call_without_a_token_takes_no_ticket(void **state)
{
    struct run run = begin(ENTRY("concurrency: {max: 1}, rate: {limit: 1, per: 1s}" NO_RESERVE), true);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\"}",
                                 "{\"t_ms\":500,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\"}",
                                 "{\"t_ms\":1500,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\"}", NULL});
    simulation_end(run.simulation);
    assert_string_equal(story(&run, text), "0 allow; 500 deny_rate; 1500 allow; ");
    assert_int_equal(limit(&run, "concurrency", "taken"), 0);
    end(&run);
}

static void test_limits_hold_in_no_other_mode_than_auto(void **state)
{
    struct run run = begin(ENTRY("rate: {limit: 1, per: 1h}"), true);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"mode\",\"breaker\":\"db\",\"mode\":\"disabled\"}",
                                 "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":2}",
                                 "{\"t_ms\":1,\"op\":\"mode\",\"breaker\":\"db\",\"mode\":\"auto\"}",
                                 "{\"t_ms\":1,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":2}", NULL});
    simulation_end(run.simulation);
    assert_string_equal(story(&run, text), "0 allow; 0 allow; 1 allow; 1 deny_rate; ");
    end(&run);
}

static void test_a_probe_without_a_token_takes_no_permit(void **state)
{
    struct run run = begin(ENTRY("rate: {limit: 1, per: 1h}"), true);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\"}",
                                 "{\"t_ms\":1,\"op\":\"trip\",\"breaker\":\"db\",\"for_ms\":1000}",
                                 "{\"t_ms\":2000,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\"}",
                                 "{\"t_ms\":2000,\"op\":\"mode\",\"breaker\":\"db\",\"mode\":\"disabled\"}",
                                 "{\"t_ms\":2000,\"op\":\"mode\",\"breaker\":\"db\",\"mode\":\"shadow\"}",
                                 "{\"t_ms\":2000,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\"}", NULL});
    simulation_end(run.simulation);
    assert_string_equal(story(&run, text),
                        "0 allow; 1 closed>open operator; 1001 open>half_open none; 2000 deny_rate; 2000 probe; ");
    end(&run);
}

/* calls: each 100 ms, for 20 s; more: further keys, with their comma. */
static void load(struct run *run, const char *outcome, unsigned latency_ms, unsigned calls, const char *more)
{
    for (unsigned t_ms = 0; t_ms < 20000; t_ms += 100) {
        char line[256];
        snprintf(line, sizeof(line),
                 "{\"t_ms\":%u,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"%s\",\"latency_ms\":%u,\"n\":%u%s}",
                 t_ms, outcome, latency_ms, calls, more);
        steps(run, (const char *[]){line, NULL});
    }
    simulation_end(run->simulation);
}

static void test_calls_that_fail_for_long_are_shed(void **state)
{
    struct run run = begin(ENTRY(NEVER_OPENS "throttle: {k: 2.0}"), false);
    (void)state;
    load(&run, "timeout", 0, 50, "");
    assert_int_equal(number(last(&run), "totals", "calls") + limit(&run, "throttle", "shed"), 10000);
    assert_int_equal(limit(&run, "throttle", "shed"), 9724);
    end(&run);
}

static void test_critical_calls_are_never_shed(void **state)
{
    struct run run = begin(ENTRY(NEVER_OPENS "throttle: {k: 2.0}"), false);
    (void)state;
    load(&run, "timeout", 0, 50, ",\"priority\":\"critical\"");
    assert_int_equal(limit(&run, "throttle", "shed"), 0);
    assert_int_equal(limit(&run, "throttle", "admit_permille"), 10);
    end(&run);
}

static void test_an_adaptive_limit_rises_while_calls_go_well(void **state)
{
    struct run run = begin(ENTRY("concurrency: {max: 60, adaptive: aimd}" NO_RESERVE), false);
    (void)state;
    load(&run, "ok", 100, 50, "");
    assert_int_equal(limit(&run, "concurrency", "limit"), 60);
    assert_int_equal(limit(&run, "concurrency", "max"), 60);
    end(&run);
}

static void test_an_adaptive_limit_falls_while_calls_fail(void **state)
{
    struct run run = begin(ENTRY(NEVER_OPENS "concurrency: {max: 60, min: 3, adaptive: aimd}" NO_RESERVE), false);
    (void)state;
    load(&run, "timeout", 100, 50, "");
    assert_int_equal(limit(&run, "concurrency", "limit"), 3);
    end(&run);
}

static void test_an_adaptive_limit_falls_while_calls_are_slow(void **state)
{
    struct run run =
        begin(ENTRY("trip: {slow_after: 99ms}, concurrency: {max: 60, min: 3, adaptive: aimd}" NO_RESERVE), false);
    (void)state;
    load(&run, "ok", 100, 50, "");
    assert_int_equal(limit(&run, "concurrency", "limit"), 3);
    end(&run);
}

static void test_a_failure_is_retried_after_each_backoff(void **state)
{
    struct run run = begin(ENTRY(NEVER_OPENS "retry: {jitter: none}"), true);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"failure\",\"error\":"
                                 "\"network\",\"latency_ms\":5,\"retry\":true}",
                                 NULL});
    simulation_end(run.simulation);
    assert_string_equal(story(&run, text), "0 allow; 105 allow 2; 310 allow 3; ");
    assert_int_equal(number(last(&run), NULL, "retries"), 2);
    assert_int_equal(number(last(&run), NULL, "retries_refused"), 0);
    assert_int_equal(number(last(&run), "totals", "calls"), 3);
    end(&run);
}

static void test_a_longer_retry_after_is_waited_for(void **state)
{
    struct run run = begin(ENTRY(NEVER_OPENS "retry: {jitter: none, attempts: 4}"), true);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"failure\",\"error\":"
                                 "\"rate_limited\",\"retry\":true,\"retry_after_ms\":250}",
                                 NULL});
    simulation_end(run.simulation);
    assert_string_equal(story(&run, text), "0 allow; 250 allow 2; 500 allow 3; 900 allow 4; ");
    end(&run);
}

static void test_a_retry_after_beyond_the_total_time_ends_the_retries(void **state)
{
    struct run run = begin(ENTRY(NEVER_OPENS "retry: {jitter: none, total: 400ms}"), true);
    char text[1024];
    (void)state;
    steps(&run,
          (const char *[]){"{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"retry\":true,"
                           "\"retry_after_ms\":400}",
                           "{\"t_ms\":1000,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"retry\":true,"
                           "\"retry_after_ms\":401}",
                           NULL});
    simulation_end(run.simulation);
    assert_string_equal(story(&run, text), "0 allow; 400 allow 2; 1000 allow; ");
    end(&run);
}

static void test_retries_spread_as_their_jitter_says(void **state)
{
    struct run run = begin(ENTRY(NEVER_OPENS "retry: {jitter: full, base: 1s, attempts: 2, "
                                             "budget: {ratio: 0%, min_per_second: 100}}"),
                           true);
    unsigned tenths[10] = {0};
    size_t i;
    json_t *event;
    (void)state;
    steps(&run, (const char *[]){
                    "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"n\":1000,\"retry\":true}",
                    NULL});
    simulation_end(run.simulation);
    json_array_foreach(run.events, i, event)
    {
        if (number(event, NULL, "attempt") == 2)
            tenths[at_most((uint64_t)number(event, NULL, "t_ms") / 100, 9)]++;
    }
    for (unsigned tenth = 0; tenth < 10; tenth++)
        assert_in_range(tenths[tenth], 60, 140);
    end(&run);
}

static void test_an_error_that_is_not_retryable_is_not_retried(void **state)
{
    struct run run = begin(ENTRY(NEVER_OPENS "retry: {jitter: none}"), true);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"failure\",\"error\":"
                                 "\"protocol\",\"retry\":true}",
                                 "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"retry\":true}",
                                 "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\"}", NULL});
    simulation_end(run.simulation);
    assert_string_equal(story(&run, text), "0 allow; 0 allow; 0 allow; ");
    assert_int_equal(number(last(&run), NULL, "retries"), 0);
    assert_int_equal(number(last(&run), NULL, "retries_refused"), 0);
    end(&run);
}

static void test_an_open_breaker_ends_the_retries(void **state)
{
    struct run run = begin(ENTRY("retry: {jitter: none, backoff: fixed, attempts: 10}"), true);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){
                    "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"retry\":true}", NULL});
    simulation_end(run.simulation);
    assert_string_equal(story(&run, text),
                        "0 allow; 100 allow 2; 200 allow 3; 300 allow 4; 400 allow 5; 400 closed>open consecutive; ");
    assert_int_equal(number(last(&run), NULL, "retries"), 4);
    assert_int_equal(number(last(&run), NULL, "retries_refused"), 0);
    assert_int_equal(number(last(&run), "totals", "denied"), 0);
    end(&run);
}

static void test_a_breaker_that_opened_meanwhile_denies_the_retry(void **state)
{
    struct run run = begin(ENTRY("retry: {jitter: none}"), true);
    char text[1024];
    (void)state;
    steps(&run,
          (const char *[]){"{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"retry\":true}",
                           "{\"t_ms\":50,\"op\":\"trip\",\"breaker\":\"db\"}", NULL});
    simulation_end(run.simulation);
    assert_string_equal(story(&run, text), "0 allow; 50 closed>open operator; 100 deny_open 2; ");
    assert_int_equal(number(last(&run), NULL, "retries"), 1);
    assert_int_equal(number(last(&run), "totals", "denied"), 1);
    end(&run);
}

static void test_no_retry_begins_after_the_total_time(void **state)
{
    struct run run = begin(ENTRY(NEVER_OPENS "retry: {jitter: none, total: 250ms}"), true);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){
                    "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"retry\":true}", NULL});
    simulation_end(run.simulation);
    assert_string_equal(story(&run, text), "0 allow; 100 allow 2; ");
    assert_int_equal(number(last(&run), NULL, "retries"), 1);
    assert_int_equal(number(last(&run), NULL, "retries_refused"), 0);
    end(&run);
}

static void test_a_retry_needs_a_token_of_its_own(void **state)
{
    struct run run = begin(ENTRY(NEVER_OPENS "retry: {jitter: none}, rate: {limit: 1, per: 1h}"), true);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){
                    "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"retry\":true}", NULL});
    simulation_end(run.simulation);
    assert_string_equal(story(&run, text), "0 allow; 100 deny_rate 2; ");
    assert_int_equal(number(last(&run), NULL, "retries"), 1);
    assert_int_equal(limit(&run, "rate", "rejected"), 1);
    end(&run);
}

static void test_the_budgets_floor_pays_for_retries(void **state)
{
    struct run run =
        begin(ENTRY(NEVER_OPENS "retry: {jitter: none, attempts: 2, budget: {ratio: 0%, min_per_second: 2}}"), false);
    (void)state;
    steps(&run, (const char *[]){
                    "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"n\":30,\"retry\":true}",
                    "{\"t_ms\":1000,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"n\":5,\"retry\":true}",
                    NULL});
    simulation_end(run.simulation);
    assert_int_equal(number(last(&run), NULL, "retries"), 22);
    assert_int_equal(number(last(&run), NULL, "retries_refused"), 13);
    assert_int_equal(number(last(&run), "totals", "calls"), 57);
    end(&run);
}

static void test_calls_earn_retries_and_retries_earn_nothing(void **state)
{
    struct run run =
        begin(ENTRY(NEVER_OPENS "retry: {jitter: none, attempts: 2, budget: {ratio: 20%, min_per_second: 0}}"), false);
    (void)state;
    steps(&run, (const char *[]){
                    "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"n\":1,\"retry\":true}",
                    "{\"t_ms\":100,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"n\":1,\"retry\":true}",
                    "{\"t_ms\":200,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"n\":1,\"retry\":true}",
                    "{\"t_ms\":300,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"n\":1,\"retry\":true}",
                    "{\"t_ms\":400,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"n\":1,\"retry\":true}",
                    "{\"t_ms\":500,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"n\":1,\"retry\":true}",
                    "{\"t_ms\":600,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"n\":1,\"retry\":true}",
                    "{\"t_ms\":700,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"n\":1,\"retry\":true}",
                    "{\"t_ms\":800,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"n\":1,\"retry\":true}",
                    "{\"t_ms\":900,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"n\":1,\"retry\":true}",
                    "{\"t_ms\":1000,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"n\":1,\"retry\":true}",
                    NULL});
    simulation_end(run.simulation);
    assert_int_equal(number(last(&run), NULL, "retries"), 2);
    assert_int_equal(number(last(&run), NULL, "retries_refused"), 9);
    end(&run);
}

static void test_many_calls_earn_many_retries(void **state)
{
    struct run run =
        begin(ENTRY(NEVER_OPENS "retry: {jitter: none, attempts: 2, budget: {ratio: 20%, min_per_second: 0}}"), false);
    (void)state;
    for (unsigned second = 0; second < 20; second++) {
        char line[256];
        snprintf(line, sizeof(line), "{\"t_ms\":%u,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":1000}",
                 second * 1000);
        steps(&run, (const char *[]){line, NULL});
    }
    steps(&run,
          (const char *[]){"{\"t_ms\":20000,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"n\":3000,"
                           "\"retry\":true}",
                           NULL});
    simulation_end(run.simulation);
    assert_in_range(number(last(&run), NULL, "retries"), 1750, 2250); /* 10 s of 20%, to an eighth */
    assert_int_equal(number(last(&run), NULL, "retries") + number(last(&run), NULL, "retries_refused"), 3000);
    end(&run);
}

/* As in test_breakers_limits.c: tokens saved while there was much to do are gone once there is nothing. */
static void test_a_budget_goes_down_with_the_pace_of_calls(void **state)
{
    static const unsigned idle_s[] = {0, 1, 2, 5, 10, 20, 600}, tokens[] = {94, 74, 56, 23, 5, 1, 1};
    struct run run =
        begin(ENTRY(NEVER_OPENS "retry: {jitter: none, attempts: 2, budget: {ratio: 10%, min_per_second: 0}}"), false);
    char line[256];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    for (unsigned second = 1; second <= 60; second++) {
        snprintf(line, sizeof(line), "{\"t_ms\":%u,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":100}",
                 second * 1000 - 1);
        steps(&run, (const char *[]){line, NULL});
    }
    for (size_t i = 0; i < sizeof(idle_s) / sizeof(idle_s[0]); i++) {
        snprintf(line, sizeof(line), "{\"t_ms\":%u,\"op\":\"show\",\"breaker\":\"db\"}", 60000 + idle_s[i] * 1000);
        steps(&run, (const char *[]){line, NULL});
        assert_int_equal(limit(&run, "retry", "budget_tokens"), tokens[i]);
    }
    end(&run);
}

/* After ten idle minutes 300 failures want a retry. A tenth of them is paid, by what they earn themselves; the busy
 * minute before pays for none. */
static void test_an_idle_budget_pays_only_for_what_the_failures_themselves_earn(void **state)
{
    struct run run = begin(ENTRY(NEVER_OPENS "retry: {attempts: 2, base: 1ms, jitter: none, on: [network], "
                                             "budget: {ratio: 10%, min_per_second: 0}}"),
                           false);
    char line[256];
    (void)state;
    for (unsigned second = 0; second < 60; second++) {
        snprintf(line, sizeof(line), "{\"t_ms\":%u,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":100}",
                 second * 1000);
        steps(&run, (const char *[]){line, NULL});
    }
    steps(&run, (const char *[]){"{\"t_ms\":660000,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"failure\","
                                 "\"error\":\"network\",\"n\":300,\"retry\":true}",
                                 NULL});
    simulation_end(run.simulation);
    assert_int_equal(number(last(&run), NULL, "retries"), 28);
    assert_int_equal(number(last(&run), NULL, "retries_refused"), 272);
    end(&run);
}

static void assert_wrong(const char *line, const char *problem)
{
    struct trace_step step;
    char by_hand[256], by_jansson[256], spaced[256];
    snprintf(spaced, sizeof(spaced), " %s", line);
    assert_int_equal(trace_step_parse(line, strlen(line), &step, by_hand), -EINVAL);
    assert_int_equal(trace_step_parse(spaced, strlen(spaced), &step, by_jansson), -EINVAL);
    assert_string_equal(by_hand, problem);
    assert_string_equal(by_jansson, problem);
}

static void test_wrong_priorities_and_retries_are_told(void **state)
{
    (void)state;
    assert_wrong("{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"retry\":1}",
                 "\"retry\" must be true or false");
    assert_wrong("{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"retry\":true,"
                 "\"retry_after_ms\":0}",
                 "\"retry_after_ms\" must be an integer from 1 to 1099511627776");
    assert_wrong("{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"retry_after_ms\":\"5\"}",
                 "\"retry_after_ms\" must be an integer from 1 to 1099511627776");
    assert_wrong("{\"t_ms\":0,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"a\",\"priority\":true}",
                 "\"priority\" is none of those known; it is one of normal, critical, sheddable");
}

static const char *priority = "normal";

/* 20 calls each 100 ms, `failing` of them in a mixed order. */
static void calls(struct run *run, unsigned from_ms, unsigned until_ms, unsigned failing)
{
    for (unsigned t_ms = from_ms; t_ms < until_ms; t_ms += 100)
        for (unsigned i = 0; i < 20; i++) {
            char line[128];
            snprintf(line, sizeof(line),
                     "{\"t_ms\":%u,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"%s\",\"priority\":\"%s\"}", t_ms,
                     i * 7 % 20 < failing ? "timeout" : "ok", priority);
            steps(run, (const char *[]){line, NULL});
        }
}

static const json_t *shown(struct run *run, unsigned t_ms)
{
    char line[64];
    snprintf(line, sizeof(line), "{\"t_ms\":%u,\"op\":\"show\",\"breaker\":\"db\"}", t_ms);
    steps(run, (const char *[]){line, NULL});
    return last(run);
}

static void test_overload_is_shed_without_opening_and_a_dead_dependency_opens(void **state)
{
    struct run run =
        begin(ENTRY("throttle: {k: 1.5}, trip: {consecutive_failures: 0, failure_rate: 80%}" NO_RESERVE), false);
    char text[1024];
    (void)state;
    calls(&run, 0, 30000, 0);
    assert_int_equal(number(shown(&run, 30000), "totals", "calls"), 6000);
    calls(&run, 30000, 60000, 12);
    const json_t *overloaded = shown(&run, 60000);
    assert_string_equal(json_string_value(json_object_get(overloaded, "state")), "closed");
    assert_int_equal(number(overloaded, NULL, "opens"), 0);
    assert_int_equal(number(overloaded, "totals", "calls") + limit(&run, "throttle", "shed"), 12000);
    assert_int_equal(limit(&run, "throttle", "shed"), 3234);
    calls(&run, 60000, 70000, 20);
    assert_string_equal(story(&run, text), "64200 closed>open failure_rate; ");
    end(&run);
}

/* Returns how many of 2,000 calls in the last ten seconds were admitted, by a dependency that was dead for 20 s and has
 * been well for 70. */
static json_int_t admitted_after_a_minute(const char *asked)
{
    struct run run = begin(ENTRY("throttle: {k: 2.0}, trip: {consecutive_failures: 0, failure_rate: 0}"), false);
    priority = asked;
    calls(&run, 0, 10000, 0);
    calls(&run, 10000, 30000, 20);
    calls(&run, 30000, 90000, 0);
    const json_int_t before = number(shown(&run, 90000), "totals", "calls");
    calls(&run, 90000, 100000, 0);
    const json_int_t admitted = number(shown(&run, 100000), "totals", "calls") - before;
    end(&run);
    priority = "normal";
    return admitted;
}

static void test_a_priority_that_calls_alone_is_admitted_again_after_an_overload(void **state)
{
    (void)state;
    assert_int_equal(admitted_after_a_minute("normal"), 2000);
    assert_int_equal(admitted_after_a_minute("sheddable"), 2000);
    assert_int_equal(admitted_after_a_minute("critical"), 2000);
}

static void test_a_line_of_calls_that_are_decided_one_by_one_has_an_end(void **state)
{
    (void)state;
    struct run run = begin(ENTRY("rate: {limit: 10, per: 1s, burst: 2}" NO_RESERVE), false);
    assert_int_equal(step(&run, "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":1000000000}"),
                     -EINVAL);
    assert_string_equal(run.problem,
                        "\"n\" is 1000000000, but calls of db are decided one by one here (limits, retries, "
                        "--verdicts): a line may have 1000000");
    end(&run);
}

static void test_a_line_of_calls_that_are_alike_may_have_any_number(void **state)
{
    (void)state;
    struct run run = begin("breakers: [{match: \"*\"}]", false);
    assert_int_equal(step(&run, "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":1000000000}"),
                     0);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_of_calls_that_are_decided_one_by_one_has_an_end),
        cmocka_unit_test(test_a_line_of_calls_that_are_alike_may_have_any_number),
        cmocka_unit_test(test_no_more_calls_run_at_once_than_there_are_tickets),
        cmocka_unit_test(test_a_ticket_comes_back_with_its_end),
        cmocka_unit_test(test_the_more_important_find_a_ticket_for_longer),
        cmocka_unit_test(test_a_bucket_admits_its_burst_and_then_its_rate),
        cmocka_unit_test(test_a_sliding_window_admits_its_limit),
        cmocka_unit_test(test_a_call_without_a_token_takes_no_ticket),
        cmocka_unit_test(test_limits_hold_in_no_other_mode_than_auto),
        cmocka_unit_test(test_a_probe_without_a_token_takes_no_permit),
        cmocka_unit_test(test_calls_that_fail_for_long_are_shed),
        cmocka_unit_test(test_critical_calls_are_never_shed),
        cmocka_unit_test(test_an_adaptive_limit_rises_while_calls_go_well),
        cmocka_unit_test(test_an_adaptive_limit_falls_while_calls_fail),
        cmocka_unit_test(test_an_adaptive_limit_falls_while_calls_are_slow),
        cmocka_unit_test(test_a_failure_is_retried_after_each_backoff),
        cmocka_unit_test(test_a_longer_retry_after_is_waited_for),
        cmocka_unit_test(test_a_retry_after_beyond_the_total_time_ends_the_retries),
        cmocka_unit_test(test_retries_spread_as_their_jitter_says),
        cmocka_unit_test(test_an_error_that_is_not_retryable_is_not_retried),
        cmocka_unit_test(test_an_open_breaker_ends_the_retries),
        cmocka_unit_test(test_a_breaker_that_opened_meanwhile_denies_the_retry),
        cmocka_unit_test(test_no_retry_begins_after_the_total_time),
        cmocka_unit_test(test_a_retry_needs_a_token_of_its_own),
        cmocka_unit_test(test_the_budgets_floor_pays_for_retries),
        cmocka_unit_test(test_calls_earn_retries_and_retries_earn_nothing),
        cmocka_unit_test(test_many_calls_earn_many_retries),
        cmocka_unit_test(test_a_budget_goes_down_with_the_pace_of_calls),
        cmocka_unit_test(test_an_idle_budget_pays_only_for_what_the_failures_themselves_earn),
        cmocka_unit_test(test_wrong_priorities_and_retries_are_told),
        cmocka_unit_test(test_overload_is_shed_without_opening_and_a_dead_dependency_opens),
        cmocka_unit_test(test_a_priority_that_calls_alone_is_admitted_again_after_an_overload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
