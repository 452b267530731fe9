#include "recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "internal/ticks.h"
#include "recording.h"

#define TRIES       5
#define WHOLE_EVERY 60 /* frames: going to one takes so many steps at most */

struct recorder {
    int fd;
    uint64_t most, bytes;
    uint64_t looks, whole; /* whole: which look the last WHOLE was */
    uint64_t check;        /* of the last frame */
    ZSTD_CCtx *zstd;

    uint64_t size;                 /* of a packed copy */
    uint8_t *now, *before;         /* packed copies; before the next look `now` is of the one before the last */
    uint8_t *changes;              /* runs */
    struct recording_frame *frame; /* followed by its payload */
    size_t payload_most;
};

/* --------------------------------------------------------------------------------------------------------- writing */

static int write_all(struct recorder *recorder, const void *bytes, size_t size)
{
    size_t written = 0;
    while (written < size) {
        const ssize_t more = write(recorder->fd, (const uint8_t *)bytes + written, size - written);
        if (more < 0) {
            const int error = -errno;
            return ftruncate(recorder->fd, (off_t)recorder->bytes) < 0 ? -errno : error;
        }
        written += (size_t)more;
    }
    recorder->bytes += size;
    return 0;
}

static int begin(struct recorder *recorder)
{
    struct recording_file file = {.magic = RECORDING_MAGIC, .version = RECORDING_VERSION, .digest = layout_digest()};
    if (boot_id_read(file.boot_id) < 0)
        memset(file.boot_id, 0, sizeof(file.boot_id));
    recorder->check = recording_start(&file);
    return write_all(recorder, &file, sizeof(file));
}

int recorder_open(const char *path, uint64_t most, struct recorder **ret_recorder)
{
    struct recorder *const recorder = calloc(1, sizeof(*recorder));
    if (!recorder)
        return -ENOMEM;
    recorder->most = most;
    recorder->zstd = ZSTD_createCCtx();
    recorder->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const int error = recorder->fd < 0 ? -errno : recorder->zstd ? begin(recorder) : -ENOMEM;
    if (error < 0) {
        recorder_close(recorder);
        return error;
    }
    *ret_recorder = recorder;
    return 0;
}

static void drop_copies(struct recorder *recorder)
{
    free(recorder->now);
    free(recorder->before);
    free(recorder->changes);
    free(recorder->frame);
}

int recorder_close(struct recorder *recorder)
{
    const int error = recorder->fd >= 0 && close(recorder->fd) < 0 ? -errno : 0;
    drop_copies(recorder);
    ZSTD_freeCCtx(recorder->zstd);
    free(recorder);
    return error;
}

/* --------------------------------------------------------------------------------------------------------- looking */

/* Makes room for another size. */
static int resize(struct recorder *recorder, uint64_t size)
{
    const uint64_t changes = recording_changes_most(size);
    drop_copies(recorder);
    recorder->payload_most = ZSTD_compressBound(changes);
    recorder->now = calloc(1, size);
    recorder->before = calloc(1, size);
    recorder->changes = malloc(changes);
    recorder->frame = malloc(sizeof(*recorder->frame) + recorder->payload_most);
    const bool there = recorder->now && recorder->before && recorder->changes && recorder->frame;
    recorder->size = there ? size : 0;
    return there ? 0 : -ENOMEM;
}

/* Brings `now` up to date. */
static int take(struct recorder *recorder, const struct snapshot *snapshot)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        const uint64_t size = snapshot_packed_size(snapshot);
        const int error = size == recorder->size ? 0 : resize(recorder, size);
        if (error < 0 || snapshot_pack(snapshot, recorder->now, size))
            return error;
    }
    return -EAGAIN;
}

/* Is the copy before of another segment? One that was just made is of none. */
static bool of_another(const struct recorder *recorder)
{
    const struct segment_header *const now = (const void *)recorder->now, *const before =
                                                                              (const void *)recorder->before;
    return now->segment_id != before->segment_id;
}

static bool line_differs(const struct recorder *recorder, uint64_t line)
{
    const uint64_t at = line * RECORDING_LINE;
    return memcmp(recorder->now + at, recorder->before + at, RECORDING_LINE) != 0;
}

/* Writes the line's difference. Returns where the next one goes. */
static uint8_t *put_line(const struct recorder *recorder, uint64_t line, uint8_t *to)
{
    const uint64_t at = line * RECORDING_LINE;
    for (unsigned i = 0; i < RECORDING_LINE; i++)
        to[i] = recorder->now[at + i] ^ recorder->before[at + i];
    return to + RECORDING_LINE;
}

/* Fills in the changes. Returns their size. */
static uint64_t compare(struct recorder *recorder)
{
    const uint64_t lines = recorder->size / RECORDING_LINE;
    uint8_t *to = recorder->changes;
    for (uint64_t line = 0; line < lines; line++) {
        if (!line_differs(recorder, line))
            continue;
        struct recording_run run = {.line = (uint32_t)line};
        uint8_t *const head = to;
        to += sizeof(run);
        for (; line < lines && line_differs(recorder, line); line++, run.lines++)
            to = put_line(recorder, line, to);
        memcpy(head, &run, sizeof(run));
    }
    return (uint64_t)(to - recorder->changes);
}

/* Compresses a payload behind the frame, and writes both. */
static int write_frame(struct recorder *recorder, const void *payload, uint64_t size)
{
    struct recording_frame *const frame = recorder->frame;
    const size_t stored =
        ZSTD_compressCCtx(recorder->zstd, frame + 1, recorder->payload_most, payload, size, ZSTD_CLEVEL_DEFAULT);
    if (ZSTD_isError(stored))
        return -ENOMEM; /* there is room for whatever comes of it */
    if (recorder->bytes + sizeof(*frame) + stored > recorder->most)
        return -EOVERFLOW;
    frame->stored = stored;
    frame->unpacked = size;
    frame->check = recording_check(recorder->check, frame, frame + 1);
    const int error = write_all(recorder, frame, sizeof(*frame) + stored);
    if (error == 0)
        recorder->check = frame->check;
    return error;
}

int recorder_look(struct recorder *recorder, const struct snapshot *snapshot, enum report_daemon daemon)
{
    int error = take(recorder, snapshot);
    if (error < 0)
        return error;
    const bool whole = of_another(recorder) || recorder->looks - recorder->whole >= WHOLE_EVERY;
    *recorder->frame = (struct recording_frame){.kind = whole ? RECORDING_WHOLE : RECORDING_CHANGES,
                                                .daemon = daemon,
                                                .mono_ns = monotonic_ns(),
                                                .unix_ms = realtime_ms()};
    error = whole ? write_frame(recorder, recorder->now, recorder->size)
                  : write_frame(recorder, recorder->changes, compare(recorder));
    if (error < 0)
        return error;
    uint8_t *const now = recorder->now;
    recorder->now = recorder->before;
    recorder->before = now;
    if (whole)
        recorder->whole = recorder->looks;
    recorder->looks++;
    return 0;
}

uint64_t recorder_looks(const struct recorder *recorder)
{
    return recorder->looks;
}

uint64_t recorder_bytes(const struct recorder *recorder)
{
    return recorder->bytes;
}
