/* The codec of the control socket: which packets it lets in, and that what it writes reads back the same. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/rpc.h"

#define BYTES(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})

static void refused(const uint8_t *data, size_t size, const char *expected)
{
    const char *why = NULL;
    struct rpc_message message = {.id = 77};
    assert_int_equal(rpc_read(data, size, &message, &why), -EBADMSG);
    assert_string_equal(why, expected);
    assert_int_equal(message.id, 77);
}

static const char cut_short[] = "the message is cut short or no MessagePack";
static const char long_length[] = "a length in the message is more than what follows";
static const char long_count[] = "a count in the message is more than what follows";

static void test_an_array_header_that_claims_four_billion_is_refused(void **state)
{
    (void)state;
    refused(BYTES(0xdd, 0xff, 0xff, 0xff, 0xff), long_count);
    refused(BYTES(0xdf, 0xff, 0xff, 0xff, 0xff), long_count);
    refused(BYTES(0xdb, 0xff, 0xff, 0xff, 0xff), long_length);
    refused(BYTES(0xc6, 0xff, 0xff, 0xff, 0xff), long_length);
    refused(BYTES(0xc9, 0xff, 0xff, 0xff, 0xff, 0x01), long_length);
}

static void test_a_count_within_the_message_is_refused_too(void **state)
{
    (void)state;
    /* [0, 1, "a", {"k": [2^32 - 1 of them]}] */
    refused(BYTES(0x94, 0x00, 0x01, 0xa1, 'a', 0x81, 0xa1, 'k', 0xdd, 0xff, 0xff, 0xff, 0xff), long_count);
    /* a map of 3 pairs of which one is there */
    refused(BYTES(0x94, 0x00, 0x01, 0xa1, 'a', 0x83, 0xa1, 'k', 0x01), long_count);
}

static void test_a_message_that_is_cut_short_is_refused_at_each_length(void **state)
{
    (void)state;
    uint8_t packet[RPC_PACKET_MAX];
    size_t size;
    json_t *params = json_pack("{s:s, s:i, s:f, s:[b, n, {s:I}]}", "name", "payments/a", "for_ms", 30000, "x", 1.5,
                               "list", 1, "big", (json_int_t)1 << 40);
    assert_int_equal(rpc_write_request(packet, 4000000000u, "trip", params, &size), 0);
    json_decref(params);
    const char *why;
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(rpc_bounds_check(packet, cut, &why), -EBADMSG);
    assert_int_equal(rpc_bounds_check(packet, size, &why), 0);
}

static void test_nesting_is_bounded(void **state)
{
    (void)state;
    uint8_t bomb[RPC_PACKET_MAX];
    memset(bomb, 0x91, sizeof(bomb)); /* an array of one, and so on */
    refused(bomb, sizeof(bomb), "the message is nested more than 12 deep");
    const char *why;
    bomb[12] = 0xc0;
    assert_int_equal(rpc_bounds_check(bomb, 13, &why), 0);
    bomb[12] = 0x91;
    bomb[13] = 0xc0;
    assert_int_equal(rpc_bounds_check(bomb, 14, &why), -EBADMSG);
}

static void test_values_are_bounded(void **state)
{
    (void)state;
    uint8_t many[3 + 16384] = {0xdc, 0x40, 0x00}; /* an array of 16,384: with itself one too many */
    refused(many, sizeof(many), "the message has too many values");
    const char *why;
    many[1] = 0x3f;
    many[2] = 0xff;
    assert_int_equal(rpc_bounds_check(many, 3 + 16383, &why), 0);
}

static void test_a_message_fills_its_packet(void **state)
{
    (void)state;
    refused(BYTES(0x94, 0x00, 0x01, 0xa1, 'a', 0x80, 0x00), "something follows the message in its packet");
    refused((const uint8_t *)"", 0, cut_short);
    static const uint8_t longer[RPC_PACKET_MAX + 1];
    refused(longer, sizeof(longer), "the message is longer than 64 KiB");
}

static void test_each_head_is_measured(void **state)
{
    (void)state;
    static const struct {
        uint8_t byte;
        size_t follows;
    } heads[] = {{0x00, 0},  {0x7f, 0}, {0xa0, 0}, {0xbf, 31}, {0xc0, 0}, {0xc2, 0}, {0xc3, 0}, {0xca, 4}, {0xcb, 8},
                 {0xcc, 1},  {0xcd, 2}, {0xce, 4}, {0xcf, 8},  {0xd0, 1}, {0xd1, 2}, {0xd2, 4}, {0xd3, 8}, {0xd4, 2},
                 {0xd5, 3},  {0xd6, 5}, {0xd7, 9}, {0xd8, 17}, {0xe0, 0}, {0xff, 0}, {0x80, 0}, {0x90, 0}, {0x9f, 15},
                 {0x8f, 30}, {0xc4, 1}, {0xc5, 2}, {0xc6, 4},  {0xc7, 2}, {0xc8, 3}, {0xc9, 5}, {0xd9, 1}, {0xda, 2},
                 {0xdb, 4},  {0xdc, 2}, {0xdd, 4}, {0xde, 2},  {0xdf, 4}};
    const char *why;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        uint8_t message[64] = {heads[i].byte}; /* lengths are 0 */
        assert_int_equal(rpc_bounds_check(message, 1 + heads[i].follows, &why), 0);
        assert_int_equal(rpc_bounds_check(message, 2 + heads[i].follows, &why), -EBADMSG);
        if (heads[i].follows > 0)
            assert_int_equal(rpc_bounds_check(message, heads[i].follows, &why), -EBADMSG);
    }
    refused(BYTES(0xc1), cut_short);
}

static void test_packets_that_are_no_call_are_refused(void **state)
{
    (void)state;
    static const char no_rpc[] = "not a MessagePack-RPC message: [0, id, method, params], [1, id, error, result] or "
                                 "[2, method, params]";
    refused(BYTES(0xc0), no_rpc);
    refused(BYTES(0x90), no_rpc);
    refused(BYTES(0x93, 0x00, 0x01, 0xa1, 'a'), no_rpc);
    refused(BYTES(0x94, 0x03, 0x01, 0xa1, 'a', 0x80), no_rpc);
    refused(BYTES(0x94, 0xff, 0x01, 0xa1, 'a', 0x80), no_rpc);
    refused(BYTES(0x94, 0x00, 0xff, 0xa1, 'a', 0x80), "the id is no number from 0 to 4294967295");
    refused(BYTES(0x94, 0x00, 0x01, 0x05, 0x80), "the method is no string of 31 bytes at most");
    refused(BYTES(0x94, 0x00, 0x01, 0xa2, 'a', 0x00, 0x80), "a string has a NUL byte");
    refused(BYTES(0x94, 0x00, 0x01, 0xa1, 'a', 0x90), "the parameters are no map");
    refused(BYTES(0x94, 0x00, 0x01, 0xa1, 'a', 0xc0), "the parameters are no map");
}

static void test_values_that_json_cannot_hold_are_refused(void **state)
{
    (void)state;
    /* [0, 1, "a", {"k": VALUE}] */
#define WITH(...) BYTES(0x94, 0x00, 0x01, 0xa1, 'a', 0x81, 0xa1, 'k', __VA_ARGS__)
    refused(WITH(0xa3, 'd', 0x00, 'b'), "a string has a NUL byte");
    refused(WITH(0xa2, 0xc3, 0x28), "a string is not UTF-8");
    refused(WITH(0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0), "a number is more than 2^63 - 1");
    refused(WITH(0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0), "a number is not finite");
    refused(WITH(0xc4, 0x01, 'x'), "only nil, booleans, numbers, strings, arrays and maps may be sent");
    refused(WITH(0xd4, 0x01, 'x'), "only nil, booleans, numbers, strings, arrays and maps may be sent");
    refused(BYTES(0x94, 0x00, 0x01, 0xa1, 'a', 0x81, 0x05, 0x01), "a map's key is no string");
    refused(BYTES(0x94, 0x00, 0x01, 0xa1, 'a', 0x82, 0xa1, 'k', 0x01, 0xa1, 'k', 0x02), "a map has the same key twice");
    refused(BYTES(0x94, 0x00, 0x01, 0xa1, 'a', 0x81, 0xa1, 0xff, 0x01), "a map's key is not UTF-8");
}

static void test_a_request_comes_in_as_it_went_out(void **state)
{
    (void)state;
    uint8_t packet[RPC_PACKET_MAX];
    size_t size;
    json_t *params = json_pack("{s:s, s:I, s:i, s:[b, n, {s:f}]}", "name", "payments/\xc3\xa9", "most",
                               (json_int_t)INT64_MAX, "least", -7, "list", 1, "rate", 12.5);
    assert_int_equal(rpc_write_request(packet, 4294967295u, "force_open", params, &size), 0);

    struct rpc_message message;
    const char *why;
    assert_int_equal(rpc_read(packet, size, &message, &why), 0);
    assert_int_equal(message.kind, RPC_REQUEST);
    assert_int_equal(message.id, 4294967295u);
    assert_string_equal(message.method, "force_open");
    assert_true(json_equal(message.params, params));
    assert_null(message.result);
    rpc_message_clear(&message);
    json_decref(params);
}

/* msgpack-c gives the first string of a message no address if it is empty. */
static void test_an_empty_string_is_a_string(void **state)
{
    (void)state;
    const char *why = NULL;
    struct rpc_message message;
    /* [0, 1, "", {"k": ""}] */
    const uint8_t packet[] = {0x94, 0x00, 0x01, 0xa0, 0x81, 0xa1, 'k', 0xa0};
    assert_int_equal(rpc_read(packet, sizeof(packet), &message, &why), 0);
    assert_string_equal(message.method, "");
    assert_string_equal(json_string_value(json_object_get(message.params, "k")), "");
    rpc_message_clear(&message);
}

static void test_a_response_comes_in_as_it_went_out(void **state)
{
    (void)state;
    uint8_t packet[RPC_PACKET_MAX];
    size_t size;
    struct rpc_message message;
    const char *why;

    json_t *error = rpc_error(RPC_CODE_NOT_FOUND, "no breaker named %s", "db");
    assert_int_equal(rpc_write_response(packet, 3, error, NULL, &size), 0);
    json_decref(error);
    assert_int_equal(rpc_read(packet, size, &message, &why), 0);
    assert_int_equal(message.kind, RPC_RESPONSE);
    assert_int_equal(message.id, 3);
    assert_null(message.result);
    assert_string_equal(json_string_value(json_object_get(message.error, "code")), "not_found");
    assert_string_equal(json_string_value(json_object_get(message.error, "message")), "no breaker named db");
    rpc_message_clear(&message);

    json_t *result = json_pack("{s:[]}", "breakers");
    assert_int_equal(rpc_write_response(packet, 4, NULL, result, &size), 0);
    assert_int_equal(rpc_read(packet, size, &message, &why), 0);
    assert_null(message.error);
    assert_true(json_equal(message.result, result));
    rpc_message_clear(&message);
    json_decref(result);
}

static void test_a_notification_has_no_id(void **state)
{
    (void)state;
    static const uint8_t packet[] = {0x93, 0x02, 0xa4, 's', 'y', 'n', 'c', 0x80};
    struct rpc_message message;
    const char *why;
    assert_int_equal(rpc_read(packet, sizeof(packet), &message, &why), 0);
    assert_int_equal(message.kind, RPC_NOTIFICATION);
    assert_string_equal(message.method, "sync");
    assert_int_equal(json_object_size(message.params), 0);
    rpc_message_clear(&message);
}

static void test_a_message_larger_than_a_packet_is_not_written(void **state)
{
    (void)state;
    uint8_t packet[RPC_PACKET_MAX];
    size_t size = 5;
    char text[RPC_PACKET_MAX + 1];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    json_t *params = json_pack("{s:s}", "text", text);
    assert_int_equal(rpc_write_request(packet, 1, "config_check", params, &size), -EMSGSIZE);
    assert_int_equal(rpc_write_response(packet, 1, NULL, params, &size), -EMSGSIZE);
    assert_int_equal(size, 5);
    json_decref(params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_array_header_that_claims_four_billion_is_refused),
        cmocka_unit_test(test_a_count_within_the_message_is_refused_too),
        cmocka_unit_test(test_a_message_that_is_cut_short_is_refused_at_each_length),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_values_are_bounded),
        cmocka_unit_test(test_a_message_fills_its_packet),
        cmocka_unit_test(test_each_head_is_measured),
        cmocka_unit_test(test_packets_that_are_no_call_are_refused),
        cmocka_unit_test(test_values_that_json_cannot_hold_are_refused),
        cmocka_unit_test(test_a_request_comes_in_as_it_went_out),
        cmocka_unit_test(test_an_empty_string_is_a_string),
        cmocka_unit_test(test_a_response_comes_in_as_it_went_out),
        cmocka_unit_test(test_a_notification_has_no_id),
        cmocka_unit_test(test_a_message_larger_than_a_packet_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
