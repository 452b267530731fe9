/* The codec of the control socket: MessagePack-RPC packets to and from jansson trees, the same for tripd and tripctl.
 * Limits, methods and parameters: internal/rpc.h. What comes in is hostile: see packed.h. */
#ifndef TRIPD_RPC_H
#define TRIPD_RPC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "internal/rpc.h"

enum rpc_kind { RPC_REQUEST, RPC_RESPONSE, RPC_NOTIFICATION };

struct rpc_message {
    enum rpc_kind kind;
    uint32_t id;                     /* request, response */
    char method[RPC_METHOD_MAX + 1]; /* request, notification */
    json_t *params;                  /* request, notification: an object */
    json_t *error;                   /* response: NULL, or an object */
    json_t *result;                  /* response: NULL, or an object */
};

/* Checks that the packet is one value, and nothing more, by packed_bounds_check. */
int rpc_bounds_check(const uint8_t *data, size_t size, const char **ret_why);

/* Reads a packet. 0, -EBADMSG with *ret_why, -ENOMEM. rpc_message_clear frees what it writes. */
int rpc_read(const uint8_t *data, size_t size, struct rpc_message *ret_message, const char **ret_why);
void rpc_message_clear(struct rpc_message *message);

/* A request whose parameters are not decoded yet: `params` is a slice of the packet. */
struct rpc_call {
    enum rpc_kind kind;
    uint32_t id; /* all that is read of a response */
    char method[RPC_METHOD_MAX + 1];
    const uint8_t *params;
    size_t params_size;
};

int rpc_read_call(const uint8_t *data, size_t size, struct rpc_call *ret_call, const char **ret_why);
/* Reads the parameters: an object of at most RPC_VALUES_MAX values that fills the slice. */
int rpc_read_params(const struct rpc_call *call, json_t **ret_params, const char **ret_why);

/* Write a packet of at most RPC_PACKET_MAX bytes. -EMSGSIZE: it would be longer. */
int rpc_write_request(uint8_t packet[RPC_PACKET_MAX], uint32_t id, const char *method, const json_t *params,
                      size_t *ret_size);
int rpc_write_response(uint8_t packet[RPC_PACKET_MAX], uint32_t id, const json_t *error, const json_t *result,
                       size_t *ret_size);
int rpc_write_notification(uint8_t packet[RPC_PACKET_MAX], const char *method, const json_t *params, size_t *ret_size);

/* Makes the error {"code", "message"}; the message is formatted as by printf. NULL: no memory. */
json_t *rpc_error(enum rpc_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
