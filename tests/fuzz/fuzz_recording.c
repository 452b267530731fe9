/* A forged recording: an input says what frames are in it and how their payloads are, what they lie about, and where
 * the file is damaged. It is opened or refused with a sentence; each frame is gone to forth and back, where it is found
 * or refused as it was before; and of some all is read that is in them. */
#include "forged_recording.h"
#include "fuzz.h"
#include "poke.h"
#include "snapshot_walk.h"

#define FRAMES_MAX 16
#define RUNS_MAX   32
#define WALKS_MAX  3

static struct packed_segment packed;

static void at_exit(void)
{
    free(packed.bytes);
}

/* Writes a WHOLE of a segment that is poked. */
static void whole(struct forged *forged, struct bytes *bytes)
{
    struct pokes pokes = {.count = 0};
    for (unsigned left = bytes_below(bytes, 4); left > 0; left--)
        poke(&pokes, &packed, packed.bytes, bytes);
    forged_packed(forged, RECORDING_WHOLE, packed.bytes, packed.size, packed.size);
    unpoke(&pokes, packed.bytes);
}

/* Writes CHANGES of some runs. Each but a last one, which may say any number of lines, has as many as it says. */
static void changes(struct forged *forged, struct bytes *bytes)
{
    static uint8_t content[RUNS_MAX * (sizeof(struct recording_run) + 4 * RECORDING_LINE)];
    size_t size = 0;
    for (unsigned left = bytes_below(bytes, RUNS_MAX); left > 0; left--) {
        const uint32_t line = (uint32_t)bytes_number(bytes), said = (uint32_t)bytes_number(bytes);
        const struct recording_run run = {.line = line, .lines = left == 1 ? said : said % 4};
        memcpy(content + size, &run, sizeof(run));
        size += sizeof(run);
        for (unsigned at = 0; at < run.lines % 4 * RECORDING_LINE; at += 8, size += 8) {
            const uint64_t word = at % RECORDING_LINE == 0 ? bytes_number(bytes) : 0;
            memcpy(content + size, &word, sizeof(word));
        }
    }
    forged_packed(forged, RECORDING_CHANGES, content, size, size);
}

/* Writes a frame that lies, whose payload is the input's own bytes or what stands for some zeros. */
static void lie(struct forged *forged, struct bytes *bytes)
{
    uint8_t payload[256];
    struct recording_frame frame = {.kind = bytes_below(bytes, 4), .daemon = bytes_below(bytes, REPORT_DEAD + 3)};
    frame.mono_ns = bytes_number(bytes);
    frame.unix_ms = bytes_number(bytes);
    frame.unpacked = bytes_number(bytes);
    const uint64_t zeros = bytes_number(bytes) % sizeof(payload);
    if (zeros > 0) {
        const uint8_t none[sizeof(payload)] = {0};
        frame.stored = ZSTD_compress(payload, sizeof(payload), none, zeros, 1);
    } else {
        frame.stored = bytes_below(bytes, sizeof(payload));
        for (uint64_t i = 0; i < frame.stored; i++)
            payload[i] = bytes_byte(bytes);
    }
    forged_frame(forged, frame, payload);
}

/* Damages a byte, or cuts the file there. */
static void damage(const struct forged *forged, struct bytes *bytes)
{
    const off_t size = lseek(forged->fd, 0, SEEK_CUR), at = (off_t)(bytes_number(bytes) % ((uint64_t)size + 1));
    const uint8_t byte = bytes_byte(bytes);
    if (byte > 0)
        assert(pwrite(forged->fd, &byte, 1, at) == 1);
    else
        assert(ftruncate(forged->fd, at) == 0 && lseek(forged->fd, at, SEEK_SET) == at);
}

static void walk(struct recording *recording)
{
    int errors[FRAMES_MAX];
    unsigned walks = 0;
    const uint32_t frames = recording_frames(recording);
    assert(frames >= 1 && frames <= FRAMES_MAX);
    for (uint32_t frame = 0; frame < frames; frame++) {
        errors[frame] = recording_go(recording, frame);
        assert((errors[frame] == 0) == (recording_snapshot(recording) != NULL));
        if (errors[frame] == 0 && walks++ < WALKS_MAX)
            walk_snapshot(recording_snapshot(recording));
        assert(recording_find(recording, recording_at(recording, frame).unix_ms) >= frame);
    }
    for (uint32_t frame = frames; frame-- > 0;)
        assert(recording_go(recording, frame) == errors[frame]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = {.data = data, .left = size};
    struct recording *recording;
    if (!packed.bytes) {
        packed = packed_segment_make();
        atexit(at_exit);
    }
    struct forged forged = forged_begin_well();
    for (unsigned frames = 0; frames < FRAMES_MAX && bytes_left(&bytes); frames++) {
        static void (*const steps[])(struct forged * forged, struct bytes * bytes) = {changes, whole, lie};
        const unsigned what = bytes_below(&bytes, 4);
        if (what < 3)
            steps[what](&forged, &bytes);
        else
            damage(&forged, &bytes);
    }
    if (forged_open(&forged, &recording) == 0) {
        walk(recording);
        recording_close(recording);
    }
    close(forged.fd);
    return 0;
}
