/* The times at which the snapshot on disk is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/wait.h>

#include "../../support/breakers_host.h"
#include "segment/saved.h"
#include "segment/saver.h"

static char folder[FOLDER_ROOM];
static struct host *host;
static struct loop *loop;
static const struct breakers_actor by_operator = {.by = BY_OPERATOR, .uid = 1000};

static int set_up(void **state)
{
    const char *why;
    (void)state;
    folder_make(folder, FOLDER_IN_TMP);
    host = host_start("", 8);
    return loop_new(&loop, LOOP_AUTO, &why) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(folder);
    loop = loop_free(loop);
    host_stop(host);
    return 0;
}

static struct saver *born(void)
{
    struct saver *saver;
    assert_int_equal(saver_new(loop, host->segment, &host->clock, folder, (const int[SAVER_LOCKS]){-1, -1}, &saver), 0);
    return saver;
}

/* Stops when the worker has lived for so many seconds. */
static void dies_after(struct saver *saver, int beats)
{
    for (int i = 0; i < beats; i++)
        saver_beat(saver);
    saver_free(saver);
}

static struct saved loaded(void)
{
    struct saved saved;
    const char *why = "there is none";
    if (saved_read(folder, &saved, &why) != 0)
        fail_msg("%s", why);
    return saved;
}

static void test_the_next_worker_saves_a_change_just_before_the_last_one_died(void **state)
{
    (void)state;
    const uint32_t slot = host_breaker(host, "db");
    struct saver *first = born();
    assert_int_equal(breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_DISABLED, 0, &by_operator), 0);
    dies_after(first, 4);
    dies_after(born(), 5);
    struct saved saved = loaded();
    assert_int_equal(saved.breaker_count, 1);
    assert_true(saved.breakers[0].modes[MODE_OWNER_OPERATOR].set);
    assert_int_equal(saved.breakers[0].modes[MODE_OWNER_OPERATOR].mode, TRIP_MODE_DISABLED);
    saved_clear(&saved);
}

/* Stops when the last child was reaped. */
static void stop_when_alone(void *context, struct loop_timer *timer)
{
    (void)context;
    if (waitid(P_ALL, 0, &(siginfo_t){0}, WEXITED | WNOHANG | WNOWAIT) < 0)
        loop_stop(loop);
    loop_timer_arm(timer, monotonic_ns() + 1000000);
}

static void test_while_nothing_changes_nothing_is_written(void **state)
{
    char path[96];
    struct loop_timer *timer;
    (void)state;
    host_breaker(host, "db");
    snprintf(path, sizeof(path), "%s/snapshot", folder);
    struct saver *saver = born();
    assert_int_equal(loop_timer_new(loop, stop_when_alone, NULL, &timer), 0);
    for (int i = 0; i < 5; i++)
        saver_beat(saver);
    loop_timer_arm(timer, 1);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(unlink(path), 0);
    dies_after(saver, 5);
    assert_int_equal(access(path, F_OK), -1);
    loop_timer_free(timer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_next_worker_saves_a_change_just_before_the_last_one_died, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_while_nothing_changes_nothing_is_written, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
