/* The life of a segment: made, adopted, refused if anything about it is wrong, never truncated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../../support/segment_dir.h"
#include "internal/boot.h"

#define BREAKERS 8
#define LANES    4

static int set_up(void **state)
{
    static struct segment_dir dir;
    segment_dir_make(&dir);
    *state = &dir;
    return 0;
}

static int tear_down(void **state)
{
    segment_dir_remove(*state);
    return 0;
}

static enum segment_found adopt(struct segment_dir *dir, struct segment **ret_segment, const char **ret_why)
{
    const struct segment_options options = segment_dir_options(dir, BREAKERS, LANES);
    struct clock clock;
    return segment_adopt(&options, &clock, ret_segment, ret_why);
}

/* ---------------------------------------------------------------------------------------------------- creation */

static void test_a_new_segment_says_what_it_is(void **state)
{
    struct segment_dir *dir = *state;
    uint8_t boot_id[BOOT_ID_SIZE];
    dir->clock = (struct clock){.tsc = {.cycles = 7, .ns = 8, .ns_q32 = 12345}};
    struct segment *segment = segment_dir_create(dir, BREAKERS, LANES);
    const struct segment_header *header = segment->header;
    assert_true(header->magic == SEGMENT_MAGIC);
    assert_int_equal(header->version, 1);
    assert_int_equal(header->header_size, 896);
    assert_true(header->digest == layout_digest());
    assert_int_equal(header->size, segment->size);
    assert_int_equal(header->owner_uid, geteuid());
    assert_int_equal(header->clock_kind, CLOCK_KIND_REAL);
    assert_int_equal(header->tsc.bases[header->tsc.sequence & 1].ns_q32, 12345);
    assert_int_equal(header->max_breakers, 8);
    assert_int_equal(header->max_lanes, 4);
    assert_true(header->segment_id != 0);
    assert_true(monotonic_ns() - header->created_mono_ns < 5000000000);
    assert_true(header->created_mono_ns == dir->clock.created_mono_ns);
    assert_int_equal(boot_id_read(boot_id), 0);
    assert_memory_equal(header->boot_id, boot_id, 16);
    assert_int_equal(header->daemon_state, DAEMON_NONE);
    segment_unmap(segment);
}

static void test_sections_begin_on_pages_and_do_not_overlap(void **state)
{
    struct segment *segment = segment_dir_create(*state, BREAKERS, LANES);
    const uint32_t counts[SECTION_COUNT] = {65535, 65535, 65535, 65535, 131072, 4096,  1024, 1, 1024,
                                            4096,  256,   65535, 65535, 983025, 16384, 2048, 1, 1024,
                                            1,     4096,  64,    1,     65535,  1,     512,  1};
    uint64_t end = 4096;
    for (unsigned i = 0; i < SECTION_COUNT; i++) {
        const struct section *section = &segment->header->sections[i];
        assert_int_equal(section->offset % 4096, 0);
        assert_true(section->offset >= end);
        assert_int_equal(section->count, counts[i]);
        end = section->offset + (uint64_t)section->stride * section->count;
    }
    assert_true(end <= segment->size);
    assert_int_equal(segment->header->sections[SECTION_COUNT].count, 0);
    segment_unmap(segment);
}

static void test_the_file_is_readable_by_all_and_writable_by_its_owner(void **state)
{
    struct segment_dir *dir = *state;
    struct stat status;
    const mode_t before = umask(0077);
    struct segment *segment = segment_dir_create(dir, BREAKERS, LANES);
    umask(before);
    assert_int_equal(stat(dir->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0644);
    assert_int_equal(status.st_size, segment->size);
    segment_unmap(segment);
}

static uint64_t memory_of(const struct segment *segment)
{
    struct stat status;
    assert_int_equal(fstat(segment->fd, &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

static void test_the_commons_has_places_for_all_breakers_and_memory_for_used_ones(void **state)
{
    struct segment *segment = segment_dir_create(*state, 65535, 4095);
    const uint64_t least = memory_of(segment);
    print_message("%zu KiB of places, %" PRIu64 " KiB of memory for %u slots\n", segment->size / 1024, least / 1024,
                  segment->slots);
    assert_in_range(segment->size, 610 << 20, 630 << 20);
    assert_in_range(least, 0, 4204 << 10);
    assert_int_equal(segment->slots, 64);
    assert_int_equal(segment->header->slots, 64);
    assert_int_equal(segment_reserve(segment, 1064), 0);
    assert_int_equal(segment->header->slots, 1064);
    assert_in_range(memory_of(segment) - least, 1000 * 5784 - 6 * 4096, 1000 * 5784 + 6 * 4096);
    segment_unmap(segment);
}

static void test_the_descriptor_that_clients_get_cannot_be_mapped_for_writing(void **state)
{
    struct segment *segment = segment_dir_create(*state, BREAKERS, LANES);
    assert_int_equal(fcntl(segment->read_only_fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_true(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, segment->read_only_fd, 0) == MAP_FAILED);
    assert_int_equal(errno, EACCES);
    const struct segment_header *header = mmap(NULL, 4096, PROT_READ, MAP_SHARED, segment->read_only_fd, 0);
    assert_true(header != MAP_FAILED);
    assert_true(header->segment_id == segment->header->segment_id);
    munmap((void *)header, 4096);
    segment_unmap(segment);
}

static void test_a_new_segment_touches_its_header_alone(void **state)
{
    struct segment *segment = segment_dir_create(*state, 1024, 256);
    size_t mapped = 0;
    char line[256];
    FILE *smaps = fopen("/proc/self/smaps", "re");
    assert_non_null(smaps);
    while (fgets(line, sizeof(line), smaps) && !strstr(line, ((struct segment_dir *)*state)->dir))
        continue;
    while (fgets(line, sizeof(line), smaps) && sscanf(line, "Rss: %zu kB", &mapped) != 1)
        continue;
    fclose(smaps);
    assert_in_range(mapped, 4, 64);
    segment_unmap(segment);
}

static void test_an_old_segment_is_replaced_and_lives_on_while_it_is_mapped(void **state)
{
    struct segment_dir *dir = *state;
    struct segment *old = segment_dir_create(dir, BREAKERS, LANES);
    assert_true(segment_still_named(old));
    struct segment *young = segment_dir_create(dir, 16, LANES);
    assert_true(old->header->segment_id != young->header->segment_id);
    assert_int_equal(old->header->max_breakers, 8);
    old->policies[7].next_open_ms = 1;
    assert_false(segment_still_named(old));
    assert_true(segment_still_named(young));
    segment_unmap(old);
    segment_unmap(young);
}

static void test_a_lost_name_is_noticed(void **state)
{
    struct segment_dir *dir = *state;
    struct segment *segment = segment_dir_create(dir, BREAKERS, LANES);
    assert_int_equal(unlink(dir->path), 0);
    assert_false(segment_still_named(segment));
    segment_unmap(segment);
}

static void test_nothing_is_left_of_a_creation_that_died_half_way(void **state)
{
    struct segment_dir *dir = *state;
    char left[PATHS_MAX + 2];
    snprintf(left, sizeof(left), "%s~", dir->path);
    const int fd = open(left, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    struct segment *segment = segment_dir_create(dir, BREAKERS, LANES);
    assert_int_equal(access(left, F_OK), -1);
    segment_unmap(segment);
}

/* Runs in a mount namespace of its own. 0: as it should be; 1: not; 77: a namespace is not allowed. */
static int create_in_a_full_tmpfs(struct segment_dir *dir)
{
    const struct segment_options options = segment_dir_options(dir, BREAKERS, LANES);
    struct segment *segment;
    struct clock clock;
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", dir->dir, "tmpfs", 0, "size=256k") < 0)
        return 77;
    if (segment_create(&options, &clock, &segment) != -ENOSPC)
        return 1;
    DIR *entries = opendir(dir->dir);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (entry->d_name[0] != '.')
            return 2;
    return 0;
}

static void test_a_full_tmpfs_is_an_error_at_creation_and_leaves_nothing(void **state)
{
    struct segment_dir *dir = *state;
    int status;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(create_in_a_full_tmpfs(dir));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---------------------------------------------------------------------------------------------------- adoption */

static void test_where_no_segment_is_none_is_found(void **state)
{
    struct segment *segment = NULL;
    const char *why = NULL;
    assert_int_equal(adopt(*state, &segment, &why), SEGMENT_NONE);
    assert_null(segment);
}

static void test_adoption_reclaims_what_dead_processes_held(void **state)
{
    struct segment_dir *dir = *state;
    struct segment *segment = segment_dir_create(dir, BREAKERS, LANES);
    const uint64_t id = segment->header->segment_id;
    uint32_t slot, found;
    const char *why = "unset";
    assert_int_equal(segment_take(segment, "db", 10, &slot), 0);
    segment_mirror(segment, slot, 77);
    segment_name_publish(segment, slot);
    segment_unmap(segment);

    assert_int_equal(adopt(dir, &segment, &why), SEGMENT_READY);
    assert_null(why);
    assert_true(segment->header->segment_id == id);
    assert_int_equal(segment_find(segment, "db", &found), 0);
    assert_int_equal(found, slot);
    assert_true(segment_used(segment, slot));
    assert_int_equal(segment->mirror[slot], 77);
    segment_unmap(segment);
}

static void test_the_clock_is_the_one_that_the_segment_was_made_with(void **state)
{
    struct segment_dir *dir = *state;
    dir->clock = (struct clock){.tsc = {.cycles = 7, .ns = 8, .ns_q32 = 12345}};
    struct segment *segment = segment_dir_create(dir, BREAKERS, LANES);
    const struct segment_options options = segment_dir_options(dir, BREAKERS, LANES);
    struct clock clock;
    const char *why;
    segment_tsc_publish(segment, &(struct tsc_base){.cycles = 70, .ns = 80, .ns_q32 = 12346});
    segment_unmap(segment);
    assert_int_equal(segment_adopt(&options, &clock, &segment, &why), SEGMENT_READY);
    assert_int_equal(clock.ticks, TICKS_MONOTONIC);
    assert_int_equal(clock.tsc.cycles, 70);
    assert_int_equal(clock.tsc.ns, 80);
    assert_int_equal(clock.tsc.ns_q32, 12346);
    assert_true(clock.created_mono_ns == segment->header->created_mono_ns);
    segment_unmap(segment);
}

static void test_a_test_clock_goes_on_where_it_stood(void **state)
{
    struct segment_dir *dir = *state;
    struct segment *segment = segment_dir_create(dir, BREAKERS, LANES);
    const struct segment_options options = segment_dir_options(dir, BREAKERS, LANES);
    struct clock clock;
    const char *why;
    segment_test_now(segment, 123000000);
    segment_unmap(segment);
    assert_int_equal(segment_adopt(&options, &clock, &segment, &why), SEGMENT_READY);
    assert_int_equal(clock.ticks, TICKS_TEST);
    assert_int_equal(clock_now_ms(&clock), 123);
    segment_unmap(segment);
}

static void test_the_other_kind_of_clock_is_incompatible(void **state)
{
    struct segment_dir *dir = *state;
    const char *why = NULL;
    struct segment *segment = NULL;
    segment_unmap(segment_dir_create(dir, BREAKERS, LANES));
    dir->clock.ticks = TICKS_MONOTONIC;
    assert_int_equal(adopt(dir, &segment, &why), SEGMENT_INCOMPATIBLE);
    assert_string_equal(why, "it has a test clock");
    assert_null(segment);
}

static void test_bounds_are_those_of_the_last_config(void **state)
{
    struct segment_dir *dir = *state;
    const char *why = NULL;
    struct segment *segment = segment_dir_create(dir, BREAKERS, LANES);
    segment_bounds(segment, 500, 3);
    segment_unmap(segment);
    assert_int_equal(adopt(dir, &segment, &why), SEGMENT_READY);
    assert_int_equal(segment->header->max_breakers, 500);
    assert_int_equal(segment->header->max_lanes, 3);
    segment_unmap(segment);
}

struct forgery {
    size_t offset, size;
    uint64_t value;
    const char *why;
};

#define HEADER(field, value, why)                                                                       \
    {                                                                                                   \
        offsetof(struct segment_header, field), sizeof(((struct segment_header *)0)->field), value, why \
    }
#define MOVED "its sections are not where they should be"

static void forge(const struct segment_dir *dir, const struct forgery *forgery)
{
    const int fd = open(dir->path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, &forgery->value, forgery->size, (off_t)forgery->offset), forgery->size);
    close(fd);
}

static void test_each_forged_field_is_incompatible(void **state)
{
    struct segment_dir *dir = *state;
    const struct forgery forgeries[] = {
        HEADER(magic, 0, "it is no segment of tripd"),
        HEADER(version, 0, "it was never finished"),
        HEADER(version, 2, "it has layout 2, digest "),
        HEADER(digest, 0xabc, "it has layout 1, digest 0000000000000abc, this tripd layout 1, digest "),
        HEADER(header_size, 8, "its header has another size"),
        HEADER(slots, 65536, "it has more slots than places"),
        HEADER(latency_groups, 983026, "it has more latency groups than places"),
        HEADER(size, 4096, MOVED),
        HEADER(size, UINT64_MAX, MOVED),
        HEADER(created_mono_ns, UINT64_MAX, "it is of another time namespace"),
        HEADER(clock_kind, 2, "its clock is none"),
        {offsetof(struct segment_header, boot_id), 8, 1, "it is of another boot"},
    };
    for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
        struct segment *segment = NULL;
        const char *why = NULL;
        segment_unmap(segment_dir_create(dir, BREAKERS, LANES));
        forge(dir, &forgeries[i]);
        assert_int_equal(adopt(dir, &segment, &why), SEGMENT_INCOMPATIBLE);
        assert_memory_equal(why, forgeries[i].why, strlen(forgeries[i].why));
        assert_null(segment);
    }
}

static void test_each_forged_section_is_incompatible(void **state)
{
    struct segment_dir *dir = *state;
    segment_unmap(segment_dir_create(dir, BREAKERS, LANES));
    for (unsigned i = 0; i < SECTION_PLACES; i++) {
        const size_t section = offsetof(struct segment_header, sections) + i * sizeof(struct section);
        const struct forgery forgeries[] = {
            {section + offsetof(struct section, offset), 8, UINT64_MAX - 4095, MOVED},
            {section + offsetof(struct section, stride), 4, UINT32_MAX, MOVED},
            {section + offsetof(struct section, count), 4, UINT32_MAX, MOVED},
        };
        for (unsigned j = 0; j < 3; j++) {
            struct segment *segment = NULL;
            const char *why = NULL;
            segment_unmap(segment_dir_create(dir, BREAKERS, LANES));
            forge(dir, &forgeries[j]);
            assert_int_equal(adopt(dir, &segment, &why), SEGMENT_INCOMPATIBLE);
            assert_string_equal(why, MOVED);
        }
    }
}

static void test_a_file_of_another_size_is_incompatible(void **state)
{
    struct segment_dir *dir = *state;
    const off_t changes[] = {-4096, 4096};
    for (unsigned i = 0; i < 2; i++) {
        struct segment *segment = segment_dir_create(dir, BREAKERS, LANES);
        const off_t size = (off_t)segment->size;
        const char *why = NULL;
        segment_unmap(segment);
        assert_int_equal(truncate(dir->path, size + changes[i]), 0);
        assert_int_equal(adopt(dir, &segment, &why), SEGMENT_INCOMPATIBLE);
        assert_string_equal(why, "its file has another size than it says");
    }
    assert_int_equal(truncate(dir->path, 100), 0);
    struct segment *segment = NULL;
    const char *why = NULL;
    assert_int_equal(adopt(dir, &segment, &why), SEGMENT_INCOMPATIBLE);
    assert_string_equal(why, "it is too short");
}

static void test_another_users_segment_is_never_touched(void **state)
{
    struct segment_dir *dir = *state;
    const struct segment_options options = segment_dir_options(dir, BREAKERS, LANES);
    struct segment *segment = NULL;
    struct clock clock;
    struct stat before, after;
    const char *why = NULL;
    if (geteuid() != 0)
        skip();
    segment_unmap(segment_dir_create(dir, BREAKERS, LANES));
    assert_int_equal(chown(dir->path, 65534, 65534), 0);
    assert_int_equal(stat(dir->path, &before), 0);
    assert_int_equal(adopt(dir, &segment, &why), SEGMENT_FOREIGN);
    assert_string_equal(why, "it belongs to another user");
    assert_int_equal(segment_create(&options, &clock, &segment), -EPERM);
    assert_null(segment);
    assert_int_equal(stat(dir->path, &after), 0);
    assert_true(before.st_ino == after.st_ino && before.st_size == after.st_size);
}

static void test_a_path_that_is_no_file_is_never_touched(void **state)
{
    struct segment_dir *dir = *state;
    const struct segment_options options = segment_dir_options(dir, BREAKERS, LANES);
    struct segment *segment = NULL;
    struct clock clock;
    const char *why = NULL;
    assert_int_equal(symlink("/dev/null", dir->path), 0);
    assert_int_equal(adopt(dir, &segment, &why), SEGMENT_FOREIGN);
    assert_int_equal(segment_create(&options, &clock, &segment), -EPERM);
    assert_int_equal(unlink(dir->path), 0);
    assert_int_equal(mkfifo(dir->path, 0600), 0);
    assert_int_equal(adopt(dir, &segment, &why), SEGMENT_FOREIGN);
    assert_string_equal(why, "it is no file");
    assert_int_equal(segment_create(&options, &clock, &segment), -EPERM);
    assert_null(segment);
}

/* ------------------------------------------------------------------------------------------------------- header */

static void test_a_clean_stop_is_another_value_than_a_stall(void **state)
{
    struct segment *segment = segment_dir_create(*state, BREAKERS, LANES);
    segment_started(segment, 100, 101);
    assert_int_equal(segment->header->daemon_state, DAEMON_NONE);
    segment_heartbeat(segment);
    assert_int_equal(segment->header->daemon_state, DAEMON_RUNNING);
    assert_true(monotonic_ns() - segment->header->heartbeat_mono_ns < HEARTBEAT_STALE_NS);
    segment_stopped(segment);
    assert_int_equal(segment->header->daemon_state, DAEMON_STOPPED);
    segment_unmap(segment);
}

static void test_each_start_is_counted(void **state)
{
    struct segment *segment = segment_dir_create(*state, BREAKERS, LANES);
    segment_started(segment, 100, 101);
    segment_started(segment, 100, 102);
    assert_int_equal(segment->header->starts, 2);
    assert_int_equal(segment->header->keeper_pid, 100);
    assert_int_equal(segment->header->worker_pid, 102);
    segment_counts(segment, 3, 2);
    assert_int_equal(segment->header->breakers, 3);
    assert_int_equal(segment->header->lanes, 2);
    segment_unmap(segment);
}

static void test_clients_stay_with_their_commons_and_go_with_it(void **state)
{
    struct segment *segment = segment_dir_create(*state, BREAKERS, LANES);
    const struct client_slot client = {.lane_id = 9, .pid = 1234};
    segment_commons_publish(segment, 55);
    segment_client_set(segment, 4, &client);
    segment_commons_publish(segment, 55);
    assert_int_equal(segment->clients[4].lane_id, 9);
    segment_commons_publish(segment, 66);
    assert_int_equal(segment->clients[4].lane_id, 0);
    segment_unmap(segment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_new_segment_says_what_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sections_begin_on_pages_and_do_not_overlap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_file_is_readable_by_all_and_writable_by_its_owner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_commons_has_places_for_all_breakers_and_memory_for_used_ones, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_descriptor_that_clients_get_cannot_be_mapped_for_writing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_new_segment_touches_its_header_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_old_segment_is_replaced_and_lives_on_while_it_is_mapped, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_lost_name_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_left_of_a_creation_that_died_half_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_tmpfs_is_an_error_at_creation_and_leaves_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_where_no_segment_is_none_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_adoption_reclaims_what_dead_processes_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_clock_is_the_one_that_the_segment_was_made_with, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_test_clock_goes_on_where_it_stood, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_other_kind_of_clock_is_incompatible, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds_are_those_of_the_last_config, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_forged_field_is_incompatible, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_forged_section_is_incompatible, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_of_another_size_is_incompatible, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_users_segment_is_never_touched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_path_that_is_no_file_is_never_touched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_clean_stop_is_another_value_than_a_stall, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_start_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_clients_stay_with_their_commons_and_go_with_it, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
