/* Finds the state segment that the command line means, for the verbs that look. Errors are reported on standard error.
 */
#ifndef TRIP_TOOLS_READING_H
#define TRIP_TOOLS_READING_H

#include <jansson.h>
#include <stdio.h>

#include "internal/paths.h"
#include "snapshot.h"
#include "verbs.h"

/* Opens the segment, asks a living tripd to make it current, and warns if that failed. EXIT_DONE, or the exit status.
 * *ret_snapshot NULL: there is no segment here, as in a container that has only the socket's folder, but tripd answers:
 * ask it for what the segment would have said. */
int reading_open(const struct arguments *arguments, struct snapshot **ret_snapshot);
/* Does the same after the verb asked tripd something else. error, answer: the result of that. */
int reading_found(const struct arguments *arguments, int error, const json_t *answer, struct snapshot **ret_snapshot);
/* Replaces the snapshot if tripd came back and made the segment anew. True: it did. */
bool reading_renew(const struct arguments *arguments, struct snapshot **snapshot);

/* For a missing segment: returns everything that tripd answers to the verb's method, page by page. NULL with
 * *ret_status: it failed, which was reported. Takes params; the operand is sent with them as `name`. */
json_t *reading_ask(const struct arguments *arguments, json_t *params, int *ret_status);
/* Gives what `read` finds in the segment; or for a missing segment, what tripd answers to params, which it takes. NULL
 * with *ret_status: it failed, which was reported. */
typedef json_t *reading_fn(const struct arguments *arguments, const struct snapshot *snapshot);
json_t *reading_result(const struct arguments *arguments, reading_fn *read, json_t *params, int *ret_status);
/* Prints a result, as JSON or for people, and takes it. NULL: there was no memory. Returns the exit status. */
int reading_show(const struct arguments *arguments, json_t *result, void (*print)(FILE *out, const json_t *result));
/* Does the same with a result that lists `groups` and `breakers`. If the operand names none of either, reports that and
 * returns EXIT_REFUSED. */
int reading_show_named(const struct arguments *arguments, json_t *result,
                       void (*print)(FILE *out, const json_t *result));
/* Reports that no breaker has the operand as its name, and returns EXIT_REFUSED. */
int reading_no_breaker(const struct arguments *arguments);

/* Parts of reading_open. Opens the segment, a file's or the instance's, with the errors of snapshot_open. path: filled
 * in as far as it is known. */
int reading_open_quietly(const struct arguments *arguments, char path[PATHS_MAX], struct snapshot **ret_snapshot,
                         char **ret_why);
/* Likewise, and reports an error. Returns the exit status. */
int reading_segment(const struct arguments *arguments, struct snapshot **ret_snapshot);
/* Tells the state of tripd, by the segment and by the error of asking it. A missing socket tells nothing while the
 * heart beats: it may be elsewhere for this process. */
enum report_daemon reading_daemon(const struct snapshot *snapshot, int error);
/* Tells it without asking tripd for anything: where its heartbeat is stale, it is dead if nobody listens at its socket.
 */
enum report_daemon reading_daemon_now(const struct arguments *arguments, const struct snapshot *snapshot);
/* Warns that tripd lives, but did not make the segment current. */
void reading_warn(int error, const json_t *answer);

#endif
