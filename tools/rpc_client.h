/* tripctl's end of the control socket: one request at a time, answered or timed out; and what tripd says unasked. */
#ifndef TRIP_TOOLS_RPC_CLIENT_H
#define TRIP_TOOLS_RPC_CLIENT_H

#include <jansson.h>

#include "internal/rpc.h"

struct rpc_client;

/* -ENOENT, -ECONNREFUSED: no tripd there; -EACCES and what else connect(2) says. */
int rpc_client_open(const char *path, struct rpc_client **ret_client);
/* Takes a connected SOCK_SEQPACKET socket. */
int rpc_client_adopt(int fd, struct rpc_client **ret_client);
struct rpc_client *rpc_client_close(struct rpc_client *client);

/* params: borrowed; NULL: none. 0 with *ret_result; -EREMOTEIO with *ret_error, {"code", "message"}: tripd refused;
 * -EPIPE: it hung up; -ETIMEDOUT; -EMSGSIZE: the parameters fill no packet; -EBADMSG: it answered what is no response.
 */
int rpc_client_call(struct rpc_client *client, const char *method, const json_t *params, int timeout_ms,
                    json_t **ret_result, json_t **ret_error);

/* What tripd says unasked goes there as it comes, also while a call waits for its answer. Without: nowhere. */
typedef void rpc_notified_fn(void *context, const char *method, const json_t *params);
void rpc_client_listen(struct rpc_client *client, rpc_notified_fn *notified, void *context);
int rpc_client_fd(const struct rpc_client *client); /* readable: rpc_client_receive */
/* One packet, waited for no longer than timeout_ms; a response that nobody asked for is -EBADMSG. */
int rpc_client_receive(struct rpc_client *client, int timeout_ms);

#endif
