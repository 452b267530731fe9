/* Who was refused, and why: so that the log says each reason once a minute for each user, however often it is tried. */
#ifndef TRIPD_REFUSALS_H
#define TRIPD_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define REFUSALS_REMEMBERED 64
#define REFUSALS_PAUSE_NS   UINT64_C(60000000000)

struct refusals {
    struct refusal {
        uid_t uid;
        int error; /* 0: an unused place */
        uint64_t told_ns;
    } places[REFUSALS_REMEMBERED];
};

/* True: this user was not told this reason (-errno) within the last minute, and is now. With more users and reasons
 * than places in a minute the rest are not told at all: one person may be many users (subordinate uids). */
bool refusals_tell(struct refusals *refusals, uid_t uid, int error, uint64_t now_ns);

#endif
