/* Lanes come from strangers: whatever is wrong with one is refused, and what was attached stays as it was. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../../support/lane_writer.h"
#include "lanes/lanes.h"

#define USER    1000
#define PID     4711
#define COMMONS UINT64_C(0xabc)

static uint32_t draining;

static struct lanes *new_lanes(uint32_t max_lanes, uint64_t memory_per_user)
{
    const struct lanes_options options = {
        .max_lanes = max_lanes, .memory_per_user = memory_per_user, .draining = &draining};
    struct lanes *lanes;
    assert_int_equal(lanes_new(&options, &lanes), 0);
    return lanes;
}

static int attach(struct lanes *lanes, struct lane_writer *writer, uint32_t number, struct lane **ret_lane)
{
    const char *why = NULL;
    const int fd = writer_send(writer);
    const struct lane_offer offer = {
        .fd = fd, .uid = USER, .pid = PID, .lane_id = writer->memory->lane_id, .number = number};
    const int error = lanes_attach(lanes, &offer, ret_lane, &why);
    if (error < 0) {
        close(fd);
        assert_non_null(why);
    }
    return error;
}

static int attach_fd(struct lanes *lanes, int fd, uid_t uid, uint64_t lane_id, struct lane **ret_lane,
                     const char **ret_why)
{
    const struct lane_offer offer = {.fd = fd, .uid = uid, .pid = PID, .lane_id = lane_id};
    return lanes_attach(lanes, &offer, ret_lane, ret_why);
}

static void test_a_lane_is_mapped_numbered_and_told_its_number(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(4, 1 << 30);
    struct lane_writer writer;
    struct lane *lane;
    writer_make(&writer, 77);
    assert_int_equal(attach(lanes, &writer, 0, &lane), 0);
    assert_int_equal(lane_number(lane), 1);
    assert_int_equal(lane_identity(lane), 77);
    assert_int_equal(lane_uid(lane), USER);
    assert_int_equal(lane_pid(lane), PID);
    assert_string_equal(lane_program(lane), "writer");
    assert_int_equal(writer.memory->granted, 0);
    lane_grant(lane, COMMONS);
    assert_int_equal(writer.memory->granted, policy_lane_grant(COMMONS, 1));
    assert_ptr_equal(lanes_get(lanes, 1), lane);
    assert_null(lanes_get(lanes, 0));
    assert_null(lanes_get(lanes, 2));
    assert_null(lanes_get(lanes, 5));
    assert_int_equal(lanes_count(lanes), 1);
    lanes_remove(lanes, lane);
    assert_int_equal(writer.memory->detached, 1);
    assert_int_equal(lanes_count(lanes), 0);
    writer_free(&writer);
    lanes_free(lanes);
}

static void test_each_wrong_field_of_the_header_is_refused(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(4, 1 << 30);
    for (int wrong = 0; wrong < 5; wrong++) {
        struct lane_writer writer;
        struct lane *lane;
        writer_make(&writer, 77);
        switch (wrong) {
        case 0:
            writer.memory->magic++;
            break;
        case 1:
            writer.memory->version++;
            break;
        case 2:
            writer.memory->digest ^= 1;
            break;
        case 3: /* its meters would count for other breakers */
            writer.memory->segment_id++;
            break;
        default:
            writer.memory->lane_id = 0;
        }
        assert_int_equal(attach(lanes, &writer, 0, &lane), -EINVAL);
        assert_int_equal(lanes_count(lanes), 0);
        writer_free(&writer);
    }
    lanes_free(lanes);
}

static void test_a_lane_that_could_shrink_or_grow_is_refused(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(4, 1 << 30);
    const int seals[] = {0, F_SEAL_SHRINK, F_SEAL_GROW | F_SEAL_SEAL, F_SEAL_SHRINK | F_SEAL_GROW};
    for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++) {
        struct lane_writer writer;
        struct lane *lane;
        writer_make_sized(&writer, 77, LANE_SIZE, seals[i]);
        assert_int_equal(attach(lanes, &writer, 0, &lane), -EINVAL);
        writer_free(&writer);
    }
    lanes_free(lanes);
}

static void test_a_lane_of_another_size_is_refused(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(4, 1 << 30);
    const size_t sizes[] = {LAYOUT_PAGE, LANE_SIZE - LAYOUT_PAGE, LANE_SIZE + 1, LANE_SIZE + LAYOUT_PAGE};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct lane_writer writer;
        struct lane *lane;
        writer_make_sized(&writer, 77, sizes[i], WRITER_SEALS);
        assert_int_equal(attach(lanes, &writer, 0, &lane), -EINVAL);
        writer_free(&writer);
    }
    lanes_free(lanes);
}

static void test_a_descriptor_that_is_no_memfd_is_refused(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(4, 1 << 30);
    struct lane *lane;
    const char *why = NULL;
    const int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
    assert_int_equal(attach_fd(lanes, fd, USER, 77, &lane, &why), -EINVAL);
    assert_string_equal(why, "the lane is no memfd");
    assert_int_equal(attach_fd(lanes, -1, USER, 77, &lane, &why), -EINVAL);
    close(fd);
    lanes_free(lanes);
}

static void test_a_lane_that_is_read_only_is_refused(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(4, 1 << 30);
    struct lane_writer writer;
    struct lane *lane;
    const char *why = NULL;
    char path[64];
    writer_make(&writer, 77);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", writer.fd);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(attach_fd(lanes, fd, USER, 77, &lane, &why), -EINVAL);
    assert_string_equal(why, "the lane cannot be mapped for writing");
    close(fd);
    writer_free(&writer);
    lanes_free(lanes);
}

static void test_a_user_has_no_more_lanes_than_its_memory(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(8, 2 * WRITER_MEMORY);
    struct lane_writer writers[4];
    struct lane *lane, *first;
    const char *why = NULL;
    for (uint64_t i = 0; i < 4; i++)
        writer_make(&writers[i], 100 + i);
    assert_int_equal(attach(lanes, &writers[0], 0, &first), 0);
    assert_int_equal(attach(lanes, &writers[1], 0, &lane), 0);
    assert_int_equal(attach(lanes, &writers[2], 0, &lane), -EDQUOT);
    const int fd = writer_send(&writers[3]);
    assert_int_equal(attach_fd(lanes, fd, USER + 1, 103, &lane, &why), 0); /* another user's memory */
    lanes_remove(lanes, first);
    assert_int_equal(attach(lanes, &writers[2], 0, &lane), 0);
    assert_int_equal(attach(lanes, &writers[0], 0, &lane), -EDQUOT);
    lanes_reconfigure(lanes, 8, 3 * WRITER_MEMORY);
    assert_int_equal(attach(lanes, &writers[0], 0, &lane), 0);
    for (uint64_t i = 0; i < 4; i++)
        writer_free(&writers[i]);
    lanes_free(lanes);
}

static void test_no_more_lanes_than_there_are_numbers(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(2, 1 << 30);
    struct lane_writer writers[3];
    struct lane *lane;
    for (uint64_t i = 0; i < 3; i++)
        writer_make(&writers[i], 100 + i);
    assert_int_equal(attach(lanes, &writers[0], 0, &lane), 0);
    assert_int_equal(attach(lanes, &writers[1], 0, &lane), 0);
    assert_int_equal(lane_number(lane), 2);
    assert_int_equal(attach(lanes, &writers[2], 0, &lane), -EMFILE);
    for (uint64_t i = 0; i < 3; i++)
        writer_free(&writers[i]);
    lanes_free(lanes);
}

static void test_an_attached_lane_is_not_attached_twice(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(4, 1 << 30);
    struct lane_writer writer, forger;
    struct lane *lane, *other;
    writer_make(&writer, 77);
    writer_make(&forger, 77);
    assert_int_equal(attach(lanes, &writer, 0, &lane), 0);
    assert_int_equal(attach(lanes, &writer, 0, &other), -EEXIST);
    assert_int_equal(attach(lanes, &forger, 0, &other), -EEXIST);
    lane_hung_up(lane);
    assert_int_equal(attach(lanes, &forger, 0, &other), -EEXIST); /* the same id in other memory */
    assert_int_equal(attach(lanes, &forger, 2, &other), -EEXIST); /* as the keeper held it */
    assert_int_equal(attach(lanes, &writer, 0, &other), 0);
    assert_ptr_equal(other, lane);
    assert_int_equal(lanes_count(lanes), 1);
    writer_free(&writer);
    writer_free(&forger);
    lanes_free(lanes);
}

static void test_the_id_of_another_user_s_lane_is_no_conflict(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(4, 1 << 30);
    struct lane_writer stranger, writer;
    struct lane *squatted, *lane;
    const char *why = NULL;
    writer_make(&stranger, 77);
    writer_make(&writer, 77);
    assert_int_equal(attach_fd(lanes, writer_send(&stranger), USER + 1, 77, &squatted, &why), 0);
    assert_int_equal(attach(lanes, &writer, 0, &lane), 0);
    assert_ptr_not_equal(lane, squatted);
    lane_hung_up(squatted); /* it may not be taken up by another user either */
    lanes_remove(lanes, lane);
    assert_int_equal(attach(lanes, &writer, 0, &lane), 0);
    assert_ptr_not_equal(lane, squatted);
    writer_free(&stranger);
    writer_free(&writer);
    lanes_free(lanes);
}

static void test_a_lane_that_is_not_the_one_it_was_told_to_be_is_refused(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(4, 1 << 30);
    struct lane_writer writer;
    struct lane *lane;
    const char *why = NULL;
    writer_make(&writer, 77);
    const int fd = writer_send(&writer);
    assert_int_equal(attach_fd(lanes, fd, USER, 78, &lane, &why), -EINVAL);
    assert_string_equal(why, "the lane has another id than the packet that brought it");
    assert_int_equal(lanes_count(lanes), 0);
    close(fd);
    writer_free(&writer);
    lanes_free(lanes);
}

static void test_tripd_s_own_memory_for_a_lane_counts_for_its_user(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(4, 2 * WRITER_MEMORY);
    struct lane_writer writers[2];
    struct lane *first, *lane;
    writer_make(&writers[0], 77);
    writer_make(&writers[1], 78);
    assert_int_equal(attach(lanes, &writers[0], 0, &first), 0);
    assert_true(lane_charge(first, 4096));
    assert_int_equal(attach(lanes, &writers[1], 0, &lane), -EDQUOT);
    assert_true(lane_charge(first, WRITER_MEMORY - 4096));
    assert_false(lane_charge(first, 1));
    lanes_remove(lanes, first);
    assert_int_equal(attach(lanes, &writers[1], 0, &lane), 0);
    writer_free(&writers[0]);
    writer_free(&writers[1]);
    lanes_free(lanes);
}

static void test_an_inherited_lane_keeps_its_number_and_waits_for_its_client(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(4, 1 << 30);
    struct lane_writer writers[2];
    struct lane *lane, *other;
    writer_make(&writers[0], 77);
    writer_make(&writers[1], 78);
    assert_int_equal(attach(lanes, &writers[0], 3, &lane), 0);
    assert_int_equal(lane_number(lane), 3);
    assert_int_equal(attach(lanes, &writers[1], 3, &other), -EMFILE);
    assert_int_equal(attach(lanes, &writers[1], 4096, &other), -EMFILE);
    assert_int_equal(attach(lanes, &writers[0], 0, &other), 0);
    assert_ptr_equal(other, lane);
    writer_free(&writers[0]);
    writer_free(&writers[1]);
    lanes_free(lanes);
}

static void test_a_lane_whose_lock_is_free_is_abandoned(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(4, 1 << 30);
    struct lane_writer writer;
    struct lane *lane;
    char path[64];
    writer_make(&writer, 77);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", writer.fd);
    const int second = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(second, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(attach(lanes, &writer, 0, &lane), 0);
    assert_false(lane_abandoned(lane));
    close(second);
    assert_true(lane_abandoned(lane));
    writer_free(&writer);
    lanes_free(lanes);
}

/* A process without /proc cannot open its lane a second time, and locks the description that it sends. */
static void test_a_lane_may_be_locked_by_the_description_that_is_sent(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(4, 1 << 30);
    struct lane_writer writer;
    struct lane *lane;
    writer_make(&writer, 77);
    assert_int_equal(flock(writer.fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(attach(lanes, &writer, 0, &lane), 0);
    assert_false(lane_abandoned(lane));
    writer_free(&writer);
    assert_true(lane_abandoned(lane));
    lanes_free(lanes);
}

static void test_a_program_s_name_is_fit_for_a_terminal(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(4, 1 << 30);
    struct lane_writer writer;
    struct lane *lane;
    writer_make(&writer, 77);
    memset(writer.memory->program, 'x', sizeof(writer.memory->program));
    writer.memory->program[1] = '\033';
    writer.memory->program[2] = (char)0x80;
    assert_int_equal(attach(lanes, &writer, 0, &lane), 0);
    assert_string_equal(lane_program(lane), "x??xxxxxxxxxxxxxxxxxxxxx");
    writer_free(&writer);
    lanes_free(lanes);
}

static uint64_t allocated(const struct lane_writer *writer)
{
    struct stat status;
    assert_int_equal(fstat(writer->fd, &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

static void test_counts_of_used_entries_that_a_lane_claims_are_bounded(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(4, 1 << 30);
    struct lane_writer writer;
    struct lane *lane;
    writer_make(&writer, 77);
    assert_int_equal(attach(lanes, &writer, 0, &lane), 0);
    lane_look(lane);
    assert_int_equal(lane_meters(lane), 0);
    assert_int_equal(lane_sections(lane), 1);
    writer_give_memory(&writer, 0, LANE_SIZE);
    writer.memory->meters_used = UINT32_MAX;
    writer.memory->sections_used = UINT32_MAX;
    writer.memory->rooms_used = UINT32_MAX;
    lane_look(lane);
    assert_int_equal(lane_meters(lane), LANE_METERS);
    assert_int_equal(lane_rooms(lane), LANE_ROOMS);
    assert_int_equal(lane_sections(lane), LANE_SECTIONS);
    lanes_reading(lanes, 3);
    assert_int_equal(draining, 3);
    writer_free(&writer);
    lanes_free(lanes);
}

static void test_a_hole_that_a_lane_marks_as_in_use_is_not_looked_at(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(4, 1 << 30);
    struct lane_writer writer;
    struct lane *lane;
    writer_make(&writer, 77);
    writer_sections(&writer, 3);
    writer_meter(&writer, 0, 1, 0);
    writer_room(&writer, &lane_meter_at(writer.memory, 0)->rooms[5]);
    writer.memory->meters_used = LANE_METERS;
    writer.memory->rooms_used = LANE_ROOMS;
    writer.memory->sections_used = LANE_SECTIONS;
    const uint64_t before = allocated(&writer);
    assert_int_equal(attach(lanes, &writer, 0, &lane), 0);
    lane_look(lane);
    assert_int_equal(lane_meters(lane), LAYOUT_PAGE / sizeof(struct meter));
    assert_int_equal(lane_rooms(lane), 32);
    assert_int_equal(lane_sections(lane), 3);
    assert_true(lane_calls(lane));
    assert_int_equal(allocated(&writer), before);
    writer_free(&writer);
    lanes_free(lanes);
}

static void test_a_table_of_calls_that_is_a_hole_is_not_looked_at(void **state)
{
    (void)state;
    struct lanes *lanes = new_lanes(4, 1 << 30);
    struct lane_writer writer;
    struct lane *lane;
    writer_make(&writer, 77);
    assert_int_equal(fallocate(writer.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, LANE_CALLS_OFFSET, LAYOUT_PAGE),
                     0);
    assert_int_equal(attach(lanes, &writer, 0, &lane), 0);
    assert_false(lane_calls(lane));
    writer_free(&writer);
    lanes_free(lanes);
}

static void test_a_lane_whose_header_or_bits_are_a_hole_is_refused(void **state)
{
    (void)state;
    static const off_t holes[] = {0, LANE_RESOLVED_OFFSET, LANE_CALLS_OFFSET - LAYOUT_PAGE};
    struct lanes *lanes = new_lanes(4, 1 << 30);
    struct lane_writer writer;
    struct lane *lane;
    for (size_t i = 0; i < sizeof(holes) / sizeof(holes[0]); i++) {
        writer_make(&writer, 77);
        assert_int_equal(fallocate(writer.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, holes[i], LAYOUT_PAGE), 0);
        assert_int_equal(attach(lanes, &writer, 0, &lane), -EINVAL);
        writer_free(&writer);
    }
    lanes_free(lanes);
}

/* A lane that is attached takes memory from `offset` on and marks it as used: then its user may have one lane less. */
static void assert_counts_later(size_t offset, uint32_t *(*marked)(struct lane_header *header))
{
    struct lanes *lanes = new_lanes(4, 3 * WRITER_MEMORY);
    struct lane_writer writers[3];
    struct lane *first, *lane;
    for (uint64_t i = 0; i < 3; i++)
        writer_make(&writers[i], 100 + i);
    assert_int_equal(attach(lanes, &writers[0], 0, &first), 0);
    writer_give_memory(&writers[0], offset, offset + WRITER_MEMORY);
    *marked(writers[0].memory) = 1;
    lane_look(first);
    assert_int_equal(attach(lanes, &writers[1], 0, &lane), 0);
    assert_int_equal(attach(lanes, &writers[2], 0, &lane), -EDQUOT);
    for (uint64_t i = 0; i < 3; i++)
        writer_free(&writers[i]);
    lanes_free(lanes);
}

static uint32_t *meters_of(struct lane_header *header)
{
    return &header->meters_used;
}

static uint32_t *rooms_of(struct lane_header *header)
{
    return &header->rooms_used;
}

static void test_memory_that_a_lane_takes_later_counts_for_its_user_too(void **state)
{
    (void)state;
    assert_counts_later(lane_meter_offset(0), meters_of);
}

static void test_rooms_that_a_lane_takes_later_count_for_its_user_too(void **state)
{
    (void)state;
    assert_counts_later(lane_room_offset(0), rooms_of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lane_is_mapped_numbered_and_told_its_number),
        cmocka_unit_test(test_each_wrong_field_of_the_header_is_refused),
        cmocka_unit_test(test_a_lane_that_could_shrink_or_grow_is_refused),
        cmocka_unit_test(test_a_lane_of_another_size_is_refused),
        cmocka_unit_test(test_a_descriptor_that_is_no_memfd_is_refused),
        cmocka_unit_test(test_a_lane_that_is_read_only_is_refused),
        cmocka_unit_test(test_a_user_has_no_more_lanes_than_its_memory),
        cmocka_unit_test(test_no_more_lanes_than_there_are_numbers),
        cmocka_unit_test(test_an_attached_lane_is_not_attached_twice),
        cmocka_unit_test(test_the_id_of_another_user_s_lane_is_no_conflict),
        cmocka_unit_test(test_a_lane_that_is_not_the_one_it_was_told_to_be_is_refused),
        cmocka_unit_test(test_tripd_s_own_memory_for_a_lane_counts_for_its_user),
        cmocka_unit_test(test_an_inherited_lane_keeps_its_number_and_waits_for_its_client),
        cmocka_unit_test(test_a_lane_whose_lock_is_free_is_abandoned),
        cmocka_unit_test(test_a_lane_may_be_locked_by_the_description_that_is_sent),
        cmocka_unit_test(test_a_program_s_name_is_fit_for_a_terminal),
        cmocka_unit_test(test_counts_of_used_entries_that_a_lane_claims_are_bounded),
        cmocka_unit_test(test_a_hole_that_a_lane_marks_as_in_use_is_not_looked_at),
        cmocka_unit_test(test_a_table_of_calls_that_is_a_hole_is_not_looked_at),
        cmocka_unit_test(test_a_lane_whose_header_or_bits_are_a_hole_is_refused),
        cmocka_unit_test(test_memory_that_a_lane_takes_later_counts_for_its_user_too),
        cmocka_unit_test(test_rooms_that_a_lane_takes_later_count_for_its_user_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
