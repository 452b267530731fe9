/* Levels, and features that are set, in the snapshot. */
#ifndef TRIPD_SAVED_LEVELS_H
#define TRIPD_SAVED_LEVELS_H

#include <jansson.h>
#include <stdbool.h>

#include "segment/saved.h"

/* {"level", "set", "now", "by", "uid", "since_unix_ms", "until_unix_ms", "reason"}; the host's level is "". NULL: no
 * memory. */
json_t *saved_level_pack(const struct level_state *level, uint64_t until_unix_ms);
/* {"feature", "permille", "by", ...}. */
json_t *saved_feature_pack(const struct feature_state *feature, uint64_t until_unix_ms);
/* Read such maps. False: it is damaged. */
bool saved_level_unpack(const json_t *map, struct saved_level *ret_level);
bool saved_feature_unpack(const json_t *map, struct saved_feature *ret_feature);

#endif
