#include "recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "internal/segment_plan.h"
#include "wrong.h"

#define NOWHERE      UINT32_MAX
#define ZSTD_DENSEST (ZSTD_BLOCKSIZE_MAX / 4) /* a block has four bytes at least */

struct place {
    uint64_t payload; /* where it begins in the file */
    struct recording_frame frame;
    uint32_t whole; /* the last WHOLE up to here */
};

struct recording {
    char *path;
    uint8_t *bytes; /* the file: nobody can change what is checked */
    uint64_t size;
    struct recording_file file;
    struct place *places;
    uint32_t count, room;
    uint64_t good; /* bytes of the file up to the end of the last frame */

    uint8_t *packed;      /* the segment, as of the present frame */
    uint64_t packed_size; /* whole pages */
    uint32_t present;     /* NOWHERE: `packed` is of no frame, and there is no snapshot */
    struct snapshot *snapshot;
};

/* --------------------------------------------------------------------------------------------------------- opening */

static int read_file(struct recording *recording, int fd, char **ret_why)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size > RECORDING_MAX)
        return wrong(ret_why, -EBADMSG, "%s is no recording", recording->path);
    recording->bytes = malloc((size_t)status.st_size + 1);
    if (!recording->bytes)
        return -ENOMEM;
    while (recording->size < (uint64_t)status.st_size) {
        const ssize_t more = read(fd, recording->bytes + recording->size, (size_t)status.st_size - recording->size);
        if (more < 0)
            return -errno;
        if (more == 0)
            break; /* it is shorter by now */
        recording->size += (uint64_t)more;
    }
    return 0;
}

static int check_file(struct recording *recording, char **ret_why)
{
    struct recording_file *const file = &recording->file;
    if (recording->size >= sizeof(*file))
        memcpy(file, recording->bytes, sizeof(*file));
    if (file->magic != RECORDING_MAGIC)
        return wrong(ret_why, -EBADMSG, "%s is no recording: `tripctl record` makes one", recording->path);
    if (file->version != RECORDING_VERSION || file->digest != layout_digest())
        return wrong(ret_why, -EPROTO,
                     "%s is of version %llu, of layout digest %016llx; version %u with %016llx is read here: use the "
                     "version of tripctl that made it",
                     recording->path, (unsigned long long)file->version, (unsigned long long)file->digest,
                     RECORDING_VERSION, (unsigned long long)layout_digest());
    recording->good = sizeof(*file);
    return 0;
}

static bool sizes_ok(const struct recording *recording, const struct recording_frame *frame)
{
    struct section sections[SECTION_PLACES];
    if (frame->unpacked / ZSTD_DENSEST > frame->stored)
        return false;                   /* no memory for what cannot follow */
    if (frame->kind == RECORDING_WHOLE) /* at most one with memory for all that may ever be in use */
        return frame->unpacked % LAYOUT_PAGE == 0 && frame->unpacked <= segment_plan(sections);
    if (frame->kind != RECORDING_CHANGES || recording->count == 0)
        return false;
    const struct place *const last = &recording->places[recording->count - 1];
    return frame->unpacked <= recording_changes_most(recording->places[last->whole].frame.unpacked);
}

/* Can it follow the frames before it, and is it whole? payload: where its payload begins. */
static bool frame_ok(const struct recording *recording, const struct recording_frame *frame, uint64_t payload)
{
    const uint64_t before =
        recording->count > 0 ? recording->places[recording->count - 1].frame.check : recording_start(&recording->file);
    return sizes_ok(recording, frame) && frame->daemon <= REPORT_DEAD && frame->stored <= recording->size - payload &&
           frame->check == recording_check(before, frame, recording->bytes + payload);
}

static int append(struct recording *recording, const struct recording_frame *frame)
{
    if (recording->count == recording->room) {
        const uint32_t room = recording->room ? recording->room * 2 : 64;
        struct place *const places = realloc(recording->places, room * sizeof(*places));
        if (!places)
            return -ENOMEM;
        recording->places = places;
        recording->room = room;
    }
    const uint32_t at = recording->count++;
    recording->places[at] =
        (struct place){.payload = recording->good + sizeof(*frame),
                       .frame = *frame,
                       .whole = frame->kind == RECORDING_WHOLE ? at : recording->places[at - 1].whole};
    recording->good += sizeof(*frame) + frame->stored;
    return 0;
}

/* Finds the frames, up to the first one that is cut or damaged. */
static int find_frames(struct recording *recording, char **ret_why)
{
    struct recording_frame frame;
    while (recording->size - recording->good >= sizeof(frame)) {
        memcpy(&frame, recording->bytes + recording->good, sizeof(frame));
        if (!frame_ok(recording, &frame, recording->good + sizeof(frame)))
            break;
        const int error = append(recording, &frame);
        if (error < 0)
            return error;
    }
    return recording->count > 0
               ? 0
               : wrong(ret_why, -EBADMSG, "%s has no whole look: it is cut or damaged in the first", recording->path);
}

int recording_open(const char *path, struct recording **ret_recording, char **ret_why)
{
    *ret_why = NULL;
    struct recording *const recording = calloc(1, sizeof(*recording));
    if (!recording)
        return -ENOMEM;
    recording->present = NOWHERE;
    recording->path = strdup(path);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    int error = fd < 0 ? -errno : recording->path ? read_file(recording, fd, ret_why) : -ENOMEM;
    if (fd >= 0)
        close(fd);
    if (error == 0)
        error = check_file(recording, ret_why);
    if (error == 0)
        error = find_frames(recording, ret_why);
    if (error < 0) {
        recording_close(recording);
        return error;
    }
    *ret_recording = recording;
    return 0;
}

struct recording *recording_close(struct recording *recording)
{
    if (!recording)
        return NULL;
    snapshot_close(recording->snapshot);
    free(recording->packed);
    free(recording->places);
    free(recording->bytes);
    free(recording->path);
    free(recording);
    return NULL;
}

/* ---------------------------------------------------------------------------------------------------------- frames */

uint32_t recording_frames(const struct recording *recording)
{
    return recording->count;
}

uint64_t recording_cut(const struct recording *recording)
{
    return recording->size - recording->good;
}

struct recording_look recording_at(const struct recording *recording, uint32_t frame)
{
    const struct recording_frame *const of = &recording->places[frame].frame;
    return (struct recording_look){
        .unix_ms = of->unix_ms, .mono_ns = of->mono_ns, .daemon = (enum report_daemon)of->daemon};
}

uint32_t recording_find(const struct recording *recording, uint64_t unix_ms)
{
    uint32_t frame = recording->count - 1; /* wall time may have gone back in between: no binary search */
    while (frame > 0 && recording->places[frame].frame.unix_ms > unix_ms)
        frame--;
    return frame;
}

/* ----------------------------------------------------------------------------------------------------------- going */

static int unpack(const struct recording *recording, uint32_t frame, void *to)
{
    const struct place *const place = &recording->places[frame];
    const size_t size =
        ZSTD_decompress(to, place->frame.unpacked, recording->bytes + place->payload, place->frame.stored);
    return size == place->frame.unpacked ? 0 : -EBADMSG; /* an error is a number that is larger than any size */
}

static int go_to_whole(struct recording *recording, uint32_t frame)
{
    const uint64_t size = recording->places[frame].frame.unpacked;
    if (size != recording->packed_size) {
        free(recording->packed);
        recording->packed_size = 0;
        recording->packed = aligned_alloc(LAYOUT_PAGE, size);
        if (!recording->packed)
            return -ENOMEM;
        recording->packed_size = size;
    }
    return unpack(recording, frame, recording->packed);
}

/* Applies the runs to the packed copy. */
static int apply(struct recording *recording, const uint8_t *changes, uint64_t size)
{
    struct recording_run run;
    uint64_t at = 0;
    while (size - at >= sizeof(run)) {
        memcpy(&run, changes + at, sizeof(run));
        at += sizeof(run);
        const uint64_t bytes = (uint64_t)run.lines * RECORDING_LINE;
        if ((uint64_t)run.line + run.lines > recording->packed_size / RECORDING_LINE || bytes > size - at)
            return -EBADMSG;
        for (uint64_t i = 0; i < bytes; i++)
            recording->packed[(uint64_t)run.line * RECORDING_LINE + i] ^= changes[at + i];
        at += bytes;
    }
    return at == size ? 0 : -EBADMSG;
}

/* Steps from the frame before to this one, or from this one to the frame before. */
static int step(struct recording *recording, uint32_t frame)
{
    uint8_t *const changes = malloc(recording->places[frame].frame.unpacked + 1);
    if (!changes)
        return -ENOMEM;
    int error = unpack(recording, frame, changes);
    if (error == 0)
        error = apply(recording, changes, recording->places[frame].frame.unpacked);
    free(changes);
    return error;
}

static int rebuild(struct recording *recording, uint32_t present, uint32_t frame)
{
    const uint32_t whole = recording->places[frame].whole;
    int error = 0;
    if (present == NOWHERE || recording->places[present].whole != whole ||
        (present > frame && frame - whole < present - frame)) {
        error = go_to_whole(recording, whole);
        present = whole;
    }
    while (error == 0 && present < frame)
        error = step(recording, ++present);
    while (error == 0 && present > frame)
        error = step(recording, present--);
    return error;
}

static int look(struct recording *recording, uint32_t frame)
{
    const struct recording_frame *const of = &recording->places[frame].frame;
    struct snapshot_look taken = {.mono_ns = of->mono_ns, .daemon = (enum report_daemon)of->daemon};
    memcpy(taken.boot_id, recording->file.boot_id, sizeof(taken.boot_id));
    char *why;
    const int error = snapshot_of_memory(recording->packed, recording->packed_size, recording->path, &taken,
                                         &recording->snapshot, &why);
    free(why);
    return error;
}

int recording_go(struct recording *recording, uint32_t frame)
{
    const uint32_t present = recording->present;
    if (frame >= recording->count)
        return -EINVAL;
    if (frame == present)
        return 0;
    recording->snapshot = snapshot_close(recording->snapshot);
    recording->present = NOWHERE;
    int error = rebuild(recording, present, frame);
    if (error == 0)
        error = look(recording, frame);
    if (error == 0)
        recording->present = frame;
    return error;
}

const struct snapshot *recording_snapshot(const struct recording *recording)
{
    return recording->snapshot;
}
