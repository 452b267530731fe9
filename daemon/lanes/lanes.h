/* The lanes, one for each client process: its counters and events. Here they are checked, mapped, numbered and held
 * against quotas. lane_reader.c reads them, as hostile memory: every value once, then checked. */
#ifndef TRIPD_LANES_H
#define TRIPD_LANES_H

#include <stdbool.h>
#include <sys/types.h>

#include "clock.h"
#include "internal/layout.h"

struct lanes;
struct lane;

struct lanes_options {
    uint32_t max_lanes;
    uint64_t memory_per_user;
    uint64_t segment_id; /* a lane for the slots of another segment is refused */
    const struct clock *clock;
    /* Holds the number of the lane whose memory is being read, else 0. It is shared with the keeper, which so knows on
     * whose account a worker crashed. NULL: nobody looks. */
    uint32_t *draining;
};

int lanes_new(const struct lanes_options *options, struct lanes **ret_lanes);
struct lanes *lanes_free(struct lanes *lanes);
/* Changes the limits. Lanes that are there stay. */
void lanes_reconfigure(struct lanes *lanes, uint32_t max_lanes, uint64_t memory_per_user);

struct lane_offer {
    int fd;
    uid_t uid;
    pid_t pid;
    uint64_t lane_id; /* as the client told it; the header must say the same */
    uint32_t number;  /* 0: any free number; else the number it had, for a worker that inherits lanes from the keeper */
};

/* Attaches a lane: checks seals, exact size and header (magic, version, digest, lane_id), maps it, gives it a number.
 * Takes fd on success, and keeps the memory by a description of its own. -EINVAL with *ret_why: it is no lane; -EDQUOT:
 * the user's lane memory is used up; -EMFILE: there are max_lanes; -EEXIST: a living client's lane of this user has
 * this lane_id, so that this one is forged. If this user's lane with this lane_id hung up, or has its number and no
 * connection yet, it is taken up again: *ret_lane is that lane, and fd, the same memfd, is closed. */
int lanes_attach(struct lanes *lanes, const struct lane_offer *offer, struct lane **ret_lane, const char **ret_why);
/* Tells the client that its lane outlives this worker, for the keeper holds it: from now on the client may take tickets
 * and permits of this commons under the lane's number. */
void lane_grant(struct lane *lane, uint64_t commons_number);
/* Notes that the connection is gone while the process lives: it may attach again. */
void lane_hung_up(struct lane *lane);
/* Unmaps the lane, closes its descriptor and frees its number. The caller drains it first. */
void lanes_remove(struct lanes *lanes, struct lane *lane);
struct lane *lanes_get(const struct lanes *lanes, uint32_t number); /* NULL if none */
uint32_t lanes_count(const struct lanes *lanes);
uint32_t lanes_highest(const struct lanes *lanes); /* the highest number of a lane that is there; 0: no lane is there */

uint32_t lane_number(const struct lane *lane);
uint64_t lane_identity(const struct lane *lane); /* lane_id */
uid_t lane_uid(const struct lane *lane);
pid_t lane_pid(const struct lane *lane);
const char *lane_program(const struct lane *lane); /* a checked copy */
int lane_fd(const struct lane *lane);              /* its memfd, to compare and to hand to the keeper */
uint32_t lane_meters(const struct lane *lane);     /* meters in use, as of the last look */
uint64_t lane_lost(const struct lane *lane);       /* outcomes that found no meter, as the client counts them */
/* Has the owner exec'd another program? Then its pidfd says that it lives, but flock on our own description succeeds.
 */
bool lane_abandoned(const struct lane *lane);
/* Returns the bytes of all lanes, and of what this process keeps for them, as last measured. */
uint64_t lanes_memory(const struct lanes *lanes);

/* Charges memory that this process keeps for the lane to the same quota as the lane's memory. False: it is used up. */
bool lane_charge(struct lane *lane, size_t bytes);

/* ------------------------------------------------------------------------------------------------ for who reads one */
void *lane_memory(const struct lane *lane); /* struct lane_header, and what follows: hostile */
/* Has the lane's process a handle that is bound to this breaker's slot? The client says so. */
bool lane_resolved(const struct lane *lane, uint32_t breaker);
bool lane_resolved_any(const struct lane *lane, const uint64_t *breakers); /* a bit each, LANE_BREAKERS */
/* Finds out which meters, rooms and sections the client uses now: it has marked them, and tripd reads no further than
 * they have memory, for reading a hole would allocate it on tripd's account. */
void lane_look(struct lane *lane);
uint32_t lane_sections(const struct lane *lane); /* in use, as of the last look */
uint32_t lane_rooms(const struct lane *lane);    /* likewise */
bool lane_calls(struct lane *lane);              /* may the table of calls in flight be read? */
/* Reads how much memory the lane takes by now, which counts for its user's quota. */
void lane_measure(struct lane *lane);
void lanes_reading(const struct lanes *lanes, uint32_t number); /* *draining = number */

#endif
