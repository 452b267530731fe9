/* Publishes what clients judge by: settings, modes, the next open time. It is in the segment before a state word refers
 * to it. */
#include "breakers/policy.h"

#include <string.h>

#include "breakers/limits.h"
#include "breakers/tell.h"
#include "breakers/word.h"
#include "internal/numbers.h"

#define TRIES                                                                                              \
    1000 /* a word that clients count on meanwhile; one that never rests is put right when it is looked at \
          */

static uint64_t ms_up(uint64_t ns)
{
    return ns / 1000000 + (ns % 1000000 != 0);
}

/* ------------------------------------------------------------------------------------------------- how long at most */

/* Returns how long the word's own open time still lasts. An operator may have set a longer time than the settings
 * allow, or earlier settings did. A deadline beyond the longest time published before is damage, and no reason to
 * publish a longer one; except for the step to which the end of a lease is rounded up, which word_due allows for, too.
 */
static uint64_t left_ms(const struct breakers *breakers, uint32_t slot)
{
    const uint64_t mirror = breakers->segment->mirror[slot], now_ms = breakers_now_ms(breakers);
    const bool deadline = word_state(mirror) == WORD_OPEN || word_state(mirror) == WORD_HALF_OPEN;
    const uint64_t left = deadline && word_deadline_ms(mirror) > now_ms ? word_deadline_ms(mirror) - now_ms : 0;
    const uint64_t longest_ms = breakers->segment->policies[slot].longest_ms;
    if (left > longest_ms + LEASE_STEP_MS)
        return 0;
    return left < longest_ms ? left : longest_ms;
}

uint64_t breakers_longest_ms(const struct breakers *breakers, uint32_t slot)
{
    const struct breaker_settings *const settings = breakers->table[slot].settings;
    const uint64_t open_ms = ms_up(core_longest_open_ns(settings)), wait_ms = ms_up(settings->half_open.max_wait);
    return at_least(at_least(open_ms, wait_ms), left_ms(breakers, slot));
}

/* If the published open time has grown, schedules its publication for when the growth is forgotten; not while the
 * breaker is open. */
static void look_at_growth(struct breakers *breakers, uint32_t slot, const struct core_state *core)
{
    struct breaker *const breaker = &breakers->table[slot];
    const uint64_t until_ns = core_growth_until_ns(core, breaker->settings);
    breaker->growth_until_ns = until_ns > breakers->now_ns ? until_ns : DEADLINE_NEVER;
}

void breakers_opening_ended(struct breakers *breakers, uint32_t slot)
{
    look_at_growth(breakers, slot, segment_core(breakers->segment, slot));
}

void breakers_publish_next_open(struct breakers *breakers, uint32_t slot, const struct core_state *core,
                                uint64_t at_least_ms)
{
    struct breaker *const breaker = &breakers->table[slot];
    uint64_t unjittered_ns;
    if (!core)
        core = segment_core(breakers->segment, slot);
    const uint64_t next_ns =
        core_next_open_ns(core, breaker->settings, breakers->now_ns, random_next(&breakers->random), &unjittered_ns);
    look_at_growth(breakers, slot, core);
    segment_next_open_publish(breakers->segment, slot, ms_up(next_ns),
                              at_least(breakers_longest_ms(breakers, slot), at_least_ms));
}

/* --------------------------------------------------------------------------------------------------- settings, mode */

/* Moves the state word, if it has a generation, to the judge's. */
static void move_generation(struct breakers *breakers, uint32_t slot)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        const uint64_t word = breakers_raw_word(breakers, slot);
        const uint64_t moved = word_with_generation(word, breakers->table[slot].generation);
        if (!word_counts_streak(word))
            return; /* it will close with the newest generation */
        if (breakers_cas(breakers, slot, word, moved)) {
            if (word_epoch(word) == word_epoch(breakers->segment->mirror[slot]))
                segment_mirror(breakers->segment, slot, moved);
            return;
        }
    }
}

void breakers_publish(struct breakers *breakers, uint32_t slot)
{
    struct breaker *const breaker = &breakers->table[slot];
    const struct breaker_settings *const settings = breaker->settings;
    const struct segment_policy policy = {
        .threshold = (uint32_t)settings->trip.consecutive_failures,
        .watched = settings->trip.stall_after || settings->trip.in_flight,
        .slow_after_ns = settings->trip.slow_after,
        .permits = (uint32_t)settings->half_open.permits,
        .max_wait_ms = ms_up(settings->half_open.max_wait),
        .longest_ms = breakers_longest_ms(breakers, slot),
        .fallback = settings->fallback ? fallback_word(breakers->fallbacks, settings->fallback - 1u) : 0,
    };
    breakers_will_admit(breakers, slot, breakers_raw_word(breakers, slot));
    breaker->generation = segment_policy_publish(breakers->segment, slot, &policy, breaker->mode, breaker->generation);
    move_generation(breakers, slot);
    breakers_stepped(breakers, slot);
}

void breakers_publish_fallbacks(struct breakers *breakers, const struct config *config)
{
    breakers->fallbacks = segment_fallbacks_publish(breakers->segment, config->fallbacks);
}

/* Tells people, in ring and log. An operator who sets the same mode again may give it another time and reason. */
static void tell_mode(struct breakers *breakers, uint32_t slot, trip_mode from, const struct breakers_actor *actor)
{
    const struct breaker *const breaker = &breakers->table[slot];
    if (from == breaker->mode && (actor->by != BY_OPERATOR || from == TRIP_MODE_AUTO))
        return;
    const uint64_t now_ms = breakers_now_ms(breakers), unix_ms = segment_wall_ms(breakers->segment);
    struct transition transition = {
        .of = OF_MODE,
        .breaker = slot,
        .from = (uint8_t)from,
        .to = (uint8_t)breaker->mode,
        .by = (uint8_t)actor->by,
        .uid = actor->uid,
        .at_ms = now_ms,
        .at_unix_ms = unix_ms,
        .until_unix_ms = breaker->mode_until_ms ? unix_ms + time_until(breaker->mode_until_ms, now_ms) : 0,
    };
    if (actor->reason)
        memcpy(transition.note, actor->reason, strnlen(actor->reason, sizeof(transition.note) - 1));
    breakers_tell_rest(breakers, slot);
    breakers_tell(breakers, slot, &transition);
}

void breakers_take_mode(struct breakers *breakers, uint32_t slot, const struct breakers_actor *actor)
{
    struct breaker *const breaker = &breakers->table[slot];
    const trip_mode from = breaker->mode;
    breaker->mode = segment_mode_now(breakers->segment, slot, breakers_now_ms(breakers), &breaker->mode_until_ms);
    if (from != breaker->mode)
        breakers_publish(breakers, slot);
    tell_mode(breakers, slot, from, actor);
}

void breakers_look_at_mode(struct breakers *breakers, uint32_t slot)
{
    breakers_take_mode(breakers, slot, &(struct breakers_actor){.by = BY_DAEMON, .reason = "its time ended"});
}

static void set_mode_by_config(struct breakers *breakers, uint32_t slot)
{
    const trip_mode mode = (trip_mode)breakers->table[slot].settings->mode;
    const uint64_t wanted = mode == TRIP_MODE_AUTO ? 0 : policy_mode_word(mode, 0);
    if (breakers->segment->policies[slot].modes[MODE_OWNER_CONFIG] != wanted)
        segment_mode_publish(breakers->segment, slot, MODE_OWNER_CONFIG,
                             mode == TRIP_MODE_AUTO ? TRIP_MODE_COUNT : mode, 0, 0, NULL, breakers_now_ms(breakers));
}

static void watch(struct breakers *breakers, const struct breaker_settings *settings, uint32_t by)
{
    if (!settings)
        return;
    breakers->stall_watchers += settings->trip.stall_after ? by : 0;
    breakers->in_flight_watchers += settings->trip.in_flight ? by : 0;
}

void breakers_watch(struct breakers *breakers, uint32_t slot, const struct breaker_settings *settings)
{
    watch(breakers, breakers->table[slot].settings, UINT32_MAX); /* the slot's settings were watched: one less */
    watch(breakers, settings, 1);
    breakers->table[slot].settings = settings;
}

void breakers_configure(struct breakers *breakers, uint32_t slot, const struct config *config)
{
    struct breaker *const breaker = &breakers->table[slot];
    const struct breaker_settings *const settings = config_settings_for(config, segment_name(breakers->segment, slot));
    breakers_watch(breakers, slot, settings);
    core_reconfigure(segment_begin(breakers->segment, slot), settings);
    segment_commit(breakers->segment);
    segment_detail_match(breakers->segment, slot, settings->match);
    set_mode_by_config(breakers, slot);
    breaker->mode = segment_mode_now(breakers->segment, slot, breakers_now_ms(breakers), &breaker->mode_until_ms);
    breakers_publish(breakers, slot);
    breakers_limits_configure(breakers, slot);
    breakers_publish_next_open(breakers, slot, NULL, 0);
}

void breakers_configure_again(struct breakers *breakers, uint32_t slot, const struct config *config,
                              const struct breakers_actor *actor)
{
    const trip_mode from = breakers->table[slot].mode;
    breakers_configure(breakers, slot, config);
    tell_mode(breakers, slot, from, actor);
}
