/* The same story is told to an instance driven by hand (breakers_host.h) and to a simulation: both show the same. Times
 * are the instance's own, so that leases end on the same steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../support/breakers_host.h"
#include "protocol/report.h"
#include "simulation.h"

#define HOLDERS 4

static struct {
    struct host *host;
    struct client client;
    uint32_t slot, meter;
    uint32_t places[HOLDERS]; /* of the permits that were taken */
    struct simulation *simulation;
    json_t *shown;
} both;

static void keep(void *context, const json_t *event)
{
    (void)context;
    if (strcmp(json_string_value(json_object_get(event, "event")), "show") == 0) {
        json_decref(both.shown);
        both.shown = json_deep_copy(event);
    }
}

/* At the instance's time. fields: what follows "op", with its comma. */
__attribute__((format(printf, 1, 2))) static void simulate(const char *fields, ...)
{
    char rest[256], line[320], problem[256] = "";
    struct trace_step step;
    va_list arguments;
    va_start(arguments, fields);
    vsnprintf(rest, sizeof(rest), fields, arguments);
    va_end(arguments);
    snprintf(line, sizeof(line), "{\"t_ms\":%" PRIu64 ",%s}", host_now_ms(both.host), rest);
    if (trace_step_parse(line, strlen(line), &step, problem) < 0 ||
        simulation_step(both.simulation, &step, problem) < 0)
        fail_msg("%s: %s", line, problem);
}

static void start(const char *settings)
{
    both.host = host_start_by(host_settings(settings), 2);
    both.slot = host_breaker(both.host, "db");
    client_start(both.host, &both.client, 101);
    both.meter = client_meter(both.host, &both.client, both.slot);
    both.shown = NULL;
    const struct simulation_options options = {.config = both.host->config, .seed = 1, .event = keep};
    assert_int_equal(simulation_new(&options, &both.simulation), 0);
    simulate("\"op\":\"show\",\"breaker\":\"db\""); /* from now on it is there */
    host_advance(both.host, 1000 - host_now_ms(both.host) % 1000);
}

static int stop(void **state)
{
    (void)state;
    simulation_free(both.simulation);
    json_decref(both.shown);
    client_free(&both.client);
    host_stop(both.host);
    return 0;
}

/* ---------------------------------------------------------------------------------------------- what both are told */

/* S: success, F: failure. */
static void report(const char *outcomes)
{
    for (; *outcomes; outcomes++) {
        client_reports(both.host, &both.client, both.meter, both.slot, (const char[]){*outcomes, '\0'});
        breakers_rung(both.host->breakers);
        simulate("\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"%s\"", *outcomes == 'S' ? "ok" : "failure");
    }
}

static void trip(uint64_t for_ms)
{
    const struct breakers_actor actor = {.by = BY_OPERATOR, .uid = 7};
    assert_int_equal(breakers_trip(both.host->breakers, both.slot, for_ms, &actor), 0);
    simulate("\"op\":\"trip\",\"breaker\":\"db\",\"for_ms\":%" PRIu64, for_ms);
}

static void begin_probe(unsigned holder)
{
    both.places[holder] = client_take_permit(both.host, &both.client, both.slot);
    breakers_drain_all(both.host->breakers);
    simulate("\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"%u\"", holder);
}

static void end_probe(unsigned holder, bool good)
{
    client_answer(both.host, &both.client, both.meter, both.slot, both.places[holder],
                  good ? PERMIT_OK : PERMIT_NEUTRAL);
    breakers_rung(both.host->breakers);
    simulate("\"op\":\"end\",\"id\":\"%u\",\"outcome\":\"%s\"", holder, good ? "ok" : "ignored");
}

/* The breaker has opened since it was taken. */
static void end_probe_too_late(unsigned holder)
{
    uint64_t *const permit = &commons_permits(both.host->commons, both.slot)[both.places[holder]];
    *permit = permit_with_outcome(*permit, PERMIT_NEUTRAL);
    writer_total(&lane_meter_at(both.client.writer.memory, both.meter)->late, 1);
    breakers_drain_all(both.host->breakers);
    simulate("\"op\":\"end\",\"id\":\"%u\",\"outcome\":\"ignored\"", holder);
}

/* -------------------------------------------------------------------------------------------------- what both show */

static json_t *host_shows(void)
{
    const struct segment *const segment = both.host->segment;
    breakers_drain_all(both.host->breakers);
    uint64_t latency[LATENCY_BUCKETS];
    segment_latency_read(segment, both.slot, latency);
    return report_show(&(struct report_breaker){.policy = host_policy(both.host, both.slot),
                                                .detail = &segment->details[both.slot],
                                                .core = host_head(both.host, both.slot),
                                                .word = segment->mirror[both.slot],
                                                .now_ms = host_now_ms(both.host),
                                                .limits = &segment->limits[both.slot],
                                                .latency = latency});
}

static const char *line_of(const json_t *show, char text[2048])
{
    static const char *const keys[] = {"state",        "retry_after_ms",       "permits_free", "window",
                                       "totals",       "consecutive_failures", "probes",       "opens",
                                       "state_for_ms", "calls_until_rate",     "trips",        "open_ms",
                                       "limits"};
    json_t *line = json_object();
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        json_object_set(line, keys[i], json_object_get(show, keys[i]));
    /* The host's has not run for as long as its budget needs to be full. */
    json_object_del(json_object_get(json_object_get(line, "limits"), "retry"), "budget_tokens");
    json_object_set(line, "error", json_object_get(json_object_get(show, "error"), "type"));
    char *dump = json_dumps(line, JSON_COMPACT);
    snprintf(text, 2048, "%s", dump);
    free(dump);
    json_decref(line);
    return text;
}

static void assert_both_show(const char *state, uint64_t retry_after_ms, unsigned permits_free)
{
    char by_host[2048], by_simulation[2048];
    json_t *show = host_shows();
    simulate("\"op\":\"show\",\"breaker\":\"db\"");
    assert_string_equal(line_of(both.shown, by_simulation), line_of(show, by_host));
    assert_string_equal(json_string_value(json_object_get(show, "state")), state);
    assert_int_equal(json_integer_value(json_object_get(show, "retry_after_ms")), retry_after_ms);
    assert_int_equal(json_integer_value(json_object_get(show, "permits_free")), permits_free);
    json_decref(show);
}

/* ----------------------------------------------------------------------------------------------------- the stories */

#define OPEN "open: {for: 30s, jitter: 0%}"

static void test_a_breaker_that_opens_says_when_it_may_be_tried(void **state)
{
    (void)state;
    start(OPEN);
    report("SSFFFF");
    assert_both_show("closed", 0, 0);
    report("F");
    assert_both_show("open", 30000, 0);
    host_advance(both.host, 12345);
    assert_both_show("open", 17655, 0);
    host_advance(both.host, 17655);
    assert_both_show("half_open", 0, 1);
}

static void test_a_probe_raises_the_deadline_to_its_leases_end(void **state)
{
    (void)state;
    start(OPEN);
    trip(30000);
    host_advance(both.host, 39000); /* 40 s: nobody asked for 9 s */
    assert_both_show("half_open", 0, 1);
    begin_probe(0);
    assert_both_show("half_open", 10048, 0); /* 50,048 is on a step of 64 ms */
    host_advance(both.host, 10047);
    assert_both_show("half_open", 1, 0);
    host_advance(both.host, 1);
    assert_both_show("half_open", 0, 1);
}

static void test_a_lease_of_an_earlier_half_open_keeps_its_permit(void **state)
{
    (void)state;
    start(OPEN ", half_open: {permits: 2}");
    trip(1000);
    host_advance(both.host, 1000);
    begin_probe(0);
    assert_both_show("half_open", 0, 1);
    trip(1000);
    host_advance(both.host, 1000);
    assert_both_show("half_open", 0, 1);
    end_probe_too_late(0);
    assert_both_show("half_open", 0, 2);
}

static void test_permits_come_back_with_good_and_neutral_answers(void **state)
{
    (void)state;
    start(OPEN ", half_open: {permits: 2, successes: 2}");
    trip(1000);
    host_advance(both.host, 1000);
    begin_probe(0);
    begin_probe(1);
    assert_both_show("half_open", 10032, 0);
    end_probe(0, false);
    assert_both_show("half_open", 0, 1);
    end_probe(1, true);
    assert_both_show("half_open", 0, 1); /* the verdict needs one more */
    begin_probe(2);
    end_probe(2, true);
    assert_both_show("closed", 0, 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_teardown(function, stop)
    const struct CMUnitTest tests[] = {
        TEST(test_a_breaker_that_opens_says_when_it_may_be_tried),
        TEST(test_a_probe_raises_the_deadline_to_its_leases_end),
        TEST(test_a_lease_of_an_earlier_half_open_keeps_its_permit),
        TEST(test_permits_come_back_with_good_and_neutral_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
