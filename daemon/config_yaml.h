/* The text of a config file, into the config. */
#ifndef TRIPD_CONFIG_YAML_H
#define TRIPD_CONFIG_YAML_H

#include "config.h"
#include "config_problems.h"

/* Fills in a config that holds the defaults of limits and access and no breakers; complete only if problems stay
 * empty. 0, -EINVAL, -ENOMEM. */
int config_yaml_read(const char *text, size_t length, struct config *config, struct config_problems *problems,
                     struct config_problems *notes);

#endif
