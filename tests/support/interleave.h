/* A small exhaustive scheduler: all interleavings of a few actors over a world that they share.
 *
 * A world is a plain structure that holds everything: the shared words, each actor's place in its program and its
 * registers, and what the test keeps to judge by. An actor's step touches shared memory once; a step that could go in
 * several ways (an outcome, a suspicion, a death) says so, and each way is taken. Depth first, each different world
 * once: the number of interleavings that lead on from it is remembered, so that they are counted exactly although most
 * of them are walked as part of others.
 *
 * The walk ends at the first world that `check` objects to; `trace` is the way to it.
 */
#ifndef TRIP_TEST_INTERLEAVE_H
#define TRIP_TEST_INTERLEAVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTERLEAVE_WORLD_MAX 512
#define INTERLEAVE_STEPS_MAX 256

struct interleave {
    size_t size; /* size of a world, which has no padding; a multiple of 8 */
    unsigned actors;
    /* In how many ways the actor's next step may go; 0: it has ended, or waits. */
    unsigned (*ways)(const void *world, unsigned actor);
    void (*step)(void *world, unsigned actor, unsigned way);
    /* Returns NULL, or what is wrong. ended: no actor has a next step. */
    const char *(*check)(const void *world, bool ended);

    /* results */
    uint64_t interleavings; /* from start to end; stops counting at UINT64_MAX */
    uint64_t worlds;        /* different ones */
    uint64_t ends;          /* of these, with no next step */
    const char *broken;     /* what check objected to; NULL: nothing */
    unsigned steps;         /* steps of `trace` */
    struct {
        uint8_t actor, way;
    } trace[INTERLEAVE_STEPS_MAX];

    /* private: open addressing from a world's hash to its number + 1 */
    uint8_t *known;
    uint64_t *leads_to; /* interleavings from there; 0: being walked */
    uint32_t *index;
    size_t room, places;
};

static inline uint64_t interleave_hash(const uint8_t *world, size_t size)
{
    uint64_t hash = UINT64_C(0x9e3779b97f4a7c15);
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word;
        memcpy(&word, world + at, 8);
        hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
        hash ^= hash >> 32;
    }
    return hash;
}

static inline size_t interleave_place(const struct interleave *run, const void *world)
{
    size_t place = interleave_hash(world, run->size) & (run->places - 1);
    while (run->index[place] && memcmp(run->known + (run->index[place] - 1) * run->size, world, run->size) != 0)
        place = (place + 1) & (run->places - 1);
    return place;
}

static inline void *interleave_grown(void *memory, size_t size)
{
    void *grown = realloc(memory, size);
    if (!grown)
        abort();
    return grown;
}

static inline void interleave_grow(struct interleave *run)
{
    run->room = run->room ? 2 * run->room : 1024;
    run->places = 2 * run->room;
    run->known = interleave_grown(run->known, run->room * run->size);
    run->leads_to = interleave_grown(run->leads_to, run->room * sizeof(*run->leads_to));
    run->index = interleave_grown(run->index, run->places * sizeof(*run->index));
    memset(run->index, 0, run->places * sizeof(*run->index));
    for (uint64_t world = 0; world < run->worlds; world++)
        run->index[interleave_place(run, run->known + world * run->size)] = (uint32_t)world + 1;
}

static inline uint64_t interleave_walk(struct interleave *run, const void *world, unsigned depth);

/* Returns the interleavings that begin with this step. */
static inline uint64_t interleave_branch(struct interleave *run, const void *world, unsigned depth, unsigned actor,
                                         unsigned way)
{
    _Alignas(16) uint8_t next[INTERLEAVE_WORLD_MAX];

    if (depth == INTERLEAVE_STEPS_MAX) {
        run->broken = "it does not end";
        return 0;
    }
    run->trace[depth].actor = (uint8_t)actor;
    run->trace[depth].way = (uint8_t)way;
    memcpy(next, world, run->size);
    run->step(next, actor, way);
    return interleave_walk(run, next, depth + 1);
}

static inline uint64_t interleave_walk(struct interleave *run, const void *world, unsigned depth)
{
    if (run->worlds == run->room)
        interleave_grow(run);
    const size_t place = interleave_place(run, world);
    if (run->index[place]) {
        const uint64_t leads_to = run->leads_to[run->index[place] - 1];
        if (leads_to == 0)
            run->broken = "it goes round in circles";
        return leads_to;
    }
    const uint64_t number = run->worlds++;
    run->index[place] = (uint32_t)number + 1;
    memcpy(run->known + number * run->size, world, run->size);
    run->leads_to[number] = 0;

    bool ended = true;
    for (unsigned actor = 0; actor < run->actors; actor++)
        ended = ended && run->ways(world, actor) == 0;
    run->steps = depth;
    run->broken = run->check(world, ended);
    run->ends += ended;

    uint64_t total = ended;
    for (unsigned actor = 0; actor < run->actors; actor++) {
        const unsigned ways = run->ways(world, actor);
        for (unsigned way = 0; way < ways && !run->broken; way++) {
            const uint64_t more = interleave_branch(run, world, depth, actor, way);
            total = total + more < total ? UINT64_MAX : total + more;
        }
    }
    return run->leads_to[number] = total;
}

/* Walks all interleavings. True: check never objected. */
static inline bool interleave_explore(struct interleave *run, const void *start)
{
    if (run->size > INTERLEAVE_WORLD_MAX || run->size % 8 != 0)
        abort();
    run->interleavings = interleave_walk(run, start, 0);
    free(run->known);
    free(run->leads_to);
    free(run->index);
    return run->broken == NULL;
}

static inline void interleave_print(const struct interleave *run)
{
    printf("%llu interleavings, %llu worlds, %llu ends%s%s\n", (unsigned long long)run->interleavings,
           (unsigned long long)run->worlds, (unsigned long long)run->ends, run->broken ? ": " : "",
           run->broken ? run->broken : "");
    for (unsigned step = 0; run->broken && step < run->steps; step++)
        printf("%s%u.%u", step ? " " : "  actor.way: ", run->trace[step].actor, run->trace[step].way);
    if (run->broken)
        printf("\n");
}

#endif
