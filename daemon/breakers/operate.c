/* Operators' commands. Each drains the breaker first, so that what was reported before counts before. */
#include <errno.h>

#include "breakers/errors.h"
#include "breakers/move.h"
#include "breakers/policy.h"
#include "breakers/reconcile.h"
#include "breakers/settle.h"
#include "breakers/trace.h"

#define TRIES 1000 /* clients count in the word meanwhile */

static bool usable(const struct breakers *breakers, uint32_t slot)
{
    return slot < breakers->segment->slots && breakers->table[slot].settings;
}

static struct move move_of(enum word_state to, const struct breakers_actor *actor)
{
    return (struct move){.to = to, .by = actor->by, .uid = actor->uid, .note = actor->reason};
}

/* Moves the breaker, from whatever word it has. */
static int move_now(struct breakers *breakers, uint32_t slot, const struct move *move)
{
    breakers_look_at_clock(breakers);
    breakers_drain(breakers, slot);
    for (unsigned tries = 0; tries < TRIES; tries++) {
        if (!breakers_move(breakers, slot, breakers_word(breakers, slot), move))
            continue;
        breakers_trace_move(breakers, slot, move);
        breakers_settle(breakers, slot);
        return 0;
    }
    return -EAGAIN;
}

static trip_reason reason_by(enum transition_by by)
{
    return by == BY_FLEET ? TRIP_REASON_FLEET : by == BY_RULE ? TRIP_REASON_RULE : TRIP_REASON_OPERATOR;
}

bool breakers_keeps_state(const struct breakers *breakers, uint32_t slot)
{
    return usable(breakers, slot) && breakers_frozen(&breakers->table[slot]);
}

int breakers_trip(struct breakers *breakers, uint32_t slot, uint64_t for_ms, const struct breakers_actor *actor)
{
    struct move move = move_of(WORD_OPEN, actor);
    if (!usable(breakers, slot))
        return -ENOENT;
    if (breakers_keeps_state(breakers, slot))
        return -EBUSY;
    move.reason = reason_by(actor->by);
    move.for_ms = for_ms;
    return move_now(breakers, slot, &move);
}

int breakers_reset(struct breakers *breakers, uint32_t slot, const struct breakers_actor *actor)
{
    struct move move = move_of(WORD_CLOSED, actor);
    if (!usable(breakers, slot))
        return -ENOENT;
    move.reset = true;
    return move_now(breakers, slot, &move);
}

/* Turns `auto` into no mode, unless an owner with less say has set another mode that `auto` has to override. */
static trip_mode auto_or_none(const struct breakers *breakers, uint32_t slot, enum mode_owner owner)
{
    uint64_t modes[MODE_OWNER_COUNT] = {0}, until_ms;
    for (unsigned weaker = owner + 1; weaker < MODE_OWNER_COUNT; weaker++)
        modes[weaker] = breakers->segment->policies[slot].modes[weaker];
    return policy_mode_of(modes, breakers_now_ms(breakers), &until_ms) == TRIP_MODE_AUTO ? TRIP_MODE_COUNT
                                                                                         : TRIP_MODE_AUTO;
}

int breakers_mode(struct breakers *breakers, uint32_t slot, enum mode_owner owner, trip_mode mode, uint64_t ttl_ms,
                  const struct breakers_actor *actor)
{
    if (!usable(breakers, slot))
        return -ENOENT;
    breakers_look_at_clock(breakers);
    breakers_drain(breakers, slot);
    breakers_look_at_mode(breakers, slot);
    const uint64_t now_ms = breakers_now_ms(breakers), until_ms = ttl_ms ? now_ms + ttl_ms : 0;
    segment_mode_publish(breakers->segment, slot, owner,
                         mode == TRIP_MODE_AUTO ? auto_or_none(breakers, slot, owner) : mode, until_ms, actor->uid,
                         actor->reason, now_ms);
    breakers_take_mode(breakers, slot, actor);
    if (owner == MODE_OWNER_OPERATOR)
        breakers_trace_mode(breakers, slot, mode, until_ms);
    breakers_settle(breakers, slot);
    return 0;
}

struct pattern_mode {
    struct breakers *breakers;
    trip_mode mode;
    uint64_t ttl_ms;
    const struct breakers_actor *actor;
};

static void set_one(void *context, uint32_t slot)
{
    const struct pattern_mode *const pattern = context;
    breakers_mode(pattern->breakers, slot, MODE_OWNER_OPERATOR, pattern->mode, pattern->ttl_ms, pattern->actor);
}

int breakers_mode_pattern(struct breakers *breakers, const char *pattern, trip_mode mode, uint64_t ttl_ms,
                          const struct breakers_actor *actor)
{
    struct pattern_mode all = {.breakers = breakers, .mode = mode, .ttl_ms = ttl_ms, .actor = actor};
    breakers_look_at_clock(breakers);
    const uint64_t now_ms = breakers_now_ms(breakers);
    const int error = segment_pattern_set(breakers->segment, pattern, mode, ttl_ms ? now_ms + ttl_ms : 0, actor->uid,
                                          actor->reason, now_ms);
    if (error < 0)
        return error;
    breakers_matching(breakers, pattern, set_one, &all);
    return 0;
}

void breakers_reconfigure(struct breakers *breakers, const struct config *config)
{
    breakers_look_at_clock(breakers);
    breakers->options.config = config;
    breakers_correlate(breakers, config);
    breakers_publish_fallbacks(breakers, config);
    for (uint32_t slot = 0; slot < breakers->segment->slots; slot++) {
        if (!breakers->table[slot].settings)
            continue;
        breakers_drain(breakers, slot); /* calls until now are judged by the settings until now */
        breakers_look_at_mode(breakers, slot);
        breakers_enliven(breakers, slot);
        breakers_configure_again(breakers, slot, config, &(struct breakers_actor){.by = BY_CONFIG});
        breakers_settle(breakers, slot);
    }
}
