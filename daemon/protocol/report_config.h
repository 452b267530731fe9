/* The config as a JSON tree with all defaults filled in, as `config show --json` prints it, and a config's problems. */
#ifndef TRIPD_REPORT_CONFIG_H
#define TRIPD_REPORT_CONFIG_H

#include <jansson.h>

#include "config/config.h"

/* The whole config. origins: also says where each setting was said. NULL: no memory. */
json_t *report_config(const struct config *config, bool origins);
/* One of its entries alone. */
json_t *report_settings(const struct config *config, const struct breaker_settings *settings);

/* The answer of `config check --json` for a file and its drop-ins, or for a text: {"ok", "problems", "notes"}; the last
 * two are lists of {"file", "line", "message"}. NULL: no memory. */
json_t *report_check(const char *path);
json_t *report_check_text(const char *text, size_t length, const char *name);

#endif
