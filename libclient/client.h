/* What the parts of libtrip share. How they hang together:
 *
 *   trip_client ── view     what is mapped: segment (read-only), and of its commons the one in force and older ones
 *               ── lane     what this process tells, and the sections its threads take of it
 *               ── attach   the conversation with tripd
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

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "internal/layout.h"
#include "internal/paths.h"
#include "internal/policy.h"
#include "internal/state_word.h"
#include "internal/ticks.h"
#include "trip.h"

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define COLD        __attribute__((cold, noinline))
#define HIDDEN      __attribute__((visibility("hidden"))) /* of data on the fast path: addressed without a table */

/* errno is the host program's: for the scopes that make system calls on behalf of a call that reports no error. */
#define ERRNO_KEPT const int errno_was __attribute__((cleanup(errno_restore), unused)) = errno

static inline void errno_restore(const int *errno_was)
{
    errno = *errno_was;
}

#define ATTACH_PAUSE_NS UINT64_C(100000000) /* between two attempts to attach */
#define OPEN_WAIT_NS    UINT64_C(90000000)  /* trip_open and trip_breaker_get: with what follows within 100 ms */
#define BREAKER_CHAINS  256
#define LANE_NONE       UINT64_MAX           /* no lane has this serial */
#define THREAD_SLOTS    4                    /* lanes that a thread remembers its section of */
#define TALK_PAUSE_NS   UINT64_C(8000000)    /* between two looks for tripd's answer */
#define LOOK_EVERY      64                   /* successes between two looks at whether tripd is still the same */
#define LANE_DUE_NS     UINT64_C(1000000000) /* a lane that was sent so long ago may never get a number */

/* A descriptor of ours: the host may close it, and reuse its number. */
struct descriptor {
    int fd; /* -1: none */
    dev_t dev;
    ino_t ino;
};

/* ---- view.c: the mapped segment and commons, every offset checked */
struct table {
    const uint8_t *base;
    uint32_t stride, count;
};

struct commons_view {
    struct commons_header *memory;
    size_t size;
    uint64_t id, number;
    uint32_t slots; /* of breakers: so many had memory when it was mapped */
    struct table words, permits, limits, tickets;
    struct commons_view *older; /* the one that it took the place of */
    bool opened_late;           /* a breaker was opened in it when another commons had its place: tripd is to be told */
    bool retired;               /* nothing is behind its addresses any more but zeros of our own */
};

struct view {
    const struct segment_header *segment; /* NULL: nothing is shared, the breakers are private */
    size_t segment_size;
    struct commons_view *commons; /* the latest that was mapped */
    uint64_t segment_id;
    struct table policies, details, cores, names, mirror, rests;
    enum ticks_kind ticks;
    uint64_t created_mono_ns;
    uint64_t clock_offset_ns; /* modular, to tripd's CLOCK_MONOTONIC, which may be another time namespace's */
    struct view *older;
};

struct view_offer {
    int segment_fd, commons_fd;
    uint64_t segment_id, segment_size, commons_id, commons_size, commons_number;
    uint32_t slots;
    uint64_t clock_offset_ns;
    uid_t daemon_uid;
};

extern const struct view private_view;

/* Maps what tripd offers, or refuses it: -EPROTO another layout, -EINVAL what cannot be trusted. */
int view_map(const struct view_offer *offer, struct view **ret_view);
/* The same segment came with another commons. Mapped, it is used from view_use_commons on, by bindings that are made
 * then. The one before stays as it is, for calls in flight and late openings; older ones are retired: their memory is
 * given back, and reads as zeros. */
int view_map_commons(const struct view_offer *offer, struct commons_view **ret_commons);
void view_use_commons(struct view *view, struct commons_view *commons);
struct commons_view *commons_view_unmap(struct commons_view *commons);
struct view *view_unmap(struct view *view);
/* No tripd looks after the state words: its heartbeat is stale, it was stopped, or there never was one. */
bool view_away(const struct view *view);
/* Since the segment's creation, on the instance's clock. */
uint64_t view_now_ns(const struct view *view);
uint64_t view_now_ms(const struct view *view);

/* Ticks where the TSC does not tell them. */
uint64_t view_ticks_elsewhere(const struct view *view);

static inline uint64_t view_ticks(const struct view *view)
{
    const uint64_t ticks = likely(view->ticks == TICKS_TSC) ? tsc_now_ns(&view->segment->tsc) : 0;
    return likely(ticks) ? ticks : view_ticks_elsewhere(view);
}

static inline const struct policy_slot *view_policy(const struct view *view, uint32_t slot)
{
    return (const struct policy_slot *)(view->policies.base + (size_t)slot * view->policies.stride);
}

static inline struct commons_view *view_latest(const struct view *view)
{
    return __atomic_load_n(&view->commons, __ATOMIC_ACQUIRE);
}

/* Has the daemon moved on to another commons than the one mapped here? */
static inline bool view_outdated(const struct view *view)
{
    /* Relaxed: whoever sees it goes to attach, which looks again. */
    return view->segment && __atomic_load_n(&view->segment->commons_id, __ATOMIC_RELAXED) != view_latest(view)->id;
}

/* ---- lane.c: the memfd, and which section and meter is whose */
struct lane {
    uint64_t serial;         /* of this process, never used again */
    const struct view *view; /* whose slots its meters are indexed by */
    struct lane_header *memory;
    struct descriptor memfd;
    uint64_t taken[(LANE_SECTIONS + 63) / 64]; /* a bit a section that a thread holds */
    uint32_t thread_meters;                    /* meters taken by other sections than 0 */
    uint32_t spares[16];                       /* meter + 1: taken, but another thread was faster */
    uint32_t watch_next;                       /* where to look for a place in the table of calls in flight */
    /* What of it has memory for sure: sections and meters below. */
    uint32_t sections_present, meters_present;
    bool calls_present;
    uint64_t refused_until_ns; /* the kernel had no memory: it is not asked again before; 0: it never refused */
    struct lane *older;
    struct meter **meters[LANE_SECTIONS]; /* by breaker; NULL: no thread has had this section yet */
};

/* -ENOMEM: the kernel has no memory for one, or grants this process none. */
int lane_make(const struct view *view, struct lane **ret_lane);
struct lane *lane_free(struct lane *lane);
/* In a forked child, where the lane is not mapped: drops what the child has of it. */
struct lane *lane_forget(struct lane *lane);
/* 0: all are taken, or there is no memory for one more: share section 0. */
uint32_t lane_section_take(struct lane *lane);
void lane_section_give(struct lane *lane, uint32_t section);
/* The meter of this breaker in this section, taken if need be; NULL: none is left. */
struct meter *lane_meter(struct lane *lane, uint32_t section, uint32_t slot, uint64_t owner);

/* Is there a table of calls in flight? It gets its memory when the first call is to be watched. */
bool lane_calls_ready(struct lane *lane);

/* Says in the lane that this process has a handle bound to the slot. Before the binding is believed, the slot's
 * incarnation is to be read again: tripd may have given the slot away until now. */
void lane_resolve(const struct lane *lane, uint32_t slot);

/* Has tripd given up a lane that it had taken? */
static inline bool lane_given_up(const struct lane *lane)
{
    /* Acquire: pairs with tripd's release when it gives the lane up. */
    return __atomic_load_n(&lane->memory->detached, __ATOMIC_ACQUIRE) != 0;
}

/* The number by which tripd finds what this process holds in a commons, of which a binding's `plain` tells; 0: none. */
static inline uint32_t lane_number(const struct lane *lane, uint64_t plain)
{
    /* Relaxed: the number stands for itself, and only in the commons that it was given for. */
    return lane ? policy_lane_granted(__atomic_load_n(&lane->memory->granted, __ATOMIC_RELAXED), plain) : 0;
}

/* Is tripd reading this lane? */
static inline bool lane_attached(const struct lane *lane)
{
    return lane && lane_number(lane, policy_plain(0, view_latest(lane->view)->number)) != 0 && !lane_given_up(lane);
}

/* ---- breaker.c */
enum binding_kind {
    BINDING_PRIVATE,  /* the breaker's own policy, word and budget */
    BINDING_SHARED,   /* a slot of the view */
    BINDING_MIRRORED, /* the same while its commons is superseded: the word is the mirror, and read-only */
    BINDING_FULL      /* it did not fit tripd's table: as private, but admits everything, counts nothing */
};

struct binding {
    const struct policy_slot *policy;
    uint64_t *word;
    uint64_t plain; /* the admission word while nothing but the state word decides */
    uint64_t owner; /* meter_owner() for section 0; 0: has no meters */
    const struct view *view;
    uint32_t slot;
    enum binding_kind kind; /* a call reads what is above, a line */
    uint64_t *permits;
    struct limit_lines *limits; /* NULL: of retries alone, the breaker's own budget */
    uint64_t *tickets;
    struct commons_view *commons;
    const struct binding *mirrored; /* of a shared one: what decides in its place while it is superseded */
};

struct trip_breaker {
    struct binding *binding; /* in force */
    struct trip_client *client;
    uint64_t next_bind_ns;   /* when to try again to find it in tripd's table */
    uint64_t resolve_serial; /* of the question to tripd that has no answer yet; 0: none */
    bool full;               /* tripd said so */
    struct trip_breaker *next_asked;
    struct trip_breaker *next;
    struct binding own;
    uint64_t own_word;
    uint64_t own_budget; /* of retries: without tripd nothing else is limited */
    char name[];         /* with what it takes */
};

/* The binding in force; one that went stale is replaced first, without blocking. */
const struct binding *breaker_bound(struct trip_breaker *breaker);
/* Under the client's lock: finds the breaker in the view, else lets it be private. False: tripd must be asked for it.
 */
bool breaker_bind(struct trip_breaker *breaker);
/* Under the client's lock: tripd's answer. */
void breaker_resolved(struct trip_breaker *breaker, uint32_t slot, uint32_t incarnation, int error);
/* For trip_allow, which takes no lock and no memory: what decides now, for which ret_room may be used. */
const struct binding *breaker_glance(const struct trip_breaker *breaker, const struct binding *binding,
                                     struct binding ret_room[2]);
/* Once nobody uses the client any more. */
void bindings_free(struct trip_client *client);
/* For a client that can ask nobody: the breaker as its view has it. -ENOMEM; -ENOENT: the view does not have it. */
int breaker_of_view(trip_client *client, const char *name, trip_breaker **ret_breaker);

/* Does the slot hold the binding's breaker still, and are its words those in force? */
static inline bool binding_current(const struct binding *binding)
{
    /* Sequentially consistent: what was done to the words before is seen by a tripd that moves the number afterwards.
     */
    const uint64_t admission = __atomic_load_n(&binding->policy->admission, __ATOMIC_SEQ_CST);
    return policy_same_breaker(admission, binding->plain) && policy_same_commons(admission, binding->plain);
}

/* Was a word that was loaded with acquire before this the binding's breaker's, and not that of the next name in its
 * slot? *ret_admission: acquired, so that a mode's TTL that was set just now is read after it. */
static inline bool binding_was_in_slot(const struct binding *binding, uint64_t *ret_admission)
{
    *ret_admission = __atomic_load_n(&binding->policy->admission, __ATOMIC_ACQUIRE);
    return likely(policy_same_breaker(*ret_admission, binding->plain));
}

/* Is it of a slot, whose calls are reported? */
static inline bool binding_shared(const struct binding *binding)
{
    return binding->kind == BINDING_SHARED || binding->kind == BINDING_MIRRORED;
}

/* ---- thread.c: the section of the calling thread */
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

/* ---- fork.c */
/* Wiped to 0 in a forked child. */
extern const uint64_t *fork_page HIDDEN;
int fork_watch(void);
/* Of this process; in a forked child it first drops what is the parent's. 0: another thread is at that right now. */
uint64_t fork_generation(void);

/* ---- track.c: in a forked child, whose parent's calls are none of its own */
void track_forked(void);

/* ---- attach.c: one conversation with tripd; under the client's lock */
enum attach_state {
    ATTACH_IDLE,     /* no socket */
    ATTACH_HELLO,    /* waiting for WELCOME */
    ATTACH_OPENINGS, /* waiting for TAKEN: what opened in the commons before is open in the next one */
    ATTACH_LANE,     /* waiting for ATTACHED */
    ATTACH_DONE      /* may ask for breakers */
};

#define REFUSAL_MAX 256 /* bytes of tripd's reason */

/* What is in the way of attaching, for people; the latest. */
struct trouble {
    enum trouble_kind {
        TROUBLE_NONE,
        TROUBLE_CONNECT, /* see `connects` */
        TROUBLE_REFUSED, /* see `refusal` */
        TROUBLE_TALK,    /* the conversation ended */
        TROUBLE_LANE     /* there is no lane to offer */
    } kind;
    int error; /* -errno */
};

struct attach {
    struct descriptor socket;
    enum attach_state state;
    bool wants_pidfd;
    bool sent_lane;               /* on this connection */
    bool answered_lane;           /* taken, or refused */
    bool lane_id_taken;           /* by another process of this user: the next one is sent */
    unsigned lanes_replaced;      /* for that reason */
    uint64_t lane_next_ns;        /* after a refusal: when to offer the lane again */
    int refused;                  /* tripd's last refusal, -errno */
    uint64_t next_ns;             /* no new connection before */
    struct commons_view *commons; /* to be used once tripd has taken the openings */
    int unanswered;               /* packets of openings */
    bool late;                    /* some are of the commons before the one in use, where a breaker opened late */
    uint64_t hello_ns;            /* when HELLO was sent */
    uint64_t resolve_serial;
    struct trip_breaker *asked; /* those whose question has no answer yet */
    uid_t daemon_uid;
    struct trouble trouble;
    size_t connected;           /* which of the client's sockets it is, or was last */
    int connects[PATHS_PLACES]; /* -errno of the latest attempt at each */
    char refusal[REFUSAL_MAX];
};

/* One step, without blocking. */
void attach_step(struct trip_client *client);
void attach_close(struct trip_client *client);
/* False: it could not be sent now. */
bool attach_resolve(struct trip_client *client, struct trip_breaker *breaker);
/* Under the lock, which it gives up meanwhile: waits until tripd has said something, a few milliseconds at most. False:
 * the lock could not be had again until then. */
bool attach_wait(struct trip_client *client, uint64_t until_ns);

/* What a system call returned, under a number that is no standard descriptor's. -1 and errno: there is none. */
int descriptor_raise(int fd);
int descriptor_copy(int fd);
struct descriptor descriptor_own(int fd);
bool descriptor_valid(const struct descriptor *descriptor);
void descriptor_close(struct descriptor *descriptor);

/* ---- client.c */
struct trip_client {
    uint64_t serial;      /* of this process, never used again */
    uint64_t lane_serial; /* of the lane in use, LANE_NONE without one: what threads compare their slot with */
    struct view *view;    /* NULL: never attached */
    struct lane *lane;
    unsigned thread_slot;
    unsigned opens; /* trip_open less trip_close; under clients.lock */
    pthread_mutex_t lock;
    int cancel_state; /* of the thread that holds the lock, as it was before */
    struct attach attach;
    bool settled; /* attached as far as it goes: no hurry to look again. Read without the lock */
    /* Read without the lock. Until then a lane is on its way, and what this process takes waits for its number. */
    uint64_t lane_due_ns;
    uint64_t time_namespace; /* inode; 0: unknown */
    uint64_t next_look_ns;
    struct trip_breaker *breakers[BREAKER_CHAINS]; /* by hash; appended under the lock, read without */
    struct binding_page *bindings;                 /* all that breakers were ever bound to; under the lock */
    struct view *views;                            /* all, the latest first */
    struct lane *lanes;
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

/* A client of breakers that are kept in this very process, for `tripctl simulate`: its lane is made, whoever keeps them
 * takes it, and it speaks to nobody. Takes the view. */
int client_of_view(struct view *view, trip_client **ret_client);

uint64_t serial_next(void);
/* Goes on with attaching if it is time for it. Never blocks. */
void client_look(struct trip_client *client);
/* In a forked child. */
void client_forked(struct trip_client *client);
/* The lock; false: not at once, or not until then (monotonic). Who holds it is not cancelled: what it does are
 * cancellation points, and nobody would give the lock back. */
bool client_try_lock(struct trip_client *client);
bool client_lock_until(struct trip_client *client, uint64_t until_ns);
void client_unlock(struct trip_client *client);

static inline uint64_t coarse_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* ---- streak.c, probe.c: what clients do to state words */
/* A failure, resp. a success, of this epoch while the word is closed or ramping. */
void streak_failed(const struct binding *binding, uint64_t word);
void streak_succeeded(const struct binding *binding, uint64_t word);
/* When an opening that begins now ends. */
uint64_t streak_open_until_ms(const struct binding *binding, uint64_t now_ms);

struct permit {
    uint32_t index;
    uint64_t word;
};

/* Half-open: how many could be taken now. */
uint32_t probe_permits_free(const struct binding *binding, uint64_t word);
/* Until the first lease of a permit ends; UINT64_MAX: none runs. */
uint64_t probe_permit_wait_ms(const struct binding *binding, uint64_t now_ms);
/* Takes one and extends the state word's deadline to its lease's end. */
bool probe_permit_take(const struct binding *binding, uint64_t word, uint32_t lane, uint64_t now_ms,
                       struct permit *ret_permit);
/* False: the lease is over, the permit is another's. */
bool probe_permit_end(const struct binding *binding, const struct permit *permit, uint32_t outcome);
/* tripd is away and the word's time has passed: a client may take the next step. now_ms: read after the word. */
bool probe_due(const struct binding *binding, uint64_t word, uint64_t now_ms);
/* Takes that step. True: this client alone may probe. A ramp that ended is closed by it, and nobody probes. */
bool probe_take_over(const struct binding *binding, uint64_t word, uint32_t lane, uint64_t now_ms,
                     uint64_t *ret_probing);
/* False: the lease is over, the word is another's. */
bool probe_end(const struct binding *binding, uint64_t probing, trip_outcome outcome);
/* ---- report.c, tell.c */
/* Where the calling thread counts a breaker's calls; meter NULL: nowhere. */
struct reporter {
    struct lane *lane;
    struct meter *meter;
    uint32_t section;
};

struct reporter reporter_find(struct trip_breaker *breaker, const struct binding *binding);

/* Does it count for this breaker? The section's number in its owner is no question here: it was found by section. */
static inline bool meter_is_of(const struct meter *meter, const struct binding *binding)
{
    return (__atomic_load_n(&meter->owner, __ATOMIC_RELAXED) ^ binding->owner) << 16 == 0;
}

/* The same without a call, if this thread has a section of its own and has counted for this breaker before; else NULL.
 * *ret_slot: that section. */
static inline struct meter *meter_at_hand(const struct trip_breaker *breaker, const struct binding *binding,
                                          const struct thread_slot **ret_slot)
{
    const struct trip_client *const client = breaker->client;
    const struct thread_slot *const slot = &thread_self.slots[client->thread_slot];
    /* Relaxed: written by this thread, or by the fork that made it. */
    if (unlikely(slot->generation != __atomic_load_n(fork_page, __ATOMIC_RELAXED) ||
                 slot->own_lane != __atomic_load_n(&client->lane_serial, __ATOMIC_RELAXED)))
        return NULL;
    struct meter *const meter = __atomic_load_n(&slot->meters[binding->slot], __ATOMIC_RELAXED);
    *ret_slot = slot;
    return likely(meter && meter_is_of(meter, binding)) ? meter : NULL;
}

/* May calls of this thread count in section 0? Where it has no section of its own, or that one no room for more. */
static inline bool shares_section(const struct thread_slot *slot, uint32_t breaker)
{
    const struct lane *const lane = slot->lane_at;
    if (slot->section == 0)
        return true;
    return !slot->meters[breaker] && (__atomic_load_n(&lane->thread_meters, __ATOMIC_RELAXED) >= LANE_THREAD_METERS ||
                                      __atomic_load_n(&lane->refused_until_ns, __ATOMIC_RELAXED) != 0);
}

/* As meter_at_hand, of threads that share section 0. */
static inline bool shared_at_hand(const struct trip_breaker *breaker, const struct binding *binding,
                                  struct reporter *ret_reporter)
{
    const struct trip_client *const client = breaker->client;
    const struct thread_slot *const slot = &thread_self.slots[client->thread_slot];
    if (!binding_shared(binding) || thread_self.tracking ||
        slot->generation != __atomic_load_n(fork_page, __ATOMIC_RELAXED) || slot->generation == 0 ||
        slot->lane != __atomic_load_n(&client->lane_serial, __ATOMIC_RELAXED) || !shares_section(slot, binding->slot))
        return false;
    struct meter *const meter = __atomic_load_n(&slot->lane_at->meters[0][binding->slot], __ATOMIC_ACQUIRE);
    *ret_reporter = (struct reporter){.lane = slot->lane_at, .meter = meter, .section = 0};
    return meter && meter_is_of(meter, binding);
}

static inline struct reporter reporter_of(const struct thread_slot *slot, struct meter *meter)
{
    return (struct reporter){.lane = slot->lane_at, .meter = meter, .section = slot->section};
}

/* The number under which this process holds what it takes of the binding's commons; 0: it has none there now. */
static inline uint32_t reporter_lane(const struct trip_client *client, const struct binding *binding)
{
    return lane_number(__atomic_load_n(&client->lane, __ATOMIC_ACQUIRE), binding->plain);
}

/* May this process take what is given back at its death? Only the number of its lane tells tripd whose it is. While the
 * lane is on its way a process waits for it; one that gets no lane holds until its lease ends. */
static inline bool reporter_may_hold(const struct trip_client *client, const struct binding *binding)
{
    return binding->kind != BINDING_SHARED || reporter_lane(client, binding) != 0 ||
           coarse_ns() >= __atomic_load_n(&client->lane_due_ns, __ATOMIC_RELAXED);
}

#endif
