/* A forged segment: an input pokes a small one, which every tool may be given as a file, and which a recording may
 * hold. It is refused with a sentence, or all of it is read, reported, printed and painted. */
#include "fuzz.h"
#include "poke.h"
#include "snapshot_walk.h"
#include "top.h"

static struct packed_segment packed;

static void at_exit(void)
{
    free(packed.bytes);
}

/* Paints each screen of triptop, on which no control character gets. */
static void paint(const struct snapshot *snapshot)
{
    static char *const all[] = {NULL};
    const struct top_options options = {.unchangeable = "it is forged", .named = "input", .patterns = all};
    struct top *const top = top_new(&options);
    struct canvas *const canvas = canvas_new(24, 80, false);
    for (unsigned pane = 0; pane < PANE_COUNT; pane++) {
        top->pane = pane;
        top_look(top, snapshot, "", 1 + pane);
        top_paint(top, canvas);
        for (int at = 0; at < canvas->rows * canvas->columns; at++)
            assert(canvas->cells[at].character == 0 || canvas->cells[at].character >= ' ');
    }
    canvas_free(canvas);
    top_free(top);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = {.data = data, .left = size};
    struct pokes pokes = {.count = 0};
    struct snapshot *snapshot;
    char *why;
    if (!packed.bytes) {
        packed = packed_segment_make();
        setenv("XDG_CONFIG_HOME", "/nonexistent", 1); /* triptop as it is at first */
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
        paint(snapshot);
        snapshot_close(snapshot);
    }
    unpoke(&pokes, packed.bytes);
    return 0;
}
