/* The state segment that the command line means, for the verbs that look; what went wrong is said on standard error. */
#ifndef TRIP_TOOLS_READING_H
#define TRIP_TOOLS_READING_H

#include <jansson.h>
#include <stdio.h>

#include "snapshot.h"
#include "verbs.h"

/* The segment; a living tripd is asked to make it current, and what became of it is said. EXIT_DONE, or the exit
 * status. *ret_snapshot NULL: there is no segment here, as in a container that has the socket's folder alone, and tripd
 * answers: it is to be asked for what the segment would have said. */
int reading_open(const struct arguments *arguments, struct snapshot **ret_snapshot);
/* Likewise, where tripd was asked something else before: the error of that, and its answer or refusal. */
int reading_found(const struct arguments *arguments, int error, const json_t *answer, struct snapshot **ret_snapshot);
/* The segment of this name now, if it is another one: tripd came back and made it anew. */
bool reading_renew(const struct arguments *arguments, struct snapshot **snapshot);

/* Where there is no segment: the whole of what tripd answers to the verb's method, page by page. NULL with *ret_status:
 * what was said. params: taken; the operand goes with them as `name`. */
json_t *reading_ask(const struct arguments *arguments, json_t *params, int *ret_status);
/* Prints a result, as JSON or for people. result: taken; NULL: there was no memory. Returns the exit status. */
int reading_show(const struct arguments *arguments, json_t *result, void (*print)(FILE *out, const json_t *result));

/* The parts of reading_open: the segment, a file's or the instance's. */
int reading_segment(const struct arguments *arguments, struct snapshot **ret_snapshot);
/* What became of tripd: the segment says, and the error of asking it. A socket that is not there may be elsewhere for
 * the one who asks, so that it tells nothing while the heart beats. */
enum report_daemon reading_daemon(const struct snapshot *snapshot, int error);
/* Says that tripd lives, and did not make the segment current. */
void reading_warn(int error, const json_t *answer);

#endif
