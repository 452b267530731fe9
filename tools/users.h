/* Names of users, for people and beside their numbers in JSON. */
#ifndef TRIP_TOOLS_USERS_H
#define TRIP_TOOLS_USERS_H

#include <jansson.h>
#include <stdint.h>

#define USER_NAME_MAX 48

/* Returns "www-data", or "uid 1234" for a user that this host does not have. */
const char *user_name(uint64_t uid, char out[USER_NAME_MAX]);

/* Adds names to a tree: beside each "uid" a "user", beside each "mode_uid" a "mode_user"; null for a user without a
 * name. */
void users_add(json_t *tree);

#endif
