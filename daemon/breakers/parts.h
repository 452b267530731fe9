/* What the parts of breakers.h share; nobody else includes it, but the test of the breakers.
 *
 *   breakers.c          the table: new, resolve, forget, drain and settle, rung
 *   word.c     state words as they are found: clients' steps noticed, damage put right
 *   move.c     a state moves: CAS, then image, details, ring and mirror together
 *   permits.c  half-open: answers counted, permits reclaimed and armed
 *   stall.c    calls in flight for too long
 *   policy.c   what clients judge by: settings, modes, the next open time
 *   limits.c   limits and retries: published, budgets fed, tickets of the dead freed
 *   adaptive.c what is measured for them
 *   lanes.c    lanes that come, tell and go; whose meters are whose
 *   bell.c     which failures wake tripd
 *   due.c      what comes due, and when
 *   reuse.c    hidden breakers, and their slots for new names
 *   operate.c  what operators do
 *   trace.c    what goes to those who trace
 *   adopt.c    what a worker before this one left
 *   restore.c  what a reboot took, from the snapshot on disk
 */
#ifndef TRIPD_BREAKERS_PARTS_H
#define TRIPD_BREAKERS_PARTS_H

#include "breakers/breakers.h"
#include "core/adaptive.h"
#include "core/deadlines.h"
#include "core/limits.h"
#include "internal/policy.h"
#include "lanes/drain.h"

#define TICK_NS ADAPTIVE_TICK_NS /* of what has to be looked at while calls come */
#define NONE    UINT32_MAX       /* of a chain by number: its end */
#define NOBODY  0                /* root, whose names are not counted, or no user */

#define STEPS_TOLD      16 /* of a breaker in a window, one by one */
#define STEPS_WINDOW_NS UINT64_C(1000000000)

struct told_steps {
    uint64_t until_ns; /* the window's end */
    uint64_t told;
    struct transition rest; /* .steps: so many were not told yet */
};

#define SUSPECTS 4096 /* of all breakers, at one heartbeat */

/* A lane that holds more of a breaker's tickets than calls of it are known. */
struct suspect {
    uint32_t slot;
    uint16_t lane, held;
    uint64_t ended; /* calls that had ended before the tickets were counted */
};

struct breaker {
    const struct breaker_settings *settings; /* NULL: the slot is free */
    struct meter_side *meters;
    trip_mode mode; /* in force, as of the last look */
    uint64_t mode_until_ms;
    uint64_t used_ms;         /* a call was seen */
    uint64_t growth_until_ns; /* the published open time has grown, and is published anew when that is forgotten */
    uint64_t told;            /* failures and slow calls told, before the meters were read last */
    uint64_t bell_until_ns;   /* when it is to be asked anew which of those to come rings */
    uint32_t generation;      /* of the newest judge */
    uint32_t next;            /* of those touched */
    bool touched;
    bool untold;               /* a failure or slow call is counted in a meter, and its event was not taken */
    bool permits_out;          /* a permit word may be somebody's */
    bool latency_stale;        /* calls were counted since the details were written */
    bool ticketed;             /* a ticket may be somebody's */
    struct adaptive *adaptive; /* what is measured for its limits; NULL: they are fixed */
    struct budget_pace budget;
    struct told_steps steps;
};

struct breakers {
    struct breakers_options options;
    struct segment *segment;
    struct commons *commons;
    struct breaker *table;
    struct deadlines *due;
    struct drain *drain;
    uint64_t *lively;            /* a bit a breaker: heartbeats look at it */
    uint32_t *unused_by;         /* by slot: who, other than root, made a name that had no call yet; else NOBODY */
    struct lane_side **sides;    /* by lane number */
    struct meter_side *nobodys;  /* meters of no breaker */
    struct meter_side *told;     /* meters with events in the batch; a chain */
    uint32_t sections;           /* of the lanes whose turn it is */
    uint32_t touched;            /* breakers that have news; a chain */
    uint32_t stall_watchers;     /* breakers with stall_after */
    uint32_t in_flight_watchers; /* breakers with in_flight */
    uint64_t stall_due_ns;
    uint64_t random;
    uint64_t now_ns, now_ticks;               /* as of breakers_look_at_clock */
    uint64_t no_room_until_ns;                /* breakers_make_room found none: it looks again then */
    uint64_t no_memory_until_ns;              /* and so for the memory of further slots */
    bool assembled;                           /* lanes of before have come back: an owner without a lane is dead */
    bool nobodys_moved;                       /* a meter of no breaker was announced */
    bool told_tickets;                        /* the log has said that there is no memory for some */
    bool recovering;                          /* the journal's marks are stored once more */
    const char *note;                         /* of the operator whose transition is being recorded */
    uint64_t lanes[COMMONS_LANES_MAX / 64];   /* a bit a lane: attached */
    uint64_t ready[COMMONS_LANES_MAX / 64];   /* a bit a lane: has told something */
    uint64_t leaving[COMMONS_LANES_MAX / 64]; /* a bit a lane: nothing more will come of it */
    uint64_t blocks[COMMONS_LANES_MAX / 64];  /* a bit a lane: others wanted what it held at the last heartbeat */
    uint64_t doomed[COMMONS_LANES_MAX / 64];  /* a bit a lane: breakers_lane_doomed */
    uint32_t suspect_count;
    struct suspect suspects[SUSPECTS]; /* in the order of their breakers */
};

/* ---- breakers.c */
void breakers_look_at_clock(struct breakers *breakers);
static inline uint64_t breakers_now_ms(const struct breakers *breakers)
{
    return breakers->now_ns / 1000000;
}
static inline bool breakers_has_bit(const uint64_t *bits, uint32_t lane)
{
    return bits[lane / 64] >> lane % 64 & 1;
}
/* It holds what others want. */
static inline void breakers_note_blocks(struct breakers *breakers, uint32_t lane)
{
    if (lane < COMMONS_LANES_MAX)
        breakers->blocks[lane / 64] |= UINT64_C(1) << lane % 64;
}
/* The process behind this lane holds nothing any more. */
bool breakers_lane_dead(const struct breakers *breakers, uint32_t lane);
bool breakers_frozen(const struct breaker *breaker); /* its mode keeps the state as it is */
/* It has news, or moved: heartbeats look at it until nothing changes any more. */
void breakers_enliven(struct breakers *breakers, uint32_t slot);
/* It has news: drained and settled by breakers_turn_touched. */
void breakers_touch(struct breakers *breakers, uint32_t slot);
void breakers_turn_touched(struct breakers *breakers);
/* Counts what its meters say. True: there was something, or the word is not the one that the mirror holds. */
bool breakers_drain(struct breakers *breakers, uint32_t slot);
/* Judges until nothing moves any more, then sees to permits and sets the next deadline. */
void breakers_settle(struct breakers *breakers, uint32_t slot);
/* Notes whether its name had a call yet, and who made it. */
void breakers_unused(struct breakers *breakers, uint32_t slot);
/* A call was seen, or somebody asked for it by name: it is hidden no more. */
void breakers_seen(struct breakers *breakers, uint32_t slot);

/* ---- word.c */
uint64_t breakers_raw_word(const struct breakers *breakers, uint32_t slot);
/* CAS; moves nothing but the word. */
bool breakers_cas(const struct breakers *breakers, uint32_t slot, uint64_t from, uint64_t to);
/* The word, valid, and as the mirror has it: what clients did is recorded first, damage put right. */
uint64_t breakers_word(struct breakers *breakers, uint32_t slot);
/* A word that stands for the same as `mirror`, in this epoch. */
uint64_t breakers_restored(struct breakers *breakers, uint32_t slot, uint64_t mirror, uint32_t epoch);

/* ---- move.c */
struct move {
    enum word_state to;
    trip_reason reason;
    trip_reason condition; /* of a relapse */
    uint64_t for_ms;       /* open: how long; 0: as published */
    bool neutral;          /* open: at once due again, and no step of the growth */
    bool reset;            /* closed: windows and growth as new */
    enum transition_by by;
    uint32_t uid;
    const char *note;
};
/* What a streak that reached its threshold does to this word. */
static inline struct move move_by_streak(uint64_t word)
{
    return word_state(word) == WORD_RAMPING
               ? (struct move){.to = WORD_OPEN, .reason = TRIP_REASON_RELAPSE, .condition = TRIP_REASON_CONSECUTIVE}
               : (struct move){.to = WORD_OPEN, .reason = TRIP_REASON_CONSECUTIVE};
}

/* tripd's own step, by CAS from the word that was judged. False: it is another one meanwhile. */
bool breakers_move(struct breakers *breakers, uint32_t slot, uint64_t from, const struct move *move);
/* Notes a step that was taken: image, details, ring, mirror. at_ns: when. */
void breakers_record(struct breakers *breakers, uint32_t slot, uint64_t from, uint64_t to, const struct move *move,
                     uint64_t at_ns);
/* For people: ring and log. Fills in its name. */
void breakers_tell(struct breakers *breakers, uint32_t slot, struct transition *transition);
/* The steps that were kept back, as one: at their window's end at the latest, which heartbeats look for. */
void breakers_tell_rest(struct breakers *breakers, uint32_t slot);
/* Carries out a mark of the journal: segment_store_mark_fn. */
bool breakers_store_mark(void *breakers, const struct journal_mark *mark);

/* Marks that are no meter's: lane 0, `meter` says what. */
enum special_mark { MARK_STEP = 1, MARK_PERMIT };
/* A stalled call's: its lane's number, `meter` this bit and its place. */
#define MARK_CALL (UINT32_C(1) << 31)

/* ---- permits.c */
/* Counts the answers of this half-open word's permits. True: there were some. */
bool breakers_permits_count(struct breakers *breakers, uint32_t slot, uint64_t word);
/* Takes back what nobody holds any more, and arms what the verdict still needs. */
void breakers_permits_renew(struct breakers *breakers, uint32_t slot, uint64_t word);
void breakers_permits_store(struct breakers *breakers, const struct journal_mark *mark);
/* When the first lease ends; DEADLINE_NEVER: none runs. */
uint64_t breakers_permits_due(struct breakers *breakers, uint32_t slot);
/* A lane is gone, and with it what it held. */
void breakers_permits_of_lane(struct breakers *breakers, uint32_t lane);

/* ---- stall.c */
/* Looks for calls of this lane that take too long, and for when the next one will. */
void breakers_stall_look(struct breakers *breakers, struct lane_side *side);
bool breakers_stall_store(struct breakers *breakers, const struct journal_mark *mark);

/* ---- policy.c */
/* Whose calls in flight are looked at follows the settings. NULL: the slot is free. */
void breakers_watch(struct breakers *breakers, uint32_t slot, const struct breaker_settings *settings);
/* Settings of its name, mode by config; everything that clients judge by is written. */
void breakers_configure(struct breakers *breakers, uint32_t slot, const struct config *config);
/* Judge and the rest anew, and the generation in the word. */
void breakers_publish(struct breakers *breakers, uint32_t slot);
/* The next open time, as the image has it; core NULL: the image in force. */
void breakers_publish_next_open(struct breakers *breakers, uint32_t slot, const struct core_state *core,
                                uint64_t at_least_ms);
/* The breaker is open no more: open.forget runs for its growth from now on. The published open time stays. */
void breakers_opening_ended(struct breakers *breakers, uint32_t slot);
/* The same for a breaker that is there: where that puts another mode in force, ring and log say by whom. */
void breakers_configure_again(struct breakers *breakers, uint32_t slot, const struct config *config,
                              const struct breakers_actor *actor);
/* The mode in force, as its owners and their TTLs say. If it changed it is published, and ring and log say by whom. */
void breakers_take_mode(struct breakers *breakers, uint32_t slot, const struct breakers_actor *actor);
void breakers_look_at_mode(struct breakers *breakers, uint32_t slot); /* its time may have ended */
/* The longest time that a deadline may lie ahead now. */
uint64_t breakers_longest_ms(const struct breakers *breakers, uint32_t slot);

/* ---- limits.c */
/* What was not there before is in the table: whether tickets may be out. Then, where its calls so far are known, what
 * they earned is not earned again. */
void breakers_limits_adopt(struct breakers *breakers, uint32_t slot);
void breakers_limits_from_now(struct breakers *breakers, uint32_t slot);
void breakers_limits_begin(struct breakers *breakers, uint32_t slot); /* words as for a new name */
void breakers_limits_configure(struct breakers *breakers, uint32_t slot);
void breakers_limits_publish(struct breakers *breakers, uint32_t slot); /* as settings and measurements say */
void breakers_limits_counted(struct breakers *breakers, uint32_t slot); /* a drain brought something */
/* Once a second: the budget's cap, tickets of lanes that are not there, what people are
 * shown. False: without calls nothing of that will change. */
bool breakers_limits_look(struct breakers *breakers, uint32_t slot);
/* After the looks at all breakers: frees the tickets that no call of their lane accounts for. */
void breakers_limits_reclaim(struct breakers *breakers);
/* A lane is gone, and its number may be another's soon. */
void breakers_tickets_of_lane(struct breakers *breakers, uint32_t lane);
void breakers_limits_forget(struct breakers *breakers, uint32_t slot);

/* ---- adaptive.c */
uint64_t breakers_adaptive_tickets(const struct breaker *breaker);
uint64_t breakers_adaptive_permille(const struct breaker *breaker);
uint64_t breakers_adaptive_hedge_ns(const struct breaker *breaker);
void breakers_adaptive_configure(struct breakers *breakers, uint32_t slot);
void breakers_adaptive_from_now(struct breakers *breakers, uint32_t slot);
void breakers_adaptive_free(struct breaker *breaker);
void breakers_adaptive_counted(struct breakers *breakers, uint32_t slot);
uint64_t breakers_adaptive_due_ns(const struct breaker *breaker);
/* Samples if it is time, and publishes what follows. */
void breakers_adaptive_tick(struct breakers *breakers, uint32_t slot);

/* ---- lanes.c */
/* The details' latencies: what the meters have counted since. */
void breakers_publish_latency(struct breakers *breakers, uint32_t slot);
void breakers_home(struct breakers *breakers, struct meter_side *meter); /* to the breaker that its owner names */
void breakers_strays(struct breakers *breakers, struct meter_side **chain);
void breakers_homeless(struct breakers *breakers, uint32_t slot); /* all of a breaker that is forgotten */
void breakers_find_meters(struct breakers *breakers); /* those that clients took, or gave to a breaker, until now */
/* Reads what lanes have told, drains and settles whom it is about, until nothing is left. */
void breakers_collect(struct breakers *breakers);
void breakers_collect_told(struct breakers *breakers); /* the same of all that have told something */
/* The same of all lanes, whether they have told something or not: new meters are found. */
void breakers_collect_all(struct breakers *breakers);

/* ---- bell.c */
void breakers_bell_look(struct breakers *breakers, uint32_t slot); /* before its meters are read */
/* What was read is judged: says at which failure clients ring. */
void breakers_bell_set(struct breakers *breakers, uint32_t slot, uint64_t word);

/* ---- due.c */
void breakers_schedule(struct breakers *breakers, uint32_t slot, uint64_t word);
/* Both saturate. */
uint64_t breakers_ms_to_ns(uint64_t ms);
uint64_t breakers_after(uint64_t ns, uint64_t by);

/* ---- reuse.c */
/* Closed, nothing in flight, and no mode but the config's: after forget_after without a call, lists leave it out. */
bool breakers_may_hide(const struct breakers *breakers, uint32_t slot, uint64_t word);
/* The table is full: frees the slot of a breaker that would be the same if it were made anew: of one that never had a
 * call, or of the one that is hidden for longest. False: there is none. */
bool breakers_make_room(struct breakers *breakers);
/* The same of one that this user made, if it is hidden. */
bool breakers_make_room_of(struct breakers *breakers, uid_t uid);

/* ---- trace.c: nothing where nobody traces */
void breakers_trace_record(const struct breakers *breakers, uint32_t slot, trip_outcome outcome, trip_error_type error,
                           bool slow);
/* until_ms 0: no TTL. */
void breakers_trace_mode(const struct breakers *breakers, uint32_t slot, trip_mode mode, uint64_t until_ms);
/* An operator's: a trip or a reset. */
void breakers_trace_move(const struct breakers *breakers, uint32_t slot, const struct move *move);

/* ---- adopt.c */
int breakers_adopt(struct breakers *breakers);

#endif
