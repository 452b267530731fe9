/* Principals of the config: `any`, `user:NAME` and `group:NAME`; and each role's default list of them. */
#ifndef TRIPD_CONFIG_ACCESS_H
#define TRIPD_CONFIG_ACCESS_H

#include "config/config.h"
#include "config/value.h"

/* Resolves one principal as written. False: *why says what is wrong and what would be right. A group of the default
 * lists need not exist: packages make it, and before that it lets nobody in. */
bool config_principal_parse(const char *text, struct config_principal *ret_principal, char why[CONFIG_WHY_MAX]);

/* Does this principal stand in a default list? */
bool config_principal_is_default(const char *text);

/* What looking up a user or group found. MISSED: the name service would have to be asked, and may not be now. */
enum config_found { CONFIG_FOUND, CONFIG_ABSENT, CONFIG_MISSED };
enum config_found config_names_find(enum config_who who, const char *name, uint32_t *ret_id);

/* The role's default list. 0 or -ENOMEM. */
int config_access_defaults(struct config *config);

#endif
