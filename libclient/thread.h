/* The section of the calling thread. */
#ifndef TRIP_THREAD_H
#define TRIP_THREAD_H

#include "lane.h"

#define THREAD_SLOTS 4 /* lanes that a thread remembers its section of */

struct thread_slot {
    uint64_t generation;   /* fork_generation() when it was filled; 0: empty */
    uint64_t client;       /* serial */
    uint64_t lane;         /* serial */
    uint64_t own_lane;     /* the same if the section is the thread's own and its calls take the fast paths; else 0 */
    struct meter **meters; /* of the section, by breaker */
    struct lane *lane_at;
    const uint32_t *round; /* of the lane's segment */
    uint32_t section;
} __attribute__((aligned(64))); /* an index of it is a shift */

struct thread {
    struct thread_slot slots[THREAD_SLOTS];
    uint64_t random;
    uint64_t random_generation; /* fork_generation() when it was drawn */
    bool exiting;               /* the destructor has run: shares section 0 from now on */
    bool tracking;              /* its calls are noted: track.c */
    uint32_t to_sample;         /* so many calls, the last of them is timed; 0: not drawn yet */
    uint64_t tracked;           /* under this serial; 0: none ever was */
};
_Static_assert(sizeof(struct thread) < 1024, "dlopen finds little room for initial-exec variables");

extern _Thread_local struct thread thread_self HIDDEN;

/* Takes a section of the client's lane for this thread. NULL: there is no lane. */
struct thread_slot *thread_take(struct trip_client *client);
/* The thread begins or ends to track its calls. */
void thread_own_sections(void);
uint32_t thread_random(void);

/* Where calls are not timed, libtrip times each with one chance in SAMPLED_ONE_IN, whatever came before: no rhythm
 * of the program's is in step with it (docs/decisions/untimed-calls.md). */
bool thread_draw_sample(void);

static inline bool thread_samples(void)
{
    if (unlikely(thread_self.to_sample <= 1))
        return thread_draw_sample();
    thread_self.to_sample--;
    return false;
}

#endif
