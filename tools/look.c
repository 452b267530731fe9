#include "look.h"

#include <stdlib.h>
#include <string.h>

#include "internal/numbers.h"
#include "internal/policy.h"

/* What was counted up to a heartbeat. */
struct counts {
    uint64_t calls, failures, denied, errors;
    uint64_t latency[LATENCY_BUCKETS];
};

struct entry {
    struct look_breaker shown;
    bool counted_once;
    struct counts counted; /* up to the latest heartbeat */
};

struct looks {
    struct look look;
    struct entry **entries; /* by slot; NULL: the slot is free */
    uint32_t slots;
    /* As of the latest heartbeat. up_ns moves once tripd has counted all that came before it; 0: there was none yet. */
    uint64_t up_ns, beat_ns;
    uint64_t place; /* of the trail */
};

/* What is new at this look. */
struct step {
    bool anew;       /* counts are new, or nobody counts */
    uint64_t ms;     /* between the heartbeats of these counts and those before; 0: rates are not known */
    uint64_t places; /* by how many the trail moves on */
};

double rate_per_second(uint64_t before, uint64_t now, uint64_t ms)
{
    return ms && now > before ? (double)(now - before) * 1000 / (double)ms : 0;
}

void rates_add(struct rates *to, const struct rates *more)
{
    to->known |= more->known;
    to->calls += more->calls;
    to->failures += more->failures;
    to->denied += more->denied;
    to->errors += more->errors;
}

/* ------------------------------------------------------------------------------------------------------ one breaker */

static uint64_t sum(const uint64_t *counts, size_t count)
{
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++)
        all += counts[i];
    return all;
}

static double quantile(const uint64_t counts[LATENCY_BUCKETS], uint32_t permille)
{
    const uint32_t bucket = latency_quantile_bucket(counts, permille);
    return bucket < LATENCY_BUCKETS - 1 ? (double)latency_bucket_middle_ns(bucket) / 1e6 : -1;
}

static void set_latencies(struct look_breaker *shown, const uint64_t counts[LATENCY_BUCKETS])
{
    shown->p50_ms = quantile(counts, 500);
    shown->p99_ms = quantile(counts, 990);
}

/* The latencies of calls that were counted between two heartbeats. */
static void set_latencies_since(struct look_breaker *shown, const uint64_t before[LATENCY_BUCKETS],
                                const uint64_t now[LATENCY_BUCKETS])
{
    uint64_t grown[LATENCY_BUCKETS];
    for (uint32_t bucket = 0; bucket < LATENCY_BUCKETS; bucket++)
        grown[bucket] = now[bucket] > before[bucket] ? now[bucket] - before[bucket] : 0;
    set_latencies(shown, grown);
}

static void set_figures(struct look_breaker *shown, uint32_t slot, const struct snapshot_breaker *breaker)
{
    const struct core_head *const core = &breaker->core;
    shown->slot = slot;
    shown->incarnation = policy_incarnation(breaker->policy.admission);
    memcpy(shown->name, breaker->detail.name, sizeof(shown->name));
    shown->figures = figures_of(&breaker->report);
    shown->reason = breaker->detail.reason;
    shown->condition = breaker->detail.condition;
    shown->by = breaker->detail.by;
    shown->hidden = breaker->detail.hidden_ms != 0;
    shown->certain = breaker->report.daemon == REPORT_RUNNING;
    shown->window_calls = core->window_calls;
    shown->window_failures = core->window_failures;
    shown->window_slow = core->window_slow;
    shown->in_flight = core->in_flight;
    shown->calls = core->totals.calls;
    shown->failures = core->totals.failures;
    shown->denied = sum(core->totals.denied, DENIALS);
    shown->errors = sum(core->totals.errors, TRIP_ERROR_TYPE_COUNT);
}

static void set_rates(struct entry *entry, uint64_t ms, const uint64_t latency[LATENCY_BUCKETS])
{
    struct look_breaker *const shown = &entry->shown;
    const struct counts *const before = &entry->counted;
    shown->rates = (struct rates){.known = ms != 0,
                                  .calls = rate_per_second(before->calls, shown->calls, ms),
                                  .failures = rate_per_second(before->failures, shown->failures, ms),
                                  .denied = rate_per_second(before->denied, shown->denied, ms),
                                  .errors = rate_per_second(before->errors, shown->errors, ms)};
    if (!ms)
        set_latencies(shown, latency);
    else
        set_latencies_since(shown, before->latency, latency);
}

static void note_counts(struct entry *entry, const uint64_t latency[LATENCY_BUCKETS])
{
    const struct look_breaker *const shown = &entry->shown;
    entry->counted.calls = shown->calls;
    entry->counted.failures = shown->failures;
    entry->counted.denied = shown->denied;
    entry->counted.errors = shown->errors;
    memcpy(entry->counted.latency, latency, sizeof(entry->counted.latency));
}

static void trail_begin(struct trail *trail)
{
    for (unsigned i = 0; i < TRAIL_PLACES; i++)
        trail->calls[i] = -1;
}

static void trail_move(struct trail *trail, uint64_t places)
{
    const unsigned by = (unsigned)at_most(places, TRAIL_PLACES), stay = TRAIL_PLACES - by;
    memmove(trail->calls, trail->calls + by, stay * sizeof(trail->calls[0]));
    memmove(trail->trouble, trail->trouble + by, stay * sizeof(trail->trouble[0]));
    for (unsigned i = stay; i < TRAIL_PLACES; i++) {
        trail->calls[i] = -1;
        trail->trouble[i] = false;
    }
}

static void trail_add(struct trail *trail, const struct rates *rates)
{
    float *const last = &trail->calls[TRAIL_PLACES - 1];
    if (!rates->known)
        return;
    *last = *last < (float)rates->calls ? (float)rates->calls : *last;
    trail->trouble[TRAIL_PLACES - 1] |= rates->failures > 0 || rates->denied > 0;
}

/* Returns the slot's entry for this breaker, a new one if another one had the slot. NULL: no memory. */
static struct entry *entry_of(struct looks *looks, uint32_t slot, const struct snapshot_breaker *breaker)
{
    struct entry **const place = &looks->entries[slot];
    if (*place && (*place)->shown.incarnation == policy_incarnation(breaker->policy.admission) &&
        strcmp((*place)->shown.name, breaker->detail.name) == 0)
        return *place;
    free(*place);
    *place = calloc(1, sizeof(**place));
    if (*place)
        trail_begin(&(*place)->shown.trail);
    return *place;
}

static bool take_breaker(struct looks *looks, uint32_t slot, const struct snapshot_breaker *breaker,
                         const struct step *step)
{
    struct entry *const entry = entry_of(looks, slot, breaker);
    if (!entry)
        return false;
    set_figures(&entry->shown, slot, breaker);
    trail_move(&entry->shown.trail, step->places);
    if (step->anew || !entry->counted_once) {
        set_rates(entry, entry->counted_once ? step->ms : 0, breaker->latency);
        note_counts(entry, breaker->latency);
        trail_add(&entry->shown.trail, &entry->shown.rates);
    }
    entry->counted_once = true;
    looks->look.breakers[looks->look.count++] = &entry->shown;
    return true;
}

/* --------------------------------------------------------------------------------------------------------- the look */

static void add_breaker(struct look *look, const struct look_breaker *breaker)
{
    look->states[breaker->figures.state]++;
    look->moded += breaker->figures.mode != TRIP_MODE_AUTO;
    look->in_flight += breaker->in_flight;
    rates_add(&look->rates, &breaker->rates);
}

static void count_others(struct look *look, const struct snapshot *snapshot)
{
    struct client_slot client;
    struct incident incident;
    for (uint32_t lane = 1; lane <= snapshot_lanes(snapshot); lane++)
        look->clients += snapshot_client(snapshot, lane, &client);
    for (uint32_t place = 0; place < INCIDENTS_KEPT; place++)
        look->incidents += snapshot_incident(snapshot, place, &incident) && !incident.end_ms;
}

static bool make_room(struct looks *looks, uint32_t slots)
{
    if (slots <= looks->slots)
        return true;
    struct entry **const entries = realloc(looks->entries, slots * sizeof(struct entry *));
    looks->entries = entries ? entries : looks->entries;
    const struct look_breaker **const breakers = realloc(looks->look.breakers, slots * sizeof(struct look_breaker *));
    looks->look.breakers = breakers ? breakers : looks->look.breakers;
    if (!entries || !breakers)
        return false;
    memset(entries + looks->slots, 0, (slots - looks->slots) * sizeof(struct entry *));
    looks->slots = slots;
    return true;
}

/* Tells what is new since the last look. */
static struct step step_to(struct looks *looks, const struct look *look)
{
    const bool runs = look->daemon == REPORT_RUNNING, beat = look->host.up_ns != looks->up_ns;
    const uint64_t place = look->header.heartbeat_mono_ns / 1000000 / TRAIL_MS;
    struct step step = {.anew = beat || !runs, .places = time_until(place, looks->place)};
    if (runs && beat && looks->up_ns)
        step.ms = at_least(time_until(look->header.heartbeat_mono_ns, looks->beat_ns) / 1000000, 1);
    looks->place = place;
    looks->up_ns = look->host.up_ns;
    if (beat)
        looks->beat_ns = look->header.heartbeat_mono_ns;
    return step;
}

static struct look look_at(const struct snapshot *snapshot, const struct look_breaker **breakers)
{
    struct look look = {.header = snapshot_header(snapshot),
                        .daemon = snapshot_known_daemon(snapshot),
                        .now_ms = snapshot_now_ms(snapshot),
                        .host = snapshot_host(snapshot),
                        .breakers = breakers};
    look.heartbeat_age_ms = time_until(snapshot_mono_ns(snapshot), look.header.heartbeat_mono_ns) / 1000000;
    count_others(&look, snapshot);
    return look;
}

const struct look *looks_take(struct looks *looks, const struct snapshot *snapshot)
{
    const uint32_t slots = snapshot_slots(snapshot);
    struct look *const look = &looks->look;
    struct snapshot_breaker breaker;
    if (snapshot_header(snapshot).segment_id != look->header.segment_id)
        looks_forget(looks);
    if (!make_room(looks, slots))
        return NULL;
    *look = look_at(snapshot, look->breakers);
    const struct step step = step_to(looks, look);
    for (uint32_t slot = 0; slot < slots; slot++) {
        if (!snapshot_breaker(snapshot, slot, &breaker))
            continue;
        if (!take_breaker(looks, slot, &breaker, &step))
            return NULL;
        add_breaker(look, look->breakers[look->count - 1]);
    }
    return look;
}

struct looks *looks_new(void)
{
    return calloc(1, sizeof(struct looks));
}

void looks_forget(struct looks *looks)
{
    for (uint32_t slot = 0; slot < looks->slots; slot++) {
        free(looks->entries[slot]);
        looks->entries[slot] = NULL;
    }
    looks->up_ns = looks->beat_ns = looks->place = 0;
}

struct looks *looks_free(struct looks *looks)
{
    if (!looks)
        return NULL;
    looks_forget(looks);
    free(looks->entries);
    free(looks->look.breakers);
    free(looks);
    return NULL;
}
