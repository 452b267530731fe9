/* `levels:` and `features:` of the config: defaults, what can never work, and what `config show` shows. */
#ifndef TRIPD_CONFIG_LEVELS_H
#define TRIPD_CONFIG_LEVELS_H

#include "config/config.h"
#include "config/keys.h"
#include "config/problems.h"

extern const struct config_key config_back_after; /* `offset` is in struct levels_settings */
extern const struct config_key config_percent;    /* `offset` is in struct feature_settings */

#define CONFIG_NEVER "never" /* off_from of a feature that no level switches off */

/* Is it a name that a level may have? */
bool config_level_name_valid(const char *text);
/* Finds a feature. NULL: no file has it. */
struct config_feature *config_feature_find(const struct config *config, const char *name);
/* Appends a feature; there are less than FEATURES_MAX. NULL: no memory. */
struct config_feature *config_feature_add(struct config *config, const char *name);

/* When all files are read: turns what `off_from` says into levels, and makes config->features. 0 or -ENOMEM. */
int config_levels_finish(struct config *config, struct config_problems *problems);

void config_levels_write(const struct config *config, FILE *file);
void config_feature_write(const struct config *config, FILE *file, size_t feature);
void config_levels_visit(const struct config *config, const struct config_visitor *visitor);
/* Visits a feature's settings, in a map that the caller has begun. */
void config_feature_visit(const struct config *config, const struct config_visitor *visitor, size_t feature);
#define CONFIG_FEATURE_KEYS 3 /* that it visits */

#endif
