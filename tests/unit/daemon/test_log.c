/* The log: one line a message, with a time or a priority, and never a stall. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "capture.h"
#include "log.h"

/* Each line begins with a time, as 2025-11-24 03:04:05.678, which is cut off; without one it is left as it is. */
static void cut_times(char said[CAPTURE_MAX])
{
    static const char form[] = "dddd-dd-dd dd:dd:dd.ddd ";
    char cut[CAPTURE_MAX] = "";
    for (const char *line = said; *line;) {
        size_t matched = 0;
        while (form[matched] &&
               (form[matched] == 'd' ? line[matched] >= '0' && line[matched] <= '9' : line[matched] == form[matched]))
            matched++;
        const size_t length = strcspn(line, "\n") + 1;
        strncat(cut, form[matched] ? "NO TIME: " : "", 16);
        strncat(cut, form[matched] ? line : line + matched, form[matched] ? length : length - matched);
        line += length;
    }
    strcpy(said, cut);
}

static void test_a_message_is_one_line(void **state)
{
    (void)state;
    char said[CAPTURE_MAX];
    struct capture capture;
    capture_begin(&capture);
    unsetenv("JOURNAL_STREAM");
    log_open();
    log_info("breaker %s: %s", "db", "open");
    log_error("two\nlines \033[1m");
    log_error("turned \xe2\x80\xae and \xc2\x9b, but \xc3\xa9");
    capture_end(&capture, said);
    cut_times(said);
    assert_string_equal(said, "tripd: breaker db: open\ntripd: two?lines ?[1m\n"
                              "tripd: turned ??? and ??, but \xc3\xa9\n");
}

/* Returns the second now. time(2) may return the one before, for it reads the clock of the last tick. */
static time_t seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

static void test_the_time_is_that_of_the_place(void **state)
{
    (void)state;
    char said[CAPTURE_MAX], before[32], after[32];
    struct capture capture;
    unsetenv("JOURNAL_STREAM");
    setenv("TZ", "XXX-13:45", 1);
    log_open();
    const time_t begin = seconds_now() + 49500;
    capture_begin(&capture);
    log_info("a");
    capture_end(&capture, said);
    const time_t end = seconds_now() + 49500;
    strftime(before, sizeof(before), "%F %T", gmtime(&begin));
    strftime(after, sizeof(after), "%F %T", gmtime(&end));
    unsetenv("TZ");
    assert_true(strncmp(said, before, 19) >= 0 && strncmp(said, after, 19) <= 0);
}

static void test_the_journal_gets_priorities_when_it_is_our_standard_error(void **state)
{
    (void)state;
    char said[CAPTURE_MAX], stream[64];
    struct capture capture;
    struct stat at;
    capture_begin(&capture);
    fstat(STDERR_FILENO, &at);
    snprintf(stream, sizeof(stream), "%lu:%lu", (unsigned long)at.st_dev, (unsigned long)at.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_open();
    log_error("a");
    log_warning("b");
    log_notice("c");
    log_info("d");
    capture_end(&capture, said);
    assert_string_equal(said, "<3>a\n<4>b\n<5>c\n<6>d\n");
}

static void test_a_journal_that_is_not_our_standard_error_is_not_taken_for_it(void **state)
{
    (void)state;
    char said[CAPTURE_MAX];
    struct capture capture;
    capture_begin(&capture);
    setenv("JOURNAL_STREAM", "1:1", 1);
    log_open();
    log_warning("a");
    capture_end(&capture, said);
    cut_times(said);
    assert_string_equal(said, "tripd: a\n");
}

static void test_each_line_of_a_text_is_a_message(void **state)
{
    (void)state;
    char said[CAPTURE_MAX];
    struct capture capture;
    capture_begin(&capture);
    unsetenv("JOURNAL_STREAM");
    log_open();
    log_lines(LOG_LEVEL_ERROR, "one\n\ntwo\nthree");
    capture_end(&capture, said);
    cut_times(said);
    assert_string_equal(said, "tripd: one\ntripd: two\ntripd: three\n");
}

static void test_a_long_message_is_cut_and_stays_one_line(void **state)
{
    (void)state;
    char said[CAPTURE_MAX], text[5000];
    struct capture capture;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    capture_begin(&capture);
    log_open();
    log_info("%s", text);
    capture_end(&capture, said);
    assert_int_equal(strlen(said), 1024);
    assert_int_equal(said[1022], 'x');
    assert_int_equal(said[1023], '\n');
}

static void test_a_reader_that_does_not_read_costs_lines_and_is_told_how_many(void **state)
{
    (void)state;
    char text[65536];
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, 8192), 8192);
    fflush(NULL);
    const int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    log_open();
    for (int i = 0; i < 100; i++)
        log_info("%0500d", i); /* would fill the pipe and wait for ever */
    const ssize_t before = read(ends[0], text, sizeof(text));
    log_info("after");
    memset(text, 0, sizeof(text));
    const ssize_t after = read(ends[0], text, sizeof(text) - 1);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[0]);
    close(ends[1]);
    assert_true(before > 0 && before <= 8192);
    assert_true(after > 0);
    assert_non_null(strstr(text, " lines of the log were lost: nobody read them\n"));
    assert_non_null(strstr(text, " tripd: after\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_is_one_line),
        cmocka_unit_test(test_the_time_is_that_of_the_place),
        cmocka_unit_test(test_the_journal_gets_priorities_when_it_is_our_standard_error),
        cmocka_unit_test(test_a_journal_that_is_not_our_standard_error_is_not_taken_for_it),
        cmocka_unit_test(test_each_line_of_a_text_is_a_message),
        cmocka_unit_test(test_a_long_message_is_cut_and_stays_one_line),
        cmocka_unit_test(test_a_reader_that_does_not_read_costs_lines_and_is_told_how_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
