#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal/boot.h"
#include "internal/paths.h"
#include "internal/ticks.h"
#include "must.h"
#include "reading.h"

#define COPY_TRIES 5

struct source {
    const struct arguments *arguments;
    struct snapshot *snapshot;
    void *copied; /* what `frozen` borrows */
    struct snapshot *frozen;
    char *waits;
};

static void thaw(struct source *source)
{
    source->frozen = snapshot_close(source->frozen);
    free(source->copied);
    source->copied = NULL;
}

static bool is_file(const struct source *source)
{
    return source->arguments->given & OPTION_SEGMENT;
}

int source_open(const struct arguments *arguments, struct source **ret_source, char **ret_why)
{
    struct source *const source = must(calloc(1, sizeof(*source)));
    source->arguments = arguments;
    *ret_why = NULL;
    const int error = is_file(source) ? snapshot_open(arguments->segment, true, &source->snapshot, ret_why) : 0;
    if (error < 0) {
        source_close(source);
        return error;
    }
    if (source->snapshot)
        snapshot_know_daemon(source->snapshot, REPORT_GONE);
    *ret_source = source;
    return 0;
}

struct source *source_close(struct source *source)
{
    if (!source)
        return NULL;
    thaw(source);
    snapshot_close(source->snapshot);
    free(source->waits);
    free(source);
    return NULL;
}

/* Opens the instance's segment, or says what is waited for. */
static void open_instance(struct source *source)
{
    char path[PATHS_MAX] = "", *why;
    const int error = reading_open_quietly(source->arguments, path, &source->snapshot, &why);
    free(source->waits);
    source->waits = NULL;
    if (error == 0)
        return;
    if (asprintf(&source->waits, "waits for tripd: %s%s%s", why ? why : "there is no state segment ", why ? "" : path,
                 why || error == -ENOENT ? "" : strerror(-error)) < 0)
        source->waits = NULL;
    free(why);
}

const struct snapshot *source_look(struct source *source, const char **ret_waits)
{
    thaw(source);
    if (!is_file(source)) {
        if (!source->snapshot)
            open_instance(source);
        else
            reading_renew(source->arguments, &source->snapshot);
        if (source->snapshot)
            snapshot_know_daemon(source->snapshot, reading_daemon_now(source->arguments, source->snapshot));
    }
    *ret_waits = source->waits ? source->waits : "waits for tripd";
    return source->snapshot;
}

/* Copies the segment. False: no memory, or it grew at each try. */
static bool copy(struct source *source, uint64_t *ret_size)
{
    for (unsigned tries = 0; tries < COPY_TRIES; tries++) {
        *ret_size = snapshot_packed_size(source->snapshot);
        source->copied = aligned_alloc(LAYOUT_PAGE, *ret_size);
        if (!source->copied)
            return false;
        memset(source->copied, 0, *ret_size);
        if (snapshot_pack(source->snapshot, source->copied, *ret_size))
            return true;
        thaw(source);
    }
    return false;
}

const struct snapshot *source_freeze(struct source *source)
{
    struct snapshot_look look = {.mono_ns = monotonic_ns()};
    char *why = NULL;
    uint64_t size;
    if (!source->snapshot || is_file(source))
        return source->snapshot;
    thaw(source);
    look.daemon = snapshot_known_daemon(source->snapshot);
    if (boot_id_read(look.boot_id) < 0 || !copy(source, &size))
        return NULL;
    if (snapshot_of_memory(source->copied, size, source->arguments->instance, &look, &source->frozen, &why) < 0)
        thaw(source);
    free(why);
    return source->frozen;
}
