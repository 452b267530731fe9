/* Reading a copy of what tripd's analysis shows beside fingerprints and incidents. */
#ifndef TRIP_INTERNAL_CHRONICLE_H
#define TRIP_INTERNAL_CHRONICLE_H

#include "internal/layout.h"
#include "internal/words.h"

struct chronicle_shown {
    uint64_t deploys;          /* marks so far; `deploy` is the last one */
    struct deploy_mark deploy; /* all 0: there was none */
    uint64_t started_ms, started_unix_ms;
    uint64_t unclassified;
};

/* Tries as often as tripd may move on meanwhile: each part is then of its last try, and still harmless. */
static inline struct chronicle_shown chronicle_show(const struct chronicle_memory *memory)
{
    struct chronicle_shown shown = {0};
    uint64_t commits;
    unsigned tries = 0;
    do { /* Acquire: pairs with segment_deploy, whose mark is whole. */
        shown.deploys = __atomic_load_n(&memory->deploys, __ATOMIC_ACQUIRE);
        words_load(&shown.deploy, &memory->deploy_marks[shown.deploys & 1], sizeof(shown.deploy));
    } while (__atomic_load_n(&memory->deploys, __ATOMIC_RELAXED) != shown.deploys && ++tries < 5);
    tries = 0;
    do { /* Acquire: pairs with segment_chronicle_commit. */
        commits = __atomic_load_n(&memory->commits, __ATOMIC_ACQUIRE);
        shown.unclassified = __atomic_load_n(&memory->images[commits & 1].unclassified, __ATOMIC_ACQUIRE);
    } while (__atomic_load_n(&memory->commits, __ATOMIC_RELAXED) != commits && ++tries < 5);
    shown.started_ms = __atomic_load_n(&memory->started_ms, __ATOMIC_RELAXED);
    shown.started_unix_ms = __atomic_load_n(&memory->started_unix_ms, __ATOMIC_RELAXED);
    return shown;
}

#endif
