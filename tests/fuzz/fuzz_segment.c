/* A forged segment: an input pokes a small one, which every tool may be given as a file, and which a recording may
 * hold. It is refused with a sentence, or all of it is read, reported and printed. */
#include "fuzz.h"
#include "poke.h"
#include "snapshot_walk.h"

static struct packed_segment packed;

static void at_exit(void)
{
    free(packed.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = {.data = data, .left = size};
    struct pokes pokes = {.count = 0};
    struct snapshot *snapshot;
    char *why;
    if (!packed.bytes) {
        packed = packed_segment_make();
        atexit(at_exit);
    }
    const struct snapshot_look look = {.mono_ns = bytes_number(&bytes), .daemon = bytes_below(&bytes, REPORT_DEAD + 1)};
    while (bytes_left(&bytes))
        poke(&pokes, &packed, packed.bytes, &bytes);
    const int error = snapshot_of_memory(packed.bytes, packed.size, "input", &look, &snapshot, &why);
    assert(error == 0 || (why && why[0]));
    free(why);
    if (error == 0) {
        walk_snapshot(snapshot);
        snapshot_close(snapshot);
    }
    unpoke(&pokes, packed.bytes);
    return 0;
}
