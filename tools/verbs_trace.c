/* trace: writes down line by line what tripd drains, until it is interrupted. It counts what tripd had to leave out:
 * the next line says so, and so does the exit status. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal/ticks.h"
#include "interrupt.h"
#include "request.h"

#define PACKET_MS 1000 /* for the rest of a packet that has begun to come */

struct recording {
    FILE *file;
    const char *name;
    uint64_t lost;
    uint64_t unsaid; /* lost outcomes that no line has told of yet */
    int error;       /* an error of writing */
};

/* --------------------------------------------------------------------------------------------------------- writing */

static void write_line(struct recording *recording, json_t *step)
{
    if (recording->unsaid)
        json_object_set_new(step, "lost", json_integer((json_int_t)recording->unsaid));
    recording->unsaid = 0;
    json_dumpf(step, recording->file, JSON_COMPACT);
    putc('\n', recording->file);
}

static void write_batch(void *context, const char *method, const json_t *params)
{
    struct recording *recording = context;
    const uint64_t lost = (uint64_t)json_integer_value(json_object_get(params, "lost"));
    size_t i;
    json_t *step;
    if (strcmp(method, "trace") != 0)
        return;
    recording->lost += lost;
    recording->unsaid += lost;
    json_array_foreach(json_object_get(params, "steps"), i, step) write_line(recording, step);
    if (fflush(recording->file) != 0 && recording->error == 0)
        recording->error = -errno;
}

static bool open_file(const struct arguments *arguments, struct recording *recording)
{
    const bool standard = strcmp(arguments->operand, "-") == 0;
    recording->name = standard ? "standard output" : arguments->operand;
    recording->file = standard ? stdout : fopen(arguments->operand, "we");
    if (!recording->file)
        fprintf(stderr, "tripctl: cannot write %s: %s\n", recording->name, strerror(errno));
    return recording->file != NULL;
}

/* Closes the recording, and reports what is missing in it. */
static int finish(struct recording *recording, int status)
{
    if (recording->file != stdout && fclose(recording->file) != 0 && recording->error == 0)
        recording->error = -errno;
    if (recording->error)
        fprintf(stderr, "tripctl: cannot write %s: %s\n", recording->name, strerror(-recording->error));
    if (recording->lost)
        fprintf(stderr,
                "tripctl: %" PRIu64 " outcomes are missing in %s: more came than could be told or written; a PATTERN "
                "makes it less\n",
                recording->lost, recording->name);
    return status == EXIT_DONE && (recording->error || recording->lost) ? EXIT_REFUSED : status;
}

/* --------------------------------------------------------------------------------------------------- until the end */

/* Records. 0 at a signal, or when the time is over. */
static int record(const struct recording *recording, struct rpc_client *client, int signals, uint64_t end_ns)
{
    struct pollfd fds[] = {{.fd = signals, .events = POLLIN}, {.fd = rpc_client_fd(client), .events = POLLIN}};
    int error = 0;
    while (error == 0 && recording->error == 0) {
        const int wait_ms = interrupt_left_ms(end_ns);
        if (wait_ms == 0 || poll(fds, 2, wait_ms) < 0 || fds[0].revents)
            return 0;
        if (fds[1].revents)
            error = rpc_client_receive(client, PACKET_MS);
    }
    return error;
}

/* Drains what was reported until now, so that the trace includes it. */
static int drain(const struct arguments *arguments, struct rpc_client *client)
{
    json_t *answer = NULL;
    const int status = request_over(arguments, client, "sync", NULL, &answer);
    json_decref(answer);
    return status;
}

static int trace(const struct arguments *arguments, struct rpc_client *client, const struct recording *recording)
{
    const uint64_t end_ns = arguments->given & OPTION_FOR ? monotonic_ns() + arguments->for_ms * 1000000 : UINT64_MAX;
    const int signals = interrupt_catch();
    json_t *answer = NULL, *params = json_pack("{s:s*}", "name", arguments->second);
    int status = request_over(arguments, client, "trace", params, &answer);
    json_decref(answer);
    if (status == EXIT_DONE) {
        fprintf(stderr, "tripctl: tracing to %s%s\n", recording->name,
                arguments->given & OPTION_FOR ? "" : ", until interrupted");
        const int error = record(recording, client, signals, end_ns);
        status = error < 0 ? request_failed(arguments, error) : drain(arguments, client);
    }
    close(signals);
    return status;
}

int verb_trace(const struct arguments *arguments)
{
    struct recording recording = {0};
    struct rpc_client *client;
    int status = request_connect(arguments, &client);
    if (status != EXIT_DONE)
        return status;
    status = EXIT_REFUSED;
    if (open_file(arguments, &recording)) {
        rpc_client_listen(client, write_batch, &recording);
        status = finish(&recording, trace(arguments, client, &recording));
    }
    rpc_client_close(client);
    return status;
}
