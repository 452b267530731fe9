/* Decides which failures wake tripd (internal/bell.h): those that may be the last that a condition over the window
 * needs. The others wait in their rings for a drain that comes anyway, at the next heartbeat at the latest. */
#include "breakers/bell.h"

#include "breakers/adaptive.h"
#include "internal/bell.h"
#include "internal/numbers.h"
#include "internal/ticks.h"

/* A time window that forgets may need fewer failures than before, so tripd computes the bell anew after this time.
 * Heartbeats drain the breaker sooner, while there is something to drain. */
#define BELL_HOLDS_NS (2 * HEARTBEAT_NS)

void breakers_bell_look(struct breakers *breakers, uint32_t slot)
{
    /* Acquire: pairs with the client's release, the failures that this count includes are in the meters. */
    breakers->table[slot].told = __atomic_load_n(&commons_line(breakers->commons, slot)->told, __ATOMIC_ACQUIRE);
}

/* Must each failure ring? Yes, if the state is not closed, or is kept by a mode that may end; if something is counted
 * whose event was not taken; if calls in flight can trip; or if a measurement for a limit begins with this failure. */
static bool wants_each(const struct breakers *breakers, const struct breaker *breaker, uint64_t word)
{
    return word_state(word) != WORD_CLOSED || breakers_frozen(breaker) || breaker->mode_until_ms || breaker->untold ||
           !breakers->assembled || breaker->settings->trip.in_flight ||
           (breaker->adaptive && breakers_adaptive_due_ns(breaker) == DEADLINE_NEVER);
}

static uint64_t needed(const struct breakers *breakers, uint32_t slot, uint64_t word, uint64_t until_ns)
{
    const struct breaker *const breaker = &breakers->table[slot];
    if (wants_each(breakers, breaker, word))
        return BELL_EACH;
    return core_failures_until_trip(segment_core(breakers->segment, slot), breaker->settings, breakers->now_ns,
                                    until_ns);
}

void breakers_bell_set(struct breakers *breakers, uint32_t slot, uint64_t word)
{
    struct breaker *const breaker = &breakers->table[slot];
    const struct window *const window = &segment_core(breakers->segment, slot)->window;
    struct state_line *const line = commons_line(breakers->commons, slot);
    const bool forgets = window->type == WINDOW_TIME && word_state(word) == WORD_CLOSED &&
                         window_sums_at(window, breakers->now_ns).calls;
    const uint64_t holds_ns = at_least(window->span_ns / WINDOW_BUCKETS, BELL_HOLDS_NS);
    /* the same moments for all breakers, so that one wake-up serves all */
    const uint64_t until_ns =
        forgets ? (breakers->now_ns + holds_ns) / HEARTBEAT_NS * HEARTBEAT_NS + HEARTBEAT_NS : breakers->now_ns;
    const uint64_t ring_at = bell_ring_at(breaker->told, needed(breakers, slot, word, until_ns));
    breaker->bell_until_ns = forgets ? until_ns : DEADLINE_NEVER;
    /* Release, though the client's load is relaxed: the fence of doorbell_sleep, before the last look at the dirty
     * bits, orders it. */
    if (__atomic_load_n(&line->ring_at, __ATOMIC_RELAXED) != ring_at)
        __atomic_store_n(&line->ring_at, ring_at, __ATOMIC_RELEASE);
}
