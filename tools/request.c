#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal/paths.h"

#define ANSWER_MS  5000
#define ADVANCE_MS 60000 /* a test clock may have many timers to fire */
#define QUIET_MS   1000

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
        fprintf(stderr,
                "tripctl: tripd does not answer at %s; what was asked for may still be carried out when it goes on; "
                "`tripctl status` tells whether it is alive\n",
                path);
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

/* Connects. path: filled in as far as it is known. */
static int open_client(const struct arguments *arguments, char path[PATHS_MAX], struct rpc_client **ret_client)
{
    strcpy(path, "$XDG_RUNTIME_DIR, which is not set");
    const int error = paths_socket(path, arguments->instance, arguments->given & OPTION_USER);
    return error < 0 ? error : rpc_client_open(path, ret_client);
}

int request_open(const struct arguments *arguments, struct rpc_client **ret_client)
{
    char path[PATHS_MAX];
    return open_client(arguments, path, ret_client);
}

int request_connect(const struct arguments *arguments, struct rpc_client **ret_client)
{
    char path[PATHS_MAX];
    const int error = open_client(arguments, path, ret_client);
    return error < 0 ? unreachable(arguments, path, error) : EXIT_DONE;
}

int request_failed(const struct arguments *arguments, int error)
{
    char path[PATHS_MAX] = "";
    paths_socket(path, arguments->instance, arguments->given & OPTION_USER);
    return unreachable(arguments, path, error);
}

int request_over(const struct arguments *arguments, struct rpc_client *client, const char *method, json_t *params,
                 json_t **ret_result)
{
    json_t *refusal = NULL;
    const int patience_ms = strcmp(method, "clock_advance") == 0 ? ADVANCE_MS : ANSWER_MS;
    const int error = rpc_client_call(client, method, params, patience_ms, ret_result, &refusal);
    json_decref(params);
    if (error == 0)
        return EXIT_DONE;
    const int status = error == -EREMOTEIO ? refused(refusal) : request_failed(arguments, error);
    json_decref(refusal);
    return status;
}

int request(const struct arguments *arguments, const char *method, json_t *params, json_t **ret_result)
{
    struct rpc_client *client;
    int status = request_connect(arguments, &client);
    if (status != EXIT_DONE) {
        json_decref(params);
        return status;
    }
    status = request_over(arguments, client, method, params, ret_result);
    rpc_client_close(client);
    return status;
}

int request_pages(const struct arguments *arguments, const char *method, json_t *params, request_page_fn *each,
                  void *context)
{
    json_int_t after = 0, next = json_integer_value(json_object_get(params, "after"));
    int status;
    do {
        json_t *page = NULL;
        after = next;
        json_object_set_new(params, "after", json_integer(after));
        status = request(arguments, method, json_incref(params), &page);
        next = json_integer_value(json_object_get(page, "next"));
        if (status == EXIT_DONE)
            each(context, page);
        json_decref(page);
    } while (status == EXIT_DONE && next > after);
    json_decref(params);
    return status;
}

void request_join(void *whole, json_t *page)
{
    const char *key;
    json_t *value;
    json_object_foreach(page, key, value)
    {
        json_t *so_far = json_object_get(whole, key);
        if (json_is_array(so_far))
            json_array_extend(so_far, value);
        else if (!so_far && strcmp(key, "next") != 0)
            json_object_set(whole, key, value);
    }
}

static int ask_quietly(const struct arguments *arguments, const char *method, const json_t *params, json_t **ret_answer)
{
    char path[PATHS_MAX];
    struct rpc_client *client;
    int error = open_client(arguments, path, &client);
    if (error < 0)
        return error;
    error = rpc_client_call(client, method, params, QUIET_MS, ret_answer, ret_answer);
    rpc_client_close(client);
    return error;
}

int request_quietly(const struct arguments *arguments, const char *method, json_t *params, json_t **ret_answer)
{
    int error = ask_quietly(arguments, method, params, ret_answer);
    if (error == -EPIPE) /* tripd died at that moment, or came back */
        error = ask_quietly(arguments, method, params, ret_answer);
    json_decref(params);
    return error;
}
