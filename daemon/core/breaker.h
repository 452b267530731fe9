/* The breaker core: what the outcomes of calls mean. Pure: time comes in as an argument, nothing here reads a clock,
 * does I/O or allocates. It lives in one image of the segment (core_slot), so it holds no pointers and is copied as it
 * is; the state itself is the state word (internal/state_word.h), which the caller changes by CAS after asking here.
 *
 *   outcomes ──> core_calls / core_probe ──> core_judge: should the state move, and why
 *   the caller's CAS succeeded           ──> core_opened / core_half_opened / core_closed: note it
 *
 * Decisions are functions of the image: core_judge asked again after a crash gives the same answer.
 * Times are nanoseconds since the segment's creation on the instance's clock.
 */
#ifndef TRIP_CORE_BREAKER_H
#define TRIP_CORE_BREAKER_H

#include <stdbool.h>

#include "core/settings.h"
#include "core/window.h"
#include "internal/layout.h"
#include "internal/state_word.h"

#define CORE_NEVER UINT64_MAX

/* The trip conditions over the window: X(REASON, key of `trip:`, which calls it counts, is its limit a rate?). A limit
 * of 0 turns the condition off. */
#define WINDOW_CONDITIONS(X)                         \
    X(FAILURES, failures, CALL_FAILED, false)        \
    X(FAILURE_RATE, failure_rate, CALL_FAILED, true) \
    X(SLOW_RATE, slow_rate, CALL_SLOW, true)

/* Is a trip condition over the window on that counts calls of this kind (CALL_FAILED or CALL_SLOW)? */
bool core_counts(const struct breaker_settings *settings, enum call_kind kind);

struct core_state {
    struct core_head
        head; /* the sums that everyone reads: kept equal to the window's and the totals by each function */
    uint64_t last_open_ns; /* how long the last opening was to last, before jitter; 0: none yet */
    uint64_t last_end_ns;  /* when it ended */
    uint64_t opened_ns;    /* since when open; CORE_NEVER: not open */
    uint64_t ramp_start_ns;
    uint64_t ramp_end_ns; /* 0: no ramp */
    struct window window;
};
_Static_assert(sizeof(struct core_state) <= CORE_IMAGE_SIZE, "core_state outgrew its place in the segment");

void core_init(struct core_state *core, const struct breaker_settings *settings);

/* Settings changed: keeps state, totals and what fits of the window. */
void core_reconfigure(struct core_state *core, const struct breaker_settings *settings);

/* n equal calls ended at `now_ns` while closed or ramping. Totals are not touched: they come from the lanes. */
void core_calls(struct core_state *core, uint64_t now_ns, uint64_t n, enum call_kind kind);

/* A call of now_ns is about to be counted: a time window lets go of what is older than its span. */
void core_advance(struct core_state *core, uint64_t now_ns);

/* The head says what is in the window now. The window itself stays as its latest call found it, for core_judge. */
void core_show(struct core_state *core, uint64_t now_ns);

/* Would a breaker made anew decide as this one does, while closed without a streak? Its window holds no failure and no
 * slow call, nothing is in flight, and its open time has not grown. */
bool core_as_new(const struct core_state *core, const struct breaker_settings *settings, uint64_t now_ns);

/* n probes answered while half-open. */
void core_probes(struct core_state *core, uint64_t n, enum call_kind kind);

/* What should become of a breaker in this state. TRIP_REASON_NONE with move false: nothing. */
struct core_verdict {
    bool move;
    enum word_state to;    /* WORD_OPEN, WORD_CLOSED (or WORD_RAMPING, where the settings have a ramp) */
    trip_reason reason;    /* of an opening */
    trip_reason condition; /* of a relapse: which one held */
};

/* state: closed, ramping: the trip conditions over window and calls in flight (not the streak, which is the state
 * word's). One over the window held when its latest call ended, and still holds: what a time window forgets meanwhile
 * completes none. A reopening from ramping has reason RELAPSE. half-open: the probes' verdict. Others: nothing. */
struct core_verdict core_judge(const struct core_state *core, const struct breaker_settings *settings,
                               enum word_state state, uint64_t in_flight, uint64_t now_ns);

/* n equal calls of at_ns, to which the window was advanced, are to come while closed or ramping: after how many of them
 * does a trip condition over the window hold, at at_ns and still at now_ns? 0: after none. In a handful of steps,
 * whatever n is. */
uint64_t core_calls_until_trip(const struct core_state *core, const struct breaker_settings *settings, uint64_t at_ns,
                               uint64_t now_ns, uint64_t n, enum call_kind kind);

/* How many calls that failed or were slow have to come at least, 1 or more, before one of them completes a trip
 * condition over the window, from now_ns to until_ns, while closed? Whatever successes come beside them, and whatever a
 * time window forgets until then. Never too many; too few at times. */
uint64_t core_failures_until_trip(const struct core_state *core, const struct breaker_settings *settings,
                                  uint64_t now_ns, uint64_t until_ns);

/* Could a success complete a trip condition (failures are in the window, minimum_calls not reached), now or when a time
 * window has forgotten more? */
bool core_waits_for_success(const struct core_state *core, const struct breaker_settings *settings,
                            enum word_state state, uint64_t now_ns);
/* That, or calls in flight are to be looked at. While any breaker says so tripd's tick runs. */
bool core_wants_tick(const struct core_state *core, const struct breaker_settings *settings, enum word_state state,
                     uint64_t now_ns);

/* Half-open: how many probes may be in flight or armed at once now: permits, and never more than the verdict needs. */
uint32_t core_probes_wanted(const struct core_state *core, const struct breaker_settings *settings);

/* The next opening's time: open.for, or last * multiplier when it comes before `forget` has passed since the last
 * opening ended (growth resets otherwise), capped at open.max, then jittered by +-jitter with `random` (any 64 bits).
 */
uint64_t core_next_open_ns(const struct core_state *core, const struct breaker_settings *settings, uint64_t now_ns,
                           uint64_t random, uint64_t *ret_unjittered_ns);
/* The time at which tripd forgets the growth of the open time. 0: it has not grown; CORE_NEVER: the breaker is open. */
uint64_t core_growth_until_ns(const struct core_state *core, const struct breaker_settings *settings);
/* The longest that may come of it: max with jitter, for policy_slot.longest_ms. */
uint64_t core_longest_open_ns(const struct breaker_settings *settings);

/* The state moved. unjittered_ns: of the opening time that was used (growth goes from it). */
void core_opened(struct core_state *core, uint64_t now_ns, uint64_t unjittered_ns, trip_reason reason);
void core_half_opened(struct core_state *core, uint64_t now_ns);
/* Window, probe counts empty; with a ramp its times start. Growth of the open time is kept until `forget`. */
void core_closed(struct core_state *core, const struct breaker_settings *settings, uint64_t now_ns);
void core_ramp_ended(struct core_state *core);
/* tripctl reset: as new, but for the totals. */
void core_reset(struct core_state *core, const struct breaker_settings *settings, uint64_t now_ns);

/* Ramping: permille admitted at now_ns (steps are equal parts of ramp.over), and when the next step comes. */
uint32_t core_ramp_permille(const struct core_state *core, const struct breaker_settings *settings, uint64_t now_ns,
                            uint64_t *ret_next_ns);

/* -1 while fewer than minimum_calls are in the window. */
int32_t core_failure_rate_permille(const struct core_head *head);
int32_t core_slow_rate_permille(const struct core_head *head);
uint32_t core_calls_until_rate(const struct core_head *head);

#endif
