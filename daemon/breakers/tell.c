#include "breakers/tell.h"

#include <string.h>

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
