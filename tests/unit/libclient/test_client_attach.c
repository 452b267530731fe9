/* Attaching, losing tripd, and coming back. Whatever happens to tripd, a process decides by the state words in force,
 * counts for the right breaker, and holds nothing that tripd cannot take back. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "client.h"
#include "client_fixture.h"
#include "internal/ticks.h"

/* -------------------------------------------------------------------------------------------------- another commons */

static void half_open_with_a_permit(struct fixture *fixture)
{
    fixture_set(fixture, word_half_open(word_epoch(fixture_word(fixture)) + 1, 60000));
    fake_arm(&fixture->fake, fixture->slot, 0);
}

static bool begins(struct fixture *fixture)
{
    trip_call call;
    const bool admitted = trip_admitted(trip_begin(fixture->breaker, &call));
    trip_end(&call, TRIP_CANCELLED);
    return admitted;
}

static void test_a_client_denied_by_a_dead_commons_finds_the_next_one(void **state)
{
    struct fixture *const fixture = *state;
    fixture_set(fixture, word_open(word_epoch(fixture_word(fixture)) + 1, 60000));
    assert_false(begins(fixture));
    fake_lose_commons(&fixture->fake);
    half_open_with_a_permit(fixture);
    bool admitted = false;
    assert_true(WAIT_FOR(admitted = admitted || begins(fixture)));
}

static void test_a_commons_that_tripd_has_left_lends_no_permit(void **state)
{
    struct fixture *const fixture = *state;
    trip_call call;
    half_open_with_a_permit(fixture);
    fixture->fake.silent = true; /* so that the next one cannot be attached to */
    fake_lose_commons(&fixture->fake);
    assert_int_equal(trip_begin(fixture->breaker, &call), TRIP_DENY_HALF_OPEN);
}

static void test_a_commons_head_overwritten_by_a_stranger_keeps_no_client_out(void **state)
{
    struct fixture *const fixture = *state;
    trip_close(fixture->client);
    memset(fixture->fake.commons->header, 0xff, sizeof(*fixture->fake.commons->header));
    assert_int_equal(trip_open(&fixture->client, NULL), 0);
    assert_int_equal(trip_breaker_get(fixture->client, "db", &fixture->breaker), 0);
    assert_true(WAIT_FOR(fixture_shared(fixture)));
}

/* ---------------------------------------------------------------------------------------------------- time is over */

int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

static _Thread_local int asked_ms; /* that waits were allowed to take; the fake tripd polls as well */
/* The tripd whose thread gets no processor while a client waits for it, until the client's time is over. */
static _Thread_local struct fake_daemon *no_core;

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    const uint64_t until_ns = monotonic_ns() + OPEN_WAIT_NS;
    asked_ms += timeout_ms > 0 ? timeout_ms : 0;
    if (no_core)
        pthread_mutex_unlock(&no_core->lock); /* tripd answers now */
    while (no_core && monotonic_ns() < until_ns)
        __real_poll(NULL, 0, 1);
    return __real_poll(fds, count, timeout_ms);
}

/* Opens a client again, as a process does that has not attached before. */
static void open_anew(struct fixture *fixture)
{
    trip_close(fixture->client);
    asked_ms = 0;
    assert_int_equal(trip_open(&fixture->client, NULL), 0);
}

static void test_waits_for_a_tripd_that_does_not_answer_are_no_longer_than_100_ms_together(void **state)
{
    struct fixture *const fixture = *state;
    fixture->fake.silent = true;
    open_anew(fixture);
    print_message("trip_open waited %d ms\n", asked_ms);
    assert_in_range(asked_ms, 1, 100);
    asked_ms = 0;
    assert_int_equal(trip_breaker_get(fixture->client, "other", &fixture->breaker), 0);
    assert_in_range(asked_ms, 0, 100);
}

static void test_an_answer_that_is_heard_when_the_time_is_over_is_left_for_the_next_call(void **state)
{
    struct fixture *const fixture = *state;
    trip_close(fixture->client);
    pthread_mutex_lock(&fixture->fake.lock);
    no_core = &fixture->fake;
    assert_int_equal(trip_open(&fixture->client, NULL), 0);
    no_core = NULL;
    assert_null(fixture->client->view);
    assert_int_equal(trip_breaker_get(fixture->client, "db", &fixture->breaker), 0);
    assert_true(WAIT_FOR(fixture_shared(fixture)));
}

/* -------------------------------------------------------------------------------------------------- another segment */

static bool failure_counted(struct fixture *fixture, uint32_t slot)
{
    record_n(fixture->breaker, TRIP_FAILURE, 1);
    return fake_counts_all(&fixture->fake, slot, 1).total_failures != 0;
}

/* libtrip attaches again within a second or two, and first offers the lane that it had. */
static void test_no_breaker_counts_in_another_one_s_place_after_a_new_segment(void **state)
{
    struct fixture *const fixture = *state;
    record_n(fixture->breaker, TRIP_FAILURE, 1);
    fake_new_segment(&fixture->fake);
    const uint32_t victim = fake_breaker(&fixture->fake, "victim"); /* in the place that db had */
    const uint32_t slot = fake_breaker(&fixture->fake, "db");
    assert_int_equal(victim, fixture->slot);
    assert_true(WAIT_FOR(failure_counted(fixture, slot)));
    const struct fake_counts counts = fake_counts_all(&fixture->fake, victim, 1);
    assert_int_equal(counts.total_failures, 0);
    assert_int_equal(word_streak(fake_word(&fixture->fake, victim)), 0);
}

/* --------------------------------------------------------------------------------------------------------- holding */

/* Returns 0: its first call took no permit, for its lane had no number yet, and a later one did. */
static int first_calls_of_a_child(void *context)
{
    struct fixture *const fixture = context;
    trip_call call;
    const trip_verdict first = trip_begin(fixture->breaker, &call);
    const uint64_t permit = fake_permit(&fixture->fake, fixture->slot, 0);
    if (first != TRIP_DENY_HALF_OPEN && permit_lane(permit) == 0)
        return 1;
    bool admitted = trip_admitted(first);
    if (!WAIT_FOR(admitted = admitted || trip_admitted(trip_begin(fixture->breaker, &call))))
        return 2;
    return permit_lane(fake_permit(&fixture->fake, fixture->slot, 0)) != 0 ? 0 : 3;
}

static void test_a_child_holds_no_permit_before_its_lane_has_a_number(void **state)
{
    struct fixture *const fixture = *state;
    half_open_with_a_permit(fixture);
    assert_int_equal(in_child(first_calls_of_a_child, fixture), 0);
}

static bool counted_in(struct fixture *fixture, uint32_t lane)
{
    trip_record(fixture->breaker, TRIP_OK, 0);
    return fake_lane(&fixture->fake, lane) && fake_counts(&fixture->fake, lane, fixture->slot, 1).total_ok != 0;
}

static void test_a_process_whose_lane_s_id_is_taken_makes_another_lane(void **state)
{
    struct fixture *const fixture = *state;
    assert_true(WAIT_FOR(counted_in(fixture, 1)));
    fixture->fake.taken_id = fake_lane(&fixture->fake, 1)->lane_id;
    __atomic_store_n(&fake_lane(&fixture->fake, 1)->detached, 1, __ATOMIC_RELEASE);
    fake_hang_up(&fixture->fake);
    assert_true(WAIT_FOR(counted_in(fixture, 2)));
    assert_true(WAIT_FOR(fixture_shared(fixture)));
}

static void test_a_process_whose_lane_is_refused_probes_all_the_same(void **state)
{
    struct fixture *const fixture = *state;
    trip_close(fixture->client);
    fixture->fake.refuse_lane = -EDQUOT;
    assert_int_equal(trip_open(&fixture->client, NULL), 0);
    assert_int_equal(trip_breaker_get(fixture->client, "db", &fixture->breaker), 0);
    assert_int_equal(trip_client_status(fixture->client), TRIP_CLIENT_UNREPORTED);
    half_open_with_a_permit(fixture);
    assert_true(begins(fixture));
}

/* In shadow all are admitted, but only the permitted ones are probes. */
static void test_a_call_that_shadow_admits_without_a_permit_is_no_probe(void **state)
{
    struct fixture *const fixture = *state;
    trip_call probe, call;
    fake_mode(&fixture->fake, fixture->slot, TRIP_MODE_SHADOW, 0);
    half_open_with_a_permit(fixture);
    assert_int_equal(trip_begin(fixture->breaker, &probe), TRIP_PROBE);
    assert_int_equal(trip_begin(fixture->breaker, &call), TRIP_ALLOW);
    trip_end(&call, TRIP_FAILURE);
    assert_int_equal(fixture_counts(fixture).total_failures, 1);
    assert_int_equal(fixture_counts(fixture).failures, 0);
    trip_end(&probe, TRIP_OK);
    assert_int_equal(permit_outcome(fake_permit(&fixture->fake, fixture->slot, 0)), PERMIT_OK);
}

/* ----------------------------------------------------------------------------------------------------------- times */

#define OPENERS 6

static void *open_and_time(void *ret_ns)
{
    trip_client *client;
    const uint64_t start = monotonic_ns();
    if (trip_open(&client, NULL) == 0) {
        *(uint64_t *)ret_ns = monotonic_ns() - start;
        trip_close(client);
    }
    return NULL;
}

static void test_threads_that_open_at_once_do_not_wait_for_one_another(void **state)
{
    struct fixture *const fixture = *state;
    pthread_t threads[OPENERS];
    uint64_t ns[OPENERS] = {0};
    trip_close(fixture->client);
    fixture->fake.silent = true;
    for (unsigned i = 0; i < OPENERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_time, &ns[i]), 0);
    for (unsigned i = 0; i < OPENERS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < OPENERS; i++)
        assert_in_range(ns[i], 1, 250000000); /* 100 ms, and what a busy machine adds; one by one it would be 540 */
    assert_int_equal(trip_open(&fixture->client, NULL), 0);
}

/* A thousand processes that open at once wait for tripd: each wakes up a few times meanwhile. */
static void test_a_client_of_a_silent_tripd_wakes_up_few_times(void **state)
{
    struct fixture *const fixture = *state;
    struct rusage before, after;
    trip_close(fixture->client);
    fixture->fake.silent = true;
    getrusage(RUSAGE_THREAD, &before);
    assert_int_equal(trip_open(&fixture->client, NULL), 0);
    getrusage(RUSAGE_THREAD, &after);
    assert_in_range(after.ru_nvcsw - before.ru_nvcsw, 1, 10);
}

static void *open_for_ever(void *unused)
{
    trip_client *client;
    for (;;)
        if (trip_open(&client, NULL) == 0)
            trip_close(client);
    return unused;
}

static void test_a_thread_that_is_cancelled_leaves_nothing_locked(void **state)
{
    struct fixture *const fixture = *state;
    pthread_t thread;
    trip_breaker *other;
    fixture->fake.silent = true;
    fake_hang_up(&fixture->fake);
    assert_int_equal(pthread_create(&thread, NULL, open_for_ever, NULL), 0);
    const struct timespec nap = {.tv_nsec = 30000000};
    nanosleep(&nap, NULL); /* it is within trip_open at any time */
    pthread_cancel(thread);
    pthread_join(thread, NULL);
    const uint64_t start = monotonic_ns();
    assert_int_equal(trip_breaker_get(fixture->client, "other", &other), 0);
    assert_in_range(monotonic_ns() - start, 0, 250000000);
}

static int opens_with_a_file_limit(void *unused)
{
    (void)unused;
    const struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
    trip_client *client;
    trip_breaker *breaker;
    if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
        return 1;
    if (trip_open(&client, NULL) < 0 || trip_breaker_get(client, "db", &breaker) < 0)
        return 2;
    return trip_client_status(client) == TRIP_CLIENT_UNREPORTED && trip_allow(breaker) == TRIP_ALLOW ? 0 : 3;
}

static void test_a_limit_of_file_sizes_costs_the_lane_and_not_the_process(void **state)
{
    struct fixture *const fixture = *state;
    assert_int_equal(in_child(opens_with_a_file_limit, fixture), 0);
}

/* ------------------------------------------------------------------------------------------------------------- why */

static void test_why_is_cut_to_the_buffer_and_tells_its_whole_length(void **state)
{
    struct fixture *const fixture = *state;
    char whole[256] = "as it was", cut[10] = "as it was";
    assert_int_equal(trip_client_why(fixture->client, whole, sizeof(whole)), 0);
    assert_string_equal(whole, "");
    trip_close(fixture->client);
    fixture->fake.refuse_hello = -EACCES;
    assert_int_equal(trip_open(&fixture->client, NULL), 0);
    static const char text[] = "tripd refuses this process: the test wants it so";
    assert_int_equal(trip_client_why(fixture->client, whole, sizeof(whole)), sizeof(text) - 1);
    assert_string_equal(whole, text);
    assert_int_equal(trip_client_why(fixture->client, cut, sizeof(cut)), sizeof(text) - 1);
    assert_string_equal(cut, "tripd ref");
    assert_int_equal(trip_client_why(fixture->client, NULL, 0), sizeof(text) - 1);
}

static void test_the_process_has_a_client_of_its_own(void **state)
{
    struct fixture *const fixture = *state;
    trip_client *own = NULL, *again = NULL;
    trip_breaker *breaker;
    assert_int_equal(trip_default(&own), 0);
    assert_int_equal(trip_default(&again), 0);
    assert_ptr_equal(again, own);
    trip_close(fixture->client); /* of the same instance: it is the same, and open still */
    assert_ptr_equal(own, fixture->client);
    assert_int_equal(trip_breaker_get(own, "db", &breaker), 0);
    assert_int_equal(trip_client_status(own), TRIP_CLIENT_SHARED);
    assert_int_equal(trip_open(&fixture->client, NULL), 0);
}

static void *open_as_pool(void *client)
{
    pthread_setname_np(pthread_self(), "pool-1");
    return trip_open(client, NULL) == 0 ? client : NULL;
}

/* argv may be overwritten by then, and the thread that attaches have a name of its own. */
static void test_people_are_shown_the_name_of_the_process(void **state)
{
    struct fixture *const fixture = *state;
    char *const invoked = program_invocation_short_name, named[16] = "";
    pthread_t thread;
    void *opened = NULL;
    prctl(PR_GET_NAME, named);
    trip_close(fixture->client);
    prctl(PR_SET_NAME, "web: master");
    program_invocation_short_name = (char[]){"rker 3"};
    assert_int_equal(pthread_create(&thread, NULL, open_as_pool, &fixture->client), 0);
    pthread_join(thread, &opened);
    program_invocation_short_name = invoked;
    prctl(PR_SET_NAME, named);
    assert_non_null(opened);
    assert_true(WAIT_FOR(trip_client_status(fixture->client) == TRIP_CLIENT_SHARED));
    uint32_t lane = FAKE_CONNECTIONS - 1; /* the latest of this process: the one before is there still */
    while (lane > 0 && !fake_lane(&fixture->fake, lane))
        lane--;
    assert_string_equal(fake_lane(&fixture->fake, lane)->program, "web: master");
}

static void test_the_library_tells_its_version(void **state)
{
    (void)state;
    char version[16];
    snprintf(version, sizeof(version), "%d.%d.%d", TRIP_VERSION_MAJOR, TRIP_VERSION_MINOR, TRIP_VERSION_PATCH);
    assert_string_equal(trip_version(), version);
}

/* ----------------------------------------------------------------------------------------------------- descriptors */

/* Returns 0 if it is attached, and the host program's reads and prints go nowhere; otherwise the descriptor that is
 * taken, plus 1. */
static int attaches_without_standard_descriptors(void *context)
{
    struct fixture *const fixture = context;
    for (int fd = 0; fd <= 2; fd++)
        close(fd);
    if (!WAIT_FOR(fixture_shared(fixture)))
        return 9;
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            return fd + 1;
    return 0;
}

static void test_no_descriptor_of_libtrip_takes_the_place_of_a_closed_standard_one(void **state)
{
    assert_int_equal(in_child(attaches_without_standard_descriptors, *state), 0);
}

#define FILLERS 64

/* Takes all numbers but `left`. Returns how many it took. */
static unsigned take_descriptors_but(unsigned left, int fillers[FILLERS])
{
    unsigned count = 0;
    const struct rlimit limit = {.rlim_cur = FILLERS, .rlim_max = 1024};
    setrlimit(RLIMIT_NOFILE, &limit);
    while (count < FILLERS && (fillers[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    for (; left > 0 && count > 0; left--)
        close(fillers[--count]);
    return count;
}

/* Returns 0 if it opened with any number of descriptors left, and was shared once there were more. */
static int opens_with_few_descriptors(void *context)
{
    struct fixture *const fixture = context;
    trip_close(fixture->client);
    for (unsigned left = 0; left <= 6; left++) {
        int fillers[FILLERS];
        unsigned count = take_descriptors_but(left, fillers);
        if (trip_open(&fixture->client, NULL) != 0)
            return 1 + (int)left;
        const trip_client_state state = trip_client_status(fixture->client);
        char why[256];
        trip_client_why(fixture->client, why, sizeof(why));
        if (left < 3 && (state != TRIP_CLIENT_PRIVATE || !strstr(why, "this process has no descriptor left for ")))
            return 11 + (int)left;
        while (count > 0)
            close(fillers[--count]);
        if (!WAIT_FOR(trip_client_status(fixture->client) == TRIP_CLIENT_SHARED))
            return 21 + (int)left;
        trip_close(fixture->client);
    }
    return 0;
}

static void test_a_client_opened_with_few_descriptors_attaches_once_there_are_more(void **state)
{
    assert_int_equal(in_child(opens_with_few_descriptors, *state), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(waits_for_a_tripd_that_does_not_answer_are_no_longer_than_100_ms_together),
        TEST(an_answer_that_is_heard_when_the_time_is_over_is_left_for_the_next_call),
        TEST(a_client_denied_by_a_dead_commons_finds_the_next_one),
        TEST(a_commons_that_tripd_has_left_lends_no_permit),
        TEST(a_commons_head_overwritten_by_a_stranger_keeps_no_client_out),
        TEST(no_breaker_counts_in_another_one_s_place_after_a_new_segment),
        TEST(a_child_holds_no_permit_before_its_lane_has_a_number),
        TEST(a_process_whose_lane_s_id_is_taken_makes_another_lane),
        TEST(a_process_whose_lane_is_refused_probes_all_the_same),
        TEST(a_call_that_shadow_admits_without_a_permit_is_no_probe),
        TEST(threads_that_open_at_once_do_not_wait_for_one_another),
        TEST(a_client_of_a_silent_tripd_wakes_up_few_times),
        TEST(a_thread_that_is_cancelled_leaves_nothing_locked),
        TEST(a_limit_of_file_sizes_costs_the_lane_and_not_the_process),
        TEST(why_is_cut_to_the_buffer_and_tells_its_whole_length),
        TEST(the_library_tells_its_version),
        TEST(people_are_shown_the_name_of_the_process),
        TEST(the_process_has_a_client_of_its_own),
        TEST(a_client_opened_with_few_descriptors_attaches_once_there_are_more),
        TEST(no_descriptor_of_libtrip_takes_the_place_of_a_closed_standard_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
