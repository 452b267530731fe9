/* How a client reads the TSC: by the base that tripd publishes, and not where it is given up or forbidden. */
#include "client_fixture.h"

#include <sys/prctl.h>
#include <sys/syscall.h>

#include "client.h"
#include "lane_writer.h"
#include "segment/segment.h"

/* Replaces libc's clock_gettime, which reads the TSC itself where it is the kernel's clock: a process that may not read
 * the TSC needs a clock of its own, too. */
int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    return (int)syscall(SYS_clock_gettime, clock, ret_time);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true /* the sanitizer's own allocator reads the clock, and so the TSC */
#else
#define SANITIZED false
#endif

#define BASE_NS UINT64_C(9000000000000000000) /* no real clock shows it */

static int setup(void **state)
{
    struct fixture *const fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    fake_start(&fixture->fake, false);
    if (trip_open(&fixture->client, NULL) < 0 || trip_breaker_get(fixture->client, "db", &fixture->breaker) < 0)
        return -1;
    fixture->slot = fake_breaker(&fixture->fake, "db");
    return WAIT_FOR(fixture_shared(fixture)) ? 0 : -1;
}

/* Makes a cycle a nanosecond from now on. */
static void trust(struct fixture *f)
{
    const struct tsc_base base = {.cycles = 0, .ns = BASE_NS, .ns_q32 = UINT64_C(1) << 32};
    segment_tsc_publish(f->fake.segment, &base);
}

static void give_up(struct fixture *f)
{
    segment_tsc_publish(f->fake.segment, &(struct tsc_base){0});
}

static uint64_t time_of_a_failure(struct fixture *f)
{
    static uint64_t told;
    struct lane_header *const lane = fake_lane(&f->fake, fake_lane_of(&f->fake, getpid()));
    trip_record(f->breaker, TRIP_FAILURE, 0);
    told = lane_section_at(lane, 1)->head;
    return lane_event_at(lane, 1, told - 1)->ticks;
}

static uint64_t calls_by_latency(struct fixture *f, uint32_t bucket)
{
    struct lane_header *const lane = fake_lane(&f->fake, fake_lane_of(&f->fake, getpid()));
    return lane_latency(lane, 0, bucket);
}

static void test_a_client_reads_the_tsc_by_what_tripd_published(void **state)
{
    struct fixture *const f = *state;
    trust(f);
#ifdef __x86_64__
    assert_true(time_of_a_failure(f) > BASE_NS);
#endif
    give_up(f);
    const uint64_t before = monotonic_ns(), told = time_of_a_failure(f);
    assert_in_range(told, before, monotonic_ns());
}

/* The kernel's clock is far behind what the TSC showed: the difference counts as none. */
static void test_a_call_in_flight_when_the_tsc_is_given_up_took_no_time(void **state)
{
    struct fixture *const f = *state;
    trip_call call;
    trust(f);
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_ALLOW);
    give_up(f);
    trip_end(&call, TRIP_OK);
#ifdef __x86_64__
    assert_int_equal(calls_by_latency(f, 0), 1);
#endif
    assert_int_equal(fixture_counts(f).total_slow, 0);
    assert_int_equal(fixture_counts(f).ok, 1);
}

static int calls_where_the_tsc_is_forbidden(void)
{
    trip_client *client;
    trip_breaker *breaker;
    trip_call call;
    if (SANITIZED || prctl(PR_SET_TSC, PR_TSC_SIGSEGV) < 0)
        return 77;
    if (trip_open(&client, NULL) < 0 || trip_breaker_get(client, "db", &breaker) < 0)
        return 1;
    if (!WAIT_FOR(trip_client_status(client) == TRIP_CLIENT_SHARED))
        return 2;
    for (unsigned i = 0; i < 100; i++)
        if (trip_begin(breaker, &call) == TRIP_ALLOW)
            trip_end(&call, i ? TRIP_OK : TRIP_FAILURE);
    trip_close(client);
    return 0;
}

static void test_a_process_that_may_not_read_the_tsc_does_not(void **state)
{
    struct fixture *const f = *state;
    int status;
    trust(f);
    const pid_t child = fork();
    if (child == 0)
        execl("/proc/self/exe", "test_client_tsc", "forbidden", NULL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status)); /* not killed by SIGSEGV */
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return calls_where_the_tsc_is_forbidden();
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_client_reads_the_tsc_by_what_tripd_published),
        TEST(test_a_call_in_flight_when_the_tsc_is_given_up_took_no_time),
        TEST(test_a_process_that_may_not_read_the_tsc_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
