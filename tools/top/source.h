/* Where looks come from: an instance, a copy of a segment in a file, or a recording. */
#ifndef TRIP_TOP_SOURCE_H
#define TRIP_TOP_SOURCE_H

#include "snapshot.h"
#include "verbs.h"

struct source;

/* Opens it. Of an instance there need not be anything yet. 0, or an error of opening a file; *ret_why says more, and
 * the caller frees it; it may be NULL. arguments: instance and `given`, or segment; they must live as long as it. */
int source_open(const struct arguments *arguments, struct source **ret_source, char **ret_why);
struct source *source_close(struct source *source);

/* Returns the segment as it is now. NULL: there is none yet, and *ret_waits says what is waited for. Both last until
 * the next call. */
const struct snapshot *source_look(struct source *source, const char **ret_waits);

/* Returns a copy of what source_look returned last, which stays as it is until the next look. NULL: there is none, or
 * no memory. */
const struct snapshot *source_freeze(struct source *source);

#endif
