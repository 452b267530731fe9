/* The checker of histories, on histories made by hand: what breaks a rule is found and told, and what only might break
 * it is not. Times are milliseconds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "history_check.h"

#define MS        UINT64_C(1000000)
#define CALLS_MAX 32
#define NEVER     0

enum { DB, FORCED, BREAKERS };

static struct history_breaker breakers[BREAKERS];
static struct history_call calls[CALLS_MAX];
static struct history_life lives[3];
static struct history_verb verbs[4];
static struct history_absence absences[1];
static struct history history;
static char *report;
static size_t report_size;

/* Begins a history in which nothing has happened: processes 1 (root), 2 (root) and 3 (nobody) live. */
static int nothing_happened(void **state)
{
    (void)state;
    memset(breakers, 0, sizeof(breakers));
    memset(calls, 0, sizeof(calls));
    memset(absences, 0, sizeof(absences));
    breakers[DB].name = "db";
    breakers[FORCED] = (struct history_breaker){.name = "forced", .forced_open = true};
    for (unsigned i = 0; i < 3; i++)
        lives[i] = (struct history_life){
            .born = MS, .pid = i + 1, .uid = i < 2 ? 0 : 65534, .reports = i < 2, .settled = true, .recovers = true};
    history = (struct history){.breakers = breakers,
                               .breaker_count = BREAKERS,
                               .calls = calls,
                               .lives = lives,
                               .life_count = 3,
                               .verbs = verbs,
                               .absences = absences};
    return 0;
}

static struct history_call *called(unsigned pid, uint64_t before, uint64_t after, trip_verdict verdict)
{
    struct history_call *const call = &calls[history.call_count++];
    history.due_count = history.call_count;
    *call = (struct history_call){.begin_before = before * MS,
                                  .begin_after = after * MS,
                                  .commons = 7,
                                  .life = (uint16_t)(pid - 1),
                                  .breaker = DB,
                                  .verdict = (uint8_t)verdict};
    return call;
}

static void ended(struct history_call *call, uint64_t before, uint64_t after, trip_outcome outcome)
{
    call->end_before = before * MS;
    call->end_after = after * MS;
    call->outcome = (uint8_t)outcome;
}

/* Adds a call that was admitted, and was inside for this time. */
static struct history_call *inside(unsigned pid, uint64_t from, uint64_t to, trip_verdict verdict)
{
    struct history_call *const call = called(pid, from, from, verdict);
    ended(call, to, to, TRIP_OK);
    return call;
}

static struct history_verb *said(enum history_verb_kind kind, uint64_t sent, uint64_t answered)
{
    struct history_verb *const verb = &verbs[history.verb_count++];
    *verb = (struct history_verb){.kind = kind, .breaker = DB, .sent = sent * MS, .answered = answered * MS};
    return verb;
}

static void away(uint64_t from, uint64_t dead_from, uint64_t dead_to, uint64_t to)
{
    absences[history.absence_count++] = (struct history_absence){from * MS, to * MS, dead_from * MS, dead_to * MS};
}

static size_t reported(size_t (*rule)(const struct history *history, FILE *report))
{
    free(report);
    FILE *const file = open_memstream(&report, &report_size);
    const size_t violations = rule(&history, file);
    fclose(file);
    return violations;
}

#define assert_holds(rule)                       \
    do {                                         \
        const size_t is_broken = reported(rule); \
        assert_string_equal(report, "");         \
        assert_int_equal(is_broken, 0);          \
    } while (0)

#define assert_broken(times, rule, told)         \
    do {                                         \
        const size_t is_broken = reported(rule); \
        assert_string_equal(report, told);       \
        assert_int_equal(is_broken, times);      \
    } while (0)

/* ----------------------------------------------------------------------------------------------------------- rule 1 */

static void test_no_call_after_the_answer_to_a_trip_is_admitted_before_its_time_is_over(void **state)
{
    (void)state;
    said(VERB_TRIP, 100, 110)->for_ns = 1000 * MS;
    called(1, 109, 111, TRIP_ALLOW);   /* began before the answer */
    called(1, 1090, 1099, TRIP_PROBE); /* the trip may have begun when it was sent; deadlines are cut */
    assert_holds(history_check_verbs);
    called(1, 110, 111, TRIP_DENY_OPEN);
    called(2, 110, 111, TRIP_ALLOW);
    called(3, 1000, 1097, TRIP_PROBE)->question = true;
    called(1, 120, NEVER, TRIP_ALLOW); /* killed before it was answered */
    assert_broken(2, history_check_verbs,
                  "FAILED: rule 1: db: pid 2 (uid 0) was answered allow by trip_begin 0.0 ms after tripctl trip was "
                  "answered, 987.0 ms before the trip could end\n"
                  "FAILED: rule 1: db: pid 3 (uid 65534) was answered probe by trip_allow 890.0 ms after tripctl trip "
                  "was answered, 1.0 ms before the trip could end\n");
}

static void test_force_open_denies_until_the_next_verb_is_sent(void **state)
{
    (void)state;
    said(VERB_FORCE_OPEN, 100, 110);
    said(VERB_AUTO, 5000, 5010);
    called(1, 4999, 5000, TRIP_ALLOW);
    assert_holds(history_check_verbs);
    called(1, 4998, 4999, TRIP_ALLOW);
    assert_broken(1, history_check_verbs,
                  "FAILED: rule 1: db: pid 1 (uid 0) was answered allow by trip_begin 4888.0 ms after tripctl "
                  "force-open was answered\n");
}

static void test_a_verb_without_an_answer_denies_nobody_and_may_end_what_was_before(void **state)
{
    (void)state;
    said(VERB_FORCE_OPEN, 100, 110);
    said(VERB_AUTO, 200, NEVER);
    said(VERB_FORCE_OPEN, 300, NEVER);
    called(1, 210, 220, TRIP_ALLOW);
    called(1, 400, 410, TRIP_ALLOW);
    assert_holds(history_check_verbs);
}

static void test_a_trip_of_a_disabled_breaker_denies_nobody(void **state)
{
    (void)state;
    said(VERB_DISABLE, 100, 110);
    said(VERB_TRIP, 200, 210)->for_ns = 1000 * MS;
    called(1, 300, 310, TRIP_ALLOW);
    assert_holds(history_check_verbs);
}

static void test_a_breaker_that_the_config_forces_open_admits_no_call(void **state)
{
    (void)state;
    called(1, 10, 11, TRIP_DENY_FORCED)->breaker = FORCED;
    assert_holds(history_check_verbs);
    called(1, 12, 13, TRIP_ALLOW)->breaker = FORCED;
    assert_broken(1, history_check_verbs,
                  "FAILED: rule 1: forced, which the config forces open: pid 1 (uid 0) was answered allow by "
                  "trip_begin\n");
}

/* ----------------------------------------------------------------------------------------------------------- rule 2 */

static void test_no_more_probes_of_one_opening_run_at_once_than_there_are_permits(void **state)
{
    (void)state;
    breakers[DB].permits = 2;
    breakers[DB].max_wait_ns = 1000 * MS;
    inside(1, 100, 200, TRIP_PROBE);
    inside(2, 150, 250, TRIP_PROBE);
    inside(3, 200, 300, TRIP_PROBE);              /* the first had gone */
    inside(3, 160, 170, TRIP_PROBE)->opening = 1; /* of another opening */
    inside(3, 160, 170, TRIP_ALLOW);
    called(3, 160, 161, TRIP_PROBE)->question = true;
    called(3, 160, NEVER, TRIP_PROBE);
    assert_holds(history_check_probes);
    inside(3, 195, 200, TRIP_PROBE);
    assert_broken(1, history_check_probes,
                  "FAILED: rule 2: db: 3 probes of one opening at once, where 2 are the most: pid 3 (uid 65534) was "
                  "answered probe by trip_begin\n");
}

static void test_a_probe_has_its_permit_for_max_wait_at_the_least(void **state)
{
    (void)state;
    breakers[DB].permits = 1;
    breakers[DB].max_wait_ns = 1000 * MS;
    inside(1, 100, 5000, TRIP_PROBE);
    inside(2, 1100, 1200, TRIP_PROBE);
    assert_holds(history_check_probes);
    inside(3, 1099, 1100, TRIP_PROBE);
    assert_broken(1, history_check_probes,
                  "FAILED: rule 2: db: 2 probes of one opening at once, where 1 are the most: pid 3 (uid 65534) was "
                  "answered probe by trip_begin\n");
}

/* ----------------------------------------------------------------------------------------------------------- rule 3 */

static void test_no_more_calls_of_one_commons_run_at_once_than_there_are_tickets(void **state)
{
    (void)state;
    breakers[DB].tickets = 2;
    inside(1, 100, 200, TRIP_ALLOW);
    inside(1, 100, 200, TRIP_PROBE);
    inside(2, 100, 200, TRIP_DENY_CONCURRENCY);
    inside(2, 100, 200, TRIP_ALLOW)->commons = 8; /* in that of the next tripd */
    inside(2, 100, 200, TRIP_ALLOW)->commons = 0; /* it is not certain which */
    assert_holds(history_check_tickets);
    called(2, 150, 151, TRIP_ALLOW); /* has not ended: nobody knows whether it still ran a moment later */
    assert_holds(history_check_tickets);
    inside(3, 199, 300, TRIP_ALLOW);
    assert_broken(1, history_check_tickets,
                  "FAILED: rule 3: db: 3 calls at once, where 2 are the most: pid 3 (uid 65534) was answered allow by "
                  "trip_begin\n");
}

/* ----------------------------------------------------------------------------------------------------------- rule 4 */

static void test_no_more_calls_are_admitted_in_any_time_than_the_bucket_gives(void **state)
{
    (void)state;
    breakers[DB].limit = 2;
    breakers[DB].per_ns = 100 * MS;
    breakers[DB].burst = 3;
    for (unsigned i = 0; i < 3; i++)
        called(1, 1000, 1001, TRIP_ALLOW);
    called(1, 1000, 1050, TRIP_ALLOW); /* may have waited for the token */
    called(2, 1000, 1001, TRIP_DENY_RATE);
    called(2, 1000, 1001, TRIP_ALLOW)->commons = 8;
    called(2, 1100, 1101, TRIP_ALLOW);
    assert_holds(history_check_rates);
    called(3, 1090, 1099, TRIP_ALLOW);
    assert_broken(1, history_check_rates,
                  "FAILED: rule 4: db: 5 calls were admitted within 99.0 ms, where a bucket of 3 with 2 more each 100 "
                  "ms allows 4\n");
}

/* ----------------------------------------------------------------------------------------------------------- rule 5 */

static bool totals_agree(const struct history_totals *totals)
{
    free(report);
    FILE *const file = open_memstream(&report, &report_size);
    const bool agree = history_check_totals(&history, DB, totals, file);
    fclose(file);
    return agree;
}

static void test_each_outcome_is_counted_once(void **state)
{
    (void)state;
    ended(called(1, 10, 11, TRIP_ALLOW), 12, 13, TRIP_OK);
    ended(called(1, 20, 21, TRIP_ALLOW), 22, 23, TRIP_TIMEOUT);
    ended(called(2, 20, 21, TRIP_ALLOW), 22, NEVER, TRIP_OK); /* killed in trip_end */
    called(2, 30, NEVER, TRIP_ALLOW);
    assert_true(totals_agree(&(struct history_totals){.ok = 1, .failures = 1, .timeouts = 1}));
    assert_true(totals_agree(&(struct history_totals){.ok = 2, .failures = 1, .timeouts = 1}));
    assert_true(totals_agree(&(struct history_totals){.ok = 1, .late = 1})); /* the timeout came late */
    assert_false(totals_agree(&(struct history_totals){.ok = 3, .failures = 1, .timeouts = 1}));
    assert_string_equal(report, "FAILED: rule 5: db: 4 outcomes counted (0 late), where 2 to 3 were reported\n"
                                "FAILED: rule 5: db: 3 ok counted (0 late), where 1 to 2 were reported\n");
    assert_false(totals_agree(&(struct history_totals){.ok = 2}));
    assert_string_equal(report, "FAILED: rule 5: db: 0 failures counted (0 late), where 1 to 1 were reported\n"
                                "FAILED: rule 5: db: 0 timeouts counted (0 late), where 1 to 1 were reported\n");
}

static void test_calls_that_are_not_due_yet_may_be_counted_or_not(void **state)
{
    (void)state;
    ended(called(1, 10, 11, TRIP_ALLOW), 12, 13, TRIP_OK);
    ended(called(1, 20, 21, TRIP_ALLOW), 22, 23, TRIP_OK);
    history.due_count = 1;
    assert_true(totals_agree(&(struct history_totals){.ok = 1}));
    assert_true(totals_agree(&(struct history_totals){.ok = 2}));
    assert_false(totals_agree(&(struct history_totals){.ok = 0}));
}

static void test_calls_of_ended_and_of_roleless_processes_may_be_counted_or_not(void **state)
{
    (void)state;
    away(100, NEVER, NEVER, 200);
    for (unsigned pid = 1; pid <= 3; pid++)
        ended(called(pid, 110, 111, TRIP_ALLOW), 112, 113, TRIP_OK);
    lives[0] = (struct history_life){.born = 50 * MS, .died = 120 * MS, .pid = 1, .reports = true};
    lives[1] = (struct history_life){.born = 150 * MS, .died = 250 * MS, .pid = 2, .reports = true};
    assert_true(totals_agree(&(struct history_totals){.ok = 0}));
    assert_true(totals_agree(&(struct history_totals){.ok = 3}));
    lives[1].settled = true; /* it was attached to the tripd that came back */
    assert_false(totals_agree(&(struct history_totals){.ok = 0}));
    lives[1] = (struct history_life){.born = 201 * MS, .died = 202 * MS, .pid = 2, .reports = true}; /* in peace */
    assert_false(totals_agree(&(struct history_totals){.ok = 0}));
}

/* ----------------------------------------------------------------------------------------------------------- rule 6 */

static void test_an_opening_that_clients_made_while_no_tripd_lived_lasts_for_everybody(void **state)
{
    (void)state;
    breakers[DB].open_ns = 1000 * MS;
    away(100, 110, 190, 200);
    called(1, 120, 121, TRIP_ALLOW); /* its failure opens */
    called(1, 130, 131, TRIP_DENY_OPEN);
    called(2, 130, 132, TRIP_ALLOW);                /* may have been asked before */
    called(2, 1110, 1119, TRIP_PROBE)->commons = 8; /* the breaker may have opened at 120 */
    assert_holds(history_check_openings);
    called(2, 300, 301, TRIP_ALLOW)->commons = 8; /* the next tripd knows nothing of it */
    assert_broken(1, history_check_openings,
                  "FAILED: rule 6: db: pid 2 (uid 0) was answered allow by trip_begin 169.0 ms after pid 1 was denied "
                  "by an opening of clients while no tripd lived, 817.0 ms before its time was over\n");
}

static void test_a_process_of_another_commons_knows_an_opening_once_tripd_was_told_of_it(void **state)
{
    (void)state;
    breakers[DB].open_ns = 1000 * MS;
    away(100, 110, 190, 200);
    called(1, 120, 121, TRIP_ALLOW); /* its failure opens */
    called(1, 130, 131, TRIP_DENY_OPEN);
    called(2, 300, 301, TRIP_ALLOW)->commons = 0; /* asks by its first commons for ever */
    called(3, 300, 301, TRIP_ALLOW)->commons = 8; /* is new, and the first one to attach */
    assert_holds(history_check_openings);
    called(1, 310, 311, TRIP_DENY_OPEN)->commons = 8;
    assert_holds(history_check_openings);
    called(3, 320, 321, TRIP_ALLOW)->commons = 8;
    assert_broken(
        1, history_check_openings,
        "FAILED: rule 6: db: pid 3 (uid 65534) was answered allow by trip_begin 189.0 ms after pid 1 was denied "
        "by an opening of clients while no tripd lived, 797.0 ms before its time was over\n");
}

static void test_an_opening_lasts_in_its_commons_also_if_tripd_lives(void **state)
{
    (void)state;
    breakers[DB].open_ns = 1000 * MS;
    called(1, 120, 121, TRIP_ALLOW);
    called(1, 130, 131, TRIP_DENY_OPEN);
    called(2, 300, 301, TRIP_ALLOW)->commons = 8;
    assert_holds(history_check_openings);
    called(2, 300, 301, TRIP_ALLOW);
    assert_broken(1, history_check_openings,
                  "FAILED: rule 6: db: pid 2 (uid 0) was answered allow by trip_begin 169.0 ms after pid 1 was denied "
                  "by an opening, 817.0 ms before its time was over\n");
}

static void test_a_denial_tells_the_opening_time_only_to_a_process_allowed_before(void **state)
{
    (void)state;
    breakers[DB].open_ns = 1000 * MS;
    called(1, 130, 131, TRIP_DENY_OPEN);
    called(2, 300, 301, TRIP_ALLOW);
    assert_holds(history_check_openings);
}

static void test_a_verb_may_end_an_opening(void **state)
{
    (void)state;
    breakers[DB].open_ns = 1000 * MS;
    called(1, 120, 121, TRIP_ALLOW);
    called(1, 130, 131, TRIP_DENY_OPEN);
    said(VERB_RESET, 140, 150);
    called(1, 145, 146, TRIP_DENY_OPEN);
    called(2, 200, 201, TRIP_ALLOW);
    assert_holds(history_check_openings);
}

/* ----------------------------------------------------------------------------------------------------------- rule 7 */

static bool recovers(void)
{
    free(report);
    FILE *const file = open_memstream(&report, &report_size);
    const bool all = history_check_recovery(&history, DB, 1000 * MS, file);
    fclose(file);
    return all;
}

static void test_each_process_that_lives_is_admitted_again(void **state)
{
    (void)state;
    called(1, 1000, 1001, TRIP_ALLOW);
    called(2, 500, 501, TRIP_DENY_OPEN);
    called(3, 999, 1000, TRIP_ALLOW);
    called(3, 3000, 3001, TRIP_DENY_HALF_OPEN);
    lives[1].died = 600 * MS;
    assert_false(recovers());
    assert_string_equal(report, "FAILED: rule 7: db does not recover: pid 3 (uid 65534) was answered deny_half_open "
                                "by trip_begin at last, and is not admitted since 2.0 s\n");
    called(3, 4000, 4001, TRIP_PROBE);
    assert_true(recovers());
}

static void test_recovery_is_not_asked_of_processes_that_do_not_call_the_breaker(void **state)
{
    (void)state;
    called(1, 1000, 1001, TRIP_ALLOW);
    assert_true(recovers());
}

/* ---------------------------------------------------------------------------------------------------- what was seen */

static void test_the_check_counts_calls_that_ran_across_an_absence(void **state)
{
    (void)state;
    breakers[DB].open_ns = 1000 * MS;
    breakers[DB].tickets = 4;
    away(100, 110, 190, 200);
    said(VERB_TRIP, 10, 20)->for_ns = 50 * MS;
    called(1, 30, 31, TRIP_DENY_OPEN);
    inside(1, 90, 105, TRIP_PROBE);
    inside(2, 210, 220, TRIP_PROBE);
    called(1, 120, 121, TRIP_ALLOW);
    called(1, 130, 131, TRIP_DENY_OPEN);
    called(3, 130, 131, TRIP_DENY_RATE)->question = true;
    const struct history_seen seen = history_look(&history);
    assert_int_equal(seen.calls, 5);
    assert_int_equal(seen.questions, 1);
    assert_int_equal(seen.denials, 3);
    assert_int_equal(seen.probes, 2);
    assert_int_equal(seen.probes_across, 1);
    assert_int_equal(seen.calls_across, 1);
    assert_int_equal(seen.denied_by_verbs, 1);
    assert_int_equal(seen.denied_while_dead, 1);
    assert_int_equal(seen.openings_across, 1);
    assert_int_equal(seen.rated, 1);
    assert_int_equal(seen.rejected, 0);
}

static void test_the_check_prints_three_of_many_violations_and_their_number(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++)
        called(1, 10 + i, 10 + i, TRIP_ALLOW)->breaker = FORCED;
    assert_int_equal(reported(history_check), 20);
    assert_non_null(strstr(report, "FAILED: rule 1: and 17 times more\n"));
}

#define TEST(name) cmocka_unit_test_setup(name, nothing_happened)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_no_call_after_the_answer_to_a_trip_is_admitted_before_its_time_is_over),
        TEST(test_force_open_denies_until_the_next_verb_is_sent),
        TEST(test_a_verb_without_an_answer_denies_nobody_and_may_end_what_was_before),
        TEST(test_a_trip_of_a_disabled_breaker_denies_nobody),
        TEST(test_a_breaker_that_the_config_forces_open_admits_no_call),
        TEST(test_no_more_probes_of_one_opening_run_at_once_than_there_are_permits),
        TEST(test_a_probe_has_its_permit_for_max_wait_at_the_least),
        TEST(test_no_more_calls_of_one_commons_run_at_once_than_there_are_tickets),
        TEST(test_no_more_calls_are_admitted_in_any_time_than_the_bucket_gives),
        TEST(test_each_outcome_is_counted_once),
        TEST(test_calls_that_are_not_due_yet_may_be_counted_or_not),
        TEST(test_calls_of_ended_and_of_roleless_processes_may_be_counted_or_not),
        TEST(test_an_opening_that_clients_made_while_no_tripd_lived_lasts_for_everybody),
        TEST(test_a_process_of_another_commons_knows_an_opening_once_tripd_was_told_of_it),
        TEST(test_an_opening_lasts_in_its_commons_also_if_tripd_lives),
        TEST(test_a_denial_tells_the_opening_time_only_to_a_process_allowed_before),
        TEST(test_a_verb_may_end_an_opening),
        TEST(test_each_process_that_lives_is_admitted_again),
        TEST(test_recovery_is_not_asked_of_processes_that_do_not_call_the_breaker),
        TEST(test_the_check_counts_calls_that_ran_across_an_absence),
        TEST(test_the_check_prints_three_of_many_violations_and_their_number),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(report);
    return failed;
}
