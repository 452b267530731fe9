/* Makes recordings that `tripctl record` would not write: each frame has the right check, whatever it says. */
#ifndef TRIP_TESTS_FORGED_RECORDING_H
#define TRIP_TESTS_FORGED_RECORDING_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "recording.h"

struct forged {
    int fd; /* of a file in memory */
    uint64_t check;
};

static inline void forged_write(const struct forged *forged, const void *bytes, size_t size)
{
    assert(write(forged->fd, bytes, size) == (ssize_t)size);
}

static inline struct forged forged_begin(const struct recording_file *file)
{
    const struct forged forged = {.fd = memfd_create("recording", MFD_CLOEXEC), .check = recording_start(file)};
    assert(forged.fd >= 0);
    forged_write(&forged, file, sizeof(*file));
    return forged;
}

static inline struct forged forged_begin_well(void)
{
    return forged_begin(
        &(struct recording_file){.magic = RECORDING_MAGIC, .version = RECORDING_VERSION, .digest = layout_digest()});
}

/* Writes a frame with its payload, frame.stored bytes as they are. */
static inline void forged_frame(struct forged *forged, struct recording_frame frame, const void *payload)
{
    forged->check = frame.check = recording_check(forged->check, &frame, payload);
    forged_write(forged, &frame, sizeof(frame));
    forged_write(forged, payload, frame.stored);
}

/* Writes a frame with a compressed payload. unpacked: what the frame says of its size. */
static inline void forged_packed(struct forged *forged, enum recording_kind kind, const void *content, size_t size,
                                 uint64_t unpacked)
{
    const size_t most = ZSTD_compressBound(size);
    void *const payload = malloc(most);
    assert(payload);
    const size_t stored = ZSTD_compress(payload, most, content, size, 1);
    assert(!ZSTD_isError(stored));
    forged_frame(forged, (struct recording_frame){.kind = kind, .stored = stored, .unpacked = unpacked}, payload);
    free(payload);
}

/* Opens what was written so far. Returns recording_open's. */
static inline int forged_open(const struct forged *forged, struct recording **ret_recording)
{
    char path[40], *why;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", forged->fd);
    const int error = recording_open(path, ret_recording, &why);
    assert(error == 0 || (why && why[0]));
    free(why);
    return error;
}

#endif
