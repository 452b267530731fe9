/* What each method of the control socket does. control.c has checked the caller's role and the parameters before. */
#ifndef TRIPD_CONTROL_METHODS_H
#define TRIPD_CONTROL_METHODS_H

#include <jansson.h>

#include "internal/rpc.h"
#include "net/aside.h"
#include "net/control.h"

struct control_connection;

struct control_request {
    struct control_connection *connection;
    uid_t uid;
    unsigned given; /* bits RPC_NAME .. of the parameters that came */
    struct {
        const char *text; /* STRING */
        uint64_t number;  /* NUMBER */
    } params[RPC_PARAM_COUNT];
};

/* The result, or NULL with *ret_error, or NULL alone: no memory. */
typedef json_t *control_method_fn(const struct control_options *options, const struct control_request *request,
                                  json_t **ret_error);

/* Counts all that was reported before this request came. */
void control_drain(struct control_connection *connection);

/* A method that is answered later returns NULL, without an error. Each connection has one of these at a time:
 * -EALREADY. By control_reloaded: */
int control_await_reload(struct control_connection *connection);
/* By the JSON that this work in a child writes; its context is not needed afterwards. */
int control_await_aside(struct control_connection *connection, aside_work_fn *work, void *context);

/* From now on what is drained of breakers that match (NULL: of all) is sent there. -EALREADY; -EUSERS: its user may
 * have no more traces. */
int control_subscribe(struct control_connection *connection, const char *pattern);

#define CONTROL_METHOD_DECLARE(method, role, must, may) control_method_fn control_##method;
RPC_METHODS(CONTROL_METHOD_DECLARE)

#endif
