/* The commons: made sealed, and nothing else is ever mapped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "segment/commons.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static off_t size_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) < 0 ? -1 : status.st_size;
}

static void test_words_and_permits_of_each_breaker_are_places_of_their_own(void **state)
{
    struct commons *commons;
    int fd;
    (void)state;
    assert_int_equal(commons_make(&fd), 0);
    assert_int_equal(commons_map(fd, &commons), 0);
    assert_int_equal((uint8_t *)commons_word(commons, 2) - (uint8_t *)commons_word(commons, 1), 64);
    assert_int_equal((uint8_t *)commons_permits(commons, 2) - (uint8_t *)commons_permits(commons, 1), 512);
    assert_int_equal((uint8_t *)commons_word(commons, 0) - (uint8_t *)commons->header, 4096);
    assert_int_equal((uint8_t *)commons_permits(commons, 0) - (uint8_t *)commons->header, 4198400);
    assert_int_equal((uint8_t *)commons_limits(commons, 2) - (uint8_t *)commons_limits(commons, 1), 192);
    assert_int_equal((uint8_t *)commons_limits(commons, 0) - (uint8_t *)commons->header, 37752832);
    assert_int_equal((uint8_t *)commons_tickets(commons, 2) - (uint8_t *)commons_tickets(commons, 1), 2048);
    assert_int_equal((uint8_t *)commons_tickets(commons, 0) - (uint8_t *)commons->header, 50335744);
    assert_int_equal(*commons_word(commons, 2), 0);
    assert_int_equal(commons->size, 184553472);
    commons_unmap(commons);
    close(fd);
}

static void test_its_plan_gives_its_size_and_where_each_section_is(void **state)
{
    struct section sections[COMMONS_SECTION_COUNT];
    int fd;
    (void)state;
    assert_int_equal(commons_make(&fd), 0);
    assert_int_equal(commons_plan(sections), size_of(fd));
    assert_int_equal(sections[COMMONS_WORDS].offset, 4096);
    assert_int_equal(sections[COMMONS_WORDS].stride, 64);
    assert_int_equal(sections[COMMONS_WORDS].count, 65535);
    assert_int_equal(sections[COMMONS_PERMITS].offset, 4198400);
    assert_int_equal(sections[COMMONS_PERMITS].stride, 512);
    assert_int_equal(sections[COMMONS_PERMITS].count, 65535);
    close(fd);
}

static void test_the_memfd_cannot_shrink_or_grow(void **state)
{
    int fd;
    (void)state;
    assert_int_equal(commons_make(&fd), 0);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(ftruncate(fd, 1 << 20), -1);
    assert_int_equal(fcntl(fd, F_GET_SEALS) & SEALS, SEALS);
    close(fd);
}

static void test_another_mapping_sees_the_words(void **state)
{
    struct commons *one, *other;
    int fd;
    (void)state;
    assert_int_equal(commons_make(&fd), 0);
    assert_int_equal(commons_map(fd, &one), 0);
    assert_int_equal(commons_map(fd, &other), 0);
    *commons_word(one, 1) = 42;
    assert_int_equal(*commons_word(other, 1), 42);
    assert_true(one->commons_id == other->commons_id);
    commons_unmap(one);
    commons_unmap(other);
    close(fd);
}

static void test_the_id_is_not_read_from_memory_that_clients_write(void **state)
{
    struct commons *one, *other;
    int fd;
    (void)state;
    assert_int_equal(commons_make(&fd), 0);
    assert_int_equal(commons_map(fd, &one), 0);
    memset(one->header, 0xff, sizeof(*one->header));
    assert_int_equal(commons_map(fd, &other), 0);
    assert_true(other->commons_id == one->commons_id);
    commons_unmap(one);
    commons_unmap(other);
    close(fd);
}

static void test_two_commons_have_two_ids(void **state)
{
    struct commons *one, *other;
    int fd, other_fd;
    (void)state;
    assert_int_equal(commons_make(&fd), 0);
    assert_int_equal(commons_make(&other_fd), 0);
    assert_int_equal(commons_map(fd, &one), 0);
    assert_int_equal(commons_map(other_fd, &other), 0);
    assert_true(one->commons_id != other->commons_id);
    assert_true(one->commons_id != 0);
    commons_unmap(one);
    commons_unmap(other);
    close(fd);
    close(other_fd);
}

/* Makes a memfd like a commons, except for what the test leaves out. */
static int forge(const char *name, off_t size, int seals)
{
    const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, size) < 0 || (seals && fcntl(fd, F_ADD_SEALS, seals) < 0))
        return -1;
    return fd;
}

static void test_a_memfd_that_is_not_whole_sealed_and_ours_is_refused(void **state)
{
    const struct {
        const char *name;
        off_t size;
        int seals;
        int expected;
    } cases[] = {
        {"tripd-commons-0123456789abcdef", 184553472, SEALS, 0},
        {"tripd-commons-0123456789abcdef", 184553472, 0, -EINVAL},
        {"tripd-commons-0123456789abcdef", 184553472, F_SEAL_SHRINK | F_SEAL_GROW, -EINVAL},
        {"tripd-commons-0123456789abcdef", 184553472, F_SEAL_SHRINK | F_SEAL_SEAL, -EINVAL},
        {"tripd-commons-0123456789abcdef", 184553472, F_SEAL_GROW | F_SEAL_SEAL, -EINVAL},
        {"tripd-commons-0123456789abcdef", 184549376, SEALS, -EINVAL},
        {"tripd-commons-0123456789abcdef", 184553473, SEALS, -EINVAL},
        {"tripd-commons-0123456789abcdef", 0, SEALS, -EINVAL},
        {"something-else", 184553472, SEALS, -EINVAL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct commons *commons = NULL;
        const int fd = forge(cases[i].name, cases[i].size, cases[i].seals);
        assert_true(fd >= 0);
        assert_int_equal(commons_map(fd, &commons), cases[i].expected);
        assert_int_equal(commons != NULL, cases[i].expected == 0);
        commons_unmap(commons);
        close(fd);
    }
}

static void test_a_plain_file_is_refused(void **state)
{
    struct commons *commons = NULL;
    int pipes[2];
    (void)state;
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_int_equal(commons_map(pipes[0], &commons), -EINVAL);
    assert_null(commons);
    close(pipes[0]);
    close(pipes[1]);
    assert_int_equal(commons_map(pipes[0], &commons), -EBADF);
}

static uint64_t blocks_of(int fd)
{
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

static void test_reserved_breakers_have_memory_and_their_tickets_separately(void **state)
{
    struct commons *commons;
    int fd;
    (void)state;
    assert_int_equal(commons_make(&fd), 0);
    assert_int_equal(commons_map(fd, &commons), 0);
    assert_int_equal(blocks_of(fd), 4096);
    assert_int_equal(commons_reserve(commons, 64), 0);
    assert_int_equal(commons->slots, 64);
    assert_int_equal(blocks_of(fd), 4096 + 64 * (64 + 512 + 192));
    assert_int_equal(commons_reserve(commons, 64), 0);
    assert_int_equal(commons_reserve(commons, 10), 0);
    assert_int_equal(commons->slots, 64);
    assert_int_equal(commons_reserve(commons, 128), 0);
    assert_int_equal(blocks_of(fd), 4096 + 128 * (64 + 512 + 192));
    assert_int_equal(commons_reserve_tickets(commons, 64), 0);
    assert_int_equal(commons_reserve_tickets(commons, 65), 0); /* two a page */
    assert_int_equal(blocks_of(fd), 4096 + 128 * (64 + 512 + 192) + 4096);
    commons_unmap(commons);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_and_permits_of_each_breaker_are_places_of_their_own),
        cmocka_unit_test(test_its_plan_gives_its_size_and_where_each_section_is),
        cmocka_unit_test(test_the_memfd_cannot_shrink_or_grow),
        cmocka_unit_test(test_another_mapping_sees_the_words),
        cmocka_unit_test(test_the_id_is_not_read_from_memory_that_clients_write),
        cmocka_unit_test(test_two_commons_have_two_ids),
        cmocka_unit_test(test_a_memfd_that_is_not_whole_sealed_and_ours_is_refused),
        cmocka_unit_test(test_a_plain_file_is_refused),
        cmocka_unit_test(test_reserved_breakers_have_memory_and_their_tickets_separately),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
