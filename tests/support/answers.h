/* A tripd of which there is nothing but a control socket: it answers as a test wants, and notes what it was asked. */
#ifndef TRIP_TEST_ANSWERS_H
#define TRIP_TEST_ANSWERS_H

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol/rpc.h"

struct answers {
    /* Returns the result of a request, or NULL with *ret_error. */
    json_t *(*answer)(const struct rpc_message *request, json_t **ret_error);
    int listener;
    pthread_t thread;
    char asked[4096]; /* a line a request: its method and parameters */
    size_t length;
};

static inline void answers_note(struct answers *answers, const struct rpc_message *request)
{
    char *const params = json_dumps(request->params, JSON_COMPACT | JSON_SORT_KEYS);
    const size_t room = sizeof(answers->asked) - answers->length;
    const int length = snprintf(answers->asked + answers->length, room, "%s %s\n", request->method, params);
    assert((size_t)length < room);
    answers->length += (size_t)length;
    free(params);
}

static inline void answers_one(struct answers *answers, int fd, const uint8_t *packet, size_t size)
{
    struct rpc_message request;
    uint8_t response[RPC_PACKET_MAX];
    const char *why;
    json_t *error = NULL;
    size_t length;
    assert(rpc_read(packet, size, &request, &why) == 0);
    answers_note(answers, &request);
    json_t *const result = answers->answer(&request, &error);
    assert(rpc_write_response(response, request.id, error, result, &length) == 0);
    assert(send(fd, response, length, MSG_NOSIGNAL) == (ssize_t)length);
    json_decref(result);
    json_decref(error);
    rpc_message_clear(&request);
}

static inline void *answers_run(void *context)
{
    struct answers *const answers = context;
    uint8_t packet[RPC_PACKET_MAX];
    for (int fd; (fd = accept(answers->listener, NULL, NULL)) >= 0; close(fd))
        for (ssize_t size; (size = recv(fd, packet, sizeof(packet), 0)) > 0;)
            answers_one(answers, fd, packet, (size_t)size);
    return NULL;
}

/* Begins to answer at the socket of instance "test", in the folder that TRIP_RUNTIME_DIR names. */
static inline void answers_start(struct answers *answers)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/test.sock", getenv("TRIP_RUNTIME_DIR"));
    answers->length = 0;
    answers->asked[0] = '\0';
    answers->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert(bind(answers->listener, (const struct sockaddr *)&address, sizeof(address)) == 0);
    assert(listen(answers->listener, 16) == 0);
    assert(pthread_create(&answers->thread, NULL, answers_run, answers) == 0);
}

/* Ends once all requests that came are answered. */
static inline void answers_stop(struct answers *answers)
{
    shutdown(answers->listener, SHUT_RDWR);
    pthread_join(answers->thread, NULL);
    close(answers->listener);
}

#endif
