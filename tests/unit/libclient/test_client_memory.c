/* Memory that parts of a lane get when they are needed: where the kernel refuses it, calls are admitted, and counted
 * where there is room. */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "client.h"
#include "client_fixture.h"
#include "internal/policy.h"
#include "lane_writer.h"

/* -------------------------------------------------------------------------------------------- what the kernel does */

int __real_madvise(void *address, size_t size, int advice);
int __wrap_madvise(void *address, size_t size, int advice);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t size);
void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);

#define POPULATE_WRITE 23

static int refusal;     /* errno of each request for memory; 0: there is enough */
static int fallocated;  /* how often */
static bool old_kernel; /* before 5.14 */
static bool committed;  /* vm.overcommit_memory=2: no more private memory of this size is promised to anyone */

int __wrap_madvise(void *address, size_t size, int advice)
{
    if (advice != POPULATE_WRITE || (!refusal && !old_kernel))
        return __real_madvise(address, size, advice);
    errno = old_kernel ? EINVAL : refusal;
    return -1;
}

int __real_fallocate(int fd, int mode, off_t offset, off_t size);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t size)
{
    fallocated++;
    if (!refusal)
        return __real_fallocate(fd, mode, offset, size);
    errno = refusal;
    return -1;
}

/* Linux before 6.12 has unmapped by then what was mapped there. */
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (!committed || !(flags & MAP_ANONYMOUS) || size < (size_t)1 << 20)
        return __real_mmap(address, size, protection, flags, fd, offset);
    if (flags & MAP_FIXED)
        munmap(address, size);
    errno = ENOMEM;
    return MAP_FAILED;
}

static int setup(void **state)
{
    refusal = fallocated = 0;
    old_kernel = committed = false;
    return fixture_setup(state);
}

/* --------------------------------------------------------------------------------------------------------- threads */

struct crowd {
    struct fixture *fixture;
    trip_breaker *breakers[FAKE_BREAKERS];
    unsigned count; /* of breakers */
    pthread_barrier_t counted;
};

static void *call_each(void *context)
{
    struct crowd *const crowd = context;
    for (unsigned i = 0; i < crowd->count; i++)
        trip_record(crowd->breakers[i], TRIP_OK, 0);
    pthread_barrier_wait(&crowd->counted);
    return NULL;
}

/* Runs all threads at the same time. */
static void run_threads(struct crowd *crowd, unsigned count)
{
    pthread_t threads[256];
    pthread_barrier_init(&crowd->counted, NULL, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_each, crowd), 0);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&crowd->counted);
}

static struct lane_header *lane_of(struct fixture *fixture)
{
    return fake_lane(&fixture->fake, fake_lane_of(&fixture->fake, getpid()));
}

/* Returns the calls counted in this section; LANE_SECTIONS: in any. */
static uint64_t counted_in(struct fixture *fixture, uint32_t section)
{
    struct lane_header *const lane = lane_of(fixture);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < lane->meters_used; i++)
        if (section == LANE_SECTIONS || lane_meter_at(lane, i)->owner >> 48 == section)
            sum += lane_meter_at(lane, i)->total_ok;
    return sum;
}

/* ----------------------------------------------------------------------------------------------------------- tests */

static void test_256_threads_count_each_breaker_on_lines_of_their_own(void **state)
{
    struct fixture *const fixture = *state;
    struct crowd crowd = {.fixture = fixture, .count = 20};
    char name[16];
    for (unsigned i = 0; i < crowd.count; i++) {
        snprintf(name, sizeof(name), "b%u", i);
        assert_int_equal(trip_breaker_get(fixture->client, name, &crowd.breakers[i]), 0);
    }
    run_threads(&crowd, 256);
    assert_int_equal(lane_of(fixture)->meters_used, 256 * 20);
    for (uint32_t i = 0; i < 256 * 20; i++)
        assert_int_equal(lane_meter_at(lane_of(fixture), i)->total_ok, 1);
    assert_int_equal(lane_of(fixture)->sections_used, LANE_SECTIONS);
    assert_int_equal(counted_in(fixture, 0), 0);
}

static void test_a_lane_takes_no_more_memory_than_it_uses(void **state)
{
    struct fixture *const fixture = *state;
    struct stat status;
    trip_record(fixture->breaker, TRIP_OK, 0);
    trip_record(fixture->breaker, TRIP_FAILURE, 0);
    assert_int_equal(fstat(fixture->client->lane->memfd.fd, &status), 0);
    print_message("a lane of one thread and one breaker takes %lld bytes\n", (long long)status.st_blocks * 512);
    assert_in_range(status.st_blocks * 512, 1, 69632);
}

static void test_a_thread_whose_section_gets_no_memory_shares_another(void **state)
{
    struct fixture *const fixture = *state;
    struct crowd crowd = {.fixture = fixture, .breakers = {fixture->breaker}, .count = 1};
    trip_record(fixture->breaker, TRIP_OK, 0);
    refusal = ENOMEM;
    run_threads(&crowd, 3);
    assert_int_equal(lane_of(fixture)->sections_used, 2);
    assert_int_equal(counted_in(fixture, 0), 3);
    assert_int_equal(counted_in(fixture, LANE_SECTIONS), 4);
    assert_int_equal(lane_of(fixture)->lost, 0);
}

static void test_an_outcome_that_finds_no_memory_is_lost_and_said_to_be(void **state)
{
    struct fixture *const fixture = *state;
    enum { METERS = LAYOUT_PAGE / sizeof(struct meter) };
    trip_breaker *breakers[METERS + 1];
    char name[16];
    trip_call call;
    for (unsigned i = 0; i <= METERS; i++) {
        snprintf(name, sizeof(name), "b%u", i);
        assert_int_equal(trip_breaker_get(fixture->client, name, &breakers[i]), 0);
    }
    for (unsigned i = 0; i < METERS; i++)
        trip_record(breakers[i], TRIP_OK, 0); /* a page of meters */
    refusal = EFAULT;                         /* what would be a SIGBUS */
    assert_int_equal(trip_begin(breakers[METERS], &call), TRIP_ALLOW);
    trip_end(&call, TRIP_OK);
    assert_int_equal(lane_of(fixture)->lost, 1);
    trip_record(breakers[METERS], TRIP_FAILURE, 0);
    assert_int_equal(lane_of(fixture)->lost, 2);
    assert_int_equal(counted_in(fixture, LANE_SECTIONS), METERS);
    trip_record(breakers[0], TRIP_OK, 0);
    assert_int_equal(counted_in(fixture, LANE_SECTIONS), METERS + 1);
    assert_int_equal(trip_client_status(fixture->client), TRIP_CLIENT_SHARED);
}

/* Returns the sum of the calls that all rooms have counted by latency. */
static uint64_t latencies(struct fixture *fixture)
{
    uint64_t sum = 0;
    for (uint32_t meter = 0; meter < lane_of(fixture)->meters_used; meter++)
        for (uint32_t bucket = 0; bucket < LATENCY_BUCKETS; bucket++)
            sum += lane_latency(lane_of(fixture), meter, bucket);
    return sum;
}

static void test_a_call_whose_latency_gets_no_memory_counts_without_it(void **state)
{
    struct fixture *const fixture = *state;
    trip_record(fixture->breaker, TRIP_OK, 0);
    refusal = EFAULT; /* what would be a SIGBUS */
    trip_record(fixture->breaker, TRIP_OK, 1000);
    trip_record(fixture->breaker, TRIP_FAILURE, 1000);
    assert_int_equal(counted_in(fixture, LANE_SECTIONS), 2);
    assert_int_equal(fixture_counts(fixture).total_failures, 1);
    assert_int_equal(lane_of(fixture)->rooms_used, 0);
    assert_int_equal(lane_of(fixture)->lost, 0);
    refusal = 0;
    fixture->client->lane->refused_until_ns = 0; /* a second later */
    trip_record(fixture->breaker, TRIP_OK, 1000);
    assert_int_equal(latencies(fixture), 1);
    assert_int_equal(lane_of(fixture)->rooms_used, 1);
}

static void test_a_latency_in_a_room_that_has_memory_is_counted_when_there_is_no_more(void **state)
{
    struct fixture *const fixture = *state;
    trip_record(fixture->breaker, TRIP_OK, 1000);
    refusal = ENOMEM;
    trip_record(fixture->breaker, TRIP_OK, 1000);
    assert_int_equal(latencies(fixture), 2);
}

static void test_a_lane_without_rooms_left_counts_all_but_latencies(void **state)
{
    struct fixture *const fixture = *state;
    trip_record(fixture->breaker, TRIP_OK, 1000);
    lane_of(fixture)->rooms_used = LANE_ROOMS;
    trip_record(fixture->breaker, TRIP_OK, 1000);
    trip_record(fixture->breaker, TRIP_OK, 1000000);
    assert_int_equal(counted_in(fixture, LANE_SECTIONS), 3);
    assert_int_equal(latencies(fixture), 2);
}

static void *call_once(void *context)
{
    struct fixture *const fixture = context;
    trip_record(fixture->breaker, TRIP_OK, 1000);
    return NULL;
}

static void test_threads_that_come_one_after_the_other_count_in_the_same_room(void **state)
{
    struct fixture *const fixture = *state;
    pthread_t thread;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&thread, NULL, call_once, fixture), 0);
        pthread_join(thread, NULL);
    }
    assert_int_equal(lane_of(fixture)->meters_used, 1);
    assert_int_equal(lane_of(fixture)->rooms_used, 1);
    assert_int_equal(latencies(fixture), 3);
}

struct race {
    struct fixture *fixture;
    pthread_barrier_t *start;
};

/* The thread reports in section 0, as one does whose destructors have run. */
static void *call_at_once(void *context)
{
    const struct race *const race = context;
    thread_self.exiting = true;
    pthread_barrier_wait(race->start);
    for (unsigned bits = 5; bits < 37; bits++) /* each octave */
        trip_record(race->fixture->breaker, TRIP_OK, UINT64_C(1) << bits);
    return NULL;
}

static void test_threads_that_share_a_section_share_its_rooms_and_lose_no_latency(void **state)
{
    struct fixture *const fixture = *state;
    pthread_t threads[8];
    pthread_barrier_t start;
    struct race race = {.fixture = fixture, .start = &start};
    pthread_barrier_init(&start, NULL, 8);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_at_once, &race), 0);
    for (unsigned i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
    assert_int_equal(latencies(fixture), 8 * 32);
    /* A thread that came too late for a room gives its own back, if no other was taken meanwhile. */
    assert_in_range(lane_of(fixture)->rooms_used, 15, 15 * 8);
}

static void test_a_call_whose_table_gets_no_memory_goes_unwatched(void **state)
{
    struct fixture *const fixture = *state;
    trip_call call;
    trip_record(fixture->breaker, TRIP_OK, 0);
    struct policy_slot *const policy = &fixture->fake.segment->policies[fixture->slot];
    policy->judge[0] = policy->judge[1] = policy_judge(5, TRIP_MODE_AUTO, true, 0);
    refusal = ENOMEM;
    assert_int_equal(trip_begin(fixture->breaker, &call), TRIP_ALLOW);
    assert_int_equal(lane_of(fixture)->calls_used, 0);
    trip_end(&call, TRIP_OK);
    assert_int_equal(counted_in(fixture, LANE_SECTIONS), 2);
}

static int lane_refused(void *context)
{
    struct fixture *const fixture = context;
    char why[256];
    refusal = ENOMEM;
    trip_record(fixture->breaker, TRIP_OK, 0);
    if (!WAIT_FOR(trip_client_why(fixture->client, why, sizeof(why)) > 0 && strstr(why, "cannot make a lane")))
        return 1;
    return trip_allow(fixture->breaker) == TRIP_ALLOW ? 0 : 2;
}

static void test_a_process_that_gets_no_lane_at_all_says_why(void **state)
{
    assert_int_equal(in_child(lane_refused, *state), 0);
}

static void test_an_old_kernel_is_asked_by_fallocate(void **state)
{
    struct fixture *const fixture = *state;
    struct crowd crowd = {.fixture = fixture, .breakers = {fixture->breaker}, .count = 1};
    old_kernel = true;
    run_threads(&crowd, 2);
    assert_true(fallocated > 0);
    assert_int_equal(lane_of(fixture)->sections_used, 3);
    assert_int_equal(counted_in(fixture, LANE_SECTIONS), 2);
    assert_true(lseek(fixture->client->lane->memfd.fd, LANE_RINGS_OFFSET, SEEK_HOLE) >= (off_t)lane_rings_offset(3));
}

static bool follows_another_commons(struct fixture *fixture)
{
    const struct commons_view *const before = fixture->client->view->commons;
    fake_lose_commons(&fixture->fake);
    return WAIT_FOR(trip_client_status(fixture->client) == TRIP_CLIENT_SHARED &&
                    fixture->client->view->commons != before);
}

static bool mapped(const void *memory)
{
    return msync((void *)(uintptr_t)memory, LAYOUT_PAGE, MS_ASYNC) == 0;
}

static void test_a_late_thread_finds_the_commons_of_before_though_no_memory_can_be_had_in_its_place(void **state)
{
    struct fixture *const fixture = *state;
    const struct commons_view *const first = fixture->client->view->commons;
    committed = true;
    assert_true(follows_another_commons(fixture));
    assert_true(follows_another_commons(fixture));
    assert_true(mapped(first->memory));
    assert_false(first->retired);
    committed = false;
    assert_true(follows_another_commons(fixture));
    assert_true(mapped(first->memory));
    assert_true(first->retired);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(256_threads_count_each_breaker_on_lines_of_their_own),
        TEST(a_lane_takes_no_more_memory_than_it_uses),
        TEST(a_thread_whose_section_gets_no_memory_shares_another),
        TEST(an_outcome_that_finds_no_memory_is_lost_and_said_to_be),
        TEST(a_call_whose_latency_gets_no_memory_counts_without_it),
        TEST(a_latency_in_a_room_that_has_memory_is_counted_when_there_is_no_more),
        TEST(a_lane_without_rooms_left_counts_all_but_latencies),
        TEST(threads_that_come_one_after_the_other_count_in_the_same_room),
        TEST(threads_that_share_a_section_share_its_rooms_and_lose_no_latency),
        TEST(a_call_whose_table_gets_no_memory_goes_unwatched),
        TEST(a_process_that_gets_no_lane_at_all_says_why),
        TEST(an_old_kernel_is_asked_by_fallocate),
        TEST(a_late_thread_finds_the_commons_of_before_though_no_memory_can_be_had_in_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
