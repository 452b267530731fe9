/* Degradation levels and features as result trees: of the control socket, and of tripctl --json. */
#ifndef TRIPD_REPORT_LEVELS_H
#define TRIPD_REPORT_LEVELS_H

#include <jansson.h>

#include "internal/layout.h"

/* {"names", "back_after_ms"}, to which `levels` is added. */
json_t *report_levels_head(const struct levels_image *image);
/* The level of a group, also of one that has none of its own. group "": the host's. */
json_t *report_level(const struct levels_image *image, const char *group, uint64_t now_ms);
json_t *report_feature(const struct levels_image *image, const struct feature_state *feature, uint64_t now_ms);

/* Returns "on", "off", or "12.5%". */
json_t *report_permille(unsigned permille);
/* Returns the name of a level, or its number where names are not known. image NULL: they are not. */
json_t *report_level_name(const struct levels_image *image, unsigned level);

#endif
