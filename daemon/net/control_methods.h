/* The methods of the control socket. control.c has checked the caller's role and the parameters. */
#ifndef TRIPD_CONTROL_METHODS_H
#define TRIPD_CONTROL_METHODS_H

#include <jansson.h>

#include "internal/rpc.h"
#include "net/aside.h"
#include "net/control.h"
#include "net/watch.h"

struct control_connection;

struct control_request {
    struct control_connection *connection;
    uid_t uid;
    unsigned given; /* bits RPC_NAME .. of the parameters that were given */
    struct {
        const char *text; /* STRING */
        uint64_t number;  /* NUMBER */
    } params[RPC_PARAM_COUNT];
};

/* Carries a method out. Returns the result; NULL with *ret_error; or only NULL: no memory. */
typedef json_t *control_method_fn(const struct control_options *options, const struct control_request *request,
                                  json_t **ret_error);

/* Counts everything that was reported before this request. */
void control_drain(struct control_connection *connection);

/* Lists the roles of the user who asks. */
json_t *control_roles(const struct control_connection *connection);

/* A method that is answered later returns NULL without an error. A connection can wait for one of these at a time:
 * -EALREADY. Waits for control_reloaded: */
int control_await_reload(struct control_connection *connection);
/* Waits for the JSON that this work writes in a child; its context is not needed afterwards. */
int control_await_aside(struct control_connection *connection, aside_work_fn *work, void *context);

/* Sends from now on, over this connection, what is drained of breakers that match (NULL: of all). -EALREADY; -EUSERS:
 * the user may have no more traces; -ENOTCONN: the peer hung up after it had asked. */
int control_subscribe(struct control_connection *connection, const char *pattern);

/* Sends events from now on over this connection. *watch is copied. -EALREADY; -EUSERS: the user may have no more
 * watchers; -ENOTCONN: the peer hung up after it had asked. */
int control_watch_from(struct control_connection *connection, const struct watch *watch);

#define CONTROL_METHOD_DECLARE(method, role, must, may) control_method_fn control_##method;
RPC_METHODS(CONTROL_METHOD_DECLARE)

#endif
