#include "protocol/packed.h"

#include <errno.h>
#include <msgpack.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------- bounds, byte by byte */

/* The first bytes of a value, decoded. */
struct head {
    size_t size;     /* bytes of the head itself, with lengths */
    uint64_t bytes;  /* payload bytes that follow the head */
    uint64_t values; /* values that follow the head: elements, or keys and their values */
};

static uint64_t big_endian(const uint8_t *data, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | data[i];
    return value;
}

enum head_form { HEAD_NEVER, HEAD_PLAIN, HEAD_BYTES, HEAD_VALUES, HEAD_PAIRS };

/* The heads 0xc0 to 0xdf: form, bytes of the length field, bytes that always follow that field. */
static const struct {
    uint8_t form, length_bytes, extra;
} heads[32] = {
    {HEAD_PLAIN, 0, 0},  {HEAD_NEVER, 0, 0},  {HEAD_PLAIN, 0, 0}, {HEAD_PLAIN, 0, 0}, /* nil, unused, false, true */
    {HEAD_BYTES, 1, 0},  {HEAD_BYTES, 2, 0},  {HEAD_BYTES, 4, 0},                     /* bin 8, 16, 32 */
    {HEAD_BYTES, 1, 1},  {HEAD_BYTES, 2, 1},  {HEAD_BYTES, 4, 1},                     /* ext 8, 16, 32: and a type */
    {HEAD_PLAIN, 0, 4},  {HEAD_PLAIN, 0, 8},                                          /* float 32, 64 */
    {HEAD_PLAIN, 0, 1},  {HEAD_PLAIN, 0, 2},  {HEAD_PLAIN, 0, 4}, {HEAD_PLAIN, 0, 8}, /* uint 8 to 64 */
    {HEAD_PLAIN, 0, 1},  {HEAD_PLAIN, 0, 2},  {HEAD_PLAIN, 0, 4}, {HEAD_PLAIN, 0, 8}, /* int 8 to 64 */
    {HEAD_PLAIN, 0, 2},  {HEAD_PLAIN, 0, 3},  {HEAD_PLAIN, 0, 5}, {HEAD_PLAIN, 0, 9}, /* fixext 1 to 8: and a type */
    {HEAD_PLAIN, 0, 17}, {HEAD_BYTES, 1, 0},  {HEAD_BYTES, 2, 0}, {HEAD_BYTES, 4, 0}, /* fixext 16, str 8 to 32 */
    {HEAD_VALUES, 2, 0}, {HEAD_VALUES, 4, 0}, {HEAD_PAIRS, 2, 0}, {HEAD_PAIRS, 4, 0}, /* array, map 16, 32 */
};

static bool head_read(const uint8_t *data, size_t left, struct head *ret_head)
{
    *ret_head = (struct head){.size = 1};
    const uint8_t byte = data[0];
    if (byte < 0x80 || byte >= 0xe0) /* fixint */
        return true;
    if (byte < 0xa0) { /* fixmap, fixarray */
        ret_head->values = (uint64_t)(byte & 0x0f) * (byte < 0x90 ? 2 : 1);
        return true;
    }
    if (byte < 0xc0) { /* fixstr */
        ret_head->bytes = byte & 0x1f;
        return true;
    }
    const size_t length_bytes = heads[byte - 0xc0].length_bytes;
    const enum head_form form = heads[byte - 0xc0].form;
    if (form == HEAD_NEVER || left < 1 + length_bytes)
        return false;
    const uint64_t length = big_endian(data + 1, length_bytes);
    ret_head->size = 1 + length_bytes;
    ret_head->bytes = heads[byte - 0xc0].extra + (form == HEAD_BYTES ? length : 0);
    ret_head->values = form == HEAD_VALUES ? length : form == HEAD_PAIRS ? 2 * length : 0;
    return true;
}

static int bad(const char **ret_why, const char *why)
{
    *ret_why = why;
    return -EBADMSG;
}

int packed_array(const uint8_t *data, size_t size, size_t *ret_count, size_t *ret_used, const char **ret_why)
{
    struct head head;
    const bool array = size > 0 && ((data[0] & 0xf0) == 0x90 || data[0] == 0xdc || data[0] == 0xdd);
    if (!array || !head_read(data, size, &head))
        return bad(ret_why, "the message is no array");
    *ret_count = (size_t)head.values;
    *ret_used = head.size;
    return 0;
}

int packed_bounds_check(const uint8_t *data, size_t size, size_t most, size_t *ret_used, const char **ret_why)
{
    uint64_t pending[PACKED_DEPTH_MAX + 1] = {1}; /* values still to come, at each depth */
    size_t at = 0, values = 0, depth = 0;

    for (;;) {
        while (pending[depth] == 0 && depth > 0)
            depth--;
        if (pending[depth] == 0)
            break;
        pending[depth]--;
        struct head head;
        if (at == size || !head_read(data + at, size - at, &head))
            return bad(ret_why, "the message is cut short or no MessagePack");
        at += head.size;
        if (head.bytes > size - at)
            return bad(ret_why, "a length in the message is more than what follows");
        at += (size_t)head.bytes;
        if (head.values > size - at) /* each value takes a byte at least */
            return bad(ret_why, "a count in the message is more than what follows");
        values += (size_t)head.values + (depth == 0);
        if (values > most)
            return bad(ret_why, "the message has too many values");
        if (head.values > 0) {
            if (depth == PACKED_DEPTH_MAX)
                return bad(ret_why, "the message is nested more than 12 deep");
            pending[++depth] = head.values;
        }
    }
    *ret_used = at;
    return 0;
}

/* ------------------------------------------------------------------------------------------------- msgpack to json */

static int json_of(const msgpack_object *object, json_t **ret_json, const char **ret_why);

/* Returns the text of a string. NULL: it holds a NUL byte. An empty string may have no address. */
static const char *text_of(const msgpack_object_str *string)
{
    const char *text = string->size ? string->ptr : "";
    return memchr(text, '\0', string->size) ? NULL : text;
}

static int string_of(const msgpack_object *object, json_t **ret_json, const char **ret_why)
{
    const char *text = text_of(&object->via.str);
    if (!text)
        return bad(ret_why, "a string has a NUL byte");
    *ret_json = json_stringn(text, object->via.str.size);
    return *ret_json ? 0 : bad(ret_why, "a string is not UTF-8");
}

static int array_of(const msgpack_object *object, json_t **ret_json, const char **ret_why)
{
    json_t *array = json_array();
    if (!array)
        return -ENOMEM;
    for (uint32_t i = 0; i < object->via.array.size; i++) {
        json_t *value = NULL;
        const int error = json_of(&object->via.array.ptr[i], &value, ret_why);
        if (error < 0) {
            json_decref(array);
            return error;
        }
        json_array_append_new(array, value);
    }
    *ret_json = array;
    return 0;
}

static int pair_into(json_t *map, const msgpack_object_kv *pair, const char **ret_why)
{
    const char *key = pair->key.type == MSGPACK_OBJECT_STR ? text_of(&pair->key.via.str) : NULL;
    const size_t size = key ? pair->key.via.str.size : 0;
    if (!key)
        return bad(ret_why, "a map's key is no string");
    if (json_object_getn(map, key, size))
        return bad(ret_why, "a map has the same key twice");
    json_t *value = NULL;
    const int error = json_of(&pair->val, &value, ret_why);
    if (error < 0)
        return error;
    return json_object_setn_new(map, key, size, value) < 0 ? bad(ret_why, "a map's key is not UTF-8") : 0;
}

static int map_of(const msgpack_object *object, json_t **ret_json, const char **ret_why)
{
    json_t *map = json_object();
    if (!map)
        return -ENOMEM;
    for (uint32_t i = 0; i < object->via.map.size; i++) {
        const int error = pair_into(map, &object->via.map.ptr[i], ret_why);
        if (error < 0) {
            json_decref(map);
            return error;
        }
    }
    *ret_json = map;
    return 0;
}

/* Recursion is bounded by PACKED_DEPTH_MAX, for packed_bounds_check came first. */
static int json_of(const msgpack_object *object, json_t **ret_json, const char **ret_why)
{
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
        *ret_json = json_null();
        return 0;
    case MSGPACK_OBJECT_BOOLEAN:
        *ret_json = json_boolean(object->via.boolean);
        return 0;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        if (object->via.u64 > INT64_MAX)
            return bad(ret_why, "a number is more than 2^63 - 1");
        *ret_json = json_integer((json_int_t)object->via.u64);
        return *ret_json ? 0 : -ENOMEM;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        *ret_json = json_integer((json_int_t)object->via.i64);
        return *ret_json ? 0 : -ENOMEM;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        *ret_json = json_real(object->via.f64);
        return *ret_json ? 0 : bad(ret_why, "a number is not finite");
    case MSGPACK_OBJECT_STR:
        return string_of(object, ret_json, ret_why);
    case MSGPACK_OBJECT_ARRAY:
        return array_of(object, ret_json, ret_why);
    case MSGPACK_OBJECT_MAP:
        return map_of(object, ret_json, ret_why);
    default:
        return bad(ret_why, "only nil, booleans, numbers, strings, arrays and maps may be sent");
    }
}

/* --------------------------------------------------------------------------------------------------------- reading */

int packed_read(const uint8_t *data, size_t size, size_t most, json_t **ret_value, size_t *ret_used,
                const char **ret_why)
{
    size_t used, at = 0;
    int error = packed_bounds_check(data, size, most, &used, ret_why);
    if (error < 0)
        return error;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    switch (msgpack_unpack_next(&unpacked, (const char *)data, used, &at)) {
    case MSGPACK_UNPACK_SUCCESS:
        error = json_of(&unpacked.data, ret_value, ret_why);
        break;
    case MSGPACK_UNPACK_NOMEM_ERROR:
        error = -ENOMEM;
        break;
    default:
        error = bad(ret_why, "the message is no MessagePack");
    }
    msgpack_unpacked_destroy(&unpacked);
    if (error == 0)
        *ret_used = used;
    return error;
}

/* ------------------------------------------------------------------------------------------------- json to msgpack */

struct buffer {
    uint8_t *data;
    size_t room, size;
};

static int buffer_append(void *context, const char *bytes, size_t size)
{
    struct buffer *buffer = context;
    if (size > buffer->room - buffer->size)
        return -1;
    memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
    return 0;
}

static int pack_text(msgpack_packer *packer, const char *text, size_t size)
{
    return msgpack_pack_str(packer, size) < 0 ? -1 : msgpack_pack_str_body(packer, text, size);
}

static int pack_json(msgpack_packer *packer, const json_t *json);

static int pack_array(msgpack_packer *packer, const json_t *array)
{
    if (msgpack_pack_array(packer, json_array_size(array)) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(array); i++)
        if (pack_json(packer, json_array_get(array, i)) < 0)
            return -1;
    return 0;
}

static int pack_map(msgpack_packer *packer, const json_t *map)
{
    if (msgpack_pack_map(packer, json_object_size(map)) < 0)
        return -1;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)map, key, value)
    {
        if (pack_text(packer, key, strlen(key)) < 0 || pack_json(packer, value) < 0)
            return -1;
    }
    return 0;
}

/* Packs a tree; NULL in it is nil. -1: the buffer is full. */
static int pack_json(msgpack_packer *packer, const json_t *json)
{
    if (!json)
        return msgpack_pack_nil(packer);
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return pack_map(packer, json);
    case JSON_ARRAY:
        return pack_array(packer, json);
    case JSON_STRING:
        return pack_text(packer, json_string_value(json), json_string_length(json));
    case JSON_INTEGER:
        return msgpack_pack_int64(packer, json_integer_value(json));
    case JSON_REAL:
        return msgpack_pack_double(packer, json_real_value(json));
    case JSON_TRUE:
        return msgpack_pack_true(packer);
    case JSON_FALSE:
        return msgpack_pack_false(packer);
    default:
        return msgpack_pack_nil(packer);
    }
}

int packed_write(uint8_t *data, size_t room, const json_t *value, size_t *ret_size)
{
    struct buffer out = {.data = data, .room = room};
    msgpack_packer packer;
    msgpack_packer_init(&packer, &out, buffer_append);
    if (pack_json(&packer, value) < 0)
        return -EMSGSIZE;
    *ret_size = out.size;
    return 0;
}
