/* A packet of the control socket is refused with a sentence; or it is read, and is the same when written and read
 * again. It makes tripd reserve no memory for data that is not there: libFuzzer ends a run at one large malloc. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "protocol/rpc.h"

static void check_text(const char *text)
{
    assert(text && text[0] && strlen(text) < 200);
}

static void check_equal(const struct rpc_message *message, const struct rpc_message *again)
{
    assert(again->kind == message->kind && again->id == message->id);
    assert(strcmp(again->method, message->method) == 0);
    assert(json_equal(again->params, message->params) || (!again->params && !message->params));
    assert(json_equal(again->error, message->error) || (!again->error && !message->error));
    assert(json_equal(again->result, message->result) || (!again->result && !message->result));
}

/* Checks a written message. It may be longer than it came (a number in 8 bytes for one in 4, say) and not fit. */
static void check_written(struct rpc_message *message)
{
    static uint8_t packet[RPC_PACKET_MAX];
    struct rpc_message again;
    const char *why = NULL;
    size_t size = 0;
    int error = -EMSGSIZE;
    if (message->kind == RPC_RESPONSE)
        error = rpc_write_response(packet, message->id, message->error, message->result, &size);
    else
        error = rpc_write_request(packet, message->id, message->method, message->params, &size);
    if (error == -EMSGSIZE)
        return;
    assert(error == 0 && size <= RPC_PACKET_MAX);
    assert(rpc_read(packet, size, &again, &why) == 0);
    if (message->kind == RPC_NOTIFICATION) /* written as a request, for nobody here sends one */
        again.kind = RPC_NOTIFICATION;
    check_equal(message, &again);
    rpc_message_clear(&again);
}

/* Reads a call as tripd does, parameters last: the result is the same as reading the whole. */
static void check_call(const uint8_t *data, size_t size, const struct rpc_message *whole)
{
    const char *why = NULL;
    struct rpc_call call;
    json_t *params = NULL;
    int error = rpc_read_call(data, size, &call, &why);
    if (error == 0 && call.kind != RPC_RESPONSE)
        error = rpc_read_params(&call, &params, &why);
    if (error)
        check_text(why);
    if (error || !whole) {
        json_decref(params);
        return;
    }
    assert(call.kind == whole->kind && call.id == whole->id);
    assert(call.kind == RPC_RESPONSE || strcmp(call.method, whole->method) == 0);
    assert(call.kind == RPC_RESPONSE || json_equal(params, whole->params));
    json_decref(params);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *why = NULL, *why_bounds = NULL;
    struct rpc_message message;
    const int bounds = rpc_bounds_check(data, size, &why_bounds);
    const int error = rpc_read(data, size, &message, &why);
    assert(bounds == 0 || (bounds == -EBADMSG && error == -EBADMSG));
    if (error) {
        assert(error == -EBADMSG);
        check_text(why);
        check_call(data, size, NULL);
        return 0;
    }
    check_call(data, size, &message);
    assert(strlen(message.method) <= RPC_METHOD_MAX);
    assert(message.kind == RPC_RESPONSE ? !message.params : json_is_object(message.params));
    check_written(&message);
    rpc_message_clear(&message);
    return 0;
}
