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

#include <limits.h>
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

/* Is a trip condition over the window on that counts calls of these kinds? kinds: bits of enum call_kind; CALL_ANY: of
 * whatever kind. */
#define CALL_ANY UINT_MAX
bool core_counts(const struct breaker_settings *settings, unsigned kinds);

struct core_state {
    struct core_head
        head; /* the sums that everyone reads; each function keeps them equal to the window and the totals */
    uint64_t last_open_ns; /* how long the last opening was to last, before jitter; 0: it has not opened yet */
    uint64_t last_end_ns;  /* when the last opening ended */
    uint64_t opened_ns;    /* when it opened; CORE_NEVER: it is not open */
    uint64_t ramp_start_ns;
    uint64_t ramp_end_ns; /* 0: no ramp */
    uint64_t streak_ns;   /* when the first of the failures came that no success followed; CORE_NEVER: there is none */
    uint64_t outage_ns;   /* since when it has not been closed; CORE_NEVER: it is */
    struct window window;
};
_Static_assert(sizeof(struct core_state) <= CORE_IMAGE_SIZE, "core_state outgrew its place in the segment");

void core_init(struct core_state *core, const struct breaker_settings *settings, uint64_t now_ns);

/* Applies new settings. State and totals stay, and of the window the calls that fit. */
void core_reconfigure(struct core_state *core, const struct breaker_settings *settings);

/* Counts n equal calls that ended at `now_ns` while closed or ramping. The totals stay: they come from the lanes. */
void core_calls(struct core_state *core, uint64_t now_ns, uint64_t n, enum call_kind kind);

/* Makes a time window forget what is older than its span, before a call of now_ns is counted. */
void core_advance(struct core_state *core, uint64_t now_ns);

/* Updates the head's sums to what is in the window now. The window itself stays as its latest call left it, for
 * core_judge. */
void core_show(struct core_state *core, uint64_t now_ns);

/* Would a breaker made anew decide as this one does, while closed without a streak? Its window holds no failure and no
 * slow call, nothing is in flight, and its open time has not grown. */
bool core_as_new(const struct core_state *core, const struct breaker_settings *settings, uint64_t now_ns);

/* Counts n equal probes that ended while half-open. */
void core_probes(struct core_state *core, uint64_t n, enum call_kind kind);

/* What core_judge says. move false: the state stays. */
struct core_verdict {
    bool move;
    enum word_state to;    /* WORD_OPEN, WORD_CLOSED (or WORD_RAMPING, where the settings have a ramp) */
    trip_reason reason;    /* why it opens */
    trip_reason condition; /* for a relapse: the condition that held */
};

/* Judges a breaker in this state. Closed and ramping: the trip conditions over the window and over calls in flight; the
 * streak is the state word's. A condition over the window must have held when its latest call ended, and must hold now:
 * forgetting alone completes none. Reopening from ramping has reason RELAPSE. Half-open: the verdict over the probes.
 * Other states stay. */
struct core_verdict core_judge(const struct core_state *core, const struct breaker_settings *settings,
                               enum word_state state, uint64_t in_flight, uint64_t now_ns);

/* n equal calls of at_ns are about to be counted while closed or ramping; the window was advanced to at_ns. Returns
 * after how many of them a trip condition over the window holds, both at at_ns and at now_ns; 0: after none. Takes a
 * handful of steps, whatever n is. */
uint64_t core_calls_until_trip(const struct core_state *core, const struct breaker_settings *settings, uint64_t at_ns,
                               uint64_t now_ns, uint64_t n, enum call_kind kind);

/* Returns the fewest calls, failed or slow, that may complete a trip condition over the window between now_ns and
 * until_ns while closed; 1 at least. It allows for any successes beside them, and for what a time window forgets until
 * then. The number may be too small, never too large. */
uint64_t core_failures_until_trip(const struct core_state *core, const struct breaker_settings *settings,
                                  uint64_t now_ns, uint64_t until_ns);

/* Could a success complete a trip condition, now or after a time window has forgotten more? It could where the window
 * holds failures but fewer than minimum_calls. */
bool core_waits_for_success(const struct core_state *core, const struct breaker_settings *settings,
                            enum word_state state, uint64_t now_ns);
/* Does the breaker need tripd's tick? It does if core_waits_for_success, or if calls in flight have a limit. The tick
 * runs while any breaker needs it. */
bool core_wants_tick(const struct core_state *core, const struct breaker_settings *settings, enum word_state state,
                     uint64_t now_ns);

/* Half-open: returns how many probes may be in flight or armed at once: `permits`, but never more than the verdict
 * still needs. */
uint32_t core_probes_wanted(const struct core_state *core, const struct breaker_settings *settings);

/* Returns the next open time. It is open.for, or the last open time * multiplier if `forget` has not passed since the
 * last opening ended; at most open.max; then jittered by +-jitter with `random` (any 64 bits). */
uint64_t core_next_open_ns(const struct core_state *core, const struct breaker_settings *settings, uint64_t now_ns,
                           uint64_t random, uint64_t *ret_unjittered_ns);
/* Returns the time at which tripd forgets the growth of the open time. 0: it has not grown; CORE_NEVER: the breaker is
 * open. */
uint64_t core_growth_until_ns(const struct core_state *core, const struct breaker_settings *settings);
/* Returns the longest open time there can be: max with jitter, for policy_slot.longest_ms. */
uint64_t core_longest_open_ns(const struct breaker_settings *settings);

/* Adds the time in the present state to the totals. */
void core_count_stay(struct core_state *core, uint64_t now_ns);

/* Note that the state moved. unjittered_ns: the open time before jitter, from which the next one grows. condition: of a
 * relapse, which one held. */
void core_opened(struct core_state *core, uint64_t now_ns, uint64_t unjittered_ns, trip_reason reason,
                 trip_reason condition);
void core_half_opened(struct core_state *core, uint64_t now_ns);
/* Empties the window and the probes' counts, and starts the ramp if there is one. Growth of the open time stays until
 * `forget`. */
void core_closed(struct core_state *core, const struct breaker_settings *settings, uint64_t now_ns);
void core_ramp_ended(struct core_state *core, uint64_t now_ns);
/* For `tripctl reset`: makes the breaker as new, except for its totals. */
void core_reset(struct core_state *core, const struct breaker_settings *settings, uint64_t now_ns);

/* Ramping: returns the permille of calls admitted at now_ns, and when the next step comes. Steps are equal parts of
 * ramp.over. */
uint32_t core_ramp_permille(const struct core_state *core, const struct breaker_settings *settings, uint64_t now_ns,
                            uint64_t *ret_next_ns);

/* The rates of the window; -1 while it holds fewer than minimum_calls. */
int32_t core_failure_rate_permille(const struct core_head *head);
int32_t core_slow_rate_permille(const struct core_head *head);
uint32_t core_calls_until_rate(const struct core_head *head);

#endif
