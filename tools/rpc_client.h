/* tripctl's end of the control socket: one request at a time, which is answered or times out; and tripd's
 * notifications. */
#ifndef TRIP_TOOLS_RPC_CLIENT_H
#define TRIP_TOOLS_RPC_CLIENT_H

#include <jansson.h>

#include "internal/rpc.h"

struct rpc_client;

/* Connects. -ENOENT, -ECONNREFUSED: no tripd is there; -EACCES and other errors of connect(2). */
int rpc_client_open(const char *path, struct rpc_client **ret_client);
/* Takes a connected SOCK_SEQPACKET socket. */
int rpc_client_adopt(int fd, struct rpc_client **ret_client);
struct rpc_client *rpc_client_close(struct rpc_client *client);

/* Sends a request and waits for the answer. params: borrowed; NULL: none. 0 with *ret_result; -EREMOTEIO with
 * *ret_error, {"code", "message"}: tripd refused; -EPIPE: it hung up; -ETIMEDOUT; -EMSGSIZE: the parameters do not fit
 * a packet; -EBADMSG: the answer is no response. */
int rpc_client_call(struct rpc_client *client, const char *method, const json_t *params, int timeout_ms,
                    json_t **ret_result, json_t **ret_error);

/* Sets the function that gets tripd's notifications as they come, also while a call waits for its answer. Without one
 * they are dropped. */
typedef void rpc_notified_fn(void *context, const char *method, const json_t *params);
void rpc_client_listen(struct rpc_client *client, rpc_notified_fn *notified, void *context);
int rpc_client_fd(const struct rpc_client *client); /* when it is readable, call rpc_client_receive */
/* Receives one packet, and waits timeout_ms for it at most. A response that nobody asked for is -EBADMSG. */
int rpc_client_receive(struct rpc_client *client, int timeout_ms);

#endif
