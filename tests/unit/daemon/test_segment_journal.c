/* The transaction that changes an image and the marks in lanes together. A child runs it one instruction at a time;
 * after each the parent takes what a kill there would have left, recovers from it, and looks whether every call was
 * counted once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "../../support/child.h"
#include "../../support/segment_dir.h"
#include "internal/words.h"

#define BREAKERS 2
#define METERS   3
#define USER     1000
#define LANE_ID  0x1122334455667788

/* The part of a lane that a transaction touches. */
struct lane_memory {
    uint64_t reported[BREAKERS][METERS];
    struct meter_marks marks[BREAKERS][METERS];
    bool away;
};

struct fixture {
    struct segment_dir dir, other_dir;
    struct segment *segment, *scratch; /* scratch: what a kill left, and its recovery */
    struct lane_memory *lane, *scratch_lane;
    struct breaker_settings settings;
};

/* Meter m of slot s has the number s * METERS + m. */
static bool store_mark(void *context, const struct journal_mark *mark)
{
    struct lane_memory *lane = context;
    if (lane->away)
        return false;
    words_store(&lane->marks[mark->place / METERS][mark->place % METERS], &mark->marks, sizeof(mark->marks));
    return true;
}

static int set_up(void **state)
{
    static struct fixture fixture;
    const size_t size = 2 * sizeof(struct lane_memory);
    segment_dir_make(&fixture.other_dir);
    fixture.scratch = segment_dir_create(&fixture.other_dir, BREAKERS, 4);
    segment_dir_make(&fixture.dir);
    fixture.segment = segment_dir_create(&fixture.dir, BREAKERS, 4);
    fixture.lane = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (fixture.lane == MAP_FAILED)
        return -1;
    fixture.scratch_lane = fixture.lane + 1;
    segment_store_marks_by(fixture.segment, store_mark, fixture.lane);
    segment_store_marks_by(fixture.scratch, store_mark, fixture.scratch_lane);
    breaker_settings_defaults(&fixture.settings);
    for (uint32_t slot = 0; slot < BREAKERS; slot++) {
        core_init(segment_begin(fixture.segment, slot), &fixture.settings, 0);
        segment_commit(fixture.segment);
    }
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    munmap(fixture->lane, 2 * sizeof(struct lane_memory));
    segment_unmap(fixture->segment);
    segment_unmap(fixture->scratch);
    segment_dir_remove(&fixture->dir);
    segment_dir_remove(&fixture->other_dir);
    return 0;
}

/* --------------------------------------------------------------------------------------------- what is stepped */

static bool mark_meter(struct segment *segment, uint64_t lane_id, uint32_t meter, const struct meter_marks *marks)
{
    return segment_mark(
        segment,
        &(struct journal_mark){
            .kind = JOURNAL_METER, .lane_id = lane_id, .lane = 1, .place = meter, .uid = USER, .marks = *marks});
}

/* Makes one transaction of what a breaker's meters report beyond their marks. */
static void drain(struct segment *segment, struct lane_memory *lane, uint32_t slot)
{
    struct core_state *core = segment_begin(segment, slot);
    for (uint32_t meter = 0; meter < METERS; meter++) {
        struct meter_marks marks = lane->marks[slot][meter];
        const uint64_t calls = lane->reported[slot][meter] - marks.total_ok;
        core->head.totals.calls += calls;
        core->head.totals.ok += calls;
        core_calls(core, 1000, calls, CALL_OK);
        marks.total_ok += calls;
        marks.ok = marks.denied[0] = marks.total_ok; /* first and last of a mark: a torn one shows */
        mark_meter(segment, LANE_ID, slot * METERS + meter, &marks);
    }
    segment_commit(segment);
}

static void report(struct lane_memory *lane, uint64_t calls)
{
    for (uint32_t slot = 0; slot < BREAKERS; slot++)
        for (uint32_t meter = 0; meter < METERS; meter++)
            lane->reported[slot][meter] += calls + meter;
}

static void drain_both_twice(struct fixture *fixture)
{
    for (unsigned round = 0; round < 2; round++) {
        report(fixture->lane, 10);
        for (uint32_t slot = 0; slot < BREAKERS; slot++)
            drain(fixture->segment, fixture->lane, slot);
    }
}

static void drain_one(struct fixture *fixture)
{
    drain(fixture->segment, fixture->lane, 0);
}

static void recover(struct fixture *fixture)
{
    segment_recover(fixture->segment);
}

static void store_pending(struct fixture *fixture)
{
    segment_pending_store(fixture->segment, USER, LANE_ID);
}

/* -------------------------------------------------------------------------------------------- what is compared */

/* A copy of what a worker that is killed now would leave: the parts of the segment that a transaction of 3 marks, with
 * 6 pending ones, can touch. */
struct remains {
    struct core_slot cores[BREAKERS];
    uint64_t state, commits, mark_count;
    struct journal_mark marks[METERS], pending[BREAKERS * METERS];
    struct lane_memory lane;
};

static void take_remains(const struct fixture *fixture, struct remains *remains)
{
    const struct segment *from = fixture->segment;
    memcpy(remains->cores, from->cores, sizeof(remains->cores));
    remains->state = from->journal->state;
    remains->commits = from->journal->commits;
    remains->mark_count = from->journal->mark_count;
    memcpy(remains->marks, from->journal->marks, sizeof(remains->marks));
    memcpy(remains->pending, from->pending, sizeof(remains->pending));
    remains->lane = *fixture->lane;
}

static void put_remains(struct fixture *fixture, const struct remains *remains)
{
    const struct segment *to = fixture->scratch;
    memcpy(to->cores, remains->cores, sizeof(remains->cores));
    to->journal->state = remains->state;
    to->journal->commits = remains->commits;
    to->journal->mark_count = remains->mark_count;
    memcpy(to->journal->marks, remains->marks, sizeof(remains->marks));
    memcpy(to->pending, remains->pending, sizeof(remains->pending));
    *fixture->scratch_lane = remains->lane;
}

static uint64_t counted(const struct segment *segment, uint32_t slot)
{
    return segment_core(segment, slot)->head.totals.calls;
}

static uint64_t marked(const struct lane_memory *lane, uint32_t slot)
{
    uint64_t sum = 0;
    for (uint32_t meter = 0; meter < METERS; meter++)
        sum += lane->marks[slot][meter].total_ok;
    return sum;
}

static bool torn(const struct lane_memory *lane, uint32_t slot)
{
    for (uint32_t meter = 0; meter < METERS; meter++) {
        const struct meter_marks *marks = &lane->marks[slot][meter];
        if (marks->ok != marks->total_ok || marks->denied[0] != marks->total_ok)
            return true;
    }
    return false;
}

static uint64_t reported(const struct lane_memory *lane, uint32_t slot)
{
    uint64_t sum = 0;
    for (uint32_t meter = 0; meter < METERS; meter++)
        sum += lane->reported[slot][meter];
    return sum;
}

/* Plays the next worker: adopts, gets the lane back, drains. Returns 0, or the number of what is wrong. */
static int check_recovery(struct fixture *fixture, const struct remains *remains)
{
    struct segment *segment = fixture->scratch;
    struct lane_memory *lane = fixture->scratch_lane;
    put_remains(fixture, remains);
    segment_recover(segment);
    if (segment->journal->state != 0)
        return 1;
    lane->away = false;
    segment_pending_store(segment, USER, LANE_ID);
    for (uint32_t slot = 0; slot < BREAKERS; slot++)
        if (counted(segment, slot) != marked(lane, slot) || torn(lane, slot))
            return 2;
    for (uint32_t slot = 0; slot < BREAKERS; slot++) {
        drain(segment, lane, slot);
        const struct core_head *head = &segment_core(segment, slot)->head;
        if (head->totals.calls != reported(lane, slot) || head->totals.ok != reported(lane, slot))
            return 3;
        if (marked(lane, slot) != reported(lane, slot))
            return 4;
        if (head->window_calls != (reported(lane, slot) < 100 ? reported(lane, slot) : 100))
            return 5;
    }
    return 0;
}

/* ---------------------------------------------------------------------------------------------------- stepping */

struct stepped {
    bool allowed;
    unsigned steps;
    unsigned remains;   /* different ones that these steps left */
    unsigned committed; /* steps that found a committed transaction */
    int wrong;          /* of the first step whose recovery was wrong */
    unsigned wrong_step;
};

static pid_t start_traced(struct fixture *fixture, void (*run)(struct fixture *))
{
    const pid_t child = child_fork();
    if (child != 0)
        return child;
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(77);
    raise(SIGSTOP);
    run(fixture);
    raise(SIGSTOP);
    _exit(0);
}

/* Runs to the end, or to the first step for which `until` says so, where the child is killed. */
static struct stepped step(struct fixture *fixture, void (*run)(struct fixture *), bool (*until)(struct fixture *))
{
    struct stepped stepped = {0};
    struct remains last = {0}, now = {0};
    int status;
    const pid_t child = start_traced(fixture, run);
    if (child < 0)
        return stepped;
    waitpid(child, &status, 0);
    stepped.allowed = WIFSTOPPED(status);
    while (WIFSTOPPED(status)) {
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) < 0 || waitpid(child, &status, 0) != child ||
            !WIFSTOPPED(status) || WSTOPSIG(status) == SIGSTOP)
            break;
        stepped.steps++;
        stepped.committed += fixture->segment->journal->state != 0;
        take_remains(fixture, &now);
        const bool changed = memcmp(&now, &last, sizeof(now)) != 0;
        const int wrong = changed ? check_recovery(fixture, &now) : 0;
        stepped.remains += changed;
        last = now;
        if (wrong && !stepped.wrong) {
            stepped.wrong = wrong;
            stepped.wrong_step = stepped.steps;
        }
        if (until && until(fixture))
            break;
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return stepped;
}

static void assert_all_right(struct stepped stepped)
{
    if (!stepped.allowed) {
        print_message("ptrace is not allowed here\n");
        skip();
    }
    print_message("%u steps, %u of them between commit and end, left %u different states\n", stepped.steps,
                  stepped.committed, stepped.remains);
    if (stepped.wrong)
        fail_msg("killed at instruction %u: check %d failed", stepped.wrong_step, stepped.wrong);
    assert_true(stepped.remains > 5);
}

static bool committed(struct fixture *fixture)
{
    return fixture->segment->journal->state != 0;
}

static void test_a_kill_at_any_instruction_loses_and_doubles_nothing(void **state)
{
    struct fixture *fixture = *state;
    const struct stepped stepped = step(fixture, drain_both_twice, NULL);
    assert_all_right(stepped);
    assert_true(stepped.committed > 10);
    assert_true(stepped.committed < stepped.steps);
    assert_int_equal(counted(fixture->segment, 0), 66);
    assert_int_equal(counted(fixture->segment, 1), 66);
    assert_int_equal(marked(fixture->lane, 1), 66);
}

static void test_a_kill_while_the_lane_is_away_loses_and_doubles_nothing(void **state)
{
    struct fixture *fixture = *state;
    fixture->lane->away = true;
    report(fixture->lane, 10);
    const struct stepped stepped = step(fixture, drain_one, NULL);
    assert_all_right(stepped);
    assert_int_equal(counted(fixture->segment, 0), 33);
    assert_int_equal(marked(fixture->lane, 0), 0);
    assert_int_equal(fixture->segment->pending[2].lane_id, LANE_ID);
    assert_int_equal(fixture->segment->pending[2].marks.total_ok, 12);
    assert_int_equal(fixture->segment->pending[3].lane_id, 0);
}

static void test_a_kill_at_any_instruction_of_the_recovery_is_recovered_too(void **state)
{
    struct fixture *fixture = *state;
    report(fixture->lane, 10);
    const struct stepped drained = step(fixture, drain_one, committed);
    assert_all_right(drained);
    assert_int_equal(drained.committed, 1);
    assert_int_equal(counted(fixture->segment, 0), 0);
    const struct stepped recovered = step(fixture, recover, NULL);
    assert_all_right(recovered);
    assert_int_equal(counted(fixture->segment, 0), 33);
    assert_int_equal(marked(fixture->lane, 0), 33);
}

static void test_a_kill_while_pending_marks_go_back_to_their_lane_is_recovered(void **state)
{
    struct fixture *fixture = *state;
    fixture->lane->away = true;
    report(fixture->lane, 10);
    drain_one(fixture);
    fixture->lane->away = false;
    assert_all_right(step(fixture, store_pending, NULL));
    assert_int_equal(marked(fixture->lane, 0), 33);
    assert_int_equal(fixture->segment->pending[0].lane_id, 0);
}

/* ------------------------------------------------------------------------------------------ without being killed */

static void test_images_take_turns_and_readers_keep_theirs(void **state)
{
    struct segment *segment = ((struct fixture *)*state)->segment;
    const struct core_slot *slot = segment->cores;
    const struct core_state *before = segment_core(segment, 0);
    const uint64_t commits = slot->commits;
    struct core_state *draft = segment_begin(segment, 0);
    assert_ptr_not_equal(draft, before);
    draft->head.totals.calls = 5;
    assert_int_equal(segment_core(segment, 0)->head.totals.calls, 0);
    segment_commit(segment);
    assert_ptr_equal(segment_core(segment, 0), draft);
    assert_int_equal(slot->commits, commits + 1);
    assert_int_equal(before->head.totals.calls, 0);
}

static void test_a_transaction_that_is_not_committed_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    const struct meter_marks marks = {.total_ok = 9};
    segment_begin(fixture->segment, 0)->head.totals.calls = 9;
    assert_true(mark_meter(fixture->segment, LANE_ID, 0, &marks));
    segment_recover(fixture->segment);
    segment_commit(fixture->segment);
    assert_int_equal(counted(fixture->segment, 0), 0);
    assert_int_equal(marked(fixture->lane, 0), 0);
    segment_begin(fixture->segment, 0);
    segment_commit(fixture->segment);
    assert_int_equal(counted(fixture->segment, 0), 0);
    assert_int_equal(marked(fixture->lane, 0), 0);
}

static void test_the_257th_mark_asks_for_another_transaction(void **state)
{
    struct fixture *fixture = *state;
    const struct meter_marks marks = {0};
    segment_begin(fixture->segment, 0);
    for (uint32_t i = 0; i < 256; i++)
        assert_true(mark_meter(fixture->segment, LANE_ID, i % METERS, &marks));
    assert_false(mark_meter(fixture->segment, LANE_ID, 0, &marks));
    segment_commit(fixture->segment);
    segment_begin(fixture->segment, 0);
    assert_true(mark_meter(fixture->segment, LANE_ID, 0, &marks));
}

static void test_a_newer_pending_mark_takes_the_place_of_the_older(void **state)
{
    struct fixture *fixture = *state;
    fixture->lane->away = true;
    for (uint64_t total = 5; total <= 9; total += 4) {
        const struct meter_marks marks = {.total_ok = total};
        segment_begin(fixture->segment, 0);
        mark_meter(fixture->segment, LANE_ID, 2, &marks);
        segment_commit(fixture->segment);
    }
    assert_int_equal(fixture->segment->pending[0].marks.total_ok, 9);
    assert_int_equal(fixture->segment->pending[1].lane_id, 0);
    segment_pending_store(fixture->segment, USER, LANE_ID + 1);
    assert_int_equal(fixture->segment->pending[0].lane_id, LANE_ID);
}

static void test_a_full_pending_table_takes_one_more_and_keeps_the_others(void **state)
{
    struct fixture *fixture = *state;
    struct segment *segment = fixture->segment;
    const struct meter_marks marks = {.total_ok = 1};
    unsigned strangers = 0;
    fixture->lane->away = true;
    for (unsigned i = 0; i < PENDING_MARKS; i++)
        segment->pending[i].lane_id = i + 1;
    segment_begin(segment, 0);
    mark_meter(segment, LANE_ID, 2, &marks);
    segment_commit(segment);
    for (unsigned i = 0; i < PENDING_MARKS; i++)
        strangers += segment->pending[i].lane_id == i + 1;
    assert_int_equal(strangers, 1023);
    fixture->lane->away = false;
    segment_pending_store(segment, USER, LANE_ID);
    assert_int_equal(fixture->lane->marks[0][2].total_ok, 1);
}

/* Lanes that died together with tripd never come back for theirs. */
static void test_of_a_full_pending_table_the_oldest_give_way(void **state)
{
    struct fixture *fixture = *state;
    struct segment *segment = fixture->segment;
    fixture->lane->away = true;
    for (unsigned i = 0; i < PENDING_MARKS; i++)
        segment->pending[i].lane_id = i + 1;
    for (uint64_t lane_id = LANE_ID; lane_id <= LANE_ID + 1; lane_id++) {
        segment_begin(segment, 0);
        for (uint32_t meter = 0; meter < METERS; meter++)
            mark_meter(segment, lane_id, meter, &(struct meter_marks){.total_ok = 7});
        segment_commit(segment);
    }
    assert_int_equal(segment->pending[2].lane_id, LANE_ID);
    assert_int_equal(segment->pending[5].lane_id, LANE_ID + 1);
    assert_int_equal(segment->pending[6].lane_id, 7);
    fixture->lane->away = false;
    segment_pending_store(segment, USER, LANE_ID);
    for (uint32_t meter = 0; meter < METERS; meter++)
        assert_int_equal(fixture->lane->marks[0][meter].total_ok, 7);
}

static void test_a_journal_that_no_tripd_wrote_is_dropped(void **state)
{
    struct fixture *fixture = *state;
    const struct journal forgeries[] = {
        {.state = 3, .commits = 2},
        {.state = UINT64_MAX, .commits = 2},
        {.state = 1, .commits = 2, .mark_count = 257},
        {.state = 1, .commits = 2, .mark_count = UINT64_MAX},
        {.state = 1, .commits = 9},
        {.state = 1, .commits = 0},
    };
    for (unsigned i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
        struct journal *journal = fixture->segment->journal;
        *journal = forgeries[i];
        segment_recover(fixture->segment);
        assert_int_equal(journal->state, 0);
        assert_int_equal(fixture->segment->cores->commits, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_kill_at_any_instruction_loses_and_doubles_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_kill_while_the_lane_is_away_loses_and_doubles_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_kill_at_any_instruction_of_the_recovery_is_recovered_too, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_kill_while_pending_marks_go_back_to_their_lane_is_recovered, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_images_take_turns_and_readers_keep_theirs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_transaction_that_is_not_committed_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_257th_mark_asks_for_another_transaction, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_newer_pending_mark_takes_the_place_of_the_older, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_of_a_full_pending_table_the_oldest_give_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_pending_table_takes_one_more_and_keeps_the_others, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_journal_that_no_tripd_wrote_is_dropped, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
