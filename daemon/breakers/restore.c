/* Restores the snapshot on disk into an empty segment, after a reboot. */
#include <string.h>

#include "breakers/limits.h"
#include "breakers/move.h"
#include "breakers/policy.h"
#include "breakers/reconcile.h"
#include "breakers/settle.h"
#include "segment/saved.h"

/* Returns what is left of a time. Wall clocks jump, so it is never more than was left when the snapshot was written. */
static uint64_t left_ms(const struct saved *saved, uint64_t until_unix_ms, uint64_t now_unix_ms)
{
    return at_most(time_until(until_unix_ms, now_unix_ms), time_until(until_unix_ms, saved->written_unix_ms));
}

static bool ran_out(const struct saved *saved, const struct saved_mode *mode, uint64_t now_unix_ms)
{
    return mode->until_unix_ms && left_ms(saved, mode->until_unix_ms, now_unix_ms) == 0;
}

static uint64_t until_ms(const struct breakers *breakers, const struct saved *saved, const struct saved_mode *mode,
                         uint64_t now_unix_ms)
{
    return mode->until_unix_ms ? breakers_now_ms(breakers) + left_ms(saved, mode->until_unix_ms, now_unix_ms) : 0;
}

/* Opens the breaker for the rest of its time; if nothing is left, half-open follows at once. */
static void reopen(struct breakers *breakers, uint32_t slot, const struct saved *saved,
                   const struct saved_breaker *breaker, uint64_t now_unix_ms)
{
    const uint64_t left = left_ms(saved, breaker->open_until_unix_ms, now_unix_ms);
    const struct move move = {
        .to = WORD_OPEN, .reason = breaker->reason, .for_ms = left ? left : 1, .note = "as before the restart"};
    breakers_move(breakers, slot, breakers_word(breakers, slot), &move);
}

/* Comes after reopening, which counted one opening more. */
static void restore_sums(struct breakers *breakers, uint32_t slot, const struct saved_breaker *breaker)
{
    struct core_head *const head = &segment_begin(breakers->segment, slot)->head;
    head->totals = breaker->totals;
    segment_commit(breakers->segment);
    for (size_t i = 0; i < breaker->latency_count; i++)
        segment_latency_put(breakers->segment, slot, breaker->latency[i].bucket, breaker->latency[i].calls);
}

/* Restores a mode, or that the breaker had none: `auto` may have taken a mode by pattern from it, and such a pattern
 * binds every new name. */
static void restore_mode(struct breakers *breakers, uint32_t slot, enum mode_owner owner, const struct saved *saved,
                         const struct saved_mode *mode, uint64_t now_unix_ms)
{
    const uint64_t now_ms = breakers_now_ms(breakers);
    if (mode->set && !ran_out(saved, mode, now_unix_ms))
        segment_mode_publish(breakers->segment, slot, owner, mode->mode, until_ms(breakers, saved, mode, now_unix_ms),
                             mode->uid, mode->reason, now_ms);
    else if (breakers->segment->policies[slot].modes[owner])
        segment_mode_publish(breakers->segment, slot, owner, TRIP_MODE_COUNT, 0, 0, NULL, now_ms);
}

static int restore_breaker(struct breakers *breakers, const struct saved *saved, const struct saved_breaker *breaker,
                           uint64_t now_unix_ms)
{
    uint32_t slot;
    const int error = breakers_resolve(breakers, 0, breaker->name, &slot);
    if (error < 0)
        return error;
    segment_detail_made_by(breakers->segment, slot, breaker->made_by); /* its user's quota holds over the restart */
    if (breaker->open_until_unix_ms)
        reopen(breakers, slot, saved, breaker, now_unix_ms);
    restore_sums(breakers, slot, breaker);
    breakers_limits_from_now(breakers, slot);
    for (unsigned owner = 0; owner < MODE_OWNER_CONFIG; owner++)
        restore_mode(breakers, slot, (enum mode_owner)owner, saved, &breaker->modes[owner], now_unix_ms);
    breakers_take_mode(breakers, slot, &(struct breakers_actor){.by = BY_DAEMON, .reason = "as before the restart"});
    breakers_settle(breakers, slot);
    return 0;
}

int breakers_restore(struct breakers *breakers, const struct saved *saved, uint64_t now_unix_ms)
{
    int result = 0;
    breakers_look_at_clock(breakers);
    for (size_t i = 0; i < saved->pattern_count; i++) {
        const struct saved_pattern *const pattern = &saved->patterns[i];
        if (!ran_out(saved, &pattern->mode, now_unix_ms))
            segment_pattern_set(breakers->segment, pattern->pattern, pattern->mode.mode,
                                until_ms(breakers, saved, &pattern->mode, now_unix_ms), pattern->mode.uid,
                                pattern->mode.reason, breakers_now_ms(breakers));
    }
    segment_groups_clear(breakers->segment);
    for (size_t i = 0; i < saved->group_count; i++)
        segment_group_put(breakers->segment, saved->groups[i].name, &saved->groups[i].totals);
    for (size_t i = 0; i < saved->breaker_count; i++) {
        const int error = restore_breaker(breakers, saved, &saved->breakers[i], now_unix_ms);
        result = error < 0 ? error : result;
    }
    return result;
}
