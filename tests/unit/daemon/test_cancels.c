/* The timers by which calls in flight are cut short. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/timerfd.h>

#include <cmocka.h>

#include "../../support/breakers_host.h"
#include "net/cancels.h"

#define SHARE 3

static const struct breakers_actor operator_ = {.by = BY_OPERATOR};

static struct host *host;
static struct cancels *cancels;
static struct cancel *first, *second; /* two processes' timers */

/* Timers that were readable when their breaker was about to admit calls, and after it had been said. */
static unsigned readable_before, readable_after;
static int watched_fd;

static bool readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

/* An armed timer fires at the next tick of the kernel's clock. */
static bool becomes_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 60000) == 1;
}

static void stepped(void *context, uint32_t slot)
{
    (void)context;
    cancels_look(cancels, slot);
}

static void admits(void *context, uint32_t slot)
{
    (void)context;
    readable_before += readable(watched_fd);
    cancels_silence(cancels, slot);
    readable_after += readable(watched_fd);
    /* The breaker's word admits no call yet. */
    must(word_shown_state(__atomic_load_n(commons_word(host->commons, slot), __ATOMIC_ACQUIRE)) != TRIP_STATE_CLOSED ||
         breakers_keeps_state(host->breakers, slot));
}

static int start(void **state)
{
    (void)state;
    host = host_start("breakers: [{match: \"*\", trip: {cut_short: true}, open: {for: 1h, max: 1h}}]", 4);
    must(cancels_new(host->breakers, host->segment, &cancels) == 0);
    cancels_share(cancels, SHARE);
    host->stepped = stepped;
    first = second = NULL;
    readable_before = readable_after = 0;
    watched_fd = -1;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    cancels_drop(&first);
    cancels_drop(&second);
    cancels = cancels_free(cancels);
    host_stop(host);
    return 0;
}

static int add(uid_t uid, uint32_t slot, struct cancel **list)
{
    int fd = -1;
    const int error = cancels_add(cancels, uid, slot, segment_incarnation(host->segment, slot), list, &fd);
    return error < 0 ? error : fd;
}

static void trip(uint32_t slot)
{
    assert_int_equal(breakers_trip(host->breakers, slot, 0, &operator_), 0);
}

static void reset(uint32_t slot)
{
    assert_int_equal(breakers_reset(host->breakers, slot, &operator_), 0);
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *const folder = opendir("/proc/self/fd");
    must(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static void test_each_process_is_told_of_an_opening_by_a_timer_of_its_own(void **state)
{
    (void)state;
    const uint32_t db = host_breaker(host, "db"), mail = host_breaker(host, "mail");
    const int of_first = add(1, db, &first), of_second = add(2, db, &second), elsewhere = add(1, mail, &first);
    assert_false(readable(of_first));
    trip(db);
    assert_true(becomes_readable(of_first));
    assert_true(becomes_readable(of_second));
    assert_false(readable(elsewhere));
    reset(db);
    assert_false(readable(of_first));
    assert_false(readable(of_second));
}

static void test_a_timer_that_is_asked_for_while_the_breaker_is_open_is_readable(void **state)
{
    (void)state;
    const uint32_t db = host_breaker(host, "db");
    trip(db);
    assert_true(becomes_readable(add(1, db, &first)));
}

static void test_a_timer_is_silent_before_the_word_admits_calls(void **state)
{
    (void)state;
    const uint32_t db = host_breaker(host, "db");
    host->admits = admits;
    watched_fd = add(1, db, &first);
    trip(db);
    assert_true(becomes_readable(watched_fd));
    reset(db);
    assert_int_equal(readable_before, 1);
    assert_int_equal(readable_after, 0);
}

static void test_a_mode_cuts_calls_short_only_where_it_forces_the_breaker_open(void **state)
{
    (void)state;
    static const struct {
        trip_mode mode;
        bool closed, open; /* is the timer readable, while the breaker's state is that? */
    } expected[] = {{TRIP_MODE_AUTO, false, true},
                    {TRIP_MODE_FORCED_OPEN, true, true},
                    {TRIP_MODE_DISABLED, false, false},
                    {TRIP_MODE_SHADOW, false, false}};
    const uint32_t db = host_breaker(host, "db");
    const int fd = add(1, db, &first);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        for (unsigned open = 0; open < 2; open++) {
            breakers_mode(host->breakers, db, MODE_OWNER_OPERATOR, TRIP_MODE_AUTO, 0, &operator_);
            open ? trip(db) : reset(db);
            breakers_mode(host->breakers, db, MODE_OWNER_OPERATOR, expected[i].mode, 0, &operator_);
            const bool cuts_short = open ? expected[i].open : expected[i].closed;
            assert_int_equal(breakers_cuts_short(host->breakers, db), cuts_short);
            assert_int_equal(cuts_short ? becomes_readable(fd) : readable(fd), cuts_short);
        }
}

static void test_a_user_has_as_many_timers_as_its_share_and_a_second_for_a_slot_replaces_the_first(void **state)
{
    (void)state;
    const uint32_t slots[] = {host_breaker(host, "a"), host_breaker(host, "b"), host_breaker(host, "c"),
                              host_breaker(host, "d")};
    const unsigned before = open_descriptors();
    for (unsigned i = 0; i < SHARE; i++)
        assert_true(add(1, slots[i], &first) >= 0);
    assert_int_equal(add(1, slots[3], &first), -EDQUOT);
    assert_int_equal(add(1, slots[3], &second), -EDQUOT); /* another process of the same user */
    assert_true(add(2, slots[3], &second) >= 0);
    assert_true(add(1, slots[0], &first) >= 0);
    assert_int_equal(open_descriptors(), before + SHARE + 1);
    cancels_drop(&first);
    assert_int_equal(open_descriptors(), before + 1);
    assert_true(add(1, slots[3], &first) >= 0);
    cancels_share(cancels, 0);
    assert_int_equal(add(3, slots[0], &first), -EDQUOT);
}

static void test_nobody_gets_a_timer_for_the_breaker_that_had_the_slot_before(void **state)
{
    (void)state;
    int fd;
    const uint32_t db = host_breaker(host, "db"), incarnation = segment_incarnation(host->segment, db);
    assert_int_equal(cancels_add(cancels, 1, db, incarnation + 1, &first, &fd), -ESTALE);
    assert_int_equal(cancels_add(cancels, 1, BREAKERS_MAX, incarnation, &first, &fd), -ESTALE);
    assert_null(first);
}

static void test_what_a_process_does_to_its_timer_reaches_neither_tripd_nor_other_processes(void **state)
{
    (void)state;
    const struct itimerspec never = {0};
    uint64_t times;
    const uint32_t db = host_breaker(host, "db");
    const int hostile = add(1, db, &first), honest = add(2, db, &second);
    const int copy = dup(hostile); /* one description, as the process that was sent it has */
    must(copy >= 0 && fcntl(copy, F_SETFL, 0) == 0);
    trip(db);
    assert_true(becomes_readable(honest));
    assert_true(becomes_readable(hostile));
    must(read(copy, &times, sizeof(times)) == sizeof(times));
    reset(db); /* would hang if tripd had to read from it */
    trip(db);
    assert_true(becomes_readable(hostile));
    must(timerfd_settime(copy, 0, &never, NULL) == 0);
    assert_true(readable(honest));
    reset(db);
    assert_false(readable(honest));
    close(copy);
}

static void test_no_timer_is_readable_while_tripd_does_not_know_what_clients_did(void **state)
{
    (void)state;
    const uint32_t db = host_breaker(host, "db");
    const int fd = add(1, db, &first);
    trip(db);
    assert_true(becomes_readable(fd));
    cancels_silence_all(cancels);
    assert_false(readable(fd));
    cancels_look_all(cancels);
    assert_true(becomes_readable(fd));
}

static void test_ten_thousand_openings_leave_no_descriptor_behind(void **state)
{
    (void)state;
    const uint32_t db = host_breaker(host, "db");
    const int fd = add(1, db, &first);
    const unsigned before = open_descriptors();
    unsigned told = 0, silent = 0;
    for (unsigned i = 0; i < 10000; i++) {
        host->move_count = 0;
        trip(db);
        told += becomes_readable(fd);
        reset(db);
        silent += !readable(fd);
    }
    assert_int_equal(told, 10000);
    assert_int_equal(silent, 10000);
    assert_int_equal(open_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_process_is_told_of_an_opening_by_a_timer_of_its_own, start, stop),
        cmocka_unit_test_setup_teardown(test_a_timer_that_is_asked_for_while_the_breaker_is_open_is_readable, start,
                                        stop),
        cmocka_unit_test_setup_teardown(test_a_timer_is_silent_before_the_word_admits_calls, start, stop),
        cmocka_unit_test_setup_teardown(test_a_mode_cuts_calls_short_only_where_it_forces_the_breaker_open, start,
                                        stop),
        cmocka_unit_test_setup_teardown(
            test_a_user_has_as_many_timers_as_its_share_and_a_second_for_a_slot_replaces_the_first, start, stop),
        cmocka_unit_test_setup_teardown(test_nobody_gets_a_timer_for_the_breaker_that_had_the_slot_before, start, stop),
        cmocka_unit_test_setup_teardown(test_what_a_process_does_to_its_timer_reaches_neither_tripd_nor_other_processes,
                                        start, stop),
        cmocka_unit_test_setup_teardown(test_no_timer_is_readable_while_tripd_does_not_know_what_clients_did, start,
                                        stop),
        cmocka_unit_test_setup_teardown(test_ten_thousand_openings_leave_no_descriptor_behind, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
