#include "follow.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "print.h"
#include "request.h"
#include "users.h"

#define AGAIN_MS     100  /* how often a tripd that is away is looked for */
#define PACKET_MS    1000 /* for the rest of a packet that has begun to come */
#define OUTPUT_ENDED (POLLERR | POLLHUP | POLLNVAL)

struct following {
    const struct arguments *arguments;
    uint64_t sequence; /* of the last event that was printed */
};

void follow_print(const struct arguments *arguments, json_t *event)
{
    users_add(event);
    if (arguments->given & OPTION_JSON)
        print_json(stdout, event);
    else
        print_event(stdout, event);
    fflush(stdout);
}

static void told(void *context, const char *method, const json_t *params)
{
    struct following *following = context;
    size_t i;
    json_t *event;
    (void)method;
    json_array_foreach(json_object_get(params, "events"), i, event)
    {
        const json_int_t lost = json_integer_value(json_object_get(event, "lost"));
        if (lost > 0 && !(following->arguments->given & OPTION_JSON))
            printf("%" PRId64 " events were lost\n", (int64_t)lost);
        follow_print(following->arguments, event);
        following->sequence = (uint64_t)json_integer_value(json_object_get(event, "sequence"));
    }
}

static int ask(struct following *following, struct rpc_client *client, json_t **ret_answer)
{
    json_t *const params =
        json_pack("{s:I, s:s*}", "since", (json_int_t)following->sequence, "pattern", following->arguments->operand);
    json_t *error = NULL;
    const int status = rpc_client_call(client, "watch", params, PACKET_MS, ret_answer, &error);
    json_decref(params);
    json_decref(error);
    return status;
}

/* Connects and watches. A segment that has had fewer events than we have seen is another one: from its beginning. */
static int begin(struct following *following, struct rpc_client **ret_client)
{
    json_t *answer = NULL;
    int error = request_open(following->arguments, ret_client);
    if (error < 0)
        return error;
    rpc_client_listen(*ret_client, told, following);
    error = ask(following, *ret_client, &answer);
    const uint64_t last = (uint64_t)json_integer_value(json_object_get(answer, "sequence"));
    json_decref(answer);
    if (error == 0 && last >= following->sequence)
        return 0;
    rpc_client_close(*ret_client);
    if (error < 0)
        return error;
    following->sequence = 0;
    return begin(following, ret_client);
}

/* Prints what comes until tripd hangs up. True: standard output ended. */
static bool print_until_the_end(struct rpc_client *client)
{
    struct pollfd fds[] = {{.fd = STDOUT_FILENO}, {.fd = rpc_client_fd(client), .events = POLLIN}};
    int error = 0;
    while (error == 0 && !ferror(stdout)) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return true;
        if (fds[0].revents & OUTPUT_ENDED)
            return true;
        if (fds[1].revents)
            error = rpc_client_receive(client, PACKET_MS);
    }
    return ferror(stdout);
}

/* Watches the next tripd. False: standard output ended, or that tripd refused. */
static bool begin_again(struct following *following, struct rpc_client **ret_client)
{
    struct pollfd output = {.fd = STDOUT_FILENO};
    int error;
    while ((error = begin(following, ret_client)) < 0) {
        if (error == -EREMOTEIO) {
            fputs("tripctl: tripd does not let this user watch any more\n", stderr);
            return false;
        }
        if (poll(&output, 1, AGAIN_MS) > 0 && output.revents & OUTPUT_ENDED)
            return false;
    }
    return true;
}

int follow_events(const struct arguments *arguments)
{
    struct following following = {.arguments = arguments};
    struct rpc_client *client;
    const int error = begin(&following, &client);
    if (error < 0)
        return error;
    while (!print_until_the_end(client)) {
        rpc_client_close(client);
        if (!begin_again(&following, &client))
            return 0;
    }
    rpc_client_close(client);
    return 0;
}
