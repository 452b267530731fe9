/* Follows events as tripd tells of them. */
#ifndef TRIP_TOOLS_FOLLOW_H
#define TRIP_TOOLS_FOLLOW_H

#include <jansson.h>

#include "verbs.h"

/* Prints the events that the ring still has, and then each one as it comes, until standard output ends: also those of
 * the next tripd, if this one ends. 0 at the end; -errno of rpc_client.h: it could not begin, and nothing is printed.
 */
int follow_events(const struct arguments *arguments);

/* Prints one event, as a line. */
void follow_print(const struct arguments *arguments, json_t *event);

#endif
