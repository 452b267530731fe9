#include "lanes/source.h"

#include <string.h>

#include "internal/layout.h"
#include "internal/numbers.h"
#include "internal/state_word.h"

static uint64_t within(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : at_most(value, high);
}

/* Returns the count whose low 32 bits are `low`, at or after `from`, but at most `last`. */
static uint64_t widen(uint32_t low, uint64_t from, uint64_t last)
{
    const uint32_t ahead = low - (uint32_t)from;
    /* The event lies before `from`: it was counted already, or two threads told theirs in the other order. */
    return ahead > UINT32_MAX / 2 ? from : at_most(from + ahead, last);
}

struct evidence_counts source_counts_at(const struct source *source, const struct told *told)
{
    return (struct evidence_counts){
        .ok = within(evidence_count(told->ok), source->counted.ok, source->counters.ok),
        .failures = widen(told->failures, source->counted.failures, source->counters.failures),
        .slow = widen(told->slow, source->counted.slow, source->counters.slow),
    };
}

/* Moves on to these counts. `kind`: of the call whose event ends the step, if it is among the counted ones. */
static bool step_to(struct source *source, struct evidence_counts to, unsigned kind, struct source_step *ret_step)
{
    uint64_t ok = to.ok - source->counted.ok, failures = to.failures - source->counted.failures;
    uint64_t slow = to.slow - source->counted.slow;
    ret_step->kind = STEP_NO_CALL;
    if (kind != STEP_NO_CALL && (kind & CALL_FAILED ? failures : ok) > 0) {
        *(kind & CALL_FAILED ? &failures : &ok) -= 1;
        ret_step->kind = kind & CALL_FAILED;
        if ((kind & CALL_SLOW) && slow > 0) {
            ret_step->kind |= CALL_SLOW;
            slow--;
        }
    }
    ret_step->gapless = ok + failures == 0;
    if (!ret_step->gapless) {
        /* How many of the dropped calls were slow is known; which ones is not. */
        ret_step->gap[CALL_FAILED | CALL_SLOW] = at_most(slow, failures);
        slow -= ret_step->gap[CALL_FAILED | CALL_SLOW];
        ret_step->gap[CALL_SLOW] = at_most(slow, ok);
        slow -= ret_step->gap[CALL_SLOW];
        ret_step->gap[CALL_FAILED] = failures - ret_step->gap[CALL_FAILED | CALL_SLOW];
        ret_step->gap[CALL_OK] = ok - ret_step->gap[CALL_SLOW];
        source->untold += failures + ret_step->gap[CALL_SLOW];
    }
    source->counted = to;
    source->counted.slow -= slow; /* a slow call is counted before its call: it goes with the call to come */
    return !ret_step->gapless || ret_step->kind != STEP_NO_CALL;
}

static unsigned kind_of(uint32_t what)
{
    const unsigned outcome = lane_event_outcome(what), slow = lane_event_slow(what) ? CALL_SLOW : 0;
    if (outcome == TRIP_FAILURE || outcome == TRIP_TIMEOUT)
        return CALL_FAILED | slow;
    return outcome == TRIP_OK ? CALL_OK | slow : STEP_NO_CALL;
}

/* Is this event a failure that comes right after what is counted, with nothing untold between? */
static bool is_next_failure(const struct source *source, const struct told *told, unsigned kind)
{
    const uint64_t slow = source->counted.slow + (kind == (CALL_FAILED | CALL_SLOW));
    return (kind & ~(unsigned)CALL_SLOW) == CALL_FAILED && told->failures == (uint32_t)source->counted.failures + 1 &&
           source->counted.failures < source->counters.failures && told->slow == (uint32_t)slow &&
           slow <= source->counters.slow && evidence_count(told->ok) == source->counted.ok;
}

/* After a failure was counted: counts the following events as long as each tells just one more failure that was not
 * slow. Returns how many they are, with the first. */
static uint64_t count_row(struct source *source, const struct told *first, uint64_t together_ticks)
{
    const uint64_t since_ticks = source->ticks, left = source->counters.failures - source->counted.failures;
    uint64_t more = 0;
    while (source->next && more < left) {
        const struct told *const told = &source->batch[source->next - 1];
        const uint64_t ticks = within(told->ticks, source->ticks, source->until_ticks);
        if (told->ok != first->ok || told->failures != first->failures + (uint32_t)more + 1 ||
            told->slow != first->slow || kind_of(told->what) != CALL_FAILED || ticks - since_ticks >= together_ticks)
            break;
        source->ticks = ticks;
        source->next = told->next;
        more++;
    }
    source->counted.failures += more;
    return more + 1;
}

bool source_next(struct source *source, uint64_t together_ticks, struct source_step *ret_step)
{
    ret_step->n = 1;
    while (source->next) {
        const struct told *const told = &source->batch[source->next - 1];
        source->next = told->next;
        if (evidence_epoch(told->ok) != source->epoch)
            continue;
        source->ticks = within(told->ticks, source->ticks, source->until_ticks);
        ret_step->ticks = source->ticks;
        ret_step->what = told->what;
        const unsigned kind = kind_of(told->what);
        if (is_next_failure(source, told, kind)) { /* the short way to what step_to says */
            source->counted.failures++;
            source->counted.slow += kind >> 1;
            ret_step->kind = kind;
            ret_step->gapless = true;
            if (kind == CALL_FAILED && together_ticks)
                ret_step->n = count_row(source, told, together_ticks);
            return true;
        }
        if (step_to(source, source_counts_at(source, told), kind, ret_step))
            return true;
    }
    if (!source->rest)
        return false;
    source->rest = false;
    source->ticks = source->until_ticks;
    ret_step->ticks = source->ticks;
    ret_step->what = 0;
    return step_to(source, source->counters, STEP_NO_CALL, ret_step);
}
