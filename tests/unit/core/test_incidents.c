/* Incidents: stories with literal times, and what is told of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/incidents.h"

#define MS        UINT64_C(1000000)
#define BREAKERS  300
#define UNIX_MS   UINT64_C(1700000000000)
#define ENDED_MAX 64

enum { DB, API, REPORTS, MAIL, SEARCH };

static struct {
    char names[BREAKERS][TRIP_NAME_MAX + 1];
    uint32_t depends[8][2];
    unsigned depends_count;
    struct incident ended[ENDED_MAX];
    unsigned ended_count, begun_count;
} told;
static struct incidents *incidents;

static const char *name_of(void *context, uint32_t slot)
{
    (void)context;
    return slot < BREAKERS ? told.names[slot] : "";
}

static bool depends(void *context, uint32_t slot, uint32_t on)
{
    (void)context;
    for (unsigned i = 0; i < told.depends_count; i++)
        if (told.depends[i][0] == slot && told.depends[i][1] == on)
            return true;
    return false;
}

static const char *fingerprint(void *context, uint64_t id)
{
    (void)context;
    return id == 7 ? "connect to <address> failed" : "";
}

static void changed(void *context, const struct incident *incident)
{
    (void)context;
    if (!incident->end_ms)
        told.begun_count++;
    else if (told.ended_count < ENDED_MAX)
        told.ended[told.ended_count++] = *incident;
}

static uint64_t unix_ms(void *context, uint64_t at_ms)
{
    (void)context;
    return UNIX_MS + at_ms;
}

static struct incidents_host host = {.settings = {.cascade_window = 5000 * MS, .quiet = 300000 * MS},
                                     .name = name_of,
                                     .fingerprint = fingerprint,
                                     .depends = depends,
                                     .changed = changed,
                                     .unix_ms = unix_ms};

static int setup(void **state)
{
    static const char *const names[] = {"payments/db", "payments/api", "office/reports", "office/mail", "web/search"};
    (void)state;
    memset(&told, 0, sizeof(told));
    for (unsigned i = 0; i < BREAKERS; i++)
        snprintf(told.names[i], sizeof(told.names[i]), "group-%u/breaker", i);
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        snprintf(told.names[i], sizeof(told.names[i]), "%s", names[i]);
    host.deploy_ms = host.deploy_unix_ms = 0;
    host.deploy = NULL;
    incidents = calloc(1, sizeof(*incidents));
    return incidents ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    free(incidents);
    return 0;
}

/* ----------------------------------------------------------------------------------------------------------- telling
 */

static void fails(uint32_t slot, uint64_t at_ms, const char *trace)
{
    const struct incidents_error error = {.at_ns = at_ms * MS,
                                          .slot = slot,
                                          .pid = 100 + slot,
                                          .times = 1,
                                          .fingerprint = 7 + slot,
                                          .trace = trace,
                                          .correlation = "",
                                          .type = TRIP_ERROR_NETWORK};
    incidents_error(incidents, &host, &error);
}

static void steps(uint32_t slot, uint64_t at_ms, trip_state from, trip_state to, enum transition_by by)
{
    struct transition event = {.at_ms = at_ms,
                               .at_unix_ms = UNIX_MS + at_ms,
                               .breaker = slot,
                               .from = (uint8_t)from,
                               .to = (uint8_t)to,
                               .reason = by == BY_OPERATOR       ? TRIP_REASON_OPERATOR
                                         : to == TRIP_STATE_OPEN ? TRIP_REASON_CONSECUTIVE
                                                                 : TRIP_REASON_NONE,
                               .by = (uint8_t)by,
                               .uid = by == BY_OPERATOR ? 1000 : 0,
                               .of = OF_STATE};
    snprintf(event.name, sizeof(event.name), "%s", told.names[slot]);
    incidents_event(incidents, &host, &event);
}

static void opens(uint32_t slot, uint64_t at_ms)
{
    steps(slot, at_ms, TRIP_STATE_CLOSED, TRIP_STATE_OPEN, BY_CLIENT);
}

/* Half-open, and a moment later closed. */
static void recovers(uint32_t slot, uint64_t at_ms)
{
    steps(slot, at_ms - 100, TRIP_STATE_OPEN, TRIP_STATE_HALF_OPEN, BY_DAEMON);
    steps(slot, at_ms, TRIP_STATE_HALF_OPEN, TRIP_STATE_CLOSED, BY_DAEMON);
}

/* Five errors, 200 ms apart, of which the last one opens the breaker. */
static void fails_and_opens(uint32_t slot, uint64_t at_ms)
{
    for (unsigned i = 0; i < 5; i++)
        fails(slot, at_ms + i * 200, "");
    opens(slot, at_ms + 800);
}

static void ticks(uint64_t at_ms)
{
    incidents_tick(incidents, &host, at_ms * MS);
}

static unsigned open_count(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < INCIDENTS_OPEN; i++)
        count += incidents->open[i].incident.id != 0;
    return count;
}

static const struct incident *only(void)
{
    assert_int_equal(open_count(), 1);
    for (unsigned i = 0; i < INCIDENTS_OPEN; i++)
        if (incidents->open[i].incident.id)
            return &incidents->open[i].incident;
    return NULL;
}

static unsigned moments_of(const struct incident *incident, enum incident_moment_kind kind)
{
    unsigned count = 0;
    for (unsigned i = 0; i < incident->moment_count; i++)
        count += incident->moments[i].kind == kind;
    return count;
}

/* ----------------------------------------------------------------------------------------------------------- stories
 */

/* The errors of the three share traces, those of the database come first. */
static void tell_cascade(void)
{
    static const struct {
        uint32_t slot;
        uint64_t at_ms;
        const char *trace;
    } errors[] = {{DB, 1000, "a"},      {DB, 1200, "b"},      {DB, 1400, "c"},      {API, 1500, "b"},
                  {DB, 1600, "d"},      {API, 1700, "c"},     {DB, 1800, "e"},      {API, 1900, "d"},
                  {REPORTS, 2100, "e"}, {API, 2200, "f"},     {REPORTS, 2300, "f"}, {API, 2400, "g"},
                  {REPORTS, 2500, "g"}, {REPORTS, 2700, "h"}, {REPORTS, 2900, "i"}};
    told.depends[0][0] = API;
    told.depends[0][1] = DB;
    told.depends_count = 1;
    for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        fails(errors[i].slot, errors[i].at_ms, errors[i].trace);
        if (errors[i].at_ms == 1800)
            opens(DB, 1800);
        if (errors[i].at_ms == 2400)
            opens(API, 2400);
    }
    opens(REPORTS, 2900);
}

static void test_a_cascade_of_three_is_one_incident_led_by_the_first(void **state)
{
    (void)state;
    tell_cascade();
    const struct incident *const incident = only();
    assert_int_equal(incident->id, 1);
    assert_int_equal(incident->start_ms, 1000);
    assert_int_equal(incident->start_unix_ms, UNIX_MS + 1000);
    assert_int_equal(incident->member_count, 3);
    assert_string_equal(incident_member_name(incident, 0), "payments/db");
    assert_string_equal(incident_member_name(incident, 1), "payments/api");
    assert_string_equal(incident_member_name(incident, 2), "office/reports");
    assert_int_equal(incident->members[1].onset_ms, 500);
    assert_int_equal(incident->members[1].opened_ms, 1400);
    assert_int_equal(incident->members[2].onset_ms, 1100);
    assert_int_equal(incident->candidate, 0);
    assert_int_equal(incident->lead_ms, 500);
    assert_int_equal(incident->evidence,
                     1 << EVIDENCE_FIRST | 1 << EVIDENCE_DEPENDED_ON | 1 << EVIDENCE_INDEPENDENT | 1 << EVIDENCE_TRACE);
    assert_true(incident->confidence > 900 && incident->confidence < 1000);
    assert_int_equal(told.begun_count, 1);
}

static void test_a_declared_dependency_weighs_more_than_who_failed_first(void **state)
{
    (void)state;
    told.depends[0][0] = API;
    told.depends[0][1] = DB;
    told.depends_count = 1;
    fails_and_opens(API, 1000);
    fails_and_opens(DB, 1300);
    assert_int_equal(only()->candidate, 1);
    assert_int_equal(only()->evidence, 1 << EVIDENCE_DEPENDED_ON | 1 << EVIDENCE_INDEPENDENT);
    assert_int_equal(only()->lead_ms, 0);
}

static void test_order_in_traces_weighs_more_than_who_failed_first(void **state)
{
    (void)state;
    fails(API, 1000, "of its own");
    for (unsigned i = 0; i < 5; i++) {
        const char trace[] = {(char)('a' + i), 0};
        fails(DB, 1100 + i * 200, trace);
        fails(API, 1150 + i * 200, trace);
    }
    opens(API, 1950);
    opens(DB, 1960);
    assert_string_equal(incident_member_name(only(), only()->candidate), "payments/db");
    assert_int_equal(only()->evidence, 1 << EVIDENCE_TRACE);
}

static void test_an_incident_knows_its_errors_its_fingerprint_and_its_process(void **state)
{
    (void)state;
    tell_cascade();
    const struct incident *const incident = only();
    assert_int_equal(incident->errors, 15);
    assert_int_equal(incident->members[0].errors, 5);
    assert_int_equal(incident->fingerprint, 7);
    assert_int_equal(incident->fingerprint_errors, 5);
    assert_string_equal(incident->fingerprint_text, "connect to <address> failed");
    assert_int_equal(incident->pid, 100);
    assert_int_equal(incident->pid_errors, 5);
    assert_int_equal(incident->steps, 3);
}

static void test_the_timeline_has_who_joined_and_what_opened(void **state)
{
    (void)state;
    tell_cascade();
    const struct incident *const incident = only();
    assert_int_equal(incident->moment_count, 6);
    assert_int_equal(incident->moments[0].kind, MOMENT_JOINED);
    assert_int_equal(incident->moments[0].at_ms, 0);
    assert_int_equal(incident->moments[1].kind, MOMENT_OPENED);
    assert_int_equal(incident->moments[1].at_ms, 800);
    assert_int_equal(incident->moments[1].member, 0);
    assert_int_equal(incident->moments[1].by, BY_CLIENT);
    assert_int_equal(incident->moments[1].from_to, TRIP_STATE_CLOSED << 4 | TRIP_STATE_OPEN);
    assert_int_equal(incident->moments[2].kind, MOMENT_JOINED);
    assert_int_equal(incident->moments[2].at_ms, 500);
}

static void test_two_that_have_nothing_in_common_are_two_incidents(void **state)
{
    char trace[16];
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        snprintf(trace, sizeof(trace), "db-%u", i);
        fails(DB, 1000 + i * 200, trace);
    }
    opens(DB, 1800);
    for (unsigned i = 0; i < 5; i++) {
        snprintf(trace, sizeof(trace), "mail-%u", i);
        fails(MAIL, 5500 + i * 200, trace);
    }
    opens(MAIL, 6300);
    assert_int_equal(open_count(), 2);
    assert_int_equal(incidents->open[0].incident.member_count, 1);
    assert_int_equal(incidents->open[1].incident.id, 2);
    assert_int_equal(incidents->open[1].incident.start_ms, 5500);
    assert_int_equal(incidents->open[1].incident.evidence, 1 << EVIDENCE_ALONE);
}

static void test_the_same_two_with_a_trace_in_common_are_one(void **state)
{
    (void)state;
    fails(DB, 1000, "a");
    fails_and_opens(DB, 1000);
    fails(MAIL, 5500, "a");
    fails_and_opens(MAIL, 5500);
    assert_int_equal(only()->member_count, 2);
}

static void test_flapping_is_one_incident(void **state)
{
    (void)state;
    for (uint64_t at_ms = 0; at_ms < 400000; at_ms += 100000) {
        fails_and_opens(DB, at_ms);
        recovers(DB, at_ms + 30000);
    }
    assert_int_equal(only()->member_count, 1);
    assert_int_equal(only()->members[0].opens, 4);
    assert_int_equal(only()->members[0].closed_ms, 330000);
    ticks(630000);
    assert_int_equal(told.ended_count, 1);
    assert_int_equal(told.ended[0].end_ms, 330000);
}

static void test_quiet_ends_it_at_the_time_of_the_last_activity(void **state)
{
    (void)state;
    fails_and_opens(DB, 1000);
    recovers(DB, 40000);
    ticks(339999);
    assert_int_equal(open_count(), 1);
    ticks(340000);
    assert_int_equal(open_count(), 0);
    assert_int_equal(told.ended_count, 1);
    assert_int_equal(told.ended[0].id, 1);
    assert_int_equal(told.ended[0].end_ms, 40000);
    assert_int_equal(told.ended[0].end_unix_ms, UNIX_MS + 40000);
    const struct incident_moment *const last = &told.ended[0].moments[told.ended[0].moment_count - 1];
    assert_int_equal(last->kind, MOMENT_ENDED);
    assert_int_equal(last->at_ms, 39000);
    assert_int_equal(last->member, INCIDENT_NOBODY);
}

static void test_what_is_told_later_ends_it_too(void **state)
{
    (void)state;
    fails_and_opens(DB, 1000);
    recovers(DB, 40000);
    fails_and_opens(DB, 400000);
    assert_int_equal(told.ended_count, 1);
    assert_int_equal(only()->id, 2);
    assert_int_equal(only()->start_ms, 400000);
}

static void test_an_open_breaker_keeps_it_going(void **state)
{
    (void)state;
    fails_and_opens(DB, 1000);
    ticks(10000000);
    assert_int_equal(open_count(), 1);
    steps(DB, 10000000, TRIP_STATE_OPEN, TRIP_STATE_HALF_OPEN, BY_DAEMON);
    ticks(10300000);
    assert_int_equal(told.ended_count, 1);
}

static void test_a_breaker_that_is_forgotten_does_not_keep_it_going(void **state)
{
    (void)state;
    fails_and_opens(DB, 1000);
    told.names[DB][0] = 0;
    ticks(301800);
    assert_int_equal(told.ended_count, 1);
    assert_string_equal(incident_member_name(&told.ended[0], 0), "payments/db");
}

static void test_lonely_errors_after_the_recovery_do_not_keep_it_going(void **state)
{
    (void)state;
    fails_and_opens(DB, 1000);
    recovers(DB, 40000);
    for (uint64_t at_ms = 60000; at_ms < 340000; at_ms += 20000)
        fails(DB, at_ms, "");
    ticks(340000);
    assert_int_equal(told.ended_count, 1);
    assert_int_equal(told.ended[0].end_ms, 40000);
}

static void test_an_operators_act_alone_begins_none(void **state)
{
    (void)state;
    steps(DB, 1000, TRIP_STATE_CLOSED, TRIP_STATE_OPEN, BY_OPERATOR);
    assert_int_equal(open_count(), 0);
    fails_and_opens(MAIL, 2000);
    steps(SEARCH, 3000, TRIP_STATE_CLOSED, TRIP_STATE_OPEN, BY_OPERATOR);
    assert_int_equal(only()->member_count, 1);
    assert_int_equal(only()->acts, 0);
}

static void test_an_operators_act_on_a_member_is_told_and_keeps_nothing_going(void **state)
{
    struct transition mode = {.at_ms = 6000,
                              .breaker = DB,
                              .from = TRIP_MODE_AUTO,
                              .to = TRIP_MODE_FORCED_OPEN,
                              .by = BY_OPERATOR,
                              .uid = 1000,
                              .of = OF_MODE,
                              .name = "payments/db"};
    (void)state;
    fails_and_opens(DB, 1000);
    steps(DB, 5000, TRIP_STATE_OPEN, TRIP_STATE_CLOSED, BY_OPERATOR);
    incidents_event(incidents, &host, &mode);
    steps(DB, 7000, TRIP_STATE_CLOSED, TRIP_STATE_OPEN, BY_OPERATOR);
    assert_int_equal(only()->acts, 3);
    assert_int_equal(moments_of(only(), MOMENT_ACT), 2);
    assert_int_equal(moments_of(only(), MOMENT_MODE), 1);
    assert_int_equal(only()->moments[2].uid, 1000);
    ticks(305000);
    assert_int_equal(told.ended_count, 1);
    assert_int_equal(told.ended[0].end_ms, 5000);
}

static void test_levels_of_the_host_and_of_a_member_s_group_are_told_and_others_are_not(void **state)
{
    struct transition level = {
        .at_ms = 6000, .breaker = UINT32_MAX, .to = 2, .by = BY_OPERATOR, .uid = 7, .of = OF_LEVEL};
    struct transition feature = {
        .at_ms = 6000, .breaker = UINT32_MAX, .by = BY_OPERATOR, .of = OF_FEATURE, .name = "search"};
    (void)state;
    incidents_event(incidents, &host, &level); /* nothing goes on yet */
    fails_and_opens(DB, 1000);
    const uint64_t last_ms = only()->last_ms;
    incidents_event(incidents, &host, &level);
    strcpy(level.name, "payments");
    incidents_event(incidents, &host, &level);
    strcpy(level.name, "pay");
    incidents_event(incidents, &host, &level);
    incidents_event(incidents, &host, &feature);
    assert_int_equal(moments_of(only(), MOMENT_LEVEL), 2);
    assert_int_equal(only()->acts, 2);
    assert_int_equal(only()->moments[only()->moment_count - 1].uid, 7);
    assert_int_equal(only()->moments[only()->moment_count - 1].from_to, 2);
    assert_int_equal(only()->last_ms, last_ms); /* levels keep nothing going */
}

static void test_a_breaker_that_is_forced_open_does_not_keep_it_going(void **state)
{
    struct transition forced = {.at_ms = 6000,
                                .breaker = DB,
                                .to = TRIP_MODE_FORCED_OPEN,
                                .by = BY_OPERATOR,
                                .of = OF_MODE,
                                .name = "payments/db"};
    (void)state;
    fails_and_opens(DB, 1000);
    incidents_event(incidents, &host, &forced);
    ticks(301799);
    assert_int_equal(open_count(), 1);
    ticks(301800);
    assert_int_equal(told.ended_count, 1);
    assert_int_equal(told.ended[0].end_ms, 1800);
}

static void test_a_slow_leak_begins_where_its_errors_began_to_crowd(void **state)
{
    static const uint64_t at_ms[] = {10000,  40000,  100000, 120000, 124000, 127000, 130000, 132000,
                                     134000, 135000, 136000, 136500, 137000, 137400, 137800, 138000};
    (void)state;
    for (unsigned i = 0; i < sizeof(at_ms) / sizeof(at_ms[0]); i++)
        fails(DB, at_ms[i], "");
    opens(DB, 138000);
    assert_int_equal(only()->start_ms, 120000);
    assert_int_equal(only()->errors, 13);
}

static void test_a_seldom_called_breaker_began_to_fail_long_before_it_opened(void **state)
{
    (void)state;
    fails(DB, 1000, "");
    for (unsigned i = 0; i < 5; i++)
        fails(DB, 100000 + 10000 * i, "");
    opens(DB, 140000);
    assert_int_equal(only()->start_ms, 100000);
}

static void test_a_burst_of_errors_begins_one_without_an_opening(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 30; i++)
        fails(DB, 1000000 + i * 100, "");
    assert_int_equal(only()->start_ms, 1000000);
    assert_int_equal(moments_of(only(), MOMENT_ERROR_BURST), 1);
    assert_int_equal(only()->errors, 30);
    assert_int_equal(only()->members[0].opened_ms, INCIDENT_NEVER);
    ticks(1302900);
    assert_int_equal(told.ended_count, 1);
    assert_int_equal(told.ended[0].end_ms, 1002900);
}

static void test_errors_told_after_the_opening_say_when_it_began(void **state)
{
    (void)state;
    opens(DB, 1800);
    assert_int_equal(only()->start_ms, 1800);
    for (unsigned i = 0; i < 5; i++)
        fails(DB, 1000 + i * 200, "");
    assert_int_equal(only()->start_ms, 1000);
    assert_int_equal(only()->start_unix_ms, UNIX_MS + 1000);
    assert_int_equal(only()->members[0].onset_ms, 0);
    assert_int_equal(only()->members[0].opened_ms, 800);
    assert_int_equal(only()->errors, 5);
}

static void test_a_deploy_shortly_before_the_start_is_named(void **state)
{
    (void)state;
    host.deploy_ms = 500000;
    host.deploy_unix_ms = UNIX_MS + 500000;
    host.deploy = "api 4.2 with a name that is longer than its place";
    fails_and_opens(DB, 1100000);
    assert_int_equal(only()->deploy_unix_ms, UNIX_MS + 500000);
    assert_string_equal(only()->deploy, "api 4.2 with a name that is lon");
    recovers(DB, 1130000);
    fails_and_opens(DB, 1430001);
    assert_int_equal(only()->id, 2);
    assert_int_equal(only()->deploy_unix_ms, 0);
}

/* ------------------------------------------------------------------------------------------------------------ memory
 */

static void tell_second_half(void)
{
    recovers(DB, 33000);
    fails(SEARCH, 33100, "x");
    fails_and_opens(MAIL, 34000);
    recovers(API, 35000);
    ticks(36000);
    recovers(REPORTS, 37000);
    recovers(MAIL, 90000);
    ticks(1000000);
}

static void test_a_copy_comes_to_the_same_bytes(void **state)
{
    struct incidents *const copy = malloc(sizeof(*copy));
    (void)state;
    tell_cascade();
    *copy = *incidents;
    tell_second_half();
    struct incidents *const first = incidents;
    const struct incident ended = told.ended[0];
    const unsigned count = told.ended_count;
    told.ended_count = 0;
    incidents = copy;
    tell_second_half();
    assert_memory_equal(copy, first, sizeof(*copy));
    assert_int_equal(told.ended_count, count);
    assert_memory_equal(&told.ended[0], &ended, sizeof(ended));
    free(first);
}

static void check_incident(const struct incident *incident)
{
    assert_true(incident->member_count <= INCIDENT_MEMBERS);
    assert_true(incident->moment_count <= INCIDENT_MOMENTS);
    assert_int_equal(incident->names[INCIDENT_NAMES - 1], 0);
    assert_int_equal(incident->fingerprint_text[FINGERPRINT_TEXT_MAX], 0);
    assert_int_equal(incident->deploy[sizeof(incident->deploy) - 1], 0);
    assert_true(incident->member_count == 0 || incident->candidate < incident->member_count);
    for (unsigned i = 0; i < incident->member_count; i++)
        assert_true(incident->members[i].name < INCIDENT_NAMES && incident->members[i].onset_ms >= 0);
    for (unsigned i = 0; i < incident->moment_count; i++)
        assert_true(incident->moments[i].member == INCIDENT_NOBODY ||
                    incident->moments[i].member < incident->member_count);
}

static void test_more_breakers_than_there_is_room_for_are_counted(void **state)
{
    (void)state;
    for (uint32_t slot = 0; slot < 14; slot++) {
        memset(told.names[slot], 'a' + (int)slot, 60);
        fails(slot, 1000, "shared by all");
        fails_and_opens(slot, 1000 + slot);
    }
    const struct incident *const incident = only();
    check_incident(incident);
    assert_int_equal(incident->member_count, INCIDENT_MEMBERS);
    assert_int_equal(incident->members_more, 2);
    assert_int_equal(strlen(incident_member_name(incident, 6)), 60);
    assert_int_equal(strlen(incident_member_name(incident, 7)), INCIDENT_NAMES - 1 - 7 * 61);
    assert_true(incident->members[7].flags & MEMBER_NAME_CUT);
    assert_string_equal(incident_member_name(incident, 11), "");
}

static void test_the_last_place_of_the_timeline_is_for_the_end(void **state)
{
    (void)state;
    for (uint64_t at_ms = 0; at_ms < 2000000; at_ms += 100000) {
        fails_and_opens(DB, at_ms);
        recovers(DB, at_ms + 30000);
    }
    assert_int_equal(only()->moment_count, INCIDENT_MOMENTS - 1);
    assert_int_equal(only()->moments_more, 1 + 60 - 39);
    ticks(3000000);
    assert_int_equal(told.ended[0].moments[INCIDENT_MOMENTS - 1].kind, MOMENT_ENDED);
    assert_int_equal(told.ended[0].moments[INCIDENT_MOMENTS - 1].at_ms, 1930000);
}

static void test_a_fifth_incident_takes_the_place_of_the_one_nearest_to_its_end(void **state)
{
    (void)state;
    for (uint32_t slot = 0; slot < 4; slot++) {
        fails_and_opens(slot, 50000 * (slot + 1));
        if (slot != 0)
            recovers(slot, 50000 * (slot + 1) + 30000);
    }
    assert_int_equal(open_count(), INCIDENTS_OPEN);
    fails_and_opens(10, 300000);
    assert_int_equal(open_count(), INCIDENTS_OPEN);
    assert_int_equal(told.ended_count, 1);
    assert_int_equal(told.ended[0].id, 2);
    assert_int_equal(told.ended[0].displaced, 1);
    assert_int_equal(told.ended[0].end_ms, 130000);
}

static void test_members_keep_their_places_while_others_come_and_go(void **state)
{
    (void)state;
    tell_cascade();
    for (uint32_t slot = 10; slot < BREAKERS; slot++)
        fails(slot, 10000 + slot, "");
    fails(API, 20000, "");
    assert_int_equal(only()->errors, 16);
    unsigned known = 0;
    for (unsigned i = 0; i < INCIDENTS_ACTIVITIES; i++)
        known += incidents->activities[i].slot <= REPORTS && incidents->activities[i].name_hash;
    assert_int_equal(known, 3);
}

static uint64_t dice(uint64_t *seed, uint64_t highest)
{
    return random_between(0, highest, random_next(seed));
}

/* Mostly the time goes on, sometimes it is any time. */
static uint64_t any_time(uint64_t *seed, uint64_t *now_ms)
{
    *now_ms += dice(seed, 2000);
    return dice(seed, 99) ? *now_ms : random_next(seed) >> dice(seed, 63);
}

static void any_event(uint64_t *seed, uint64_t *now_ms)
{
    struct transition event = {.at_ms = any_time(seed, now_ms)};
    event.breaker = (uint32_t)dice(seed, 20);
    event.from = (uint8_t)dice(seed, 5);
    event.to = (uint8_t)dice(seed, 5);
    event.reason = (uint8_t)dice(seed, TRIP_REASON_COUNT);
    event.by = (uint8_t)dice(seed, BY_COUNT);
    event.of = (uint16_t)dice(seed, 2);
    event.steps = (uint32_t)(dice(seed, 9) ? 0 : random_next(seed));
    if (dice(seed, 99))
        snprintf(event.name, sizeof(event.name), "%s", told.names[event.breaker]);
    else
        memset(event.name, (int)dice(seed, 255), sizeof(event.name));
    incidents_event(incidents, &host, &event);
}

static void any_error(uint64_t *seed, uint64_t *now_ms)
{
    static const char *const ids[] = {"", "a", "b", "\xff\xfe", NULL};
    const uint64_t at_ms = any_time(seed, now_ms);
    const struct incidents_error error = {.at_ns = dice(seed, 99) ? at_ms * MS : random_next(seed),
                                          .slot = (uint32_t)dice(seed, dice(seed, 9) ? 20 : UINT32_MAX),
                                          .pid = (uint32_t)dice(seed, 9),
                                          .times = dice(seed, 9) ? 1 : random_next(seed),
                                          .fingerprint = dice(seed, 9),
                                          .trace = ids[dice(seed, 4)],
                                          .correlation = ids[dice(seed, 4)],
                                          .type = (uint8_t)dice(seed, 255)};
    incidents_error(incidents, &host, &error);
}

static void test_no_input_breaks_what_holds(void **state)
{
    uint64_t seed = 1, now_ms = 0;
    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        if (dice(&seed, 2))
            any_error(&seed, &now_ms);
        else
            any_event(&seed, &now_ms);
        if (dice(&seed, 20) == 0)
            memset(told.names[dice(&seed, 20)], 'a' + (int)dice(&seed, 20), dice(&seed, TRIP_NAME_MAX));
        if (dice(&seed, 20) == 0)
            ticks(dice(&seed, 99) ? now_ms : random_next(&seed) / MS);
        for (unsigned place = 0; place < INCIDENTS_OPEN; place++)
            check_incident(&incidents->open[place].incident);
        if (told.ended_count)
            check_incident(&told.ended[0]);
        told.ended_count = 0;
    }
    assert_true(told.begun_count > 100);
}

#define STORY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(test_a_cascade_of_three_is_one_incident_led_by_the_first),
        STORY(test_a_declared_dependency_weighs_more_than_who_failed_first),
        STORY(test_order_in_traces_weighs_more_than_who_failed_first),
        STORY(test_an_incident_knows_its_errors_its_fingerprint_and_its_process),
        STORY(test_the_timeline_has_who_joined_and_what_opened),
        STORY(test_two_that_have_nothing_in_common_are_two_incidents),
        STORY(test_the_same_two_with_a_trace_in_common_are_one),
        STORY(test_flapping_is_one_incident),
        STORY(test_quiet_ends_it_at_the_time_of_the_last_activity),
        STORY(test_what_is_told_later_ends_it_too),
        STORY(test_an_open_breaker_keeps_it_going),
        STORY(test_a_breaker_that_is_forgotten_does_not_keep_it_going),
        STORY(test_lonely_errors_after_the_recovery_do_not_keep_it_going),
        STORY(test_an_operators_act_alone_begins_none),
        STORY(test_an_operators_act_on_a_member_is_told_and_keeps_nothing_going),
        STORY(test_levels_of_the_host_and_of_a_member_s_group_are_told_and_others_are_not),
        STORY(test_a_breaker_that_is_forced_open_does_not_keep_it_going),
        STORY(test_a_slow_leak_begins_where_its_errors_began_to_crowd),
        STORY(test_a_seldom_called_breaker_began_to_fail_long_before_it_opened),
        STORY(test_a_burst_of_errors_begins_one_without_an_opening),
        STORY(test_errors_told_after_the_opening_say_when_it_began),
        STORY(test_a_deploy_shortly_before_the_start_is_named),
        STORY(test_a_copy_comes_to_the_same_bytes),
        STORY(test_more_breakers_than_there_is_room_for_are_counted),
        STORY(test_the_last_place_of_the_timeline_is_for_the_end),
        STORY(test_a_fifth_incident_takes_the_place_of_the_one_nearest_to_its_end),
        STORY(test_members_keep_their_places_while_others_come_and_go),
        STORY(test_no_input_breaks_what_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
