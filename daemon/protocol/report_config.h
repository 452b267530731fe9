/* The config as a JSON tree, all defaults filled in, which is what `config show --json` prints, and what is wrong with
 * one. */
#ifndef TRIPD_REPORT_CONFIG_H
#define TRIPD_REPORT_CONFIG_H

#include <jansson.h>

#include "config/config.h"

/* origins: with where each setting was said. NULL: no memory. */
json_t *report_config(const struct config *config, bool origins);
/* An entry alone. */
json_t *report_settings(const struct breaker_settings *settings);

/* What `config check --json` says of a file and its drop-ins, or of a text: {"ok", "problems", "notes"}, each of these
 * lists of {"file", "line", "message"}. NULL: no memory. */
json_t *report_check(const char *path);
json_t *report_check_text(const char *text, size_t length, const char *name);

#endif
