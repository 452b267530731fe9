/* Degradation levels and features of an instance: what operators set, what the config says, and what becomes of it in
 * time (core/levels.h), in the segment for clients and people, with an event for each change. A change is in force when
 * the image of it is; its words and events follow, and if the worker is killed before them, the next worker completes
 * them: an event may come late, but neither twice nor never.
 *
 * No I/O, no descriptors, no clock of its own, as breakers/breakers.h.
 */
#ifndef TRIPD_DEGRADATION_H
#define TRIPD_DEGRADATION_H

#include "clock.h"
#include "config/config.h"
#include "segment/segment.h"

struct degradation;
struct saved;

struct degradation_options {
    struct segment *segment;
    const struct clock *clock;
    const struct config *config; /* borrowed until degradation_new returns */
    /* Is told of each event; may be NULL. */
    void (*told)(void *context, const struct transition *event);
    void *context;
};

/* Takes over what the segment has, then the config. 0 or -ENOMEM. */
int degradation_new(const struct degradation_options *options, struct degradation **ret_degradation);
struct degradation *degradation_free(struct degradation *degradation);
void degradation_reconfigure(struct degradation *degradation, const struct config *config);
/* Restores a snapshot after a reboot, into a segment that was just made. */
void degradation_restore(struct degradation *degradation, const struct saved *saved, uint64_t now_unix_ms);

/* Returns when to call degradation_tick next: ns on the instance's clock; UINT64_MAX: never. */
uint64_t degradation_due(const struct degradation *degradation);
void degradation_tick(struct degradation *degradation);

/* Who acts. */
struct degradation_actor {
    uint32_t uid;
    const char *reason; /* NULL: none */
    uint64_t ttl_ms;    /* 0: what is set has no TTL */
};
/* What operators do. group "": the host. */
/* level: less than the config has names. -ENOSPC: so many groups have a level. */
int degradation_level_set(struct degradation *degradation, const char *group, unsigned level,
                          const struct degradation_actor *actor);
void degradation_level_auto(struct degradation *degradation, const char *group, const struct degradation_actor *actor);
/* -ENOENT: the feature is not in the config. */
int degradation_feature_set(struct degradation *degradation, const char *name, unsigned permille,
                            const struct degradation_actor *actor);
int degradation_feature_auto(struct degradation *degradation, const char *name, const struct degradation_actor *actor);

#endif
