/* Plays a story: the breakers and the calls to them are tripd's and libtrip's own (tools/simulate/instance.h). Errors
 * are told to the engine as their calls end, steps as they come; tests/unit/core/test_incidents tells them late. A
 * service that is well is called from half a minute before an incident of which it is a part, and until its breaker is
 * closed again; at other times only its lonely errors are played, each with twenty successes after it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caller.h"
#include "config/config.h"
#include "core/incidents.h"
#include "instance.h"
#include "outages.h"

#define BEFORE_MS    30000
#define AFTER_MS     120000
#define WINDOW       20
#define LONELY_MS    300000.0
#define RECENT_MS    2000
#define SHARES       600
#define SHARES_BACK  100
#define UNIX_MS      UINT64_C(1700000000000)
#define AFTER_ALL_MS 7200000

struct last_id {
    uint64_t number, at_ms;
};

struct player {
    struct story *story;
    const struct world *world;
    uint64_t seed;
    struct instance instance;
    trip_breaker *breakers[SERVICES];
    uint32_t slots[SERVICES];
    uint64_t next_ms[SERVICES], lonely_ms[SERVICES];
    struct last_id last[SERVICES];
    uint64_t ids;
    unsigned first; /* outages before it are over */
    struct incidents incidents;
    struct incidents_host host;
    struct told *told;
};

/* -------------------------------------------------------------------------------------------------- the engine's host
 */

static unsigned service_of(const struct player *player, uint32_t slot)
{
    unsigned service = 0;
    while (service < SERVICES && player->slots[service] != slot)
        service++;
    return service;
}

static const char *name_of(void *context, uint32_t slot)
{
    const struct player *const player = context;
    const unsigned service = service_of(player, slot);
    return service < SERVICES ? player->world->services[service].name : "";
}

static bool depends(void *context, uint32_t slot, uint32_t on)
{
    const struct player *const player = context;
    const unsigned one = service_of(player, slot), other = service_of(player, on);
    return one < SERVICES && other < SERVICES && world_declares(player->world, one, other);
}

static void changed(void *context, const struct incident *incident)
{
    struct told *const told = ((struct player *)context)->told;
    if (incident->end_ms && told->count < TOLD_MAX)
        told->incidents[told->count++] = *incident;
}

static uint64_t unix_ms(void *context, uint64_t at_ms)
{
    (void)context;
    return UNIX_MS + at_ms;
}

static void moved(void *context, const struct transition *transition)
{
    struct player *const player = context;
    player->told->steps++;
    incidents_event(&player->incidents, &player->host, transition);
}

/* -------------------------------------------------------------------------------------------------------------- time
 */

static uint64_t now_ms(const struct player *player)
{
    return instance_now_ns(&player->instance) / 1000000;
}

/* A timer that is due at once again must not hold the time. */
static void advance(struct player *player, uint64_t at_ms)
{
    struct instance *const instance = &player->instance;
    const uint64_t at_ns = at_ms * 1000000;
    for (uint64_t due = breakers_due(instance->breakers); due <= at_ns; due = breakers_due(instance->breakers)) {
        const uint64_t next_ns = at_least(due, instance_now_ns(instance) + 1);
        if (next_ns > at_ns)
            break;
        instance_set_time(instance, next_ns);
        breakers_tick(instance->breakers);
    }
    instance_set_time(instance, at_least(at_ns, instance_now_ns(instance)));
    incidents_tick(&player->incidents, &player->host, instance_now_ns(instance));
}

/* ------------------------------------------------------------------------------------------------------------- calls
 */

static struct outage_service *part_in(struct outage *outage, unsigned service)
{
    for (unsigned i = 0; i < outage->service_count; i++)
        if (outage->services[i].service == service)
            return &outage->services[i];
    return NULL;
}

static bool recent(const struct player *player, unsigned service)
{
    return player->last[service].number && now_ms(player) - player->last[service].at_ms <= RECENT_MS;
}

static bool ids_alike(const struct player *player, unsigned one, unsigned other)
{
    const struct service *const services = player->world->services;
    return services[one].ids != IDS_NONE && services[one].ids == services[other].ids;
}

/* Returns the number of an id that an error of this service shares with one of another service. 0: with none. */
static uint64_t shared_id(struct player *player, unsigned service, unsigned other, unsigned permille)
{
    const bool may = other != service && ids_alike(player, service, other) && recent(player, other);
    return may && dice_permille(&player->seed, permille) ? player->last[other].number : 0;
}

static uint64_t id_of(struct player *player, const struct outage *outage, unsigned service)
{
    uint64_t id = 0;
    for (unsigned i = 0; outage && i < outage->service_count && !id; i++) {
        const struct outage_service *const one = &outage->services[i];
        if (one->service == service)
            id = shared_id(player, service, one->because_of, SHARES);
        else if (one->because_of == service && service == outage->services[0].service)
            id = shared_id(player, service, one->service, SHARES_BACK);
    }
    if (!id && outage && outage->stray == service)
        id = shared_id(player, service, outage->services[0].service, SHARES);
    return id ? id : ++player->ids;
}

static uint64_t fingerprint_of(const struct player *player, struct outage *outage, unsigned service)
{
    const struct outage_service *const part = outage ? part_in(outage, service) : NULL;
    return part ? part->fingerprint : player->world->services[service].fingerprint;
}

static void tell_error(struct player *player, struct outage *outage, unsigned service)
{
    const struct service *const known = &player->world->services[service];
    const uint64_t fingerprint = fingerprint_of(player, outage, service);
    char id[32] = "";
    if (known->ids != IDS_NONE) {
        const uint64_t number = id_of(player, outage, service);
        player->last[service] = (struct last_id){number, now_ms(player)};
        snprintf(id, sizeof(id), "%llx", (unsigned long long)number);
    }
    const struct incidents_error error = {.at_ns = instance_now_ns(&player->instance),
                                          .slot = player->slots[service],
                                          .pid = 1000 + service,
                                          .times = 1,
                                          .fingerprint = fingerprint,
                                          .trace = known->ids == IDS_TRACE ? id : "",
                                          .correlation = known->ids == IDS_CORRELATION ? id : "",
                                          .type = TRIP_ERROR_NETWORK};
    player->told->errors++;
    incidents_error(&player->incidents, &player->host, &error);
}

/* True: the breaker admitted it. */
static bool call(struct player *player, struct outage *outage, unsigned service, bool fails)
{
    trip_call made;
    player->told->calls++;
    const trip_verdict verdict = caller_begin(player->breakers[service], &made, TRIP_PRIORITY_NORMAL);
    if (!trip_admitted(verdict))
        return false;
    if (fails)
        tell_error(player, outage, service);
    caller_end(&made, &(struct caller_outcome){.outcome = fails ? TRIP_FAILURE : TRIP_OK,
                                               .error = TRIP_ERROR_NETWORK,
                                               .latency_ns = 1000000});
    caller_rings(player->breakers[service]);
    breakers_rung(player->instance.breakers);
    breakers_count(player->instance.breakers, player->slots[service]);
    return true;
}

/* --------------------------------------------------------------------------------------------------------- who calls
 */

/* Returns the outage that a service is part of now, or soon. NULL: it is well. */
static struct outage *outage_of(const struct player *player, unsigned service)
{
    for (unsigned i = player->first; i < OUTAGES; i++) {
        struct outage *const outage = &player->story->outages[i];
        if (outage->start_ms > now_ms(player) + BEFORE_MS)
            break;
        if (part_in(outage, service) && now_ms(player) < outage_over_ms(outage) + AFTER_MS)
            return outage;
    }
    return NULL;
}

static bool is_closed(const struct player *player, unsigned service)
{
    return word_state(instance_word(&player->instance, player->slots[service])) == WORD_CLOSED;
}

/* Returns when the next outage begins of which the service is part. */
static uint64_t next_outage_ms(const struct player *player, unsigned service)
{
    for (unsigned i = player->first; i < OUTAGES; i++) {
        struct outage *const outage = &player->story->outages[i];
        if (outage->start_ms > now_ms(player) + BEFORE_MS && part_in(outage, service))
            return outage->start_ms - BEFORE_MS;
    }
    return UINT64_MAX;
}

static uint64_t pause_of(struct player *player, unsigned service)
{
    const double period_ms = player->world->services[service].period_ms;
    return (uint64_t)(period_ms * (0.7 + 0.6 * dice_share(&player->seed))) + 1;
}

/* The calls between two lonely errors are many successes: a window full of them stands for all. */
static void succeed(struct player *player, unsigned service)
{
    for (unsigned i = 0; i < WINDOW; i++)
        call(player, NULL, service, false);
}

static void lonely_error(struct player *player, unsigned service)
{
    player->lonely_ms[service] = now_ms(player) + 1 + (uint64_t)dice_exponential(&player->seed, LONELY_MS);
    call(player, NULL, service, true);
    succeed(player, service);
}

static void service_calls(struct player *player, unsigned service, struct outage *outage)
{
    struct outage_service *const part = outage ? part_in(outage, service) : NULL;
    const bool retries = player->world->services[service].retries;
    const double strength = part ? outage_strength(outage, part, retries, now_ms(player)) : 0;
    const bool fails = dice_share(&player->seed) < strength;
    if (call(player, outage, service, fails) && fails)
        part->failed++;
}

static void service_turn(struct player *player, unsigned service)
{
    struct outage *const outage = outage_of(player, service);
    const bool calls = outage || !is_closed(player, service);
    if (now_ms(player) >= player->lonely_ms[service])
        lonely_error(player, service);
    else if (calls)
        service_calls(player, service, outage);
    const uint64_t next_ms = calls ? now_ms(player) + pause_of(player, service) : next_outage_ms(player, service);
    player->next_ms[service] = at_most(next_ms, player->lonely_ms[service]);
}

/* ------------------------------------------------------------------------------------------------------------ strays
 */

static void stray_error(struct player *player, struct outage *outage)
{
    call(player, outage, outage->stray, true);
    succeed(player, outage->stray);
}

static void stray_trip(struct player *player, const struct outage *outage)
{
    const struct breakers_actor actor = {.by = BY_OPERATOR, .uid = 1000, .reason = "maintenance"};
    breakers_trip(player->instance.breakers, player->slots[outage->stray], 30000, &actor);
    player->next_ms[outage->stray] = at_most(player->next_ms[outage->stray], now_ms(player) + 1000);
}

static void strays(struct player *player, uint64_t until_ms)
{
    for (unsigned i = player->first; i < OUTAGES && player->story->outages[i].start_ms <= until_ms; i++) {
        struct outage *const outage = &player->story->outages[i];
        for (unsigned k = 0; k < outage->stray_count; k++) {
            if (outage->stray_ms[k] > until_ms)
                continue;
            outage->stray_ms[k] = UINT64_MAX;
            if (outage->tripped)
                stray_trip(player, outage);
            else
                stray_error(player, outage);
        }
    }
}

/* -------------------------------------------------------------------------------------------------------------- play
 */

static unsigned next_service(const struct player *player)
{
    unsigned next = 0;
    for (unsigned service = 1; service < SERVICES; service++)
        if (player->next_ms[service] < player->next_ms[next])
            next = service;
    return next;
}

static void play_all(struct player *player, uint64_t until_ms)
{
    for (;;) {
        const unsigned service = next_service(player);
        if (player->next_ms[service] > until_ms)
            break;
        advance(player, player->next_ms[service]);
        strays(player, now_ms(player));
        service_turn(player, service);
        while (player->first < OUTAGES &&
               outage_over_ms(&player->story->outages[player->first]) + AFTER_MS < now_ms(player))
            player->first++;
    }
    advance(player, until_ms + AFTER_ALL_MS);
}

static int make_breakers(struct player *player)
{
    for (unsigned service = 0; service < SERVICES; service++) {
        const char *const name = player->world->services[service].name;
        int error = breakers_resolve(player->instance.breakers, 0, name, &player->slots[service]);
        if (error == 0)
            error = caller_breaker(player->instance.caller, name, &player->breakers[service]);
        if (error < 0)
            return error;
        player->lonely_ms[service] = (uint64_t)dice_exponential(&player->seed, LONELY_MS);
        player->next_ms[service] = at_most(player->lonely_ms[service], next_outage_ms(player, service));
    }
    return 0;
}

static int make_config(const struct world *world, struct config **ret_config)
{
    char text[8192] = "limits: {max_breakers: 64}\nbreakers:\n", *problems = NULL;
    for (unsigned service = 0; service < SERVICES; service++)
        if (world->services[service].by_rate)
            snprintf(text + strlen(text), sizeof(text) - strlen(text),
                     "  - {match: %s, trip: {consecutive_failures: 0, failure_rate: 50%%}, window: {type: count, size: "
                     "20, minimum_calls: 10}}\n",
                     world->services[service].name);
    const int error = config_parse(text, strlen(text), "outages.yaml", ret_config, &problems);
    if (error < 0)
        fprintf(stderr, "%s\n", problems ? problems : "no configuration");
    free(problems);
    return error;
}

int play(struct story *story, const struct world *world, uint64_t seed, struct told *ret_told)
{
    struct config *config = NULL;
    struct player *const player = calloc(1, sizeof(*player));
    int error = player ? make_config(world, &config) : -ENOMEM;
    if (error < 0) {
        free(player);
        return error;
    }
    *player = (struct player){.story = story,
                              .world = world,
                              .seed = seed,
                              .told = ret_told,
                              .host = {.context = player,
                                       .settings = {.cascade_window = 5 * TRIP_S, .quiet = 300 * TRIP_S},
                                       .name = name_of,
                                       .depends = depends,
                                       .changed = changed,
                                       .unix_ms = unix_ms}};
    const struct instance_options options = {.config = config, .seed = seed, .moved = moved, .context = player};
    error = instance_begin(&player->instance, &options);
    if (error == 0)
        error = make_breakers(player);
    if (error == 0)
        play_all(player, outage_over_ms(&story->outages[OUTAGES - 1]) + AFTER_ALL_MS);
    instance_end(&player->instance);
    config_free(config);
    free(player);
    return error;
}
