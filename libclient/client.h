/* What the parts of libtrip share. How they hang together:
 *
 *   trip_client ── view     what is mapped: segment (read-only), and of its commons the one in force and older ones
 *               ── lane     what this process tells, and the sections its threads take of it
 *               ── attach   the conversation with tripd
 *   trip_feature ── word    its word in the view's segment
 *   trip_breaker ── binding which policy, word and permits decide: a slot of the view, or the breaker's own
 *
 * A binding never changes; a breaker that is bound anew gets another one, and the old stays until trip_close, for
 * another thread may be reading it. The same holds for views, commons and lanes. All that changes a client happens
 * under its lock, which paths that must not block only try.
 *
 * A binding notes the admission word that it expects: the breaker in its slot, and the commons in force. Where another
 * breaker has the slot, the binding is stale, and the name is looked for anew. Where tripd has made another commons,
 * the binding is superseded until this process has mapped that one: it decides by the segment's mirror, and moves no
 * word.
 *
 * Memory orders: a pointer to a binding, view, or lane is stored with release once what it points to is complete, and
 * loaded with acquire; comments at the atomics name only what is not that.
 */
#ifndef TRIP_CLIENT_H
#define TRIP_CLIENT_H

#include <pthread.h>

#include "attach.h"
#include "binding.h"
#include "cancel.h"
#include "fallbacks.h"
#include "feature_words.h"
#include "fork.h"
#include "lane.h"
#include "moves.h"
#include "thread.h"
#include "view.h"

#define OPEN_WAIT_NS   UINT64_C(90000000) /* trip_open and trip_breaker_get: with what follows within 100 ms */
#define BREAKER_CHAINS 256
#define LOOK_EVERY     64                   /* successes between two looks at whether tripd is still the same */
#define LANE_DUE_NS    UINT64_C(1000000000) /* a lane that was sent so long ago may never get a number */

struct trip_client {
    uint64_t serial;      /* of this process, never used again */
    uint64_t lane_serial; /* of the lane in use, LANE_NONE without one: what threads compare their slot with */
    struct view *view;    /* NULL: never attached */
    struct lane *lane;
    unsigned thread_slot;
    unsigned opens; /* trip_open less trip_close; under clients.lock */
    pthread_mutex_t lock;
    int cancel_state; /* the lock holder's cancel state before it took the lock */
    struct attach attach;
    struct moves moves;     /* under the lock */
    struct cancel *cancels; /* under the lock */
    bool settled;           /* attached as far as it goes: no hurry to look again. Read without the lock */
    /* Read without the lock. Until then a lane is on its way, and what this process takes waits for its number. */
    uint64_t lane_due_ns;
    uint64_t time_namespace; /* inode; 0: unknown */
    uint64_t next_look_ns;
    struct trip_breaker *breakers[BREAKER_CHAINS]; /* by hash; appended under the lock, read without */
    struct trip_feature *features;                 /* likewise */
    struct binding_page *bindings;                 /* all that breakers were ever bound to; under the lock */
    struct view *views;                            /* all, the latest first */
    struct lane *lanes;
    struct fallback_copy *fallbacks;              /* appended and read without the lock */
    struct trip_client *next;                     /* clients.lock */
    char sockets[PATHS_PLACES][PATHS_SOCKET_MAX]; /* "": none */
};

/* All open clients, for fork and thread exit. */
struct clients {
    pthread_mutex_t lock;
    struct trip_client *first;
    unsigned opened; /* ever */
};
extern struct clients clients;

/* For `tripctl simulate`: a client whose breakers are kept in this very process. It makes a lane, which the keeper of
 * the breakers reads, and connects to no tripd. It owns the view. */
int client_of_view(struct view *view, trip_client **ret_client);

uint64_t serial_next(void);
/* Goes on with attaching if it is time for it. Never blocks. */
void client_look(struct trip_client *client);
/* Takes the lock; false: not at once, or not until then (monotonic). The lock holder cannot be cancelled: its system
 * calls are cancellation points, and a cancelled holder would never give the lock back. */
bool client_try_lock(struct trip_client *client);
bool client_lock_until(struct trip_client *client, uint64_t until_ns);
void client_unlock(struct trip_client *client);

#endif
