/* Remembers which users were refused, why, and how often: for `tripctl status`, and so that the log names each user's
 * reason once a minute, however often the user tries. */
#ifndef TRIPD_REFUSALS_H
#define TRIPD_REFUSALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define REFUSALS_REMEMBERED 64
#define REFUSALS_SHOWN      16 /* as many as an answer's packet holds */
#define REFUSALS_PAUSE_NS   UINT64_C(60000000000)

struct refusal {
    uid_t uid;
    pid_t pid;     /* of the latest refusal */
    int error;     /* -errno; 0: an unused place */
    char why[256]; /* of the latest refusal */
    uint64_t count;
    uint64_t last_ns, last_unix_ms;
    uint64_t told_ns; /* when the log last named it; 0: never */
};

struct refusals {
    struct refusal places[REFUSALS_REMEMBERED];
};

/* Counts a refusal by user and reason. True: log it now, for the log has not named it within the last minute. A new
 * reason takes the place of the one that is idle for longest and was not logged within the last minute. If there is
 * none, the refusal is neither counted nor logged: one person may be many users (subordinate uids), and must not fill
 * the log. */
bool refusals_add(struct refusals *refusals, const struct refusal *refusal, uint64_t now_ns, uint64_t unix_ms);
/* Counts a refusal for which only the answer matters: log it now? */
bool refusals_tell(struct refusals *refusals, uid_t uid, int error, uint64_t now_ns);
/* Lists the places, the latest first. Returns how many. */
size_t refusals_latest(const struct refusals *refusals, const struct refusal *ret_latest[REFUSALS_SHOWN]);

#endif
