#include <math.h>
#include <stdio.h>
#include <string.h>

#include "outages.h"

#define STORES  10
#define FRONTS  12
#define GENERIC 6 /* error texts that several services have */

uint64_t dice(uint64_t *seed, uint64_t lowest, uint64_t highest)
{
    return random_between(lowest, highest, random_next(seed));
}

double dice_share(uint64_t *seed)
{
    return (double)(random_next(seed) >> 11) * 0x1p-53;
}

bool dice_permille(uint64_t *seed, unsigned permille)
{
    return dice(seed, 0, 999) < permille;
}

double dice_exponential(uint64_t *seed, double mean)
{
    return -mean * log(1 - dice_share(seed));
}

static void depend(struct service *service, unsigned on, uint64_t *seed)
{
    for (unsigned i = 0; i < service->upstream_count; i++)
        if (service->upstreams[i] == on)
            return;
    service->declared[service->upstream_count] = dice_permille(seed, 600);
    service->upstreams[service->upstream_count++] = on;
}

/* Half of the dependencies are looked for in the service's own group. */
static unsigned choose_upstream(const struct world *world, const struct service *service, unsigned lowest,
                                unsigned highest, uint64_t *seed)
{
    const size_t group = strcspn(service->name, "/");
    const bool own = dice_permille(seed, 500);
    unsigned chosen = (unsigned)dice(seed, lowest, highest);
    for (unsigned tries = 0; own && tries < 12; tries++) {
        if (strncmp(world->services[chosen].name, service->name, group + 1) == 0)
            break;
        chosen = (unsigned)dice(seed, lowest, highest);
    }
    return chosen;
}

static void make_service(struct world *world, unsigned number, uint64_t *seed)
{
    static const char *const groups[] = {"payments", "search", "accounts", "reports", "mail", "stock"};
    struct service *const service = &world->services[number];
    const bool store = number < STORES, front = number >= SERVICES - FRONTS;
    snprintf(service->name, sizeof(service->name), "%s/%s-%u", groups[dice(seed, 0, 5)],
             store   ? "store"
             : front ? "front"
                     : "service",
             number);
    const uint64_t upstreams = store ? 0 : dice(seed, 1, UPSTREAMS);
    for (uint64_t i = 0; i < upstreams; i++)
        depend(service,
               choose_upstream(world, service, front ? STORES : 0, front ? SERVICES - FRONTS - 1 : number - 1, seed),
               seed);
    service->period_ms = 100 * pow(3000.0 / 100, dice_share(seed));
    const uint64_t ids = dice(seed, 0, 99);
    service->ids = ids < 65 ? IDS_TRACE : ids < 80 ? IDS_CORRELATION : IDS_NONE;
    service->fingerprint = dice_permille(seed, 300) ? dice(seed, 1, GENERIC) : 100 + number;
    service->by_rate = dice_permille(seed, 500);
    service->retries = dice_permille(seed, 400);
}

void world_make(struct world *world, uint64_t *seed)
{
    memset(world, 0, sizeof(*world));
    for (unsigned number = 0; number < SERVICES; number++)
        make_service(world, number, seed);
}

bool world_depends(const struct world *world, unsigned service, unsigned on)
{
    for (unsigned i = 0; i < world->services[service].upstream_count; i++)
        if (world->services[service].upstreams[i] == on)
            return true;
    return false;
}

bool world_declares(const struct world *world, unsigned service, unsigned on)
{
    for (unsigned i = 0; i < world->services[service].upstream_count; i++)
        if (world->services[service].upstreams[i] == on)
            return world->services[service].declared[i];
    return false;
}
