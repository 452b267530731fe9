/* The config as a JSON tree, all defaults filled in: what `config show --json` prints. */
#ifndef TRIPD_REPORT_CONFIG_H
#define TRIPD_REPORT_CONFIG_H

#include <jansson.h>

#include "config.h"

/* origins: with where each setting was said. NULL: no memory. */
json_t *report_config(const struct config *config, bool origins);

#endif
