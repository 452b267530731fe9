/* What people are shown, from forged entries of a segment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "internal/policy.h"
#include "internal/rpc.h"
#include "internal/state_word.h"
#include "protocol/report.h"
#include "protocol/report_config.h"
#include "protocol/rpc.h"

struct forged {
    struct policy_slot policy;
    struct detail_slot detail;
    struct core_head core;
    struct limits_shown limits;
    struct reporters_shown reporters;
    uint64_t latency[LATENCY_BUCKETS];
    struct report_breaker breaker;
};

/* payments/a, open for 5 s of 30 s at 100 s, after 5 failures in a row. */
static void forge(struct forged *forged)
{
    memset(forged, 0, sizeof(*forged));
    forged->policy.admission = policy_plain(1, 5);
    forged->policy.judge[0] = policy_judge(5, TRIP_MODE_AUTO, false, 0);
    forged->policy.slow_after_ns = 60000000000;
    forged->policy.limits = POLICY_TIMED;
    forged->policy.next_open_ms = 60000;
    forged->policy.half_open = policy_half_open(2, 10000);
    strcpy(forged->detail.name, "payments/a");
    strcpy(forged->detail.settings_match, "payments/*");
    forged->detail.created_unix_ms = 1700000000000;
    forged->detail.since_unix_ms = 1700000095000;
    forged->detail.since_ms = 95000;
    forged->detail.reason = TRIP_REASON_CONSECUTIVE;
    forged->detail.by = BY_CLIENT;
    forged->detail.error_type = TRIP_ERROR_TIMEOUT;
    forged->detail.error_unix_ms = 1700000094000;
    strcpy(forged->detail.error_message, "no answer in 1 s");
    forged->latency[latency_bucket(40000)] = 90;
    forged->latency[latency_bucket(2000000)] = 10;
    forged->core.totals = (struct breaker_totals){.calls = 100,
                                                  .ok = 91,
                                                  .failures = 9,
                                                  .timeouts = 4,
                                                  .slow = 3,
                                                  .ignored = 2,
                                                  .cancelled = 1,
                                                  .late = 6,
                                                  .denied = {4, 3}};
    forged->core.window_calls = 16;
    forged->core.window_failures = 6;
    forged->core.window_slow = 1;
    forged->core.minimum_calls = 10;
    forged->core.probes_needed = 3;
    forged->core.state = TRIP_STATE_OPEN;
    forged->core.state_since_ns = UINT64_C(95000000000);
    forged->core.totals.opens = 2;
    forged->core.totals.state_ns[TRIP_STATE_OPEN] = UINT64_C(30000000000);
    forged->core.totals.trips[TRIP_REASON_CONSECUTIVE] = 2;
    forged->breaker = (struct report_breaker){.policy = &forged->policy,
                                              .detail = &forged->detail,
                                              .core = &forged->core,
                                              .word = word_open(7, 125000),
                                              .now_ms = 100000,
                                              .limits = &forged->limits,
                                              .reporters = &forged->reporters,
                                              .latency = forged->latency};
}

static void assert_json(json_t *actual, const char *expected)
{
    char *text = json_dumps(actual, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
    json_decref(actual);
}

static json_t *show_key(const struct forged *forged, const char *key)
{
    json_t *show = report_show(&forged->breaker);
    json_t *value = json_incref(json_object_get(show, key));
    json_decref(show);
    return value;
}

static void test_show_has_the_keys_of_the_contract(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    assert_json(
        report_show(&forged.breaker),
        "{\"t_ms\":100000,\"event\":\"show\",\"breaker\":\"payments/a\",\"state\":\"open\",\"mode\":\"auto\","
        "\"reason\":\"consecutive\",\"by\":\"client\",\"uid\":null,\"note\":null,"
        "\"since_unix_ms\":1700000095000,\"state_for_ms\":5000,"
        "\"window\":{\"calls\":16,\"ok\":10,\"failures\":6,\"slow\":1,\"failure_rate\":37.5,\"slow_rate\":6.2},"
        "\"consecutive_failures\":0,\"retry_after_ms\":25000,\"permits_free\":0,\"ramp\":null,"
        "\"mode_owner\":null,\"mode_reason\":null,\"mode_ttl_ms\":null,\"mode_uid\":null,"
        "\"hidden\":false,\"certain\":true,\"daemon\":\"running\",\"as_of_ms\":0,"
        "\"totals\":{\"calls\":100,\"ok\":91,\"failures\":9,\"timeouts\":4,\"slow\":3,\"ignored\":2,\"cancelled\":1,"
        "\"late\":6,\"denied\":7,\"denied_by\":{\"deny_open\":4,\"deny_half_open\":3,\"deny_forced\":0,"
        "\"deny_ramp\":0,\"deny_concurrency\":0,\"deny_rate\":0,\"deny_shed\":0,\"deny_deadline\":0}},\"errors\":{},"
        "\"probes\":{"
        "\"ok\":0,\"failures\":0,\"slow\":0,\"needed\":3},\"in_flight\":0,"
        "\"calls_until_rate\":0,\"opens\":2,\"open_ms\":35000,"
        "\"trips\":{\"consecutive\":2,\"failures\":0,\"failure_rate\":0,\"slow_rate\":0,\"in_flight\":0,"
        "\"probe_failed\":0,\"max_wait\":0,\"rule\":0,\"operator\":0,\"fleet\":0,\"relapse\":0},"
        "\"error\":{\"type\":\"timeout\",\"message\":\"no answer in 1 "
        "s\",\"at_unix_ms\":1700000094000,\"correlation\":null,\"trace\":null,\"session\":null},\"modes\":[],"
        "\"latency\":{\"calls\":100,\"p50_ms\":0.039936,\"p95_ms\":1.99885,\"p99_ms\":1.99885},"
        "\"latency_sampled\":null,"
        "\"settings\":{\"match\":\"payments/*\",\"consecutive_failures\":5,\"slow_after_ms\":60000,"
        "\"minimum_calls\":10,\"permits\":2,\"max_wait_ms\":10000,\"next_open_ms\":60000},"
        "\"created_unix_ms\":1700000000000,"
        "\"limits\":{\"concurrency\":null,\"rate\":null,\"throttle\":null,"
        "\"retry\":{\"budget_tokens\":0,\"retries\":0,\"refused\":0},\"deadline_rejected\":0},"
        "\"reporters\":{\"count\":0,\"lanes\":[]}}");
}

static void test_where_a_sample_of_calls_is_timed_nobody_knows_how_many_were_slow(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    forged.policy.limits = POLICY_TICKETS;
    assert_json(show_key(&forged, "window"), "{\"calls\":16,\"ok\":10,\"failures\":6,\"slow\":null,"
                                             "\"failure_rate\":37.5,\"slow_rate\":null}");
    assert_json(show_key(&forged, "totals"),
                "{\"calls\":100,\"ok\":91,\"failures\":9,\"timeouts\":4,\"slow\":null,\"ignored\":2,"
                "\"cancelled\":1,\"late\":6,\"denied\":7,\"denied_by\":{\"deny_open\":4,\"deny_half_open\":3,"
                "\"deny_forced\":0,\"deny_ramp\":0,\"deny_concurrency\":0,\"deny_rate\":0,\"deny_shed\":0,"
                "\"deny_deadline\":0}}");
    assert_json(show_key(&forged, "probes"), "{\"ok\":0,\"failures\":0,\"slow\":null,\"needed\":3}");
    assert_json(show_key(&forged, "latency_sampled"), "16");
}

static void test_limits_are_shown_with_what_they_rejected(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    forged.policy.limits = POLICY_TICKETS | POLICY_RATE | POLICY_SLIDING | POLICY_THROTTLE;
    forged.policy.tickets = 37;
    forged.policy.rate_step = 60000000000;
    forged.policy.rate_shares[TRIP_PRIORITY_CRITICAL] = 99;
    forged.policy.admit_permille = 635;
    forged.limits = (struct limits_shown){.tickets_taken = 14,
                                          .tickets_max = 50,
                                          .budget = 321999,
                                          .rate_free = 3,
                                          .rate_limit = 100,
                                          .rate_per_ms = 60000,
                                          .holders = {{4, 12}, {9, 2}}};
    forged.core.totals.retries = 8;
    forged.core.totals.retries_refused = 5;
    forged.core.totals.denied[denial_of(TRIP_DENY_CONCURRENCY)] = 11;
    forged.core.totals.denied[denial_of(TRIP_DENY_RATE)] = 22;
    forged.core.totals.denied[denial_of(TRIP_DENY_SHED)] = 33;
    forged.core.totals.denied[denial_of(TRIP_DENY_DEADLINE)] = 44;
    assert_json(show_key(&forged, "limits"),
                "{\"concurrency\":{\"limit\":37,\"max\":50,\"taken\":14,"
                "\"holders\":[{\"lane\":4,\"tickets\":12},{\"lane\":9,\"tickets\":2}],\"rejected\":11},"
                "\"rate\":{\"limit\":100,\"per_ms\":60000,\"burst\":100,\"window\":\"sliding\",\"free\":3,"
                "\"rejected\":22},\"throttle\":{\"admit_permille\":635,\"shed\":33},"
                "\"retry\":{\"budget_tokens\":321,\"retries\":8,\"refused\":5},\"deadline_rejected\":44}");
}

static void test_a_bucket_shows_its_burst_and_holders_without_a_lane_are_null(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    forged.policy.limits = POLICY_TICKETS | POLICY_RATE;
    forged.policy.tickets = 50;
    forged.policy.rate_step = 320000000; /* 10 ms in 1/32 ns */
    forged.policy.rate_shares[TRIP_PRIORITY_CRITICAL] = 6 * 320000000ull;
    forged.limits = (struct limits_shown){.tickets_taken = 5,
                                          .tickets_max = 50,
                                          .rate_free = 3,
                                          .rate_limit = 100,
                                          .rate_per_ms = 1000,
                                          .holders = {{TICKET_LEASE, 3}, {TICKET_LEASE - 1, 2}}};
    assert_json(show_key(&forged, "limits"),
                "{\"concurrency\":{\"limit\":50,\"max\":50,\"taken\":5,"
                "\"holders\":[{\"lane\":null,\"tickets\":3},{\"lane\":2047,\"tickets\":2}],\"rejected\":0},"
                "\"rate\":{\"limit\":100,\"per_ms\":1000,\"burst\":7,\"window\":\"bucket\",\"free\":3,"
                "\"rejected\":0},\"throttle\":null,"
                "\"retry\":{\"budget_tokens\":0,\"retries\":0,\"refused\":0},\"deadline_rejected\":0}");
}

static void test_reporters_are_shown_by_lane(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    forged.reporters = (struct reporters_shown){.count = 2, .lanes = {{4, 0, 120, 3, 7}, {9, 0, 1, 0, 0}}};
    assert_json(show_key(&forged, "reporters"),
                "{\"count\":2,\"lanes\":[{\"lane\":4,\"calls\":120,\"failures\":3,\"slow\":7},"
                "{\"lane\":9,\"calls\":1,\"failures\":0,\"slow\":0}]}");
    forged.policy.limits = 0; /* calls are not timed */
    forged.reporters.lanes[1].lane = 0;
    assert_json(show_key(&forged, "reporters"),
                "{\"count\":2,\"lanes\":[{\"lane\":4,\"calls\":120,\"failures\":3,\"slow\":null}]}");
}

static void test_forged_reporters_are_eight_at_most(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    memset(&forged.reporters, 0xff, sizeof(forged.reporters));
    json_t *const reporters = show_key(&forged, "reporters");
    const json_t *const lanes = json_object_get(reporters, "lanes"), *const last = json_array_get(lanes, 7);
    assert_int_equal(json_array_size(lanes), 8);
    assert_int_equal(json_integer_value(json_object_get(reporters, "count")), INT64_MAX);
    assert_int_equal(json_integer_value(json_object_get(last, "lane")), 4294967295);
    assert_int_equal(json_integer_value(json_object_get(last, "calls")), INT64_MAX);
    json_decref(reporters);
}

static void test_a_simulation_has_no_reporters(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    forged.breaker.reporters = NULL;
    assert_null(show_key(&forged, "reporters"));
    assert_json(show_key(&forged, "created_unix_ms"), "1700000000000");
}

static void test_rates_are_null_until_they_count(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    forged.core.window_calls = 9;
    assert_json(show_key(&forged, "window"), "{\"calls\":9,\"ok\":3,\"failures\":6,\"slow\":1,\"failure_rate\":null,"
                                             "\"slow_rate\":null}");
    assert_json(show_key(&forged, "calls_until_rate"), "1");
}

static void test_retry_after_by_state(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    assert_json(show_key(&forged, "retry_after_ms"), "25000");
    forged.breaker.now_ms = 130000; /* the deadline has passed */
    assert_json(show_key(&forged, "retry_after_ms"), "0");
    forged.breaker.now_ms = 100000;
    forged.breaker.word = word_closed(8, 3, 0);
    assert_json(show_key(&forged, "retry_after_ms"), "0");
    assert_json(show_key(&forged, "consecutive_failures"), "3");
    forged.breaker.word = word_half_open(9, 104000); /* every permit is out */
    assert_json(show_key(&forged, "retry_after_ms"), "4000");
    assert_json(show_key(&forged, "permits_free"), "0");
    forged.policy.permits_free = 1;
    assert_json(show_key(&forged, "retry_after_ms"), "0");
    assert_json(show_key(&forged, "permits_free"), "1");
    forged.policy.permits_free = 77; /* more than there are: 2 */
    assert_json(show_key(&forged, "permits_free"), "2");
    forged.breaker.word = word_probing(10, 3, 164032); /* steps of 64 ms: 2563 * 64, now is 1562 * 64 and more */
    assert_json(show_key(&forged, "retry_after_ms"), "64064");
    assert_json(show_key(&forged, "state"), "\"half_open\"");
    assert_json(show_key(&forged, "permits_free"), "0");
}

static void test_the_strongest_mode_is_shown_with_its_owner_and_reason(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    forged.policy.modes[MODE_OWNER_CONFIG] = policy_mode_word(TRIP_MODE_SHADOW, 0);
    forged.policy.modes[MODE_OWNER_OPERATOR] = policy_mode_word(TRIP_MODE_FORCED_OPEN, 160000);
    forged.detail.modes[MODE_OWNER_OPERATOR].since_unix_ms = 1700000090000;
    forged.detail.modes[MODE_OWNER_OPERATOR].uid = 1000;
    strcpy(forged.detail.modes[MODE_OWNER_OPERATOR].reason, "migration");
    assert_json(show_key(&forged, "mode"), "\"forced_open\"");
    assert_json(show_key(&forged, "mode_owner"), "\"operator\"");
    assert_json(show_key(&forged, "mode_reason"), "\"migration\"");
    assert_json(show_key(&forged, "mode_ttl_ms"), "60000");
    assert_json(show_key(&forged, "retry_after_ms"), "60000");
    assert_json(show_key(&forged, "modes"),
                "[{\"owner\":\"operator\",\"mode\":\"forced_open\",\"since_unix_ms\":1700000090000,\"ttl_ms\":60000,"
                "\"uid\":1000,\"reason\":\"migration\"},{\"owner\":\"config\",\"mode\":\"shadow\",\"since_unix_ms\":0,"
                "\"ttl_ms\":null,\"uid\":0,\"reason\":null}]");
    forged.breaker.now_ms = 160000; /* the TTL has passed */
    assert_json(show_key(&forged, "mode"), "\"shadow\"");
    assert_json(show_key(&forged, "mode_owner"), "\"config\"");
    assert_json(show_key(&forged, "retry_after_ms"), "0");
}

static void test_the_operator_who_opened_is_shown_with_the_reason(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    forged.detail.reason = TRIP_REASON_OPERATOR;
    forged.detail.by = BY_OPERATOR;
    forged.detail.uid = 1000;
    strcpy(forged.detail.note, "db failover");
    assert_json(show_key(&forged, "by"), "\"operator\"");
    assert_json(show_key(&forged, "uid"), "1000");
    assert_json(show_key(&forged, "note"), "\"db failover\"");
}

static void test_a_ramp_shows_what_it_admits_and_when_it_ends(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    forged.breaker.word = word_ramping(9, 125, 0, 0);
    forged.policy.ramp_end = policy_ramp_end(9, 112000);
    assert_json(show_key(&forged, "ramp"), "{\"admit\":12.5,\"ends_ms\":12000}");
    forged.policy.ramp_end = policy_ramp_end(8, 112000); /* of an earlier one */
    assert_json(show_key(&forged, "ramp"), "{\"admit\":12.5,\"ends_ms\":null}");
}

static void test_the_time_spent_open_grows_while_it_is_open(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    assert_json(show_key(&forged, "open_ms"), "35000");
    forged.breaker.now_ms = 120000;
    assert_json(show_key(&forged, "open_ms"), "55000");
    forged.core.state = TRIP_STATE_HALF_OPEN;
    assert_json(show_key(&forged, "open_ms"), "30000");
}

static void test_forced_open_without_an_end_has_no_retry_after(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    forged.policy.modes[MODE_OWNER_OPERATOR] = policy_mode_word(TRIP_MODE_FORCED_OPEN, 0);
    assert_json(show_key(&forged, "retry_after_ms"), "null");
    assert_json(show_key(&forged, "mode_ttl_ms"), "null");
}

static void test_latencies_beyond_the_last_bucket_are_null(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    memset(forged.latency, 0, sizeof(forged.latency));
    assert_json(show_key(&forged, "latency"), "{\"calls\":0,\"p50_ms\":null,\"p95_ms\":null,\"p99_ms\":null}");
    forged.latency[144] = 98; /* 65.5 to 69.6 us */
    forged.latency[479] = 2;  /* 133 s and more */
    assert_json(show_key(&forged, "latency"),
                "{\"calls\":100,\"p50_ms\":0.067584,\"p95_ms\":0.067584,\"p99_ms\":null}");
}

static void test_shown_latencies_are_within_five_percent(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    for (uint64_t ns = 160; ns < UINT64_C(133000000000); ns += 1 + ns / 7) {
        memset(forged.latency, 0, sizeof(forged.latency));
        forged.latency[latency_bucket(ns)] = 1;
        json_t *latency = show_key(&forged, "latency");
        const double shown_ms = json_real_value(json_object_get(latency, "p50_ms"));
        json_decref(latency);
        assert_true(shown_ms * 1e6 >= 0.95 * (double)ns);
        assert_true(shown_ms * 1e6 <= 1.05 * (double)ns);
    }
}

static void test_texts_of_clients_are_cleaned(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    strcpy(forged.detail.error_message, "a\x1b[31mb\n\xc2\x9b"
                                        "c \xc3\xa9");
    json_t *error = show_key(&forged, "error");
    assert_string_equal(json_string_value(json_object_get(error, "message")), "a?[31mb???c \xc3\xa9");
    json_decref(error);
    /* right-to-left override, isolate, mark, Arabic letter mark, line separator; the euro sign is no such thing */
    strcpy(forged.detail.error_message, "a\xe2\x80\xae"
                                        "b\xe2\x81\xa7"
                                        "c\xe2\x80\x8f"
                                        "d\xd8\x9c"
                                        "e\xe2\x80\xa8"
                                        "f\xe2\x82\xac");
    error = show_key(&forged, "error");
    assert_string_equal(json_string_value(json_object_get(error, "message")), "a???b???c???d??e???f\xe2\x82\xac");
    json_decref(error);
}

static void test_text_without_an_end_is_cut_at_its_place(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    memset(forged.detail.error_message, 'x', sizeof(forged.detail.error_message));
    memset(forged.detail.name, 0xff, sizeof(forged.detail.name));
    json_t *error = show_key(&forged, "error"), *name = show_key(&forged, "breaker");
    assert_int_equal(json_string_length(json_object_get(error, "message")), 96);
    assert_int_equal(json_string_length(name), 128);
    assert_int_equal(strspn(json_string_value(name), "?"), 128);
    json_decref(error);
    json_decref(name);
}

static void test_values_outside_their_lists_are_invalid(void **state)
{
    (void)state;
    struct forged forged;
    forge(&forged);
    forged.detail.reason = 200;
    forged.detail.error_type = TRIP_ERROR_USER + 3;
    assert_json(show_key(&forged, "reason"), "\"invalid\"");
    json_t *error = show_key(&forged, "error");
    assert_string_equal(json_string_value(json_object_get(error, "type")), "user_3");
    json_decref(error);
    forged.detail.error_type = 255;
    error = show_key(&forged, "error");
    assert_string_equal(json_string_value(json_object_get(error, "type")), "invalid");
    json_decref(error);
}

static void test_a_transition(void **state)
{
    (void)state;
    struct transition transition = {.sequence = 12,
                                    .at_ms = 95000,
                                    .at_unix_ms = 1700000095000,
                                    .from = TRIP_STATE_CLOSED,
                                    .to = TRIP_STATE_OPEN,
                                    .reason = TRIP_REASON_OPERATOR,
                                    .by = BY_OPERATOR,
                                    .uid = 1000,
                                    .name = "db",
                                    .note = "drill"};
    assert_json(report_transition(&transition, NULL),
                "{\"sequence\":12,\"t_ms\":95000,\"at_unix_ms\":1700000095000,\"breaker\":\"db\","
                "\"event\":\"transition\",\"from\":\"closed\",\"to\":\"open\",\"reason\":\"operator\","
                "\"by\":\"operator\",\"uid\":1000,\"note\":\"drill\",\"steps\":1}");
    transition.by = BY_CLIENT;
    transition.note[0] = '\0';
    transition.steps = 984;
    transition.to = 99;
    assert_json(report_transition(&transition, NULL),
                "{\"sequence\":12,\"t_ms\":95000,\"at_unix_ms\":1700000095000,\"breaker\":\"db\","
                "\"event\":\"transition\",\"from\":\"closed\",\"to\":\"invalid\",\"reason\":\"operator\","
                "\"by\":\"client\",\"uid\":null,\"note\":null,\"steps\":984}");
}

static void test_a_change_of_mode(void **state)
{
    (void)state;
    struct transition change = {.sequence = 13,
                                .at_ms = 95000,
                                .at_unix_ms = 1700000095000,
                                .of = OF_MODE,
                                .from = TRIP_MODE_AUTO,
                                .to = TRIP_MODE_FORCED_OPEN,
                                .until_unix_ms = 1700000155000,
                                .by = BY_OPERATOR,
                                .uid = 1000,
                                .name = "db",
                                .note = "drill"};
    assert_json(report_transition(&change, NULL),
                "{\"sequence\":13,\"t_ms\":95000,\"at_unix_ms\":1700000095000,\"breaker\":\"db\","
                "\"event\":\"mode\",\"from\":\"auto\",\"to\":\"forced_open\",\"until_unix_ms\":1700000155000,"
                "\"by\":\"operator\",\"uid\":1000,\"note\":\"drill\"}");
    change.until_unix_ms = 0;
    change.by = BY_CONFIG;
    change.note[0] = '\0';
    change.to = 99;
    assert_json(report_transition(&change, NULL),
                "{\"sequence\":13,\"t_ms\":95000,\"at_unix_ms\":1700000095000,\"breaker\":\"db\","
                "\"event\":\"mode\",\"from\":\"auto\",\"to\":\"invalid\",\"until_unix_ms\":null,"
                "\"by\":\"config\",\"uid\":null,\"note\":null}");
}

static void test_a_change_of_a_level_and_of_a_feature(void **state)
{
    (void)state;
    static const struct levels_image levels = {.count = 2, .names = {"normal", "degraded"}};
    struct transition change = {.sequence = 14,
                                .at_ms = 95000,
                                .at_unix_ms = 1700000095000,
                                .of = OF_LEVEL,
                                .breaker = UINT32_MAX,
                                .from = 0,
                                .to = 1,
                                .set = 1,
                                .by = BY_OPERATOR,
                                .uid = 1000,
                                .name = "payments",
                                .note = "drill"};
    assert_json(report_transition(&change, &levels),
                "{\"sequence\":14,\"t_ms\":95000,\"at_unix_ms\":1700000095000,\"group\":\"payments\","
                "\"event\":\"level\",\"from\":\"normal\",\"to\":\"degraded\",\"number\":1,\"set\":\"degraded\","
                "\"until_unix_ms\":null,\"by\":\"operator\",\"uid\":1000,\"note\":\"drill\"}");
    change.name[0] = '\0';
    change.to = 7;
    assert_json(report_transition(&change, &levels),
                "{\"sequence\":14,\"t_ms\":95000,\"at_unix_ms\":1700000095000,\"group\":null,\"event\":\"level\","
                "\"from\":\"normal\",\"to\":\"7\",\"number\":7,\"set\":\"degraded\",\"until_unix_ms\":null,"
                "\"by\":\"operator\",\"uid\":1000,\"note\":\"drill\"}");
    change = (struct transition){.sequence = 15,
                                 .of = OF_FEATURE,
                                 .from_permille = 1000,
                                 .to_permille = 125,
                                 .until_unix_ms = 1700000155000,
                                 .by = BY_DAEMON,
                                 .name = "search"};
    assert_json(report_transition(&change, NULL),
                "{\"sequence\":15,\"t_ms\":0,\"at_unix_ms\":0,\"feature\":\"search\",\"event\":\"feature\","
                "\"from\":\"on\",\"to\":\"12.5%\",\"until_unix_ms\":1700000155000,\"by\":\"tripd\",\"uid\":null,"
                "\"note\":null}");
}

static void test_a_client_and_a_pattern(void **state)
{
    (void)state;
    const struct client_slot client = {.lane_id = 5,
                                       .attached_unix_ms = 1700000000000,
                                       .pid = 4242,
                                       .uid = 33,
                                       .detached = 1,
                                       .meters = 16,
                                       .program = "nginx",
                                       .lost = 12};
    assert_json(report_client(3, &client),
                "{\"lane\":3,\"pid\":4242,\"uid\":33,\"program\":\"nginx\","
                "\"attached_unix_ms\":1700000000000,\"detached\":true,\"meters\":16,\"lost\":12}");
    const struct pattern_slot pattern = {.serial = 1,
                                         .set_unix_ms = 1700000000000,
                                         .until_ms = 150000,
                                         .uid = 0,
                                         .mode = TRIP_MODE_DISABLED,
                                         .pattern = "payments/*"};
    assert_json(report_pattern(&pattern, 100000),
                "{\"pattern\":\"payments/*\",\"mode\":\"disabled\",\"since_unix_ms\":1700000000000,\"ttl_ms\":50000,"
                "\"uid\":0,\"reason\":null}");
}

static void test_the_daemons_state_is_told_by_heartbeat_boot_and_stop(void **state)
{
    (void)state;
    static const uint8_t this_boot[16] = {1}, other_boot[16] = {2};
    struct segment_header header = {.boot_id = {1}, .daemon_state = DAEMON_RUNNING, .heartbeat_mono_ns = 10000000000};
    assert_int_equal(report_daemon_state(&header, 13000000000, this_boot), REPORT_RUNNING);
    assert_int_equal(report_daemon_state(&header, 13000000001, this_boot), REPORT_STALLED);
    assert_int_equal(report_daemon_state(&header, 13000000000, other_boot), REPORT_GONE);
    assert_int_equal(report_daemon_state(&header, 9999999999, this_boot), REPORT_GONE);
    header.daemon_state = DAEMON_STOPPED;
    assert_int_equal(report_daemon_state(&header, 13000000001, this_boot), REPORT_STOPPED);
    header.daemon_state = DAEMON_NONE;
    assert_int_equal(report_daemon_state(&header, 10000000000, this_boot), REPORT_GONE);
}

static void test_status_counts_breakers_by_state(void **state)
{
    (void)state;
    const struct segment_header header = {.clock_kind = CLOCK_KIND_TEST,
                                          .created_unix_ms = 1700000000000,
                                          .config_unix_ms = 1700000001000,
                                          .heartbeat_mono_ns = 10000000000,
                                          .keeper_pid = 100,
                                          .worker_pid = 101,
                                          .starts = 2,
                                          .size = 4096,
                                          .max_breakers = 1024,
                                          .overflow = 5,
                                          .max_lanes = 64,
                                          .refused = 4,
                                          .refused_lanes = 1,
                                          .refused_memory = 2,
                                          .transition_next = 77};
    struct report_instance instance = {
        .header = &header, .daemon = REPORT_RUNNING, .now_ms = 100000, .mono_ns = 10250000000, .clients = 6};
    struct policy_slot policy = {0};
    report_count_client(&instance, &(struct client_slot){.lost = 30});
    report_count_client(&instance, &(struct client_slot){.lost = 1});
    report_count(&instance, &policy, word_closed(1, 0, 0));
    report_count(&instance, &policy, word_open(1, 5));
    policy.modes[MODE_OWNER_RULE] = policy_mode_word(TRIP_MODE_DISABLED, 0);
    report_count(&instance, &policy, word_probing(1, 1, 64));
    assert_json(report_status(&instance),
                "{\"daemon\":\"running\",\"heartbeat_age_ms\":250,\"keeper_pid\":100,\"worker_pid\":101,\"starts\":2,"
                "\"clock\":\"test\",\"timer\":\"test\",\"now_ms\":100000,\"created_unix_ms\":1700000000000,"
                "\"config_unix_ms\":1700000001000,\"segment_bytes\":4096,"
                "\"breakers\":{\"count\":3,\"most\":1024,\"overflow\":5,\"not_auto\":1,\"closed\":1,\"open\":1,"
                "\"half_open\":1,\"ramping\":0},\"clients\":{\"count\":8,\"most\":64,\"refused\":4,\"no_lane\":1,"
                "\"no_memory\":2,\"lost\":31},"
                "\"transitions\":77}");
    instance.daemon = REPORT_STOPPED;
    json_t *status = report_status(&instance);
    assert_string_equal(json_string_value(json_object_get(status, "daemon")), "stopped");
    assert_true(json_is_null(json_object_get(status, "heartbeat_age_ms")));
    assert_true(json_is_null(json_object_get(status, "worker_pid")));
    json_decref(status);
    instance.daemon = REPORT_DEAD;
    status = report_status(&instance);
    assert_string_equal(json_string_value(json_object_get(status, "daemon")), "dead");
    assert_int_equal(json_integer_value(json_object_get(status, "heartbeat_age_ms")), 250);
    assert_true(json_is_null(json_object_get(status, "worker_pid")));
    json_decref(status);
}

static void test_a_full_page_of_the_longest_lines_fits_a_packet(void **state)
{
    (void)state;
    struct forged forged;
    memset(&forged, 0xff, sizeof(forged));
    forged.breaker = (struct report_breaker){.policy = &forged.policy,
                                             .detail = &forged.detail,
                                             .core = &forged.core,
                                             .word = word_open(7, UINT64_MAX),
                                             .now_ms = 1,
                                             .limits = &forged.limits};
    forged.policy.modes[0] = policy_mode_word(TRIP_MODE_FORCED_OPEN, POLICY_MS_MASK);
    forged.policy.half_open = UINT64_MAX;
    json_t *list = json_array();
    for (unsigned i = 0; i < RPC_PAGE; i++)
        json_array_append_new(list, report_line(&forged.breaker));
    json_t *result = json_pack("{s:o}", "breakers", list);
    static uint8_t packet[RPC_PACKET_MAX];
    size_t size;
    assert_int_equal(rpc_write_response(packet, UINT32_MAX, NULL, result, &size), 0);
    json_decref(result);
}

static void test_a_config_s_problems_have_file_line_and_message(void **state)
{
    (void)state;
    static const char fine[] = "limits: {max_lanes: 8}\n",
                      noted[] = "breakers:\n- match: a\n  half_open: {permits: 9}\n",
                      bad[] = "limits: {max_lanes: 0}\nacces: {}\n";
    assert_json(report_check_text(fine, strlen(fine), "a:b"), "{\"ok\":true,\"problems\":[],\"notes\":[]}");
    assert_json(
        report_check_text(noted, strlen(noted), "a:b"),
        "{\"ok\":true,\"problems\":[],\"notes\":[{\"file\":\"a:b\",\"line\":3,\"message\":\"half_open.permits is "
        "more than successes: no more than 3 are ever granted at once\"}]}");
    assert_json(
        report_check_text(bad, strlen(bad), "a:b"),
        "{\"ok\":false,\"problems\":[{\"file\":\"a:b\",\"line\":1,\"message\":\"limits.max_lanes: '0' is less than 1; "
        "write 1 to 4095\"},{\"file\":\"a:b\",\"line\":2,\"message\":\"unknown key 'acces'; write access\"}],"
        "\"notes\":[]}");
    assert_json(
        report_check("/nonexistent/a.yaml"),
        "{\"ok\":false,\"problems\":[{\"file\":\"/nonexistent/a.yaml\",\"line\":null,\"message\":\"cannot be read: No "
        "such file or directory; create it, or name another one\"}],\"notes\":[]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_show_has_the_keys_of_the_contract),
        cmocka_unit_test(test_where_a_sample_of_calls_is_timed_nobody_knows_how_many_were_slow),
        cmocka_unit_test(test_limits_are_shown_with_what_they_rejected),
        cmocka_unit_test(test_a_bucket_shows_its_burst_and_holders_without_a_lane_are_null),
        cmocka_unit_test(test_reporters_are_shown_by_lane),
        cmocka_unit_test(test_forged_reporters_are_eight_at_most),
        cmocka_unit_test(test_a_simulation_has_no_reporters),
        cmocka_unit_test(test_rates_are_null_until_they_count),
        cmocka_unit_test(test_retry_after_by_state),
        cmocka_unit_test(test_the_strongest_mode_is_shown_with_its_owner_and_reason),
        cmocka_unit_test(test_the_operator_who_opened_is_shown_with_the_reason),
        cmocka_unit_test(test_a_ramp_shows_what_it_admits_and_when_it_ends),
        cmocka_unit_test(test_the_time_spent_open_grows_while_it_is_open),
        cmocka_unit_test(test_forced_open_without_an_end_has_no_retry_after),
        cmocka_unit_test(test_latencies_beyond_the_last_bucket_are_null),
        cmocka_unit_test(test_shown_latencies_are_within_five_percent),
        cmocka_unit_test(test_texts_of_clients_are_cleaned),
        cmocka_unit_test(test_text_without_an_end_is_cut_at_its_place),
        cmocka_unit_test(test_values_outside_their_lists_are_invalid),
        cmocka_unit_test(test_a_transition),
        cmocka_unit_test(test_a_change_of_mode),
        cmocka_unit_test(test_a_change_of_a_level_and_of_a_feature),
        cmocka_unit_test(test_a_client_and_a_pattern),
        cmocka_unit_test(test_the_daemons_state_is_told_by_heartbeat_boot_and_stop),
        cmocka_unit_test(test_status_counts_breakers_by_state),
        cmocka_unit_test(test_a_full_page_of_the_longest_lines_fits_a_packet),
        cmocka_unit_test(test_a_config_s_problems_have_file_line_and_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
