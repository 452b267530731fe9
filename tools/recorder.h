/* Writes a recording (recording.h), look by look. */
#ifndef TRIP_TOOLS_RECORDER_H
#define TRIP_TOOLS_RECORDER_H

#include "snapshot.h"

struct recorder;

/* Makes the file, for its user alone, and takes care that it does not become larger than `most` bytes. -EEXIST: it is
 * there; other errors of opening. */
int recorder_open(const char *path, uint64_t most, struct recorder **ret_recorder);
/* Closes the file. 0, or an error of writing. */
int recorder_close(struct recorder *recorder);

/* Writes down how the segment is now. daemon: what is known of its tripd. After an error the file is a recording of the
 * looks before. -EOVERFLOW: it would be too large; -EAGAIN: the segment grew all the time; -ENOMEM; errors of writing.
 */
int recorder_look(struct recorder *recorder, const struct snapshot *snapshot, enum report_daemon daemon);

uint64_t recorder_looks(const struct recorder *recorder);
uint64_t recorder_bytes(const struct recorder *recorder);

#endif
