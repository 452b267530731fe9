#include "reading.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal/paths.h"
#include "print.h"
#include "request.h"
#include "users.h"

static int not_found(const struct arguments *arguments, const char *path, int error, const char *why)
{
    const bool file = arguments->given & OPTION_SEGMENT, user = arguments->given & OPTION_USER;
    if (why)
        fprintf(stderr, "tripctl: %s\n", why);
    else if (error == -ENOENT && !file)
        fprintf(stderr,
                "tripctl: no tripd has run as instance %s: there is no state segment %s%s; %sset TRIP_SHM_DIR if its "
                "tripd has it\n",
                arguments->instance, paths_env("TRIP_SHM_DIR") ? "" : "/dev/shm", path,
                user ? "" : "add --user for one of your own, or ");
    else
        fprintf(stderr, "tripctl: %s: %s\n", path, strerror(-error));
    return error == -ENOENT && !file ? EXIT_NO_DAEMON : EXIT_REFUSED;
}

int reading_open_quietly(const struct arguments *arguments, char path[PATHS_MAX], struct snapshot **ret_snapshot,
                         char **ret_why)
{
    *ret_why = NULL;
    if (arguments->given & OPTION_SEGMENT)
        return snapshot_open(arguments->segment, true, ret_snapshot, ret_why);
    const int error = paths_segment(path, arguments->instance, arguments->given & OPTION_USER, geteuid());
    return error < 0 ? error : snapshot_open(path, false, ret_snapshot, ret_why);
}

int reading_segment(const struct arguments *arguments, struct snapshot **ret_snapshot)
{
    char path[PATHS_MAX] = "", *why;
    const int error = reading_open_quietly(arguments, path, ret_snapshot, &why);
    const char *named = arguments->given & OPTION_SEGMENT ? arguments->segment : path;
    const int status = error == 0 ? EXIT_DONE : not_found(arguments, named, error, why);
    free(why);
    return status;
}

enum report_daemon reading_daemon(const struct snapshot *snapshot, int error)
{
    const enum report_daemon daemon = snapshot_daemon(snapshot);
    const bool dead = (daemon == REPORT_RUNNING && error == -ECONNREFUSED) ||
                      (daemon == REPORT_STALLED && (error == -ECONNREFUSED || error == -ENOENT));
    return dead ? REPORT_DEAD : daemon;
}

enum report_daemon reading_daemon_now(const struct arguments *arguments, const struct snapshot *snapshot)
{
    const enum report_daemon daemon = snapshot_daemon(snapshot);
    struct rpc_client *client = NULL;
    if (daemon != REPORT_STALLED)
        return daemon;
    const int error = request_open(arguments, &client);
    rpc_client_close(client);
    return reading_daemon(snapshot, error);
}

void reading_warn(int error, const json_t *answer)
{
    const char *refusal = json_string_value(json_object_get(answer, "message"));
    switch (error) {
    case 0:
        return;
    case -EREMOTEIO:
        fprintf(stderr, "tripctl: %s; the newest calls may be missing\n", refusal ? refusal : "tripd refused");
        return;
    case -ENOENT:
        fputs("tripctl: tripd runs, but its socket is not where it is looked for; the newest calls may be missing\n",
              stderr);
        return;
    case -EACCES:
        fputs("tripctl: you may not connect to tripd's socket; the newest calls may be missing\n", stderr);
        return;
    default:
        fputs("tripctl: tripd runs but did not answer; the newest calls may be missing\n", stderr);
    }
}

/* Warns on standard error that the segment is old, so that the printed result stays what it is. */
static void warn_of_age(const struct snapshot *snapshot, int error, const json_t *answer)
{
    switch (reading_daemon(snapshot, error)) {
    case REPORT_STOPPED:
        fputs("tripctl: tripd was stopped; this is its last state\n", stderr);
        break;
    case REPORT_GONE:
        fputs("tripctl: tripd does not run; this is its last state\n", stderr);
        break;
    case REPORT_DEAD:
        fputs("tripctl: tripd is dead, and was not stopped; this is its last state, and clients go on without it\n",
              stderr);
        break;
    case REPORT_STALLED:
        if (error != 0)
            fputs("tripctl: tripd has no heartbeat; this is its last state, and clients go on without it\n", stderr);
        break;
    default:
        reading_warn(error, answer);
    }
}

/* Refuses: only tripd can answer this, over its socket. */
static bool out_of_reach(const struct arguments *arguments, int error)
{
    return !(arguments->given & OPTION_SEGMENT) && (error == -ENOENT || error == -EACCES);
}

/* Handles a missing segment. error, answer: the result of asking tripd. */
static int without_segment(const struct arguments *arguments, int error, const json_t *answer,
                           struct snapshot **ret_snapshot)
{
    *ret_snapshot = NULL;
    if (error == 0)
        return EXIT_DONE;
    if (error != -EREMOTEIO)
        return reading_segment(arguments, ret_snapshot);
    fprintf(stderr, "tripctl: %s\n", json_string_value(json_object_get(answer, "message")));
    return EXIT_REFUSED;
}

int reading_found(const struct arguments *arguments, int error, const json_t *answer, struct snapshot **ret_snapshot)
{
    char path[PATHS_MAX] = "", *why;
    const int opened = reading_open_quietly(arguments, path, ret_snapshot, &why);
    free(why);
    if (out_of_reach(arguments, opened))
        return without_segment(arguments, error, answer, ret_snapshot);
    if (opened < 0)
        return reading_segment(arguments, ret_snapshot);
    const bool file = arguments->given & OPTION_SEGMENT;
    snapshot_know_daemon(*ret_snapshot, file ? REPORT_GONE : reading_daemon(*ret_snapshot, error));
    if (!file)
        warn_of_age(*ret_snapshot, error, answer);
    return EXIT_DONE;
}

int reading_open(const struct arguments *arguments, struct snapshot **ret_snapshot)
{
    json_t *answer = NULL;
    const bool file = arguments->given & OPTION_SEGMENT;
    const int error = file ? 0 : request_quietly(arguments, "sync", NULL, &answer);
    const int status = reading_found(arguments, error, answer, ret_snapshot);
    json_decref(answer);
    return status;
}

bool reading_renew(const struct arguments *arguments, struct snapshot **snapshot)
{
    struct snapshot *now;
    char path[PATHS_MAX], *why;
    if (snapshot_daemon(*snapshot) == REPORT_RUNNING)
        return false;
    const int error = reading_open_quietly(arguments, path, &now, &why);
    free(why);
    if (error < 0)
        return false;
    const bool another = snapshot_header(now).segment_id != snapshot_header(*snapshot).segment_id;
    snapshot_close(another ? *snapshot : now);
    *snapshot = another ? now : *snapshot;
    return another;
}

json_t *reading_ask(const struct arguments *arguments, json_t *params, int *ret_status)
{
    json_t *whole = json_object();
    if (arguments->operand)
        json_object_set_new(params, "name", json_string(arguments->operand));
    *ret_status = request_pages(arguments, arguments->verb->method, params, request_join, whole);
    if (*ret_status == EXIT_DONE)
        return whole;
    json_decref(whole);
    return NULL;
}

json_t *reading_result(const struct arguments *arguments, reading_fn *read, json_t *params, int *ret_status)
{
    struct snapshot *snapshot;
    *ret_status = reading_open(arguments, &snapshot);
    if (*ret_status != EXIT_DONE) {
        json_decref(params);
        return NULL;
    }
    if (!snapshot)
        return reading_ask(arguments, params, ret_status);
    json_decref(params);
    json_t *const result = read(arguments, snapshot);
    snapshot_close(snapshot);
    return result;
}

int reading_show(const struct arguments *arguments, json_t *result, void (*print)(FILE *out, const json_t *result))
{
    if (!result) {
        fputs("tripctl: no memory left\n", stderr);
        return EXIT_REFUSED;
    }
    users_add(result);
    if (arguments->given & OPTION_JSON)
        print_json(stdout, result);
    else
        print(stdout, result);
    json_decref(result);
    return EXIT_DONE;
}

int reading_show_named(const struct arguments *arguments, json_t *result,
                       void (*print)(FILE *out, const json_t *result))
{
    const size_t found =
        json_array_size(json_object_get(result, "groups")) + json_array_size(json_object_get(result, "breakers"));
    if (!result || !arguments->operand || found > 0)
        return reading_show(arguments, result, print);
    fprintf(stderr, "tripctl: no breaker and no group is named %s; `tripctl list` shows those that there are\n",
            arguments->operand);
    json_decref(result);
    return EXIT_REFUSED;
}

int reading_no_breaker(const struct arguments *arguments)
{
    fprintf(stderr, "tripctl: no breaker is named %s; `tripctl list` shows those that there are\n", arguments->operand);
    return EXIT_REFUSED;
}
