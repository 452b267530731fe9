/* Degradation levels and features as result trees: of the control socket, and of tripctl --json. */
#ifndef TRIPD_REPORT_LEVELS_H
#define TRIPD_REPORT_LEVELS_H

#include <jansson.h>

#include "internal/layout.h"

/* {"levels", "names", "back_after_ms"}: the host's level and those of groups, so many from a place on; `next` if there
 * are more. group: of this one alone; NULL: of all. */
json_t *report_levels(const struct levels_image *image, const char *group, uint64_t from, uint64_t limit,
                      uint64_t now_ms);
/* {"features"}, likewise. wanted: a name or a pattern; NULL: all. */
json_t *report_features(const struct levels_image *image, const char *wanted, uint64_t from, uint64_t limit,
                        uint64_t now_ms);
/* The level of a group, also of one that has none of its own. group "": the host's. */
json_t *report_level(const struct levels_image *image, const char *group, uint64_t now_ms);
json_t *report_feature(const struct levels_image *image, const struct feature_state *feature, uint64_t now_ms);

/* Returns "on", "off", or "12.5%". */
json_t *report_permille(unsigned permille);
/* Returns the name of a level, or its number where names are not known. image NULL: they are not. */
json_t *report_level_name(const struct levels_image *image, unsigned level);

#endif
