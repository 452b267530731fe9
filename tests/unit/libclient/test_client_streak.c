/* Failures in a row, exact over all processes, with tripd alive, stopped or dead. */
#include "client_fixture.h"

#include <sys/mman.h>

#include "child.h"
#include "internal/state_word.h"

#define PROCESSES 4
#define ROUNDS    20000

/* A second process that reports outcomes one at a time, as it is told. */
struct peer {
    pid_t pid;
    int orders[2], done[2];
};

static int obey(void *context)
{
    struct peer *const peer = context;
    trip_client *client;
    trip_breaker *breaker;
    char order;
    close(peer->orders[1]);
    if (trip_open(&client, NULL) < 0 || trip_breaker_get(client, "db", &breaker) < 0)
        return 1;
    while (read(peer->orders[0], &order, 1) == 1) {
        trip_record(breaker, order == 'S' ? TRIP_OK : TRIP_FAILURE, 0);
        if (write(peer->done[1], "", 1) != 1)
            return 1;
    }
    return 0;
}

static void peer_start(struct peer *peer)
{
    assert_int_equal(pipe(peer->orders), 0);
    assert_int_equal(pipe(peer->done), 0);
    peer->pid = fork();
    if (peer->pid == 0)
        _exit(obey(peer));
    close(peer->orders[0]);
}

static void peer_reports(struct peer *peer, char order)
{
    char byte;
    assert_int_equal(write(peer->orders[1], &order, 1), 1);
    assert_int_equal(read(peer->done[0], &byte, 1), 1);
}

static void peer_stop(struct peer *peer)
{
    int status;
    close(peer->orders[1]);
    waitpid(peer->pid, &status, 0);
    close(peer->done[0]);
    close(peer->done[1]);
    assert_int_equal(status, 0);
}

/* Reports outcomes, and returns the word after them. `who` says which process reports each: a this one, b the other. */
static uint64_t word_after(struct fixture *f, const char *what, const char *who)
{
    struct peer peer;
    peer_start(&peer);
    for (; *what; what++, who++)
        if (*who == 'a')
            trip_record(f->breaker, *what == 'S' ? TRIP_OK : TRIP_FAILURE, 0);
        else
            peer_reports(&peer, *what);
    peer_stop(&peer);
    return fixture_word(f);
}

static void tripd_is(struct fixture *f, const char *how)
{
    if (strcmp(how, "stopped") == 0)
        segment_stopped(f->fake.segment);
    if (strcmp(how, "dead") == 0)
        fake_away(&f->fake);
}

static void check_both_sequences(struct fixture *f, const char *how)
{
    tripd_is(f, how);
    assert_int_equal(word_streak(word_after(f, "FFSFFFF", "abababa")), 4);
    fixture_set(f, word_with_streak(fixture_word(f), 0));
    assert_int_equal(word_streak(word_after(f, "FFSFFFF", "aabbbbb")), 4);
    fixture_set(f, word_with_streak(fixture_word(f), 0));
    assert_int_equal(word_after(f, "FFFFF", "ababa"), word_open(2, 31000));
}

static void test_five_failures_in_a_row_open_whoever_reports_them_tripd_alive(void **state)
{
    check_both_sequences(*state, "alive");
}

static void test_five_failures_in_a_row_open_whoever_reports_them_tripd_stopped(void **state)
{
    check_both_sequences(*state, "stopped");
}

static void test_five_failures_in_a_row_open_whoever_reports_them_tripd_dead(void **state)
{
    check_both_sequences(*state, "dead");
}

static void test_an_opening_that_was_seen_by_one_is_seen_by_all(void **state)
{
    struct fixture *const f = *state;
    word_after(f, "FFFFF", "bbbbb");
    assert_int_equal(trip_allow(f->breaker), TRIP_DENY_OPEN);
}

static void test_the_open_time_is_the_published_one_within_the_longest(void **state)
{
    struct fixture *const f = *state;
    struct fake_policy policy = fake_policy_default;
    policy.open_ms = 7000;
    fake_settings(&f->fake, f->slot, &policy);
    record_n(f->breaker, TRIP_FAILURE, 5);
    assert_int_equal(fixture_word(f), word_open(2, 8000));
    policy.open_ms = 400000;
    fake_settings(&f->fake, f->slot, &policy);
    fixture_set(f, word_closed(3, 4, f->fake.segment->policies[f->slot].judge[1] >> 19 & 0xffff));
    record_n(f->breaker, TRIP_FAILURE, 1);
    assert_int_equal(word_state(fixture_word(f)), WORD_OPEN);
    assert_int_equal(word_deadline_ms(fixture_word(f)), 331000);
}

static void test_threshold_zero_never_opens(void **state)
{
    struct fixture *const f = *state;
    struct fake_policy policy = fake_policy_default;
    policy.threshold = 0;
    fake_settings(&f->fake, f->slot, &policy);
    record_n(f->breaker, TRIP_FAILURE, 100);
    assert_int_equal(word_state(fixture_word(f)), WORD_CLOSED);
    assert_int_equal(word_streak(fixture_word(f)), 100);
}

static void test_another_threshold_holds_with_its_generation_alone(void **state)
{
    struct fixture *const f = *state;
    const uint64_t word = fixture_word(f);
    struct fake_policy policy = fake_policy_default;
    policy.threshold = 2;
    fake_settings(&f->fake, f->slot, &policy);
    const uint64_t moved = fixture_word(f);
    fixture_set(f, word); /* tripd died before it moved the generation */
    record_n(f->breaker, TRIP_FAILURE, 4);
    assert_int_equal(word_state(fixture_word(f)), WORD_CLOSED);
    fixture_set(f, moved);
    record_n(f->breaker, TRIP_FAILURE, 2);
    assert_int_equal(word_state(fixture_word(f)), WORD_OPEN);
}

static void test_a_generation_that_has_no_judge_any_more_goes_on_with_the_newest(void **state)
{
    struct fixture *const f = *state;
    const uint32_t newest = word_generation(fixture_word(f));
    fixture_set(f, word_closed(1, 0, 999));
    record_n(f->breaker, TRIP_FAILURE, 4);
    assert_int_equal(fixture_word(f), word_closed(1, 4, newest));
    record_n(f->breaker, TRIP_FAILURE, 1);
    assert_int_equal(fixture_word(f), word_open(2, 31000));
}

static void test_a_streak_runs_on_while_ramping(void **state)
{
    struct fixture *const f = *state;
    fixture_set(f, word_ramping(4, 500, 3, word_generation(fixture_word(f))));
    record_n(f->breaker, TRIP_FAILURE, 1);
    assert_int_equal(word_streak(fixture_word(f)), 4);
    assert_int_equal(word_permille(fixture_word(f)), 500);
    record_n(f->breaker, TRIP_OK, 1);
    assert_int_equal(word_streak(fixture_word(f)), 0);
    record_n(f->breaker, TRIP_FAILURE, 5);
    assert_int_equal(fixture_word(f), word_open(5, 31000));
}

static void test_open_counts_no_streak(void **state)
{
    struct fixture *const f = *state;
    fixture_set(f, word_open(2, 99000));
    record_n(f->breaker, TRIP_FAILURE, 10);
    record_n(f->breaker, TRIP_OK, 10);
    assert_int_equal(fixture_word(f), word_open(2, 99000));
}

/* Many processes at once: as the threshold is never reached, the streak is the number of failures. */
struct storm {
    unsigned ready, go;
};

static int storm(void *context)
{
    struct storm *const shared = context;
    trip_client *client;
    trip_breaker *breaker;
    if (trip_open(&client, NULL) < 0 || trip_breaker_get(client, "db", &breaker) < 0 ||
        trip_client_status(client) != TRIP_CLIENT_SHARED)
        return 1;
    __atomic_add_fetch(&shared->ready, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&shared->go, __ATOMIC_SEQ_CST))
        ;
    record_n(breaker, TRIP_FAILURE, ROUNDS / PROCESSES);
    return 0;
}

static void test_no_failure_of_many_processes_is_lost_in_the_streak(void **state)
{
    struct fixture *const f = *state;
    struct fake_policy policy = fake_policy_default;
    struct storm *const shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[PROCESSES];
    policy.threshold = ROUNDS;
    fake_settings(&f->fake, f->slot, &policy);
    for (unsigned i = 0; i < PROCESSES; i++)
        if ((pids[i] = child_fork()) == 0)
            _exit(storm(shared));
    assert_true(WAIT_FOR(__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) == PROCESSES));
    __atomic_store_n(&shared->go, 1, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < PROCESSES; i++) {
        int status;
        waitpid(pids[i], &status, 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(word_state(fixture_word(f)), WORD_OPEN); /* by the last one, and not before */
    assert_int_equal(word_epoch(fixture_word(f)), 2);
    assert_int_equal(fake_counts_all(&f->fake, f->slot, 1).failures, ROUNDS);
    munmap(shared, sizeof(*shared));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_five_failures_in_a_row_open_whoever_reports_them_tripd_alive),
        TEST(test_five_failures_in_a_row_open_whoever_reports_them_tripd_stopped),
        TEST(test_five_failures_in_a_row_open_whoever_reports_them_tripd_dead),
        TEST(test_an_opening_that_was_seen_by_one_is_seen_by_all),
        TEST(test_the_open_time_is_the_published_one_within_the_longest),
        TEST(test_threshold_zero_never_opens),
        TEST(test_another_threshold_holds_with_its_generation_alone),
        TEST(test_a_generation_that_has_no_judge_any_more_goes_on_with_the_newest),
        TEST(test_a_streak_runs_on_while_ramping),
        TEST(test_open_counts_no_streak),
        TEST(test_no_failure_of_many_processes_is_lost_in_the_streak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
