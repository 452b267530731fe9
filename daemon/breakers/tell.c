#include "breakers/tell.h"

#include <string.h>

#include "breakers/word.h"
#include "internal/state_word.h"

#define STEPS_TOLD      16 /* steps of a breaker in a window that are told one by one */
#define STEPS_WINDOW_NS UINT64_C(1000000000)

void breakers_tell(struct breakers *breakers, uint32_t slot, struct transition *transition)
{
    segment_transition(breakers->segment, transition, transition->at_ms);
    memcpy(transition->name, segment_name(breakers->segment, slot), sizeof(transition->name));
    if (breakers->options.moved)
        breakers->options.moved(breakers->options.context, transition);
}

void breakers_tell_rest(struct breakers *breakers, uint32_t slot)
{
    struct told_steps *const steps = &breakers->table[slot].steps;
    struct transition rest = steps->rest;
    if (rest.steps)
        breakers_tell(breakers, slot, &rest);
    steps->rest.steps = 0;
}

static bool cuts_short(const struct breaker *breaker, uint64_t word)
{
    if (!breaker->settings || !breaker->settings->trip.cut_short)
        return false;
    const trip_state state = word_shown_state(word);
    return breaker->mode == TRIP_MODE_FORCED_OPEN ||
           (breaker->mode == TRIP_MODE_AUTO && (state == TRIP_STATE_OPEN || state == TRIP_STATE_HALF_OPEN));
}

bool breakers_cuts_short(const struct breakers *breakers, uint32_t slot)
{
    return cuts_short(&breakers->table[slot], breakers_raw_word(breakers, slot));
}

void breakers_stepped(struct breakers *breakers, uint32_t slot)
{
    if (breakers->options.stepped)
        breakers->options.stepped(breakers->options.context, slot);
}

void breakers_will_admit(struct breakers *breakers, uint32_t slot, uint64_t word)
{
    if (breakers->options.admits && !cuts_short(&breakers->table[slot], word))
        breakers->options.admits(breakers->options.context, slot);
}

/* Tells of a step. Clients' steps, and those that follow from them, may come as fast as anybody can write a word: in
 * each second the first STEPS_TOLD of a breaker are told one by one, and the others as one. */
void breakers_tell_step(struct breakers *breakers, uint32_t slot, struct transition *transition)
{
    struct told_steps *const steps = &breakers->table[slot].steps;
    const bool by_itself = transition->by == BY_CLIENT || transition->by == BY_DAEMON;
    if (!by_itself || breakers->now_ns >= steps->until_ns)
        breakers_tell_rest(breakers, slot);
    if (by_itself && breakers->now_ns >= steps->until_ns)
        *steps = (struct told_steps){.until_ns = breakers_after(breakers->now_ns, STEPS_WINDOW_NS)};
    if (!by_itself || breakers->options.simulates || steps->told++ < STEPS_TOLD) {
        breakers_tell(breakers, slot, transition);
        return;
    }
    transition->steps = steps->rest.steps + 1;
    if (steps->rest.steps)
        transition->from = steps->rest.from;
    steps->rest = *transition;
}
