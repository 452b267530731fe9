/* Who was refused, why, and how often: for `tripctl status`, and so that the log says each reason once a minute for
 * each user, however often it is tried. */
#ifndef TRIPD_REFUSALS_H
#define TRIPD_REFUSALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define REFUSALS_REMEMBERED 64
#define REFUSALS_SHOWN      16 /* so that the answer fits a packet */
#define REFUSALS_PAUSE_NS   UINT64_C(60000000000)

struct refusal {
    uid_t uid;
    pid_t pid;     /* of the latest */
    int error;     /* -errno; 0: an unused place */
    char why[256]; /* of the latest */
    uint64_t count;
    uint64_t last_ns, last_unix_ms;
    uint64_t told_ns; /* when the log said so; 0: never */
};

struct refusals {
    struct refusal places[REFUSALS_REMEMBERED];
};

/* Counts by user and reason. True: the log has not said it within the last minute, and is to say it now. A new reason
 * takes the place of the one that came last longest ago, of those that the log has not said within the last minute. If
 * there is none it is neither counted nor said: one person may be many users (subordinate uids), and they must not
 * fill the log. */
bool refusals_add(struct refusals *refusals, const struct refusal *refusal, uint64_t now_ns, uint64_t unix_ms);
/* For who needs only that answer. */
bool refusals_tell(struct refusals *refusals, uid_t uid, int error, uint64_t now_ns);
/* The latest first. Returns how many. */
size_t refusals_latest(const struct refusals *refusals, const struct refusal *ret_latest[REFUSALS_SHOWN]);

#endif
