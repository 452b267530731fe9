/* Reads the text of a config file into the config. */
#ifndef TRIPD_CONFIG_YAML_H
#define TRIPD_CONFIG_YAML_H

#include <stdint.h>

#include "config/config.h"
#include "config/problems.h"

struct config_reading {
    struct config *config;
    struct config_problems problems, notes; /* their `file` is that of the text */
    uint32_t file;                          /* its number in config->files, from 1 */
};

/* Adds what the text says to a config that began with the default limits and access and no breakers. The config is
 * complete only if no problem was found. */
void config_yaml_read(struct config_reading *reading, const char *text, size_t length);

/* Appends one more entry (config.c). 0 or -ENOMEM. */
int config_append(struct config *config, const struct breaker_settings *settings, struct config_origin origin);

#endif
