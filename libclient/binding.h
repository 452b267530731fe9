/* Which policy, word and permits decide about a breaker: a slot of the view, or the breaker's own. */
#ifndef TRIP_BINDING_H
#define TRIP_BINDING_H

#include "view.h"

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
    const struct binding *mirrored; /* of a shared binding: the one that decides while it is superseded */
};

struct trip_breaker {
    struct binding *binding; /* in force */
    struct trip_client *client;
    uint64_t next_bind_ns;   /* when to try again to find it in tripd's table */
    uint64_t resolve_serial; /* of the question to tripd that has no answer yet; 0: none */
    bool full;               /* tripd said so */
    trip_state told_state;   /* what trip_client_next said of it last; under the client's lock */
    struct cancel *cancel;   /* NULL: nobody has called trip_call_fd; stored with release, under the client's lock */
    struct trip_breaker *next_asked;
    struct trip_breaker *next;
    struct binding own;
    uint64_t own_word;
    uint64_t own_budget; /* the retry budget without tripd, when no other limit holds */
    char name[];         /* allocated with the struct */
};

/* The binding in force; one that went stale is replaced first, without blocking. */
const struct binding *breaker_bound(struct trip_breaker *breaker);
/* Under the client's lock: binds the breaker to its slot in the view, else keeps it private. False: ask tripd for it.
 */
bool breaker_bind(struct trip_breaker *breaker);
/* Under the client's lock: tripd's answer. */
void breaker_resolved(struct trip_breaker *breaker, uint32_t slot, uint32_t incarnation, int error);
/* What decides where this is the breaker's binding: it, its mirror, or the breaker's own. */
const struct binding *binding_deciding(const struct trip_breaker *breaker, const struct binding *binding);
/* For trip_allow, which takes no lock and no memory: what decides now, for which ret_room may be used. */
const struct binding *breaker_glance(const struct trip_breaker *breaker, const struct binding *binding,
                                     struct binding ret_room[2]);
/* Is it a name that a breaker, or a feature, may have? */
bool breaker_name_valid(const char *name);
/* Frees all bindings, once no thread uses the client any more. */
void bindings_free(struct trip_client *client);
/* For a client that has no tripd: gives the breaker of its view. -ENOMEM; -ENOENT: the view does not have it. */
int breaker_of_view(trip_client *client, const char *name, trip_breaker **ret_breaker);

/* Does the slot hold the binding's breaker still, and are its words those in force? */
static inline bool binding_current(const struct binding *binding)
{
    /* Sequentially consistent: a tripd that moves the number afterwards sees this thread's earlier stores to the words.
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

/* Is the breaker bound to a slot, so that its calls are reported? */
static inline bool binding_shared(const struct binding *binding)
{
    return binding->kind == BINDING_SHARED || binding->kind == BINDING_MIRRORED;
}

#endif
