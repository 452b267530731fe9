#include <stdlib.h>
#include <string.h>

#include "outages.h"

#define REST_MS 720000 /* a service has until it is part of another incident */

struct telling {
    const struct world *world;
    uint64_t *seed;
    uint64_t free_ms[SERVICES]; /* from when on a service may be chosen */
};

/* ---------------------------------------------------------------------------------------------------------- how long
 */

static void make_sharp(struct outage *outage, uint64_t *seed)
{
    outage->end_ms = outage->start_ms + dice(seed, 20000, 480000);
}

static void make_leak(struct outage *outage, uint64_t *seed)
{
    outage->leak_ms = dice(seed, 30000, 150000);
    outage->end_ms = outage->start_ms + outage->leak_ms + dice(seed, 20000, 240000);
}

static void make_flaps(struct outage *outage, uint64_t *seed)
{
    uint64_t at_ms = 0;
    outage->flap_count = (unsigned)dice(seed, 2, FLAPS);
    for (unsigned i = 0; i < outage->flap_count; i++) {
        outage->flaps_ms[2 * i] = at_ms;
        at_ms += dice(seed, 15000, 60000);
        outage->flaps_ms[2 * i + 1] = at_ms;
        at_ms += dice(seed, 40000, 100000);
    }
    outage->end_ms = outage->start_ms + outage->flaps_ms[2 * outage->flap_count - 1];
}

static void make_course(struct outage *outage, uint64_t *seed)
{
    const uint64_t kind = dice(seed, 0, 9);
    outage->kind = kind < 6 ? OUTAGE_SHARP : kind < 8 ? OUTAGE_LEAK : OUTAGE_FLAPS;
    if (outage->kind == OUTAGE_SHARP)
        make_sharp(outage, seed);
    else if (outage->kind == OUTAGE_LEAK)
        make_leak(outage, seed);
    else
        make_flaps(outage, seed);
}

static double course(const struct outage *outage, int64_t after_ms)
{
    if (after_ms < 0 || outage->start_ms + (uint64_t)after_ms >= outage->end_ms)
        return 0;
    if (outage->kind == OUTAGE_LEAK && (uint64_t)after_ms < outage->leak_ms)
        return (double)after_ms / (double)outage->leak_ms;
    if (outage->kind != OUTAGE_FLAPS)
        return 1;
    for (unsigned i = 0; i < outage->flap_count; i++)
        if ((uint64_t)after_ms >= outage->flaps_ms[2 * i] && (uint64_t)after_ms < outage->flaps_ms[2 * i + 1])
            return 1;
    return 0;
}

double outage_strength(const struct outage *outage, const struct outage_service *service, bool retries, uint64_t at_ms)
{
    const double share = course(outage, (int64_t)at_ms - (int64_t)(outage->start_ms + service->delay_ms));
    return service->strength * (retries && service != &outage->services[0] ? share * share : share);
}

uint64_t outage_over_ms(const struct outage *outage)
{
    uint64_t delay_ms = 0;
    for (unsigned i = 0; i < outage->service_count; i++)
        delay_ms = at_least(delay_ms, outage->services[i].delay_ms);
    return outage->end_ms + delay_ms;
}

/* --------------------------------------------------------------------------------------------------------------- who
 */

static bool part_of(const struct outage *outage, unsigned service)
{
    for (unsigned i = 0; i < outage->service_count; i++)
        if (outage->services[i].service == service)
            return true;
    return false;
}

static bool may_fail(const struct telling *telling, const struct outage *outage, unsigned service)
{
    return telling->free_ms[service] <= outage->start_ms && !part_of(outage, service);
}

static bool has_dependents(const struct world *world, unsigned service)
{
    for (unsigned other = 0; other < SERVICES; other++)
        if (world_depends(world, other, service))
            return true;
    return false;
}

/* Returns a service that may be chosen. on SERVICES: any; else one that depends on that one. SERVICES: there is none.
 */
static unsigned choose(const struct telling *telling, const struct outage *outage, unsigned on)
{
    unsigned choices[SERVICES], count = 0;
    for (unsigned service = 0; service < SERVICES; service++)
        if (may_fail(telling, outage, service) && (on == SERVICES || world_depends(telling->world, service, on)))
            choices[count++] = service;
    return count ? choices[dice(telling->seed, 0, count - 1)] : SERVICES;
}

static uint64_t draw_delay(uint64_t *seed)
{
    return dice_permille(seed, 900) ? (uint64_t)dice_exponential(seed, 800) : dice(seed, 1000, 4500);
}

static bool add_dependent(const struct telling *telling, struct outage *outage)
{
    const struct outage_service *const because = &outage->services[dice(telling->seed, 0, outage->service_count - 1)];
    const unsigned service = choose(telling, outage, because->service);
    if (service == SERVICES)
        return false;
    const double share = 0.8 + 0.2 * dice_share(telling->seed);
    const uint64_t own = telling->world->services[service].fingerprint;
    outage->services[outage->service_count++] =
        (struct outage_service){.service = service,
                                .because_of = because->service,
                                .delay_ms = because->delay_ms + draw_delay(telling->seed),
                                .strength = because->strength * share,
                                .fingerprint = dice_permille(telling->seed, 250) ? because->fingerprint : own};
    return true;
}

static unsigned draw_size(uint64_t *seed)
{
    static const unsigned up_to[] = {30, 50, 70, 83, 93, 100};
    const uint64_t drawn = dice(seed, 0, 99);
    unsigned size = 1;
    while (drawn >= up_to[size - 1])
        size++;
    return size;
}

/* Returns a root on which others depend, if that is wanted and one is found. */
static unsigned choose_root(const struct telling *telling, const struct outage *outage, bool wants_dependents)
{
    unsigned root = choose(telling, outage, SERVICES);
    for (unsigned tries = 0; wants_dependents && !has_dependents(telling->world, root) && tries < 20; tries++)
        root = choose(telling, outage, SERVICES);
    return root;
}

static void choose_services(const struct telling *telling, struct outage *outage, unsigned size)
{
    const unsigned root = choose_root(telling, outage, size > 1);
    outage->services[0] = (struct outage_service){.service = root,
                                                  .because_of = root,
                                                  .strength = 0.8 + 0.2 * dice_share(telling->seed),
                                                  .fingerprint = telling->world->services[root].fingerprint};
    outage->service_count = 1;
    for (unsigned tries = 0; outage->service_count < size && tries < 20; tries++)
        add_dependent(telling, outage);
}

static void add_stray(const struct telling *telling, struct outage *outage)
{
    const bool errors = dice_permille(telling->seed, 200);
    outage->tripped = !errors && dice_permille(telling->seed, 60);
    outage->stray = errors || outage->tripped ? choose(telling, outage, SERVICES) : SERVICES;
    if (outage->stray == SERVICES)
        return;
    outage->stray_count = errors ? (unsigned)dice(telling->seed, 1, 3) : 1;
    for (unsigned i = 0; i < outage->stray_count; i++)
        outage->stray_ms[i] = outage->start_ms + dice(telling->seed, 0, 15000);
}

static void make_outage(struct telling *telling, struct outage *outage, uint64_t start_ms, unsigned size)
{
    *outage = (struct outage){.start_ms = start_ms, .stray = SERVICES};
    make_course(outage, telling->seed);
    choose_services(telling, outage, size);
    add_stray(telling, outage);
    for (unsigned i = 0; i < outage->service_count; i++)
        telling->free_ms[outage->services[i].service] = outage_over_ms(outage) + REST_MS;
    if (outage->stray != SERVICES) /* its errors are no part of the next one either */
        telling->free_ms[outage->stray] = at_least(telling->free_ms[outage->stray], start_ms + 60000);
}

/* ------------------------------------------------------------------------------------------------------------- story
 */

static int by_start(const void *one, const void *other)
{
    const uint64_t a = ((const struct outage *)one)->start_ms, b = ((const struct outage *)other)->start_ms;
    return a < b ? -1 : a > b;
}

void story_make(struct story *story, const struct world *world, uint64_t *seed)
{
    struct telling telling = {.world = world, .seed = seed};
    uint64_t at_ms = 7200000;
    for (unsigned i = 0; i < OUTAGES;) {
        struct outage *const outage = &story->outages[i++];
        make_outage(&telling, outage, at_ms, draw_size(seed));
        uint64_t over_ms = outage_over_ms(outage);
        if (i < OUTAGES && dice_permille(seed, 100)) {
            struct outage *const companion = &story->outages[i++];
            make_outage(&telling, companion, at_ms - 30000 + dice(seed, 0, 60000), (unsigned)dice(seed, 1, 2));
            over_ms = at_least(over_ms, outage_over_ms(companion));
        }
        at_ms = over_ms + 20000 + (uint64_t)dice_exponential(seed, 480000);
    }
    qsort(story->outages, OUTAGES, sizeof(story->outages[0]), by_start);
}
