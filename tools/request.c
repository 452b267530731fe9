#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal/paths.h"
#include "rpc_client.h"

#define ANSWER_MS 60000 /* a test clock may have many timers to fire */
#define QUIET_MS  1000

static int refused(const json_t *error)
{
    const json_t *problems = json_object_get(error, "problems");
    const char *message = json_string_value(json_object_get(error, "message"));
    size_t i;
    json_t *line;
    json_array_foreach(problems, i, line) fprintf(stderr, "%s\n", json_string_value(line));
    fprintf(stderr, "tripctl: %s\n", message ? message : "tripd refused, and did not say why");
    return EXIT_REFUSED;
}

static int unreachable(const struct arguments *arguments, const char *path, int error)
{
    switch (error) {
    case -ENOENT:
    case -ECONNREFUSED:
        fprintf(stderr, "tripctl: no tripd runs as instance %s: nobody listens at %s\n", arguments->instance, path);
        return EXIT_NO_DAEMON;
    case -EPIPE:
        fprintf(stderr, "tripctl: tripd closed the connection; its log says why\n");
        return EXIT_NO_DAEMON;
    case -ETIMEDOUT:
        fprintf(stderr, "tripctl: tripd does not answer at %s; `tripctl status` tells whether it is alive\n", path);
        return EXIT_NO_DAEMON;
    case -EACCES:
        fprintf(stderr, "tripctl: you may not connect to %s: its file mode decides who may\n", path);
        return EXIT_REFUSED;
    case -EBADMSG:
        fprintf(stderr, "tripctl: tripd's answer is not understood; install the same version of both\n");
        return EXIT_REFUSED;
    default:
        fprintf(stderr, "tripctl: %s: %s\n", path, strerror(-error));
        return EXIT_REFUSED;
    }
}

/* *ret_error: set with -EREMOTEIO. path is filled in as far as it is known. */
static int call(const struct arguments *arguments, const char *method, const json_t *params, int timeout_ms,
                char path[PATHS_MAX], json_t **ret_result, json_t **ret_error)
{
    struct rpc_client *client;
    strcpy(path, "$XDG_RUNTIME_DIR, which is not set");
    int error = paths_socket(path, arguments->instance, arguments->given & OPTION_USER);
    if (error == 0)
        error = rpc_client_open(path, &client);
    if (error < 0)
        return error;
    error = rpc_client_call(client, method, params, timeout_ms, ret_result, ret_error);
    rpc_client_close(client);
    return error;
}

int request(const struct arguments *arguments, const char *method, json_t *params, json_t **ret_result)
{
    char path[PATHS_MAX];
    json_t *refusal = NULL;
    const int error = call(arguments, method, params, ANSWER_MS, path, ret_result, &refusal);
    json_decref(params);
    if (error == 0)
        return EXIT_DONE;
    const int status = error == -EREMOTEIO ? refused(refusal) : unreachable(arguments, path, error);
    json_decref(refusal);
    return status;
}

bool request_quietly(const struct arguments *arguments, const char *method, json_t **ret_result)
{
    char path[PATHS_MAX];
    json_t *refusal = NULL;
    const int error = call(arguments, method, NULL, QUIET_MS, path, ret_result, &refusal);
    json_decref(refusal);
    return error == 0;
}
