#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal/paths.h"
#include "must.h"
#include "reading.h"
#include "request.h"

struct source {
    const struct arguments *arguments;
    struct snapshot *snapshot;
    char *waits;
};

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
    snapshot_close(source->snapshot);
    free(source->waits);
    free(source);
    return NULL;
}

/* Opens the instance's segment, or says what is waited for. */
static void open_instance(struct source *source)
{
    char path[PATHS_MAX] = "", *why = NULL;
    int error = paths_segment(path, source->arguments->instance, source->arguments->given & OPTION_USER, geteuid());
    if (error == 0)
        error = snapshot_open(path, false, &source->snapshot, &why);
    free(source->waits);
    source->waits = NULL;
    if (error == 0)
        return;
    if (asprintf(&source->waits, "waits for tripd: %s%s%s", why ? why : "there is no state segment ", why ? "" : path,
                 why || error == -ENOENT ? "" : strerror(-error)) < 0)
        source->waits = NULL;
    free(why);
}

/* Tells whether tripd is dead or stalled: the segment alone cannot, and nobody listens at the socket of a dead one. */
static enum report_daemon daemon_of(const struct source *source)
{
    const enum report_daemon daemon = snapshot_daemon(source->snapshot);
    struct rpc_client *client = NULL;
    if (daemon != REPORT_STALLED)
        return daemon;
    const int error = request_open(source->arguments, &client);
    rpc_client_close(client);
    return reading_daemon(source->snapshot, error);
}

const struct snapshot *source_look(struct source *source, const char **ret_waits)
{
    if (!is_file(source)) {
        if (!source->snapshot)
            open_instance(source);
        else
            reading_renew(source->arguments, &source->snapshot);
        if (source->snapshot)
            snapshot_know_daemon(source->snapshot, daemon_of(source));
    }
    *ret_waits = source->waits ? source->waits : "waits for tripd";
    return source->snapshot;
}
