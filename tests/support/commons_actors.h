/* Clients of one breaker, and a tripd that makes a commons: each a step machine over the very functions of
 * internal/succession.h, state_word.h and policy.h, a touch of shared memory a step, for interleave.h.
 *
 * Two processes: callers 0 and 1 are threads of the first, caller 2 is the second's. Beside them each process has an
 * attacher, which looks for tripd. A caller's program, an operation a letter
 *   F   records a failure       A   asks whether a call is admitted
 * the operator's
 *   T   trips                   R   resets
 *
 * tripd may die at any step, as often as the scenario says: alone, and the next one inherits its commons from the
 * keeper, or with the keeper, and the next one makes another. Time stands still: no opening ends by itself.
 *
 * Beside the words the world keeps what operators were answered and what clients opened: `commons_check` says what must
 * follow from it. */
#ifndef TRIP_TEST_COMMONS_ACTORS_H
#define TRIP_TEST_COMMONS_ACTORS_H

#include "interleave.h"
#include "internal/succession.h"

#define COMMONS_CALLERS    3
#define COMMONS_PROCESSES  2
#define COMMONS_ATTACHERS  COMMONS_CALLERS
#define COMMONS_TRIPD      (COMMONS_ATTACHERS + COMMONS_PROCESSES)
#define COMMONS_OPERATOR   (COMMONS_TRIPD + 1)
#define COMMONS_ACTORS     (COMMONS_OPERATOR + 1)
#define COMMONS_MADE_MAX   3
#define COMMONS_OLD        2 /* earlier commons from which a process may hand openings over */
#define COMMONS_OPEN_MS    30000
#define COMMONS_TRIP_MS    20000 /* a shorter time, so that a streak's opening outlives it */
#define COMMONS_LONGEST_MS 60000

enum commons_bug {
    COMMONS_NO_BUG,
    COMMONS_NO_SECOND_LOOK,  /* a process that opened does not check whether its commons is still in force */
    COMMONS_NOT_RESTED,      /* an opening outlives its commons even if the breaker has moved since */
    COMMONS_ANY_AGE,         /* the same if it moved in a commons between */
    COMMONS_REST_WORD_FIRST, /* tripd notes which word rests before it notes since when */
    COMMONS_ANSWERED_EARLY,  /* tripd answers before it has put the new number into the admission word */
    COMMONS_NUMBERS_ONCE,    /* a tripd that finds a commons published leaves its number */
    COMMONS_NOT_HANDED_OVER, /* a process moves to the new commons, and hands no opening over */
    COMMONS_UNHEARD,         /* a process sends a late opening only once, even if tripd dies before it takes it */
    COMMONS_DEAD_WORD,       /* a superseded process decides by the word of its old commons */
};

struct commons_scenario {
    const char *callers[COMMONS_CALLERS];
    const char *verbs; /* the operator's verbs */
    uint8_t threshold;
    uint8_t deaths, deaths_of_both; /* how often tripd may die: alone, together with its keeper */
    enum commons_bug bug;
};

static const struct commons_scenario *succession;

/* How often steps went the way for which they are tried, in different worlds. */
static struct {
    uint64_t opened, late_looks, taken, not_taken, superseded, by_own, by_mirror, failed_swaps, hung_up;
} commons_met;

enum commons_caller_at {
    C_WORD,
    C_ADMISSION,
    C_GLANCE,
    C_MIRROR,
    C_OWN,
    C_REST,
    C_SINCE,
    C_AWAY,
    C_AGAIN,
    C_SWAP,
    C_LOOK,
    C_FLAG
};
enum commons_attacher_at {
    A_IDLE,
    A_CLEAR,
    A_READ,
    A_OWED,
    A_CLEAR_OLDER,
    A_READ_OLDER,
    A_SEND,
    A_WAIT,
    A_LATE_CLEAR,
    A_LATE_READ
};
enum commons_tripd_at {
    T_START,
    T_RESTS_FIRST,
    T_RESTS_SECOND,
    T_FILL,
    T_FILLED,
    T_ID,
    T_ADOPT,
    T_ADOPTED,
    T_ADMISSION,
    T_SERVE,
    T_SYNC,
    T_VERB,
    T_VERB_SWAP,
    T_VERB_MIRROR,
    T_VERB_ANSWER,
    T_TAKE,
    T_TAKE_SYNC,
    T_TAKE_SWAP,
    T_TAKE_MIRROR,
    T_TAKEN
};
enum commons_decides { D_COMMONS, D_MIRROR, D_AWAY /* the superseded commons, for want of a tripd */ };
enum commons_packet { P_NONE, P_ASKED, P_ANSWERED, P_HUNG_UP };

struct commons_caller {
    uint64_t word, mirror, own_word, rest_word;
    uint8_t at, operation, own, decides, opens, began_tripped, began_reset, since;
};

struct commons_attacher {
    uint64_t words[COMMONS_OLD];
    uint8_t at, before, offer, count, from[COMMONS_OLD], late, unused;
};

/* Openings that a process has sent. */
struct commons_openings {
    uint64_t words[COMMONS_OLD];
    uint8_t state, count, from[COMMONS_OLD], unused[4];
};

struct commons_world {
    /* the segment */
    uint64_t admission, mirror, rest_word;
    /* each commons' word, by number */
    uint64_t words[COMMONS_MADE_MAX + 1];
    struct commons_caller callers[COMMONS_CALLERS];
    struct commons_attacher attachers[COMMONS_PROCESSES];
    struct commons_openings openings[COMMONS_PROCESSES];
    struct {
        uint64_t word, next;
        uint8_t at, process, entry, serving, held, deaths, deaths_of_both, unused;
    } tripd;
    uint8_t rest_since, published, verb, asked, operation;
    /* each process: the commons in use, the one before each, in which of them a breaker was opened late */
    uint8_t bound[COMMONS_PROCESSES], older[COMMONS_PROCESSES][COMMONS_MADE_MAX + 1],
        opened_late[COMMONS_PROCESSES][COMMONS_MADE_MAX + 1];
    /* promised */
    uint8_t tripped;     /* a trip was answered, and no reset asked for since */
    uint8_t reset;       /* a reset was answered, and nothing has opened since in this commons or a later one */
    uint8_t opened;      /* a client opened it, and no reset came since */
    uint8_t reset_in;    /* the latest commons in which a word was reset */
    uint8_t reset_acked; /* the same, and the operator was answered */
    uint8_t broken, unused[11];
};

enum commons_broken { B_NONE, B_ADMITTED, B_DENIED, B_UNDONE };

static inline unsigned commons_process(unsigned caller)
{
    return caller == 2;
}

static inline uint64_t commons_plain(unsigned number)
{
    return policy_plain(1, number);
}

static inline bool commons_outlives(uint64_t word, unsigned number, uint64_t rest_word, uint64_t since,
                                    uint64_t now_word)
{
    struct breaker_rest rest = {.word = rest_word, .since = since};
    if (succession->bug == COMMONS_NOT_RESTED)
        rest = (struct breaker_rest){.word = now_word, .since = 1};
    if (succession->bug == COMMONS_ANY_AGE && since != 0)
        rest.since = 1;
    return word_outlives(word, number, &rest, now_word, 0, COMMONS_LONGEST_MS);
}

/* --------------------------------------------------------------------------------------------------------- callers */

static inline char commons_operation(const struct commons_world *world, unsigned caller)
{
    const char *const program = succession->callers[caller];
    return program ? program[world->callers[caller].operation] : '\0';
}

static inline void commons_called(struct commons_caller *self)
{
    *self = (struct commons_caller){.operation = (uint8_t)(self->operation + 1)};
}

/* A thread that is two restarts late is beyond help: docs/decisions/succession.md. */
static inline void commons_opened(struct commons_world *world, struct commons_caller *self)
{
    if (self->opens && world->published <= self->own + 1)
        world->opened = 1;
    commons_called(self);
}

static inline void commons_answers(struct commons_world *world, struct commons_caller *self)
{
    const bool admitted = word_state(self->word) != WORD_OPEN;
    if (admitted && self->began_tripped && world->tripped)
        world->broken = B_ADMITTED;
    if (!admitted && self->began_reset && world->reset && self->decides != D_AWAY)
        world->broken = B_DENIED;
    commons_called(self);
}

/* Judges the word like streak_failed; the mirror does not move. */
static inline void commons_fails(struct commons_caller *self)
{
    if (self->decides == D_MIRROR || !word_counts_streak(self->word))
        commons_called(self);
    else
        self->at = C_SWAP;
}

static inline void commons_decided(struct commons_world *world, struct commons_caller *self, char operation)
{
    if (operation == 'F')
        commons_fails(self);
    else
        commons_answers(world, self);
}

static inline void commons_swaps(struct commons_world *world, struct commons_caller *self)
{
    const struct policy_slot slot = {.judge = {policy_judge(succession->threshold, TRIP_MODE_AUTO, false, 0),
                                               policy_judge(0, TRIP_MODE_AUTO, false, 0)}};
    const uint64_t judge = policy_judge_of(&slot, word_generation(self->word));
    bool opened;
    const uint64_t after = word_after_failure(self->word, judge, COMMONS_OPEN_MS, &opened);
    if (world->words[self->own] != self->word) {
        const bool moved = word_epoch(world->words[self->own]) != word_epoch(self->word);
        commons_met.failed_swaps++;
        self->word = world->words[self->own];
        if (moved || !word_counts_streak(self->word))
            commons_called(self);
        return;
    }
    world->words[self->own] = after;
    if (!opened) {
        commons_called(self);
        return;
    }
    commons_met.opened++;
    self->opens = self->own >= world->reset_in;
    if (self->opens)
        world->reset = 0;
    if (succession->bug == COMMONS_NO_SECOND_LOOK)
        commons_opened(world, self);
    else
        self->at = C_LOOK;
}

/* Chooses the word that decides after another commons came, as superseded() of breaker.c does. */
static inline void commons_superseded(struct commons_caller *self, bool away)
{
    const bool mirror_opens = word_state(self->mirror) == WORD_OPEN && !word_due(self->mirror, 0, COMMONS_LONGEST_MS);
    const bool knows_more = commons_outlives(self->own_word, self->own, self->rest_word, self->since, self->mirror) ||
                            succession->bug == COMMONS_DEAD_WORD;
    self->decides = knows_more ? D_COMMONS : away && !mirror_opens ? D_AWAY : D_MIRROR;
    commons_met.superseded++;
    commons_met.by_own += knows_more;
    commons_met.by_mirror += self->decides == D_MIRROR;
    self->mirror = self->own_word = self->rest_word = 0;
    self->since = 0;
    self->at = C_AGAIN;
}

static inline void commons_caller_starts(struct commons_world *world, struct commons_caller *self, unsigned caller)
{
    self->own = world->bound[commons_process(caller)];
    self->word = world->words[self->own];
    self->began_tripped = world->tripped;
    self->began_reset = world->reset;
    self->at = C_ADMISSION;
}

/* way 1: tripd is gone, but its heartbeat is not stale yet. */
static inline void commons_caller_step(struct commons_world *world, unsigned caller, unsigned way)
{
    struct commons_caller *const self = &world->callers[caller];
    const char operation = commons_operation(world, caller);
    const uint64_t plain = commons_plain(self->own);
    switch (self->at) {
    case C_WORD:
        commons_caller_starts(world, self, caller);
        break;
    case C_ADMISSION:
        if (world->admission == plain && word_state(self->word) == WORD_CLOSED)
            commons_decided(world, self, operation);
        else
            self->at = C_GLANCE;
        break;
    case C_GLANCE:
        self->at = policy_same_commons(world->admission, plain) ? C_AGAIN : C_MIRROR;
        break;
    case C_MIRROR:
        self->mirror = world->mirror;
        self->at = C_OWN;
        break;
    case C_OWN:
        self->own_word = world->words[self->own];
        self->at = C_REST;
        break;
    case C_REST:
        self->rest_word = world->rest_word;
        self->at = C_SINCE;
        break;
    case C_SINCE:
        self->since = world->rest_since;
        self->at = C_AWAY;
        break;
    case C_AWAY:
        commons_superseded(self, !world->tripd.serving && way == 0);
        break;
    case C_AGAIN:
        self->word = self->decides == D_MIRROR ? world->mirror : world->words[self->own];
        commons_decided(world, self, operation);
        break;
    case C_SWAP:
        commons_swaps(world, self);
        break;
    case C_LOOK:
        if (policy_same_commons(world->admission, plain))
            commons_opened(world, self);
        else
            self->at = C_FLAG;
        break;
    default:
        commons_met.late_looks++;
        world->opened_late[commons_process(caller)][self->own] = 1;
        commons_opened(world, self);
    }
}

static inline unsigned commons_caller_ways(const struct commons_world *world, unsigned caller)
{
    if (!commons_operation(world, caller))
        return 0;
    return world->callers[caller].at == C_AWAY && !world->tripd.serving ? 2 : 1;
}

/* ------------------------------------------------------------------------------------------------------- attachers */

static inline uint8_t commons_before(const struct commons_world *world, unsigned process)
{
    return world->older[process][world->bound[process]];
}

static inline bool commons_owes(const struct commons_world *world, unsigned process, uint8_t number)
{
    return number != 0 && world->opened_late[process][number];
}

static inline bool commons_in_use(unsigned process)
{
    return process == 0 ? succession->callers[0] || succession->callers[1] : succession->callers[2] != NULL;
}

static inline void commons_attacher_done(struct commons_attacher *self)
{
    *self = (struct commons_attacher){.at = A_IDLE};
}

/* Hangs up, as attach_close does: openings that were handed over late have to be handed over again. */
static inline void commons_hung_up(struct commons_world *world, struct commons_attacher *self, unsigned process)
{
    commons_met.hung_up++;
    if (self->late && succession->bug != COMMONS_UNHEARD)
        world->opened_late[process][commons_before(world, process)] = 1;
    world->openings[process] = (struct commons_openings){.state = P_NONE};
    commons_attacher_done(self);
}

static inline void commons_bind(struct commons_world *world, struct commons_attacher *self, unsigned process)
{
    if (self->offer) {
        world->older[process][self->offer] = world->bound[process];
        world->bound[process] = self->offer;
    }
    world->openings[process] = (struct commons_openings){.state = P_NONE};
    commons_attacher_done(self);
}

static inline void commons_note(struct commons_attacher *self, uint8_t number, uint64_t word)
{
    if (word_state(word) != WORD_OPEN || succession->bug == COMMONS_NOT_HANDED_OVER)
        return;
    self->from[self->count] = number;
    self->words[self->count++] = word;
}

static inline void commons_sends(struct commons_world *world, struct commons_attacher *self, unsigned process)
{
    if (self->count == 0) {
        commons_bind(world, self, process);
        return;
    }
    world->openings[process] = (struct commons_openings){.state = P_ASKED,
                                                         .count = self->count,
                                                         .words = {self->words[0], self->words[1]},
                                                         .from = {self->from[0], self->from[1]}};
    memset(self->words, 0, sizeof(self->words));
    memset(self->from, 0, sizeof(self->from));
    self->at = A_WAIT;
}

static inline void commons_attacher_starts(const struct commons_world *world, struct commons_attacher *self,
                                           unsigned process)
{
    self->before = world->bound[process];
    if (world->bound[process] != world->published) {
        self->offer = world->published;
        self->at = A_CLEAR;
    } else {
        self->before = commons_before(world, process);
        self->late = 1;
        self->at = A_LATE_CLEAR;
    }
}

static inline void commons_attacher_step(struct commons_world *world, unsigned process)
{
    struct commons_attacher *const self = &world->attachers[process];
    const uint8_t older = world->older[process][self->before];
    if (world->openings[process].state == P_HUNG_UP) {
        commons_hung_up(world, self, process);
        return;
    }
    switch (self->at) {
    case A_IDLE:
        commons_attacher_starts(world, self, process);
        break;
    case A_CLEAR:
        world->opened_late[process][self->before] = 0; /* before the word is read */
        self->at = A_READ;
        break;
    case A_READ:
        commons_note(self, self->before, world->words[self->before]);
        self->at = A_OWED;
        break;
    case A_OWED:
        self->at = commons_owes(world, process, older) ? A_CLEAR_OLDER : A_SEND;
        break;
    case A_CLEAR_OLDER:
        world->opened_late[process][older] = 0;
        self->late = 1;
        self->at = A_READ_OLDER;
        break;
    case A_READ_OLDER:
        commons_note(self, older, world->words[older]);
        self->at = A_SEND;
        break;
    case A_LATE_CLEAR:
        world->opened_late[process][self->before] = 0;
        self->at = A_LATE_READ;
        break;
    case A_LATE_READ:
        commons_note(self, self->before, world->words[self->before]);
        self->at = A_SEND;
        break;
    case A_SEND:
        commons_sends(world, self, process);
        break;
    default:
        commons_bind(world, self, process);
    }
}

static inline unsigned commons_attacher_ways(const struct commons_world *world, unsigned process)
{
    const struct commons_attacher *const self = &world->attachers[process];
    const struct commons_openings *const openings = &world->openings[process];
    if (!commons_in_use(process))
        return 0;
    if (self->at == A_WAIT)
        return openings->state != P_ASKED;
    if (self->at != A_IDLE)
        return 1;
    return world->tripd.serving &&
           (world->bound[process] != world->published || commons_owes(world, process, commons_before(world, process)));
}

/* ----------------------------------------------------------------------------------------------------------- tripd */

static inline void commons_tripd_dies(struct commons_world *world, bool with_keeper)
{
    const uint8_t alone = world->tripd.deaths, both = world->tripd.deaths_of_both;
    const uint8_t held = with_keeper ? 0 : world->tripd.held;
    memset(&world->tripd, 0, sizeof(world->tripd));
    world->tripd.at = T_START;
    world->tripd.held = held;
    world->tripd.deaths = (uint8_t)(alone - !with_keeper);
    world->tripd.deaths_of_both = (uint8_t)(both - with_keeper);
    world->verb = 0; /* nobody answers */
    for (unsigned process = 0; process < COMMONS_PROCESSES; process++)
        if (world->attachers[process].at != A_IDLE && world->openings[process].state != P_ANSWERED)
            world->openings[process] = (struct commons_openings){.state = P_HUNG_UP};
}

static inline uint64_t commons_fresh(uint64_t mirror)
{
    const uint32_t epoch = (word_epoch(mirror) + WORD_FRESH_COMMONS_EPOCHS) & WORD_EPOCH_MASK;
    return word_state(mirror) == WORD_OPEN ? word_open(epoch, word_deadline_ms(mirror))
                                           : word_closed(epoch, word_streak(mirror), 0);
}

/* Notes rests as segment_commons_begin does: `since` first. */
static inline void commons_notes_rest(struct commons_world *world, bool first)
{
    const bool word_now = first == (succession->bug == COMMONS_REST_WORD_FIRST);
    if (word_now)
        world->rest_word = world->tripd.word;
    else
        world->rest_since = (uint8_t)(world->published + 1);
    world->tripd.at = first ? T_RESTS_SECOND : T_FILL;
}

static inline void commons_tripd_makes(struct commons_world *world)
{
    switch (world->tripd.at) {
    case T_START:
        if (world->tripd.held == 0) {
            world->tripd.held = (uint8_t)(world->published + 1);
            world->words[world->tripd.held] = 0;
        }
        world->tripd.at = world->tripd.held == world->published ? T_ADOPT : T_RESTS_FIRST;
        break;
    case T_RESTS_FIRST:
        world->tripd.word = world->mirror;
        if (world->rest_since != 0 && !word_moved(world->rest_word, world->mirror))
            world->tripd.at = T_FILL;
        else
            commons_notes_rest(world, true);
        break;
    case T_RESTS_SECOND:
        commons_notes_rest(world, false);
        break;
    case T_FILL:
        world->tripd.word = commons_fresh(world->mirror);
        world->words[world->tripd.held] = world->tripd.word;
        world->tripd.at = T_FILLED;
        break;
    case T_FILLED:
        world->mirror = world->tripd.word;
        world->tripd.at = T_ID;
        break;
    case T_ID:
        world->published = world->tripd.held;
        world->tripd.at = T_ADMISSION;
        break;
    case T_ADOPT:
        world->tripd.word = world->words[world->tripd.held];
        world->tripd.at = T_ADOPTED;
        break;
    case T_ADOPTED:
        world->mirror = world->tripd.word;
        world->tripd.at = succession->bug == COMMONS_NUMBERS_ONCE ? T_SERVE : T_ADMISSION;
        break;
    default:
        world->admission = policy_with_commons(world->admission, world->published);
        world->tripd.at = T_SERVE;
    }
    if (world->tripd.at == T_SERVE || (world->tripd.at == T_ADMISSION && succession->bug == COMMONS_ANSWERED_EARLY)) {
        world->tripd.serving = 1;
        world->tripd.word = 0;
    }
}

static inline void commons_serves_on(struct commons_world *world)
{
    const bool owes_number = !policy_same_commons(world->admission, commons_plain(world->published)) &&
                             succession->bug == COMMONS_ANSWERED_EARLY;
    world->tripd.at = owes_number ? T_ADMISSION : T_SERVE;
    world->tripd.word = world->tripd.next = 0;
    world->tripd.process = world->tripd.entry = 0;
}

static inline void commons_verb_step(struct commons_world *world)
{
    uint64_t *const word = &world->words[world->tripd.held];
    const bool trips = world->verb == 'T';
    switch (world->tripd.at) {
    case T_VERB:
        world->tripd.word = *word;
        world->tripd.at = T_VERB_SWAP;
        break;
    case T_VERB_SWAP:
        if (*word != world->tripd.word) {
            commons_met.failed_swaps++;
            world->tripd.word = *word;
            break;
        }
        *word = world->tripd.next =
            trips ? word_open(word_epoch(*word) + 1, COMMONS_TRIP_MS) : word_closed(word_epoch(*word) + 1, 0, 0);
        if (!trips) {
            world->reset_in = world->tripd.held;
            world->opened = 0;
            for (unsigned caller = 0; caller < COMMONS_CALLERS; caller++)
                world->callers[caller].opens = 0;
        }
        world->tripd.at = T_VERB_MIRROR;
        break;
    case T_VERB_MIRROR:
        world->mirror = world->tripd.next;
        world->tripd.at = T_VERB_ANSWER;
        break;
    default:
        if (trips) {
            world->tripped = 1;
        } else {
            world->reset_acked = world->tripd.held;
            world->reset = word_state(*word) != WORD_OPEN;
        }
        world->verb = 0;
        commons_serves_on(world);
    }
}

/* Takes an opening of a process, as breakers_opened_before does. */
static inline void commons_take_step(struct commons_world *world)
{
    struct commons_openings *const openings = &world->openings[world->tripd.process];
    uint64_t *const word = &world->words[world->tripd.held];
    if (world->tripd.at == T_TAKEN) {
        *openings = (struct commons_openings){.state = P_ANSWERED};
        commons_serves_on(world);
        return;
    }
    const uint64_t opening = openings->words[world->tripd.entry];
    const uint8_t from = openings->from[world->tripd.entry];
    bool over = false;
    switch (world->tripd.at) {
    case T_TAKE:
        world->tripd.word = *word;
        world->tripd.at = T_TAKE_SYNC;
        break;
    case T_TAKE_SYNC: {
        const bool takes = commons_outlives(opening, from, world->rest_word, world->rest_since, world->tripd.word);
        world->mirror = world->tripd.word;
        commons_met.not_taken += !takes;
        world->tripd.at = T_TAKE_SWAP;
        over = !takes;
        break;
    }
    case T_TAKE_SWAP:
        if (*word != world->tripd.word) {
            commons_met.failed_swaps++;
            world->tripd.at = T_TAKE;
            break;
        }
        *word = world->tripd.next = word_open(word_epoch(*word) + 1, word_deadline_ms(opening));
        commons_met.taken++;
        if (from < world->reset_acked)
            world->broken = B_UNDONE;
        world->tripd.at = T_TAKE_MIRROR;
        break;
    default:
        world->mirror = world->tripd.next;
        over = true;
    }
    if (over) {
        world->tripd.word = world->tripd.next = 0;
        world->tripd.entry++;
        world->tripd.at = world->tripd.entry < openings->count ? T_TAKE : T_TAKEN;
    }
}

/* Returns what a serving tripd can do now; `way` counts these. */
static inline unsigned commons_serve(struct commons_world *world, const struct commons_world *seen, unsigned way)
{
    unsigned ways = 0;
    if (seen->words[seen->tripd.held] != seen->mirror && ways++ == way && world)
        world->tripd.at = T_SYNC;
    if (seen->verb && ways++ == way && world)
        world->tripd.at = T_VERB;
    for (uint8_t process = 0; process < COMMONS_PROCESSES; process++)
        if (seen->openings[process].state == P_ASKED && ways++ == way && world) {
            world->tripd.process = process;
            world->tripd.at = T_TAKE;
        }
    return ways;
}

static inline bool commons_idles(const struct commons_world *world)
{
    return world->tripd.at == T_SERVE || (world->tripd.at == T_ADMISSION && world->tripd.serving);
}

/* Lets tripd work; its deaths come elsewhere. */
static inline unsigned commons_tripd_works(const struct commons_world *world)
{
    if (!commons_idles(world))
        return 1;
    return commons_serve(NULL, world, 0) + (world->tripd.at == T_ADMISSION);
}

static inline void commons_tripd_works_on(struct commons_world *world, unsigned way)
{
    const struct commons_world seen = *world;
    if (commons_idles(world) && commons_serve(NULL, &seen, 0) > way) {
        commons_serve(world, &seen, way);
        if (world->tripd.at == T_SYNC) {
            world->tripd.word = world->words[world->tripd.held];
            return;
        }
        if (world->tripd.at == T_VERB)
            commons_verb_step(world);
        else
            commons_take_step(world);
        return;
    }
    if (world->tripd.at == T_SYNC) {
        world->mirror = world->tripd.word;
        commons_serves_on(world);
    } else if (world->tripd.at >= T_TAKE) {
        commons_take_step(world);
    } else if (world->tripd.at >= T_VERB) {
        commons_verb_step(world);
    } else {
        commons_tripd_makes(world);
    }
}

static inline void commons_tripd_step(struct commons_world *world, unsigned way)
{
    const unsigned works = commons_tripd_works(world);
    if (way < works)
        commons_tripd_works_on(world, way);
    else
        commons_tripd_dies(world, way - works == 1 || world->tripd.deaths == 0);
}

/* -------------------------------------------------------------------------------------------------------- operator */

static inline void commons_operator_step(struct commons_world *world)
{
    if (world->asked) { /* it was answered, or nobody will answer */
        world->asked = 0;
        world->operation++;
        return;
    }
    world->verb = (uint8_t)succession->verbs[world->operation];
    world->asked = 1;
    if (world->verb == 'R')
        world->tripped = 0;
    else
        world->reset = 0;
}

static inline unsigned commons_operator_ways(const struct commons_world *world)
{
    if (!succession->verbs || !succession->verbs[world->operation])
        return 0;
    return world->asked ? world->verb == 0 : world->tripd.serving;
}

/* ------------------------------------------------------------------------------------------------------- the world */

static inline unsigned commons_works(const struct commons_world *world, unsigned actor)
{
    if (actor == COMMONS_OPERATOR)
        return commons_operator_ways(world);
    if (actor == COMMONS_TRIPD)
        return commons_tripd_works(world);
    return actor < COMMONS_ATTACHERS ? commons_caller_ways(world, actor)
                                     : commons_attacher_ways(world, actor - COMMONS_ATTACHERS);
}

static inline unsigned commons_ways(const void *at, unsigned actor)
{
    const struct commons_world *const world = at;
    const bool may_make = world->published < COMMONS_MADE_MAX && world->tripd.held <= COMMONS_MADE_MAX;
    unsigned deaths = 0;
    if (actor == COMMONS_TRIPD)
        deaths = (unsigned)(world->tripd.deaths > 0) + (unsigned)(world->tripd.deaths_of_both > 0 && may_make);
    return commons_works(world, actor) + deaths;
}

static inline void commons_step(void *at, unsigned actor, unsigned way)
{
    struct commons_world *const world = at;
    if (actor == COMMONS_OPERATOR)
        commons_operator_step(world);
    else if (actor == COMMONS_TRIPD)
        commons_tripd_step(world, way);
    else if (actor < COMMONS_ATTACHERS)
        commons_caller_step(world, actor, way);
    else
        commons_attacher_step(world, actor - COMMONS_ATTACHERS);
}

static inline bool commons_has_settled(const struct commons_world *world)
{
    for (unsigned actor = 0; actor < COMMONS_ACTORS; actor++)
        if (commons_works(world, actor))
            return false;
    return true;
}

static inline const char *commons_check(const void *at, bool ended)
{
    static const char *const broken[] = {[B_ADMITTED] = "a call was admitted that began after an acknowledged trip",
                                         [B_DENIED] = "a call was denied that began after an acknowledged reset",
                                         [B_UNDONE] = "an older opening has undone an acknowledged reset"};
    const struct commons_world *const world = at;
    const uint64_t word = world->words[world->tripd.held];
    (void)ended; /* a tripd that may still die always has a next step */
    if (world->broken)
        return broken[world->broken];
    if (!commons_has_settled(world))
        return NULL;
    if (world->opened && word_state(word) != WORD_OPEN)
        return "an opening was lost";
    if (world->tripped && word_state(word) != WORD_OPEN)
        return "an acknowledged trip was lost";
    if (world->mirror != word)
        return "the mirror is another word";
    return policy_same_commons(world->admission, commons_plain(world->tripd.held)) ? NULL : "the number is an old one";
}

static inline bool commons_explore(const struct commons_scenario *scenario, struct interleave *ret_run)
{
    struct commons_world start;
    succession = scenario;
    memset(&start, 0, sizeof(start));
    memset(&commons_met, 0, sizeof(commons_met));
    start.mirror = start.words[1] = word_closed(7, 0, 0);
    start.admission = commons_plain(1);
    start.published = start.tripd.held = start.tripd.serving = 1;
    start.tripd.at = T_SERVE;
    start.tripd.deaths = scenario->deaths;
    start.tripd.deaths_of_both = scenario->deaths_of_both;
    for (unsigned process = 0; process < COMMONS_PROCESSES; process++)
        start.bound[process] = 1;
    *ret_run = (struct interleave){.size = sizeof(start),
                                   .actors = COMMONS_ACTORS,
                                   .ways = commons_ways,
                                   .step = commons_step,
                                   .check = commons_check};
    return interleave_explore(ret_run, &start);
}

#endif
