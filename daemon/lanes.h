/* The lanes: what clients tell, one lane a process. Hostile memory: every value is read once and checked.
 *
 * A lane yields, for one breaker, sources: meters with counters and, between their told events, the order.
 * lanes_collect takes what is new of all lanes' rings; drain.c merges the sources of one breaker and marks them as
 * counted.
 */
#ifndef TRIPD_LANES_H
#define TRIPD_LANES_H

#include <stdbool.h>
#include <sys/types.h>

#include "clock.h"
#include "internal/layout.h"

struct lanes;
struct lane;

struct lanes_options {
    uint32_t max_lanes, max_breakers;
    uint64_t memory_per_user;
    const struct clock *clock;
};

int lanes_new(const struct lanes_options *options, struct lanes **ret_lanes);
struct lanes *lanes_free(struct lanes *lanes);

/* Checks seals, exact size, header (magic, version, digest, meter_count, lane_id), maps it, gives it a number. Takes fd
 * on success. number 0: any free one; else the one it had (a worker that inherits lanes from the keeper).
 * -EINVAL with *ret_why: not a lane; -EDQUOT: the user's lane memory; -EMFILE: max_lanes; -EEXIST: this lane_id is
 * attached (by a living client: a forged one). A detached lane with this lane_id is taken up again under its number. */
int lanes_attach(struct lanes *lanes, int fd, uid_t uid, pid_t pid, uint32_t number, struct lane **ret_lane,
                 const char **ret_why);
/* Drains nothing by itself: the caller drains first. Unmaps, closes fd, frees the number. */
void lanes_remove(struct lanes *lanes, struct lane *lane);
struct lane *lanes_get(const struct lanes *lanes, uint32_t number); /* NULL if none */
uint32_t lanes_count(const struct lanes *lanes);

uint32_t lane_number(const struct lane *lane);
uint64_t lane_identity(const struct lane *lane); /* lane_id */
uid_t lane_uid(const struct lane *lane);
pid_t lane_pid(const struct lane *lane);
const char *lane_program(const struct lane *lane); /* a checked copy */
/* Its owner is gone although its pidfd says it lives: an exec. (flock on our own description succeeds.) */
bool lane_abandoned(const struct lane *lane);

#endif
