/* A recording: what is read back is what could be seen, in every order; and what is cut, damaged or forged is left out
 * or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "../../support/forged_recording.h"
#include "../../support/packed_segment.h"
#include "../../support/segment_dir.h"
#include "recorder.h"
#include "recording.h"

#define MIB (UINT64_C(1) << 20)

struct fixture {
    struct segment_dir dir;
    struct segment *segment;
    uint32_t slot; /* of "db" */
    char path[128];
    struct snapshot *living;
    struct recorder *recorder;
    struct recording *recording;
};

static uint32_t make_breaker(struct segment *segment, const char *name)
{
    static const struct segment_policy policy = {.threshold = 5, .permits = 1};
    uint32_t slot;
    if (segment_slots_wanted(segment) > segment->slots)
        assert_int_equal(segment_reserve(segment, segment_slots_wanted(segment)), 0);
    assert_int_equal(segment_take(segment, name, 0, &slot), 0);
    struct breaker_settings settings;
    breaker_settings_defaults(&settings);
    core_init(segment_begin(segment, slot), &settings, 0);
    segment_commit(segment);
    segment_policy_publish(segment, slot, &policy, TRIP_MODE_AUTO, 0);
    segment_mirror(segment, slot, word_closed(7, 0, 1));
    segment_name_publish(segment, slot);
    return slot;
}

static void count_calls(struct fixture *fixture, uint64_t calls)
{
    segment_begin(fixture->segment, fixture->slot)->head.totals.calls = calls;
    segment_commit(fixture->segment);
}

static struct snapshot *opened(const char *path)
{
    struct snapshot *snapshot;
    char *why;
    assert_int_equal(snapshot_open(path, false, &snapshot, &why), 0);
    return snapshot;
}

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    segment_dir_make(&fixture.dir);
    fixture.segment = segment_dir_create(&fixture.dir, 200, 4);
    fixture.slot = make_breaker(fixture.segment, "db");
    snprintf(fixture.path, sizeof(fixture.path), "%s/recording", fixture.dir.dir);
    fixture.living = opened(fixture.dir.path);
    assert_int_equal(recorder_open(fixture.path, 64 * MIB, &fixture.recorder), 0);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    recording_close(fixture->recording);
    if (fixture->recorder)
        recorder_close(fixture->recorder);
    snapshot_close(fixture->living);
    segment_unmap(fixture->segment);
    segment_dir_remove(&fixture->dir);
    return 0;
}

static void look(struct fixture *fixture)
{
    assert_int_equal(recorder_look(fixture->recorder, fixture->living, REPORT_RUNNING), 0);
}

/* Looks once for each number of calls from 1 on. */
static void record_counts(struct fixture *fixture, uint64_t looks)
{
    for (uint64_t calls = 1; calls <= looks; calls++) {
        count_calls(fixture, calls);
        look(fixture);
    }
}

static struct recording *reopened(struct fixture *fixture)
{
    char *why;
    fixture->recording = recording_close(fixture->recording);
    assert_int_equal(recording_open(fixture->path, &fixture->recording, &why), 0);
    assert_null(why);
    return fixture->recording;
}

static struct snapshot_breaker seen_at(struct recording *recording, uint32_t frame, const char *name)
{
    struct snapshot_breaker breaker;
    assert_int_equal(recording_go(recording, frame), 0);
    assert_true(snapshot_find(recording_snapshot(recording), name, &breaker));
    return breaker;
}

static uint64_t calls_at(struct recording *recording, uint32_t frame)
{
    return seen_at(recording, frame, "db").core.totals.calls;
}

/* ----------------------------------------------------------------------------------------------------- there and back
 */

static void test_each_look_is_read_back_in_any_order(void **state)
{
    struct fixture *fixture = *state;
    const uint32_t order[] = {0, 1, 2, 199, 0, 59, 60, 61, 60, 59, 121, 120, 119, 179, 178, 180, 62, 62, 198, 199};
    record_counts(fixture, 200);
    struct recording *const recording = reopened(fixture);
    assert_int_equal(recording_frames(recording), 200);
    assert_int_equal(recording_cut(recording), 0);
    assert_null(recording_snapshot(recording));
    for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        assert_int_equal(calls_at(recording, order[i]), order[i] + 1);
    for (uint32_t frame = 200; frame-- > 0;)
        assert_int_equal(calls_at(recording, frame), frame + 1);
    assert_int_equal(recording_go(recording, 200), -EINVAL);
}

static void test_states_errors_and_events_are_read_back(void **state)
{
    struct fixture *fixture = *state;
    struct error_record record;
    struct transition event;
    static const struct correlation_settings settings = {.window = 60 * TRIP_S, .max_errors = 100};
    assert_int_equal(segment_correlation_publish(fixture->segment, &settings), 0);
    look(fixture);
    segment_error(fixture->segment, &(struct error_record){.breaker = fixture->slot, .message = "refused"});
    segment_transition(
        fixture->segment,
        &(struct transition){.breaker = fixture->slot, .to = TRIP_STATE_OPEN, .reason = TRIP_REASON_FAILURE_RATE}, 9);
    segment_mirror(fixture->segment, fixture->slot, word_open(8, 30009));
    look(fixture);
    struct recording *const recording = reopened(fixture);
    assert_int_equal(word_state(seen_at(recording, 0, "db").report.word), WORD_CLOSED);
    assert_false(snapshot_error(recording_snapshot(recording), 0, &record));
    assert_false(snapshot_transition(recording_snapshot(recording), 0, &event));
    assert_int_equal(word_state(seen_at(recording, 1, "db").report.word), WORD_OPEN);
    assert_true(snapshot_error(recording_snapshot(recording), 0, &record));
    assert_string_equal(record.message, "refused");
    assert_true(snapshot_transition(recording_snapshot(recording), 0, &event));
    assert_int_equal(event.reason, TRIP_REASON_FAILURE_RATE);
}

static void test_a_segment_that_grows_is_followed(void **state)
{
    struct fixture *fixture = *state;
    char name[16];
    look(fixture);
    for (unsigned i = 0; i < 130; i++) {
        snprintf(name, sizeof(name), "more-%u", i);
        make_breaker(fixture->segment, name);
        look(fixture);
    }
    struct recording *const recording = reopened(fixture);
    assert_int_equal(recording_frames(recording), 131);
    assert_string_equal(seen_at(recording, 130, "more-129").detail.name, "more-129");
    assert_int_equal(snapshot_slots(recording_snapshot(recording)), 192);
    assert_int_equal(recording_go(recording, 0), 0);
    assert_int_equal(snapshot_slots(recording_snapshot(recording)), 64);
    struct snapshot_breaker breaker;
    assert_false(snapshot_find(recording_snapshot(recording), "more-0", &breaker));
    assert_string_equal(seen_at(recording, 70, "more-69").detail.name, "more-69");
}

static void test_another_segment_of_the_same_size_is_followed(void **state)
{
    struct fixture *fixture = *state;
    record_counts(fixture, 3);
    const uint64_t first = fixture->segment->header->segment_id;
    segment_unmap(fixture->segment);
    fixture->segment = segment_dir_create(&fixture->dir, 200, 4);
    const uint64_t second = fixture->segment->header->segment_id;
    fixture->slot = make_breaker(fixture->segment, "mail");
    snapshot_close(fixture->living);
    fixture->living = opened(fixture->dir.path);
    count_calls(fixture, 7);
    look(fixture);
    look(fixture);
    struct recording *const recording = reopened(fixture);
    assert_int_equal(seen_at(recording, 4, "mail").core.totals.calls, 7);
    assert_int_equal(snapshot_header(recording_snapshot(recording)).segment_id, second);
    assert_int_equal(calls_at(recording, 2), 3);
    assert_int_equal(snapshot_header(recording_snapshot(recording)).segment_id, first);
    assert_int_equal(seen_at(recording, 3, "mail").core.totals.calls, 7);
}

struct writing {
    struct segment *segment;
    uint64_t done; /* 1: the writer shall end */
};

/* Writes incidents that begin and end with the same number, one after the other; each place has its turn again after
 * some microseconds. */
static void *write_incidents(void *context)
{
    struct writing *const writing = context;
    struct incident incident = {0};
    while (!__atomic_load_n(&writing->done, __ATOMIC_RELAXED)) {
        incident.id++;
        memcpy(&incident.names[INCIDENT_NAMES - sizeof(incident.id)], &incident.id, sizeof(incident.id));
        segment_incident(writing->segment, &incident);
    }
    return NULL;
}

static void test_an_entry_that_is_being_written_is_recorded_as_it_stood_at_one_moment(void **state)
{
    struct fixture *fixture = *state;
    struct writing writing = {.segment = fixture->segment};
    struct incident incident;
    pthread_t writer;
    unsigned seen = 0;
    assert_int_equal(pthread_create(&writer, NULL, write_incidents, &writing), 0);
    for (unsigned i = 0; i < 100; i++)
        look(fixture);
    __atomic_store_n(&writing.done, 1, __ATOMIC_RELAXED);
    pthread_join(writer, NULL);
    struct recording *const recording = reopened(fixture);
    for (uint32_t at = 0; at < 100 * INCIDENTS_KEPT; at++) {
        uint64_t end;
        assert_int_equal(recording_go(recording, at / INCIDENTS_KEPT), 0);
        if (!snapshot_incident(recording_snapshot(recording), at % INCIDENTS_KEPT, &incident))
            continue; /* none yet, or the writer stood still in the middle of it */
        memcpy(&end, &incident.names[INCIDENT_NAMES - sizeof(end)], sizeof(end));
        assert_int_equal(end, incident.id);
        seen++;
    }
    assert_in_range(seen, 1, 100 * INCIDENTS_KEPT);
}

/* Now is the time of the look, however late it is read. */
static void test_time_and_tripd_are_those_of_the_look(void **state)
{
    struct fixture *fixture = *state;
    snapshot_close(fixture->living);
    segment_unmap(fixture->segment);
    clock_measure(&fixture->dir.clock, false);
    fixture->segment = segment_dir_create(&fixture->dir, 200, 4);
    fixture->living = opened(fixture->dir.path);
    segment_heartbeat(fixture->segment);
    fixture->segment->header->created_mono_ns = monotonic_ns() - 60 * TRIP_S;
    look(fixture);
    fixture->segment->header->heartbeat_mono_ns -= 30 * TRIP_S;
    assert_int_equal(recorder_look(fixture->recorder, fixture->living, REPORT_DEAD), 0);
    fixture->segment->header->boot_id[0] ^= 1; /* as one of another boot, whose time stands still */
    assert_int_equal(recorder_look(fixture->recorder, fixture->living, REPORT_GONE), 0);

    struct recording *const recording = reopened(fixture);
    const uint64_t created_ns = fixture->segment->header->created_mono_ns;
    const enum report_daemon expected[] = {REPORT_RUNNING, REPORT_DEAD, REPORT_GONE};
    for (uint32_t frame = 0; frame < 3; frame++) {
        assert_int_equal(recording_go(recording, frame), 0);
        const struct snapshot *const snapshot = recording_snapshot(recording);
        const struct recording_look at = recording_at(recording, frame);
        assert_int_equal(at.daemon, expected[frame]);
        assert_int_equal(snapshot_daemon(snapshot), expected[frame]);
        assert_int_equal(snapshot_known_daemon(snapshot), expected[frame]);
        if (frame < 2)
            assert_int_equal(snapshot_now_ms(snapshot), (at.mono_ns - created_ns) / TRIP_MS);
        else
            assert_in_range(snapshot_now_ms(snapshot), 29000, 31000 + (at.mono_ns - created_ns) / TRIP_MS - 60000);
    }
    const uint64_t last = recording_at(recording, 2).unix_ms;
    assert_int_equal(recording_find(recording, last), 2);
    assert_int_equal(recording_find(recording, UINT64_MAX), 2);
    assert_int_equal(recording_find(recording, 0), 0);
}

/* ------------------------------------------------------------------------------------------------ what is left out */

struct file {
    uint8_t bytes[65536];
    size_t size;
};

static void read_file(struct fixture *fixture, struct file *file)
{
    const int fd = open(fixture->path, O_RDONLY | O_CLOEXEC);
    const ssize_t size = read(fd, file->bytes, sizeof(file->bytes));
    close(fd);
    assert_in_range(size, 1, sizeof(file->bytes) - 1);
    file->size = (size_t)size;
}

static void write_file(const struct fixture *fixture, const uint8_t *bytes, size_t size)
{
    const int fd = open(fixture->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

/* Finds where the frames of a file end; ends[0] is the end of its head. Returns how many frames there are. */
static uint32_t find_ends(const struct file *file, size_t ends[8])
{
    struct recording_frame frame;
    uint32_t count = 0;
    ends[0] = sizeof(struct recording_file);
    while (ends[count] < file->size) {
        memcpy(&frame, file->bytes + ends[count], sizeof(frame));
        ends[count + 1] = ends[count] + sizeof(frame) + frame.stored;
        count++;
    }
    return count;
}

/* The file must have these frames, and the rest is left out. */
static void has_frames(struct fixture *fixture, uint32_t frames, uint64_t cut)
{
    char *why;
    const int error = recording_open(fixture->path, &fixture->recording, &why);
    if (frames == 0) {
        assert_true(error == -EBADMSG || error == -EPROTO);
        assert_non_null(why);
        free(why);
        return;
    }
    assert_int_equal(error, 0);
    assert_int_equal(recording_frames(fixture->recording), frames);
    assert_int_equal(recording_cut(fixture->recording), cut);
    fixture->recording = recording_close(fixture->recording);
}

static void test_a_file_that_is_cut_anywhere_has_the_looks_before(void **state)
{
    struct fixture *fixture = *state;
    static struct file file;
    size_t ends[8];
    record_counts(fixture, 4);
    read_file(fixture, &file);
    assert_int_equal(find_ends(&file, ends), 4);
    for (size_t size = 0, frames = 0; size <= file.size; size++) {
        while (frames < 4 && size >= ends[frames + 1])
            frames++;
        write_file(fixture, file.bytes, size);
        has_frames(fixture, (uint32_t)frames, size - ends[frames]);
    }
    write_file(fixture, file.bytes, ends[3] + 1);
    assert_int_equal(calls_at(reopened(fixture), 2), 3);
}

static void test_a_file_that_is_damaged_anywhere_has_the_looks_before(void **state)
{
    struct fixture *fixture = *state;
    static struct file file;
    size_t ends[8];
    record_counts(fixture, 4);
    read_file(fixture, &file);
    assert_int_equal(find_ends(&file, ends), 4);
    for (size_t at = 0, frames = 0; at < file.size; at++) {
        while (frames < 4 && at >= ends[frames + 1])
            frames++;
        file.bytes[at] ^= (uint8_t)(1 << at % 8);
        write_file(fixture, file.bytes, file.size);
        has_frames(fixture, (uint32_t)frames, file.size - ends[frames]);
        file.bytes[at] ^= (uint8_t)(1 << at % 8);
    }
}

static void test_other_files_are_refused_with_the_reason(void **state)
{
    struct fixture *fixture = *state;
    const struct {
        struct recording_file file;
        int error;
        const char *says;
    } cases[] = {
        {{.magic = SEGMENT_MAGIC, .version = 1, .digest = layout_digest()}, -EBADMSG, "is no recording"},
        {{.magic = RECORDING_MAGIC, .version = 2, .digest = layout_digest()}, -EPROTO, "use the version of tripctl"},
        {{.magic = RECORDING_MAGIC, .version = 1, .digest = layout_digest() + 1},
         -EPROTO,
         "use the version of tripctl"},
        {{.magic = RECORDING_MAGIC, .version = 1, .digest = layout_digest()}, -EBADMSG, "has no whole look"},
    };
    struct recording *recording;
    char *why;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_file(fixture, (const uint8_t *)&cases[i].file, sizeof(cases[i].file));
        assert_int_equal(recording_open(fixture->path, &recording, &why), cases[i].error);
        assert_non_null(strstr(why, cases[i].says));
        free(why);
    }
    assert_int_equal(recording_open(fixture->dir.dir, &recording, &why), -EBADMSG);
    free(why);
    assert_int_equal(recording_open("/dev/shm/trip-test-none", &recording, &why), -ENOENT);
    assert_null(why);
}

/* --------------------------------------------------------------------------------------------------- what is forged */

/* A WHOLE as it should be, and then a frame that lies. */
static struct forged forged_whole(const struct packed_segment *packed)
{
    struct forged forged = forged_begin_well();
    forged_packed(&forged, RECORDING_WHOLE, packed->bytes, packed->size, packed->size);
    return forged;
}

/* Opens the recording, which must have so many frames, the last of which is refused. */
static void last_is_refused(struct forged *forged, uint32_t frames, int expected)
{
    struct recording *recording;
    assert_int_equal(forged_open(forged, &recording), 0);
    assert_int_equal(recording_frames(recording), frames);
    assert_int_equal(recording_go(recording, frames - 1), expected);
    assert_null(recording_snapshot(recording));
    if (frames > 1)
        assert_int_equal(recording_go(recording, 0), 0);
    recording_close(recording);
    close(forged->fd);
}

static void left_out(struct forged *forged)
{
    struct recording *recording;
    assert_int_equal(forged_open(forged, &recording), 0);
    assert_int_equal(recording_frames(recording), 1);
    assert_true(recording_cut(recording) > 0);
    recording_close(recording);
    close(forged->fd);
}

static void refused(struct forged *forged)
{
    struct recording *recording;
    assert_int_equal(forged_open(forged, &recording), -EBADMSG);
    close(forged->fd);
}

static void test_sizes_that_lie_are_refused_before_memory_is_taken(void **state)
{
    (void)state;
    struct packed_segment packed = packed_segment_make();
    struct forged forged = forged_begin_well();
    forged_packed(&forged, RECORDING_WHOLE, packed.bytes, packed.size, packed.size + 1); /* no whole page */
    refused(&forged);
    forged = forged_begin_well();
    forged_packed(&forged, RECORDING_WHOLE, packed.bytes, packed.size, UINT64_C(1) << 32); /* more than there may be */
    refused(&forged);
    forged = forged_begin_well();
    forged_packed(&forged, RECORDING_CHANGES, packed.bytes, 64, 64); /* of what? */
    refused(&forged);
    forged = forged_begin_well();
    forged_frame(&forged,
                 (struct recording_frame){.kind = RECORDING_WHOLE, .stored = 9, .unpacked = UINT64_C(100) << 20},
                 "too few!!");
    refused(&forged);
    forged = forged_begin_well();
    forged_packed(&forged, RECORDING_WHOLE, packed.bytes, packed.size, packed.size + 4096);
    last_is_refused(&forged, 1, -EBADMSG);
    forged = forged_begin_well();
    forged_packed(&forged, RECORDING_WHOLE, packed.bytes, packed.size, packed.size - 4096);
    last_is_refused(&forged, 1, -EBADMSG);
    forged = forged_begin_well();
    forged_packed(&forged, RECORDING_WHOLE, packed.bytes, packed.size - 4096, packed.size - 4096);
    last_is_refused(&forged, 1, -EBADMSG);
    forged = forged_begin_well();
    forged_packed(&forged, RECORDING_WHOLE, packed.bytes, 0, 0);
    last_is_refused(&forged, 1, -EBADMSG);

    forged = forged_whole(&packed);
    forged_packed(&forged, RECORDING_CHANGES, packed.bytes, 64, packed.size * 2);
    left_out(&forged);
    forged = forged_whole(&packed);
    forged_packed(&forged, 3, packed.bytes, 64, 64);
    left_out(&forged);
    forged = forged_whole(&packed);
    forged_frame(&forged, (struct recording_frame){.kind = RECORDING_CHANGES, .daemon = REPORT_DEAD + 1}, "");
    left_out(&forged);
    forged = forged_whole(&packed);
    forged_packed(&forged, RECORDING_CHANGES, packed.bytes, 72, 71);
    last_is_refused(&forged, 2, -EBADMSG);
    forged = forged_whole(&packed);
    forged_frame(&forged, (struct recording_frame){.kind = RECORDING_CHANGES, .stored = 9, .unpacked = 9}, "no zstd!!");
    last_is_refused(&forged, 2, -EBADMSG);
    free(packed.bytes);
}

static void test_runs_that_lead_out_of_the_segment_are_refused(void **state)
{
    (void)state;
    struct packed_segment packed = packed_segment_make();
    struct {
        struct recording_run run;
        uint8_t lines[2 * RECORDING_LINE];
    } changes = {0};
    const uint32_t lines = (uint32_t)(packed.size / RECORDING_LINE);
    const struct {
        struct recording_run run;
        size_t size;
        int error;
    } cases[] = {
        {{.line = lines - 2, .lines = 2}, 8 + 128, 0},
        {{.line = lines, .lines = 0}, 8, 0},
        {{.line = lines - 1, .lines = 2}, 8 + 128, -EBADMSG},
        {{.line = lines, .lines = 1}, 8 + 64, -EBADMSG},
        {{.line = UINT32_MAX, .lines = 2}, 8 + 128, -EBADMSG},
        {{.line = 0, .lines = UINT32_MAX}, 8 + 128, -EBADMSG},
        {{.line = 0, .lines = 2}, 8 + 127, -EBADMSG},
        {{.line = lines - 2, .lines = 1}, 8 + 65, -EBADMSG}, /* no run follows it */
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct recording *recording;
        struct forged forged = forged_whole(&packed);
        changes.run = cases[i].run;
        forged_packed(&forged, RECORDING_CHANGES, &changes, cases[i].size, cases[i].size);
        assert_int_equal(forged_open(&forged, &recording), 0);
        assert_int_equal(recording_go(recording, 1), cases[i].error);
        assert_int_equal(recording_go(recording, 0), 0);
        recording_close(recording);
        close(forged.fd);
    }
    free(packed.bytes);
}

/* Changes of the header that would have a reader look elsewhere. */
static void test_changes_do_not_move_the_sections(void **state)
{
    (void)state;
    struct packed_segment packed = packed_segment_make();
    const struct recording_run run = {.lines = sizeof(struct segment_header) / RECORDING_LINE};
    uint8_t changes[sizeof(run) + sizeof(struct segment_header)];
    const struct {
        uint64_t at;
        int error;
    } cases[] = {
        {offsetof(struct segment_header, magic), -EBADMSG},
        {offsetof(struct segment_header, digest), -EPROTO},
        {offsetof(struct segment_header, sections[SECTION_DETAIL].count), -EBADMSG},
        {offsetof(struct segment_header, sections[SECTION_DETAIL].stride), -EBADMSG},
        {offsetof(struct segment_header, sections[SECTION_TRANSITIONS].count), -EBADMSG},
        {offsetof(struct segment_header, slots) + 1, -EBADMSG},
        {offsetof(struct segment_header, latency_groups) + 1, -EBADMSG},
        {offsetof(struct segment_header, error_records) + 1, -EBADMSG},
        {offsetof(struct segment_header, fingerprints) + 1, -EBADMSG},
        {offsetof(struct segment_header, groups) + 1, -EBADMSG},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct forged forged = forged_whole(&packed);
        memset(changes, 0, sizeof(changes));
        memcpy(changes, &run, sizeof(run));
        changes[sizeof(run) + cases[i].at] = 1;
        forged_packed(&forged, RECORDING_CHANGES, changes, sizeof(changes), sizeof(changes));
        last_is_refused(&forged, 2, cases[i].error);
    }
    free(packed.bytes);
}

/* -------------------------------------------------------------------------------------------------------- the writer
 */

static void test_the_file_stays_within_its_bound_and_is_whole_then(void **state)
{
    struct fixture *fixture = *state;
    struct recorder *recorder;
    char path[140];
    uint64_t looks = 0;
    int error;
    snprintf(path, sizeof(path), "%s/bounded", fixture->dir.dir);
    assert_int_equal(recorder_open(path, 8192, &recorder), 0);
    do {
        count_calls(fixture, looks + 1);
        error = recorder_look(recorder, fixture->living, REPORT_RUNNING);
    } while (error == 0 && ++looks < 1000);
    assert_int_equal(error, -EOVERFLOW);
    assert_int_equal(recorder_looks(recorder), looks);
    assert_in_range(recorder_bytes(recorder), 7000, 8192);
    assert_int_equal(recorder_close(recorder), 0);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_in_range(status.st_size, 7000, 8192);
    memcpy(fixture->path, path, sizeof(fixture->path));
    assert_int_equal(calls_at(reopened(fixture), (uint32_t)looks - 1), looks);
    assert_int_equal(recording_cut(fixture->recording), 0);
}

static void test_a_file_is_the_users_alone_and_replaces_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct recorder *another;
    struct stat status;
    look(fixture);
    assert_int_equal(stat(fixture->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(recorder_open(fixture->path, MIB, &another), -EEXIST);
    assert_int_equal(recorder_open("/dev/shm/trip-test-none/file", MIB, &another), -ENOENT);
    assert_int_equal(recording_frames(reopened(fixture)), 1);
}

static void test_what_does_not_change_takes_next_to_nothing(void **state)
{
    struct fixture *fixture = *state;
    look(fixture);
    const uint64_t first = recorder_bytes(fixture->recorder);
    for (unsigned i = 0; i < 10; i++)
        look(fixture);
    assert_in_range(recorder_bytes(fixture->recorder) - first, 1, 640);
    segment_heartbeat(fixture->segment);
    look(fixture);
    assert_in_range(recorder_bytes(fixture->recorder) - first, 1, 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_look_is_read_back_in_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_states_errors_and_events_are_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_segment_that_grows_is_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_segment_of_the_same_size_is_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_entry_that_is_being_written_is_recorded_as_it_stood_at_one_moment,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_time_and_tripd_are_those_of_the_look, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_cut_anywhere_has_the_looks_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_damaged_anywhere_has_the_looks_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_files_are_refused_with_the_reason, set_up, tear_down),
        cmocka_unit_test(test_sizes_that_lie_are_refused_before_memory_is_taken),
        cmocka_unit_test(test_runs_that_lead_out_of_the_segment_are_refused),
        cmocka_unit_test(test_changes_do_not_move_the_sections),
        cmocka_unit_test_setup_teardown(test_the_file_stays_within_its_bound_and_is_whole_then, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_is_the_users_alone_and_replaces_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_does_not_change_takes_next_to_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
