/* Tracks the calls that a thread has left open, for trip_cancel_all. Only calls of threads that asked for it are
 * tracked. These threads find no section of their own in the fast paths (thread.c) and so take the slow paths of begin
 * and end; other threads pay nothing.
 *
 * A call may be copied, moved, and ended on another thread. So its content is kept here, and the caller's trip_call
 * holds the place and a serial: a second end finds another serial there. Places are reused and never freed. */
#include "call.h"

#include <stdlib.h>

#define PLACES_AT_ONCE 32

struct tracked {
    uint64_t serial; /* never used again; 0: a free place */
    uint64_t thread;
    struct call call;
    struct tracked *next, *previous; /* in `open`, a ring; of free places `next` alone */
};

static struct {
    pthread_mutex_t lock;
    struct tracked open; /* the ring's head */
    struct tracked *free;
} tracked = {.lock = PTHREAD_MUTEX_INITIALIZER, .open = {.next = &tracked.open, .previous = &tracked.open}};

/* --------------------------------------------------------------------------------------------------------- places */

static struct tracked *place_new(void)
{
    struct tracked *const places = tracked.free ? NULL : calloc(PLACES_AT_ONCE, sizeof(*places));
    for (unsigned i = 0; places && i < PLACES_AT_ONCE; i++) {
        places[i].next = tracked.free;
        tracked.free = &places[i];
    }
    struct tracked *const place = tracked.free;
    if (place)
        tracked.free = place->next;
    return place;
}

static void place_free(struct tracked *place)
{
    place->previous->next = place->next;
    place->next->previous = place->previous;
    place->serial = 0;
    place->next = tracked.free;
    tracked.free = place;
}

/* ---------------------------------------------------------------------------------------------------------- calls */

void track_begin(struct call *call)
{
    ERRNO_KEPT;
    pthread_mutex_lock(&tracked.lock);
    struct tracked *const place = place_new();
    if (place) { /* without memory it goes untracked */
        place->serial = serial_next();
        place->thread = thread_self.tracked;
        place->call = *call;
        place->next = &tracked.open;
        place->previous = tracked.open.previous;
        place->previous->next = tracked.open.previous = place;
        call->tracked = place;
        call->tracked_serial = place->serial;
        call->flags |= CALL_TRACKED;
    }
    pthread_mutex_unlock(&tracked.lock);
}

bool track_take(struct call *call)
{
    if (!(call->flags & CALL_TRACKED))
        return true;
    struct tracked *const place = call->tracked;
    pthread_mutex_lock(&tracked.lock);
    const bool open = place->serial == call->tracked_serial;
    if (open) {
        *call = place->call;
        place_free(place);
    }
    pthread_mutex_unlock(&tracked.lock);
    return open;
}

bool track_take_own(struct call *ret_call)
{
    struct tracked *place;
    pthread_mutex_lock(&tracked.lock);
    for (place = tracked.open.next; place != &tracked.open; place = place->next)
        if (place->thread == thread_self.tracked)
            break;
    const bool found = place != &tracked.open;
    if (found) {
        *ret_call = place->call;
        place_free(place);
    }
    pthread_mutex_unlock(&tracked.lock);
    return found;
}

void track_close(const struct trip_client *client)
{
    pthread_mutex_lock(&tracked.lock);
    for (struct tracked *place = tracked.open.next, *next; place != &tracked.open; place = next) {
        next = place->next;
        if (place->call.breaker->client == client)
            place_free(place);
    }
    pthread_mutex_unlock(&tracked.lock);
}

void track_forked(void)
{
    pthread_mutex_init(&tracked.lock, NULL);
    tracked.open.next = tracked.open.previous = &tracked.open;
    tracked.free = NULL;
}

/* -------------------------------------------------------------------------------------------------------- threads */

void trip_thread_track(bool on)
{
    if (on && thread_self.tracked == 0)
        thread_self.tracked = serial_next();
    thread_self.tracking = on;
    thread_own_sections();
}
