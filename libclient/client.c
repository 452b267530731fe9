/* A client: opened, closed, and what it is attached to. */
#include "call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal/time_namespace.h"

/* ------------------------------------------------------------------------------------------------------------ fork */

/* A child in another time namespace misjudges every time of the view: it begins as one that never attached. */
static void forget_view(struct trip_client *client)
{
    client->view = NULL;
    for (size_t i = 0; i < BREAKER_CHAINS; i++)
        for (struct trip_breaker *breaker = client->breakers[i]; breaker; breaker = breaker->next)
            breaker->binding = &breaker->own;
}

static void client_forked(struct trip_client *client)
{
    pthread_mutex_init(&client->lock, NULL);
    moves_forked(&client->moves);
    cancels_forked(client->cancels);
    descriptor_close(&client->attach.socket);
    attach_close(client);
    client->attach.next_ns = 0;
    client->next_look_ns = 0;
    client->settled = false;
    client->lane_due_ns = 0;
    client->lane = NULL;
    client->lane_serial = LANE_NONE;
    const uint64_t namespace = time_namespace();
    if (namespace != 0 && client->time_namespace != 0 && namespace != client->time_namespace)
        forget_view(client);
    client->time_namespace = namespace != 0 ? namespace : client->time_namespace;
    while (client->lanes) {
        struct lane *const lane = client->lanes;
        client->lanes = lane->older;
        lane_forget(lane);
    }
}

/* Another thread of the parent may have held a lock or been in the middle of a change at the fork, so the child makes
 * every structure anew, except append-only ones. */
static void drop_what_is_the_parents(void)
{
    pthread_mutex_init(&clients.lock, NULL);
    track_forked();
    for (struct trip_client *client = clients.first; client; client = client->next)
        client_forked(client);
}

/* --------------------------------------------------------------------------------------------------------- opening */

static void list_sockets(struct trip_client *client, const char *instance)
{
    char path[PATHS_MAX];
    for (unsigned place = 0; place < PATHS_PLACES; place++)
        if (paths_socket_candidate(path, instance, place) == 0)
            memcpy(client->sockets[place], path, strlen(path) + 1);
}

static int client_new(const struct trip_client *like, struct trip_client **ret_client)
{
    struct trip_client *const client = calloc(1, sizeof(*client));
    if (!client)
        return -ENOMEM;
    memcpy(client->sockets, like->sockets, sizeof(client->sockets));
    client->serial = serial_next();
    client->thread_slot = clients.opened++ % THREAD_SLOTS;
    client->lane_serial = LANE_NONE;
    client->attach.socket.fd = -1;
    client->moves = moves_none();
    client->time_namespace = time_namespace();
    pthread_mutex_init(&client->lock, NULL);
    client->next = clients.first;
    /* Release: a child of a fork at this instant finds a whole list. */
    __atomic_store_n(&clients.first, client, __ATOMIC_RELEASE);
    *ret_client = client;
    return 0;
}

/* A process has one lane with a tripd, so it has one client for it, however often it is opened. */
static int client_take(const char *instance, struct trip_client **ret_client)
{
    struct trip_client like = {0}, *client;
    list_sockets(&like, instance);
    pthread_mutex_lock(&clients.lock);
    int error = fork_watch(drop_what_is_the_parents);
    for (client = clients.first; client; client = client->next)
        if (memcmp(client->sockets, like.sockets, sizeof(like.sockets)) == 0)
            break;
    if (error == 0 && !client)
        error = client_new(&like, &client);
    if (error == 0) {
        client->opens++;
        *ret_client = client;
    }
    pthread_mutex_unlock(&clients.lock);
    return error;
}

/* Attaches until it is done, refused, or the time is up; returns at once if nobody listens. Several threads may attach
 * at once: each handles the packets that have come. After the time is up, the next call handles the answer. */
static void attach_within(struct trip_client *client, uint64_t until_ns)
{
    bool locked = client_lock_until(client, until_ns);
    while (locked) {
        attach_step(client);
        if (client->attach.state == ATTACH_IDLE || client->attach.state == ATTACH_DONE)
            break;
        locked = attach_wait(client, until_ns);
        if (monotonic_ns() >= until_ns)
            break;
    }
    if (locked)
        client_unlock(client);
}

int client_of_view(struct view *view, trip_client **ret_client)
{
    const struct trip_client like = {0};
    struct trip_client *client = NULL;
    struct lane *lane;
    int error = lane_make(view, &lane);
    if (error < 0)
        return error;
    pthread_mutex_lock(&clients.lock);
    error = fork_watch(drop_what_is_the_parents);
    if (error == 0)
        error = client_new(&like, &client);
    pthread_mutex_unlock(&clients.lock);
    if (error < 0) {
        lane_free(lane);
        return error;
    }
    client->opens = 1;
    client->view = client->views = view;
    client->lane = client->lanes = lane;
    client->lane_serial = lane->serial;
    client->next_look_ns = UINT64_MAX; /* nobody is to be looked for */
    *ret_client = client;
    return 0;
}

int trip_open(trip_client **ret_client, const char *instance)
{
    const uint64_t until_ns = monotonic_ns() + OPEN_WAIT_NS;
    struct trip_client *client;
    instance = paths_instance(instance);
    if (!instance)
        return -EINVAL;
    fork_generation(); /* a forked child first drops what is its parent's */
    int error = client_take(instance, &client);
    if (error < 0)
        return error;
    attach_within(client, until_ns);
    *ret_client = client;
    return 0;
}

int trip_default(trip_client **ret_client)
{
    static trip_client *own;
    trip_client *client = __atomic_load_n(&own, __ATOMIC_ACQUIRE), *none = NULL;
    if (!client) {
        const int error = trip_open(&client, NULL);
        if (error < 0)
            return error;
        if (!__atomic_compare_exchange_n(&own, &none, client, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            trip_close(client); /* another thread has stored the same client first */
            client = none;
        }
    }
    *ret_client = client;
    return 0;
}

/* --------------------------------------------------------------------------------------------------------- closing */

/* True: this was the last one. */
static bool client_drop(struct trip_client *client)
{
    pthread_mutex_lock(&clients.lock);
    const bool last = --client->opens == 0;
    struct trip_client **place = &clients.first;
    while (last && *place != client)
        place = &(*place)->next;
    if (last)
        __atomic_store_n(place, client->next, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&clients.lock);
    return last;
}

static void free_breakers(struct trip_client *client)
{
    for (size_t i = 0; i < BREAKER_CHAINS; i++)
        while (client->breakers[i]) {
            struct trip_breaker *const breaker = client->breakers[i];
            client->breakers[i] = breaker->next;
            free(breaker);
        }
    bindings_free(client);
}

void trip_close(trip_client *client)
{
    if (!client)
        return;
    ERRNO_KEPT;
    fork_generation();
    if (!client_drop(client))
        return;
    attach_close(client);
    moves_close(&client->moves);
    cancels_free(client->cancels);
    fallbacks_free(client->fallbacks);
    track_close(client);
    free_breakers(client);
    features_free(client);
    while (client->lanes) {
        struct lane *const lane = client->lanes;
        client->lanes = lane->older;
        lane_free(lane);
    }
    while (client->views) {
        struct view *const view = client->views;
        client->views = view->older;
        view_unmap(view);
    }
    pthread_mutex_destroy(&client->lock);
    free(client);
}

/* ---------------------------------------------------------------------------------------------------------- status */

/* Once attached, the client only has to notice a hang-up. tripd keeps the lane over a hang-up, so there is no hurry. */
static uint64_t look_later_ns(const struct trip_client *client)
{
    const struct view *const view = __atomic_load_n(&client->view, __ATOMIC_ACQUIRE);
    const bool settled = __atomic_load_n(&client->settled, __ATOMIC_RELAXED) && view && !view_outdated(view);
    return settled ? 10 * ATTACH_PAUSE_NS : 0;
}

void client_look(struct trip_client *client)
{
    const uint64_t now = coarse_ns();
    /* Relaxed: of no order with anything else. */
    const uint64_t next = __atomic_load_n(&client->next_look_ns, __ATOMIC_RELAXED);
    if (now < next || now < next + look_later_ns(client) || !client_try_lock(client))
        return;
    ERRNO_KEPT;
    attach_step(client);
    __atomic_store_n(&client->settled, client->attach.state == ATTACH_DONE && lane_attached(client->lane),
                     __ATOMIC_RELAXED);
    const bool waits = client->attach.state != ATTACH_IDLE && client->attach.state != ATTACH_DONE;
    __atomic_store_n(&client->next_look_ns, now + (waits ? TALK_PAUSE_NS : ATTACH_PAUSE_NS), __ATOMIC_RELAXED);
    client_unlock(client);
}

/* ----------------------------------------------------------------------------------------------- for event loops */

int trip_client_fd(trip_client *client)
{
    fork_generation();
    if (!client_lock_until(client, monotonic_ns() + OPEN_WAIT_NS))
        return -EBUSY;
    ERRNO_KEPT;
    const int error = moves_poll(&client->moves), fd = client->moves.poll.fd;
    attach_step(client); /* asks tripd, whose answer makes the descriptor readable */
    client_unlock(client);
    return error < 0 ? error : fd;
}

static bool has_moved(struct trip_breaker *breaker, trip_state *ret_state)
{
    struct binding room[2];
    const struct binding *const decides =
        breaker_glance(breaker, __atomic_load_n(&breaker->binding, __ATOMIC_ACQUIRE), room);
    *ret_state = word_shown_state(__atomic_load_n(decides->word, __ATOMIC_ACQUIRE));
    const bool moved = breaker->told_state != *ret_state;
    breaker->told_state = *ret_state;
    return moved;
}

/* Looks at each chain once, the one where the last breaker was found first. */
static int next_moved(struct trip_client *client, trip_breaker **ret_breaker, trip_state *ret_state)
{
    for (unsigned i = 0; i < BREAKER_CHAINS; i++, client->moves.chain = (client->moves.chain + 1) % BREAKER_CHAINS)
        for (struct trip_breaker *breaker = client->breakers[client->moves.chain]; breaker; breaker = breaker->next)
            if (has_moved(breaker, ret_state)) {
                *ret_breaker = breaker;
                return 1;
            }
    return 0;
}

int trip_client_next(trip_client *client, trip_breaker **ret_breaker, trip_state *ret_state)
{
    fork_generation();
    client_look(client);
    if (!client_try_lock(client))
        return 0; /* the descriptor stays readable */
    ERRNO_KEPT;
    moves_read(&client->moves); /* before the look: what moves after it wakes again */
    if (client->moves.poll.fd >= 0 && client->moves.told.fd < 0)
        attach_step(client);
    const int found = next_moved(client, ret_breaker, ret_state);
    client_unlock(client);
    return found;
}

/* ---------------------------------------------------------------------------------------------------------- status */

trip_client_state trip_client_status(trip_client *client)
{
    fork_generation();
    client_look(client);
    const struct view *const view = __atomic_load_n(&client->view, __ATOMIC_ACQUIRE);
    if (!view)
        return TRIP_CLIENT_PRIVATE;
    if (view_away(view))
        return TRIP_CLIENT_DAEMON_AWAY;
    const bool reports = lane_attached(__atomic_load_n(&client->lane, __ATOMIC_ACQUIRE)) && !view_outdated(view);
    return reports ? TRIP_CLIENT_SHARED : TRIP_CLIENT_UNREPORTED;
}
