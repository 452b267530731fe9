#include "protocol/rpc.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "protocol/packed.h"

#define NO_MESSAGE \
    "not a MessagePack-RPC message: [0, id, method, params], [1, id, error, result] or [2, method, params]"

static int bad(const char **ret_why, const char *why)
{
    *ret_why = why;
    return -EBADMSG;
}

int rpc_bounds_check(const uint8_t *data, size_t size, const char **ret_why)
{
    size_t used;
    if (size > RPC_PACKET_MAX)
        return bad(ret_why, "the message is longer than 64 KiB");
    const int error = packed_bounds_check(data, size, PACKED_VALUES_MAX, &used, ret_why);
    if (error < 0)
        return error;
    return used == size ? 0 : bad(ret_why, "something follows the message in its packet");
}

/* --------------------------------------------------------------------------------------------------------- reading */

void rpc_message_clear(struct rpc_message *message)
{
    json_decref(message->params);
    json_decref(message->error);
    json_decref(message->result);
    *message = (struct rpc_message){0};
}

static int id_of(const json_t *value, uint32_t *ret_id, const char **ret_why)
{
    const json_int_t id = json_integer_value(value);
    if (!json_is_integer(value) || id < 0 || id > UINT32_MAX)
        return bad(ret_why, "the id is no number from 0 to 4294967295");
    *ret_id = (uint32_t)id;
    return 0;
}

static int method_of(const json_t *value, char method[RPC_METHOD_MAX + 1], const char **ret_why)
{
    if (!json_is_string(value) || json_string_length(value) > RPC_METHOD_MAX)
        return bad(ret_why, "the method is no string of 31 bytes at most");
    memcpy(method, json_string_value(value), json_string_length(value));
    return 0;
}

static int call_of(const json_t *method, json_t *params, struct rpc_message *message, const char **ret_why)
{
    const int error = method_of(method, message->method, ret_why);
    if (error < 0)
        return error;
    if (!json_is_object(params))
        return bad(ret_why, "the parameters are no map");
    message->params = json_incref(params);
    return 0;
}

/* Reads an answer: nil or a map. */
static int answer_of(json_t *value, json_t **ret_json, const char **ret_why)
{
    if (json_is_null(value))
        return 0;
    if (!json_is_object(value))
        return bad(ret_why, "error and result of a response are maps or nil");
    *ret_json = json_incref(value);
    return 0;
}

static int message_of(const json_t *array, struct rpc_message *message, const char **ret_why)
{
    const size_t count = json_array_size(array); /* 0 if it is no array */
    const json_t *kind = json_array_get(array, 0);
    json_t *second = json_array_get(array, 1), *third = json_array_get(array, 2), *fourth = json_array_get(array, 3);
    int error;

    if (json_is_integer(kind) && json_integer_value(kind) == 0 && count == 4) {
        message->kind = RPC_REQUEST;
        error = id_of(second, &message->id, ret_why);
        return error < 0 ? error : call_of(third, fourth, message, ret_why);
    }
    if (json_is_integer(kind) && json_integer_value(kind) == 1 && count == 4) {
        message->kind = RPC_RESPONSE;
        error = id_of(second, &message->id, ret_why);
        if (error == 0)
            error = answer_of(third, &message->error, ret_why);
        return error < 0 ? error : answer_of(fourth, &message->result, ret_why);
    }
    if (json_is_integer(kind) && json_integer_value(kind) == 2 && count == 3) {
        message->kind = RPC_NOTIFICATION;
        return call_of(second, third, message, ret_why);
    }
    return bad(ret_why, NO_MESSAGE);
}

int rpc_read(const uint8_t *data, size_t size, struct rpc_message *ret_message, const char **ret_why)
{
    struct rpc_message message = {0};
    json_t *array = NULL;
    size_t used;
    int error = rpc_bounds_check(data, size, ret_why);
    if (error == 0)
        error = packed_read(data, size, PACKED_VALUES_MAX, &array, &used, ret_why);
    if (error == 0)
        error = message_of(array, &message, ret_why);
    json_decref(array);
    if (error < 0)
        rpc_message_clear(&message);
    else
        *ret_message = message;
    return error;
}

/* -------------------------------------------------------------------------------------- a call, its parameters last */

/* Reads the next value, which has to be a number or a string. */
static int next_value(const uint8_t **data, size_t *left, json_t **ret_value, const char **ret_why)
{
    size_t used;
    const int error = packed_read(*data, *left, 1, ret_value, &used, ret_why);
    if (error < 0)
        return error;
    *data += used;
    *left -= used;
    return 0;
}

static int next_id(const uint8_t **data, size_t *left, uint32_t *ret_id, const char **ret_why)
{
    json_t *value = NULL;
    int error = next_value(data, left, &value, ret_why);
    if (error == 0)
        error = id_of(value, ret_id, ret_why);
    json_decref(value);
    return error;
}

static int next_method(const uint8_t **data, size_t *left, char method[RPC_METHOD_MAX + 1], const char **ret_why)
{
    json_t *value = NULL;
    int error = next_value(data, left, &value, ret_why);
    if (error == 0)
        error = method_of(value, method, ret_why);
    json_decref(value);
    return error;
}

int rpc_read_call(const uint8_t *data, size_t size, struct rpc_call *ret_call, const char **ret_why)
{
    static const size_t counts[] = {[RPC_REQUEST] = 4, [RPC_RESPONSE] = 4, [RPC_NOTIFICATION] = 3};
    struct rpc_call call = {0};
    size_t count, used;
    uint32_t kind = 0;
    int error = packed_array(data, size, &count, &used, ret_why);
    if (error < 0)
        return error;
    data += used;
    size -= used;
    error = next_id(&data, &size, &kind, ret_why);
    if (error < 0)
        return error == -EBADMSG ? bad(ret_why, NO_MESSAGE) : error;
    if (kind > RPC_NOTIFICATION || count != counts[kind])
        return bad(ret_why, NO_MESSAGE);
    call.kind = (enum rpc_kind)kind;
    if (call.kind != RPC_NOTIFICATION)
        error = next_id(&data, &size, &call.id, ret_why);
    if (error == 0 && call.kind != RPC_RESPONSE)
        error = next_method(&data, &size, call.method, ret_why);
    if (error < 0)
        return error;
    call.params = data;
    call.params_size = size;
    *ret_call = call;
    return 0;
}

int rpc_read_params(const struct rpc_call *call, json_t **ret_params, const char **ret_why)
{
    json_t *params = NULL;
    size_t used;
    int error = packed_read(call->params, call->params_size, RPC_VALUES_MAX, &params, &used, ret_why);
    if (error == 0 && used != call->params_size)
        error = bad(ret_why, "something follows the message in its packet");
    if (error == 0 && !json_is_object(params))
        error = bad(ret_why, "the parameters are no map");
    if (error < 0)
        json_decref(params);
    else
        *ret_params = params;
    return error;
}

/* --------------------------------------------------------------------------------------------------------- writing */

static int write_message(uint8_t packet[RPC_PACKET_MAX], json_t *message, size_t *ret_size)
{
    const int error = message ? packed_write(packet, RPC_PACKET_MAX, message, ret_size) : -ENOMEM;
    json_decref(message);
    return error;
}

int rpc_write_request(uint8_t packet[RPC_PACKET_MAX], uint32_t id, const char *method, const json_t *params,
                      size_t *ret_size)
{
    return write_message(packet, json_pack("[i, I, s, O?]", 0, (json_int_t)id, method, params), ret_size);
}

int rpc_write_response(uint8_t packet[RPC_PACKET_MAX], uint32_t id, const json_t *error, const json_t *result,
                       size_t *ret_size)
{
    return write_message(packet, json_pack("[i, I, O?, O?]", 1, (json_int_t)id, error, result), ret_size);
}

int rpc_write_notification(uint8_t packet[RPC_PACKET_MAX], const char *method, const json_t *params, size_t *ret_size)
{
    return write_message(packet, json_pack("[i, s, O]", 2, method, params), ret_size);
}

json_t *rpc_error(enum rpc_code code, const char *format, ...)
{
#define RPC_CODE_NAME(suffix, name) name,
    static const char *const codes[] = {RPC_CODES(RPC_CODE_NAME)};
    va_list arguments;
    va_start(arguments, format);
    json_t *message = json_vsprintf(format, arguments);
    va_end(arguments);
    return json_pack("{s:s, s:o*}", "code", codes[code], "message", message);
}
