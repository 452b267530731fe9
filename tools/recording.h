/* A recording: what could be seen in a segment, look by look, as `tripctl record` writes it. The reader goes to any
 * look and makes a snapshot of it, on which all of snapshot.h works.
 *
 * A file is a recording_file and then frames, each with its payload, compressed by zstd. A WHOLE is a packed copy of
 * the segment (snapshot.h). CHANGES are runs of its lines, each exclusive-or'ed with the same line of the look before:
 * what stays is zeros, and a frame leads back as well as forth. A frame's check covers all that is before it in the
 * file, so that a file whose writer was killed, or whose end is damaged, is good up to there.
 */
#ifndef TRIP_TOOLS_RECORDING_H
#define TRIP_TOOLS_RECORDING_H

#include "internal/numbers.h"
#include "snapshot.h"

struct recording;

/* Opens a recording. 0; -EBADMSG: it is no recording, or its first look is damaged; -EPROTO: another version of tripctl
 * wrote it; other errors of opening. *ret_why says more, and the caller frees it; it may be NULL. */
int recording_open(const char *path, struct recording **ret_recording, char **ret_why);
struct recording *recording_close(struct recording *recording);

/* Returns how many looks there are, at least one; frames are 0 to recording_frames() - 1. */
uint32_t recording_frames(const struct recording *recording);
/* Returns how many bytes at the end of the file are left out, for they are cut or damaged. 0: none are. */
uint64_t recording_cut(const struct recording *recording);

struct recording_look {
    uint64_t unix_ms, mono_ns;
    enum report_daemon daemon; /* as it was known then */
};
struct recording_look recording_at(const struct recording *recording, uint32_t frame);
/* Returns the last frame that is not after this time, or else the first one. */
uint32_t recording_find(const struct recording *recording, uint64_t unix_ms);

/* Makes a frame the present one; a step is cheap in both directions. -EINVAL: there is no such frame; -EBADMSG,
 * -EPROTO, -EAGAIN: the file was forged, and has no segment there; -ENOMEM. After an error there is no present one. */
int recording_go(struct recording *recording, uint32_t frame);
/* Returns a snapshot of the present frame, until recording_go or recording_close. NULL: there is no present one. */
const struct snapshot *recording_snapshot(const struct recording *recording);

/* -------------------------------------------------------------------------------------------------------- the file */

#define RECORDING_MAGIC   UINT64_C(0x3163657270697274) /* "triprec1", little endian */
#define RECORDING_VERSION 1
#define RECORDING_LINE    64                  /* bytes of a line: small, for a counter moves alone */
#define RECORDING_MAX     (UINT64_C(4) << 30) /* bytes of a file */

struct recording_file {
    uint64_t magic;
    uint64_t version;
    uint64_t digest;               /* layout_digest() */
    uint8_t boot_id[BOOT_ID_SIZE]; /* of the host, while it was recorded */
};

enum recording_kind { RECORDING_WHOLE = 1, RECORDING_CHANGES };

struct recording_frame {
    uint64_t check; /* recording_check() of all before it and of all that follows here, with the payload */
    uint32_t kind;
    uint32_t daemon;
    uint64_t mono_ns, unix_ms; /* of the look */
    uint64_t stored, unpacked; /* bytes of the payload: in the file, and decompressed */
};

struct recording_run {
    uint32_t line, lines; /* followed by the lines */
};

/* Returns how large changes of a packed copy may be: each line may be a run of its own. */
static inline uint64_t recording_changes_most(uint64_t packed_size)
{
    return packed_size / RECORDING_LINE * (sizeof(struct recording_run) + RECORDING_LINE);
}

/* Returns the check of a frame. before: that of the frame before, or of the first one recording_start(). */
static inline uint64_t recording_start(const struct recording_file *file)
{
    return fnv1a(FNV1A_BASIS, file, sizeof(*file));
}

static inline uint64_t recording_check(uint64_t before, const struct recording_frame *frame, const void *payload)
{
    const uint64_t head =
        fnv1a(before, (const uint8_t *)frame + sizeof(frame->check), sizeof(*frame) - sizeof(frame->check));
    return fnv1a(head, payload, frame->stored);
}

#endif
