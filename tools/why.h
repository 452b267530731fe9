/* Says in a few lines what a tired person has to know: what is open, since when and why, who or what led, what it
 * costs, what happens next, and what one can do. */
#ifndef TRIP_TOOLS_WHY_H
#define TRIP_TOOLS_WHY_H

#include <jansson.h>
#include <stdbool.h>

#define WHY_LINES_MAX 12 /* of 80 columns */

/* Returns the lines, as a list of strings. NULL: no memory. The facts:
 *
 *   instance, daemon     the instance's name; what tripd does, as in `status`
 *   all, in_trouble      how many breakers there are; how many of them deny calls
 *   breakers             some of these, as `show` gives them, the first one told of most; or the one asked for
 *   denied_per_second    calls of these, lately; null: not known
 *   incident             theirs, or the last one, as `incidents show` gives it; null: there is none */
json_t *why_lines(const json_t *facts);

/* Does the breaker deny calls, as `list` or `show` gives it? In the modes shadow and disabled none does. */
bool why_in_trouble(const json_t *breaker);

#endif
