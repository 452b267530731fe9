/* MessagePack to and from jansson trees: the only module that includes msgpack-c.
 *
 * What comes in is hostile. The bytes are walked first: msgpack-c reserves memory by the count in a header, gigabytes
 * for an array header of 5 bytes. */
#ifndef TRIPD_PACKED_H
#define TRIPD_PACKED_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define PACKED_DEPTH_MAX  12    /* how deep maps and arrays may nest */
#define PACKED_VALUES_MAX 16384 /* values in a message, keys included */

/* Checks the value at the beginning of the data: no deeper than PACKED_DEPTH_MAX, of at most `most` values, each count
 * and length within the bytes that there are. 0, or -EBADMSG with a sentence in *ret_why. Allocates nothing. */
int packed_bounds_check(const uint8_t *data, size_t size, size_t most, size_t *ret_used, const char **ret_why);

/* Reads the value at the beginning of the data: nil, booleans, numbers, strings without NUL, arrays, and maps with
 * string keys, each key once. 0, -EBADMSG, -ENOMEM. */
int packed_read(const uint8_t *data, size_t size, size_t most, json_t **ret_value, size_t *ret_used,
                const char **ret_why);

/* Reads only the head of an array: how many values follow it. */
int packed_array(const uint8_t *data, size_t size, size_t *ret_count, size_t *ret_used, const char **ret_why);

/* Writes a tree; NULL in it becomes nil. -EMSGSIZE: it needs more room. */
int packed_write(uint8_t *data, size_t room, const json_t *value, size_t *ret_size);

#endif
