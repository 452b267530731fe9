/* Threads of libtrip's and tripd's core at once, in one process and on one mapping (one_mapping.c), so that
 * ThreadSanitizer sees who orders what. Two clients of one process, so two lanes: the threads of one have sections of
 * their own, those of the other share section 0. Meanwhile a breaker opens, half-opens and closes all the time.
 *
 * ThreadSanitizer does not follow fences; nothing here needs them, for all data is ordered by the words themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "breakers/breakers.h"
#include "fake_daemon.h"
#include "one_mapping.h"
#include "trip.h"

#define CLIENTS    2
#define THREADS    4 /* in turn of each client */
#define HOLDERS    (LANE_SECTIONS - 1)
#define PERMITS    2
#define CYCLES     40 /* openings of the wild breaker that a storm takes at least */
#define DRAINS     200
#define PATIENCE_S 120

enum { CALM, WILD, BREAKERS };
static const char *const names[BREAKERS] = {"calm", "wild"};

/* Breaker calm never moves, and its calls in flight are watched; wild moves all the time. */
static const char text[] = "breakers:\n"
                           "  - {match: calm, trip: {consecutive_failures: 0, failure_rate: 0%, stall_after: 1h}}\n"
                           "  - {match: wild, open: {for: 5ms, multiplier: 1.0, max: 5ms, jitter: 0%},\n"
                           "     half_open: {permits: 2, successes: 4, max_wait: 60s}}\n";

/* A thread's notes about a breaker; its own until it is joined. */
struct noted {
    uint64_t outcomes[TRIP_OUTCOME_COUNT], denied, probes;
};

struct thread_of {
    pthread_t thread;
    trip_breaker *breakers[BREAKERS];
    struct noted noted[BREAKERS];
    uint64_t steps;    /* others look at it while it runs */
    uint64_t overlaps; /* calls during which another thread got on */
};

static struct {
    struct fake_daemon fake;
    struct config *config;
    struct lanes *lanes;
    struct breakers *core;
    struct lane *lane[CLIENTS];
    trip_client *clients[CLIENTS];
    struct thread_of threads[THREADS];
    uint32_t slots[BREAKERS];
    pthread_t holders[HOLDERS];
    pthread_mutex_t gate;
    unsigned held;
    bool stop;
    uint32_t probing, probing_most; /* probes that run */
    uint64_t drains, overlaps;      /* of tripd; during how many of them clients got on */
    uint64_t wrong_sums;            /* drains after which the sums did not add up */
    uint64_t opens;                 /* as tripd has counted */
} all;

/* Relaxed wherever the test itself shares something: it must add no order to libtrip's and tripd's accesses. */
static uint64_t look_at(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void set(uint64_t *counter, uint64_t value)
{
    __atomic_store_n(counter, value, __ATOMIC_RELAXED);
}

static bool stopped(void)
{
    return __atomic_load_n(&all.stop, __ATOMIC_RELAXED);
}

static uint64_t steps_of_others(const struct thread_of *self)
{
    uint64_t steps = 0;
    for (unsigned i = 0; i < THREADS; i++)
        steps += &all.threads[i] == self ? 0 : look_at(&all.threads[i].steps);
    return steps;
}

/* --------------------------------------------------------------------------------------------------------- clients */

/* Draws an outcome: mostly good; failures come in bursts, and now and then every other outcome. */
static trip_outcome outcome_of(uint64_t step)
{
    if (step % 31 == 0)
        return TRIP_IGNORED;
    if (step % 37 == 0)
        return TRIP_CANCELLED;
    if (step % 64 < 8)
        return step % 2 ? TRIP_FAILURE : TRIP_TIMEOUT;
    return TRIP_OK;
}

static void end_with(trip_call *call, trip_outcome outcome, uint64_t step)
{
    static const trip_error errors[] = {
        {.type = TRIP_ERROR_NETWORK, .message = "connection refused, as it often is", .session = "refused"},
        {.type = TRIP_ERROR_PROTOCOL, .message = "no answer that anybody understands", .session = "garbled"},
    };
    if (outcome == TRIP_FAILURE)
        trip_end_error(call, &errors[step / 2 % 2]);
    else
        trip_end(call, outcome);
}

static void probe_began(void)
{
    const uint32_t running = __atomic_add_fetch(&all.probing, 1, __ATOMIC_RELAXED);
    uint32_t most = __atomic_load_n(&all.probing_most, __ATOMIC_RELAXED);
    while (running > most &&
           !__atomic_compare_exchange_n(&all.probing_most, &most, running, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

static void call_once(struct thread_of *self, unsigned which, uint64_t step)
{
    struct noted *const noted = &self->noted[which];
    const trip_outcome outcome = outcome_of(step);
    trip_call call;
    const trip_verdict verdict = trip_begin(self->breakers[which], &call);
    if (!trip_admitted(verdict)) {
        noted->denied++;
        return;
    }
    noted->outcomes[outcome]++;
    if (verdict != TRIP_PROBE) {
        end_with(&call, outcome, step);
        return;
    }
    probe_began();
    noted->probes++;
    sched_yield(); /* where others may try too */
    __atomic_sub_fetch(&all.probing, 1, __ATOMIC_RELAXED);
    end_with(&call, outcome, step);
}

static void record_once(struct thread_of *self, unsigned which, uint64_t step)
{
    const trip_outcome outcome = outcome_of(step);
    self->noted[which].outcomes[outcome]++;
    trip_record(self->breakers[which], outcome, step % 3 ? 0 : 1000);
}

static void *report(void *context)
{
    struct thread_of *const self = context;
    for (uint64_t step = 0; !stopped(); step++) {
        const uint64_t before = steps_of_others(self);
        call_once(self, CALM, step);
        record_once(self, CALM, step);
        call_once(self, WILD, step);
        if (step % 16 == 0)
            trip_allow(self->breakers[WILD]);
        set(&self->overlaps, look_at(&self->overlaps) + (steps_of_others(self) != before));
        set(&self->steps, step + 1);
    }
    return NULL;
}

/* ----------------------------------------------------------------------------------------------------------- tripd */

static const struct core_head *head_of(unsigned which)
{
    return &segment_core(all.fake.segment, all.slots[which])->head;
}

static bool sums_wrong(unsigned which)
{
    const struct core_head *const head = head_of(which);
    const struct breaker_totals *const totals = &head->totals;
    return totals->calls != totals->ok + totals->failures || totals->timeouts > totals->failures ||
           totals->slow > totals->calls || head->window_failures > head->window_calls;
}

/* The client hung up and is back at once: its lane is looked at again while its threads use it. */
static void take_up_again(struct lane *lane)
{
    struct lane *again;
    const char *why;
    lane_hung_up(lane);
    const int fd = dup(lane_fd(lane));
    const struct lane_offer offer = {.fd = fd, .uid = getuid(), .pid = getpid(), .lane_id = lane_identity(lane)};
    if (fd >= 0 && lanes_attach(all.lanes, &offer, &again, &why) < 0)
        close(fd);
}

static void drain_once(uint64_t drain)
{
    if (drain % 16 == 0) {
        segment_heartbeat(all.fake.segment);
        take_up_again(all.lane[drain / 16 % CLIENTS]);
        breakers_drain_all(all.core);
    }
    breakers_rung(all.core);
    if (breakers_due(all.core) <= clock_now_ns(&all.fake.clock))
        breakers_tick(all.core);
}

static void *drain_all_the_time(void *context)
{
    (void)context;
    for (uint64_t drain = 1; !stopped(); drain++) {
        const uint64_t before = steps_of_others(NULL);
        drain_once(drain);
        set(&all.overlaps, look_at(&all.overlaps) + (steps_of_others(NULL) != before));
        set(&all.wrong_sums, look_at(&all.wrong_sums) + sums_wrong(CALM) + sums_wrong(WILD));
        set(&all.opens, head_of(WILD)->totals.opens);
        set(&all.drains, drain);
    }
    return NULL;
}

/* --------------------------------------------------------------------------------------------------------- a storm */

static void make_core(void)
{
    char *problems;
    all.config = NULL;
    assert_int_equal(config_parse(text, strlen(text), "test", &all.config, &problems), 0);
    const struct lanes_options lanes = {.max_lanes = FAKE_CONNECTIONS - 1,
                                        .segment_id = all.fake.segment->header->segment_id,
                                        .memory_per_user = UINT64_C(1) << 30,
                                        .clock = &all.fake.clock};
    assert_int_equal(lanes_new(&lanes, &all.lanes), 0);
    const struct breakers_options options = {.segment = all.fake.segment,
                                             .commons = all.fake.commons,
                                             .lanes = all.lanes,
                                             .clock = &all.fake.clock,
                                             .config = all.config,
                                             .seed = 42};
    assert_int_equal(breakers_new(&options, &all.core), 0);
    for (unsigned i = 0; i < BREAKERS; i++)
        assert_int_equal(breakers_resolve(all.core, 0, names[i], &all.slots[i]), 0);
}

/* A client is known by its socket: the second one finds the same under another name. */
static void open_client(unsigned number, const char *instance)
{
    const char *why;
    char path[128];
    snprintf(path, sizeof(path), "%s/%s.sock", all.fake.dir, instance);
    if (number > 0)
        assert_int_equal(symlink(all.fake.socket, path), 0);
    assert_int_equal(trip_open(&all.clients[number], instance), 0);
    assert_int_equal(trip_client_status(all.clients[number]), TRIP_CLIENT_SHARED);
    const struct fake_lane *const taken = &all.fake.lanes[number + 1];
    const struct lane_offer offer = {.fd = dup(taken->fd), .uid = getuid(), .pid = getpid(), .lane_id = taken->lane_id};
    assert_int_equal(lanes_attach(all.lanes, &offer, &all.lane[number], &why), 0);
    assert_int_equal(lane_number(all.lane[number]), number + 1);
    assert_ptr_equal(lane_memory(all.lane[number]), taken->memory);
    assert_int_equal(one_mapping_users(taken->memory), 3); /* the client, the one who took it, and tripd's core */
    breakers_lane_came(all.core, all.lane[number]);
}

/* Takes a section, and keeps it while `gate` is locked. */
static void *hold_a_section(void *context)
{
    trip_record(context, TRIP_IGNORED, 0);
    __atomic_add_fetch(&all.held, 1, __ATOMIC_RELAXED);
    pthread_mutex_lock(&all.gate);
    pthread_mutex_unlock(&all.gate);
    return NULL;
}

/* Holds all sections, so that none is left for the second client's other threads. */
static void hold_all_sections(trip_breaker *breaker)
{
    const struct timespec nap = {.tv_nsec = 1000000};
    pthread_mutex_init(&all.gate, NULL);
    pthread_mutex_lock(&all.gate);
    for (unsigned i = 0; i < HOLDERS; i++)
        assert_int_equal(pthread_create(&all.holders[i], NULL, hold_a_section, breaker), 0);
    while (__atomic_load_n(&all.held, __ATOMIC_RELAXED) < HOLDERS)
        nanosleep(&nap, NULL);
}

static void release_sections(void)
{
    pthread_mutex_unlock(&all.gate);
    for (unsigned i = 0; i < HOLDERS; i++)
        pthread_join(all.holders[i], NULL);
    pthread_mutex_destroy(&all.gate);
}

static void start_threads(pthread_t *core)
{
    breakers_drain_all(all.core);
    for (unsigned i = 0; i < THREADS; i++)
        for (unsigned which = 0; which < BREAKERS; which++)
            assert_int_equal(trip_breaker_get(all.clients[i % CLIENTS], names[which], &all.threads[i].breakers[which]),
                             0);
    hold_all_sections(all.threads[1].breakers[CALM]);
    assert_int_equal(pthread_create(core, NULL, drain_all_the_time, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&all.threads[i].thread, NULL, report, &all.threads[i]), 0);
}

static bool lasted(void)
{
    uint64_t least = look_at(&all.overlaps);
    for (unsigned i = 0; i < THREADS; i++)
        least = look_at(&all.threads[i].overlaps) < least ? look_at(&all.threads[i].overlaps) : least;
    return look_at(&all.opens) >= CYCLES && look_at(&all.drains) >= DRAINS && least > 0;
}

static void wait_until_it_lasted(void)
{
    const uint64_t until = monotonic_ns() + PATIENCE_S * UINT64_C(1000000000);
    const struct timespec nap = {.tv_nsec = 5000000};
    while (!lasted() && monotonic_ns() < until)
        nanosleep(&nap, NULL);
}

static int storm(void **state)
{
    pthread_t core;
    (void)state;
    fake_start(&all.fake, false);
    make_core();
    open_client(0, "test");
    open_client(1, "again");
    start_threads(&core);
    wait_until_it_lasted();
    __atomic_store_n(&all.stop, true, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(all.threads[i].thread, NULL);
    pthread_join(core, NULL);
    release_sections();
    breakers_drain_all(all.core);
    return 0;
}

static int calm_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++)
        trip_close(all.clients[i]);
    breakers_free(all.core);
    lanes_free(all.lanes);
    config_free(all.config);
    fake_stop(&all.fake);
    return 0;
}

/* ----------------------------------------------------------------------------------------------------------- tests */

static struct noted noted_of(unsigned which)
{
    struct noted sum = {0};
    for (unsigned i = 0; i < THREADS; i++) {
        const struct noted *const noted = &all.threads[i].noted[which];
        for (unsigned outcome = 0; outcome < TRIP_OUTCOME_COUNT; outcome++)
            sum.outcomes[outcome] += noted->outcomes[outcome];
        sum.denied += noted->denied;
        sum.probes += noted->probes;
    }
    return sum;
}

static void test_clients_and_core_really_overlapped(void **state)
{
    (void)state;
    assert_true(all.drains >= DRAINS);
    assert_true(all.overlaps > 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_true(all.threads[i].overlaps > 0);
}

static void test_each_call_of_a_calm_breaker_is_counted_once(void **state)
{
    (void)state;
    const struct breaker_totals *const totals = &head_of(CALM)->totals;
    const struct noted noted = noted_of(CALM);
    assert_int_equal(totals->ok, noted.outcomes[TRIP_OK]);
    assert_int_equal(totals->failures, noted.outcomes[TRIP_FAILURE] + noted.outcomes[TRIP_TIMEOUT]);
    assert_int_equal(totals->timeouts, noted.outcomes[TRIP_TIMEOUT]);
    assert_int_equal(totals->ignored, noted.outcomes[TRIP_IGNORED] + HOLDERS);
    assert_int_equal(totals->cancelled, noted.outcomes[TRIP_CANCELLED]);
    assert_int_equal(totals->late, 0);
    assert_int_equal(denied_by_breaker(totals->denied), 0);
    assert_int_equal(head_of(CALM)->in_flight, 0);
}

static void test_each_call_of_a_moving_breaker_is_counted_once(void **state)
{
    (void)state;
    const struct breaker_totals *const totals = &head_of(WILD)->totals;
    const struct noted noted = noted_of(WILD);
    uint64_t ended = 0;
    for (unsigned outcome = 0; outcome < TRIP_OUTCOME_COUNT; outcome++)
        ended += noted.outcomes[outcome];
    assert_int_equal(totals->calls + totals->ignored + totals->cancelled + totals->late, ended);
    assert_int_equal(denied_by_breaker(totals->denied), noted.denied);
    assert_int_equal(head_of(WILD)->in_flight, 0);
}

static void test_sums_added_up_after_every_drain(void **state)
{
    (void)state;
    assert_int_equal(all.wrong_sums, 0);
}

static void test_no_more_probes_ran_than_there_are_permits(void **state)
{
    (void)state;
    assert_true(head_of(WILD)->totals.opens >= CYCLES);
    assert_true(noted_of(WILD).probes > 0);
    assert_in_range(all.probing_most, 1, PERMITS);
}

static void check_record(const struct lane_error *record)
{
    if (record->stamp == 0)
        return;
    assert_int_not_equal(record->stamp, LANE_ERROR_WRITING);
    if (record->message[0] == 'c')
        assert_string_equal(record->session, "refused");
    else
        assert_string_equal(record->session, "garbled");
}

static void test_no_record_of_an_error_is_of_two(void **state)
{
    (void)state;
    for (unsigned lane = 0; lane < CLIENTS; lane++)
        for (uint32_t section = 0; section < LANE_SECTIONS; section++)
            for (uint32_t place = 0; place < LANE_ERRORS; place++)
                check_record(lane_error_at(lane_memory(all.lane[lane]), section, place));
    assert_int_not_equal(lane_section_at(lane_memory(all.lane[1]), 0)->errors, 0); /* some were written by two */
}

static void tick_until(enum word_state wanted)
{
    const uint64_t until = monotonic_ns() + UINT64_C(5000000000);
    while (word_state(fake_word(&all.fake, all.slots[WILD])) != wanted && monotonic_ns() < until) {
        breakers_drain_all(all.core);
        if (breakers_due(all.core) <= clock_now_ns(&all.fake.clock))
            breakers_tick(all.core);
    }
    assert_int_equal(word_state(fake_word(&all.fake, all.slots[WILD])), wanted);
}

static void test_no_permit_was_lost(void **state)
{
    static const struct breakers_actor operator= {.by = BY_OPERATOR};
    trip_call calls[PERMITS + 1];
    trip_breaker *const wild = all.threads[0].breakers[WILD];
    (void)state;
    segment_heartbeat(all.fake.segment);
    assert_int_equal(breakers_trip(all.core, all.slots[WILD], 1, &operator), 0);
    tick_until(WORD_HALF_OPEN);
    for (unsigned round = 0; round < 2; round++) { /* of two good probes each */
        for (unsigned i = 0; i < PERMITS; i++)
            assert_int_equal(trip_begin(wild, &calls[i]), TRIP_PROBE);
        assert_int_equal(trip_begin(wild, &calls[PERMITS]), TRIP_DENY_HALF_OPEN);
        for (unsigned i = 0; i < PERMITS; i++)
            trip_end(&calls[i], TRIP_OK);
        breakers_drain_all(all.core);
    }
    tick_until(WORD_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients_and_core_really_overlapped),
        cmocka_unit_test(test_each_call_of_a_calm_breaker_is_counted_once),
        cmocka_unit_test(test_each_call_of_a_moving_breaker_is_counted_once),
        cmocka_unit_test(test_no_record_of_an_error_is_of_two),
        cmocka_unit_test(test_sums_added_up_after_every_drain),
        cmocka_unit_test(test_no_more_probes_ran_than_there_are_permits),
        cmocka_unit_test(test_no_permit_was_lost),
    };
    return cmocka_run_group_tests(tests, storm, calm_down);
}
