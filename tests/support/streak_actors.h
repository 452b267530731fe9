/* Clients that count a streak and a tripd that reloads, opens and resets meanwhile: each a step machine over the very
 * functions of internal/state_word.h, a touch of shared memory a step, for interleave.h.
 *
 * A client's program, an operation a letter
 *   F S   records a failure, a success          a     is admitted: notes the epoch
 *   f s   ends the admitted call likewise       p P   ends its own probing well, badly
 *   E     takes the step that is due while the heartbeat is stale (the end of a ramp)
 * tripd's
 *   R     the next policy of the scenario       X C   opens (a rate); resets: closed, no streak
 *   T     the next step of a ramp               E     the ramp's end
 *   L     looks whether the word has the newest generation
 *
 * Beside the words the world keeps what the contract says they must be: `expect` follows each operation at the step
 * that makes it visible. */
#ifndef TRIP_TEST_STREAK_ACTORS_H
#define TRIP_TEST_STREAK_ACTORS_H

#include "interleave.h"
#include "internal/state_word.h"

#define STREAK_CLIENTS  3
#define STREAK_TRIPD    STREAK_CLIENTS
#define STREAK_UNTIL_MS 30000

enum streak_bug {
    STREAK_NO_BUG,
    STREAK_BLIND_FAILURE, /* a failure is stored, not swapped in */
    STREAK_BLIND_SUCCESS, /* a success stores the word without its streak */
    STREAK_LATE_SUCCESS,  /* a success of an earlier epoch ends the streak of this one */
    STREAK_BLIND_RELOAD,  /* the new generation is stored */
    STREAK_OTHER_JUDGE,   /* the first judge is taken, whatever the word's generation */
    STREAK_STUCK,         /* a word whose generation has no judge is not judged at all */
    STREAK_RAMP_FORGETS,  /* the end of a ramp begins the streak again */
    STREAK_SAME_EPOCH,    /* opening does not move the epoch */
};

struct streak_scenario {
    const char *clients[STREAK_CLIENTS];
    const char *tripd;
    const char *script;   /* instead of the clients' programs: these operations one after the other, by any client */
    uint64_t start;       /* the word; probing: its owner is client 0 */
    uint64_t policies[4]; /* judges; the scenario begins with [0] */
    bool tripd_may_die;
    enum streak_bug bug;
};

static const struct streak_scenario *streak;

/* How often steps went the contended way, in different worlds. */
static struct {
    uint64_t failed_swaps, opened, late, judges_outrun, repaired;
} streak_met;

enum streak_at { AT_START, AT_JUDGE, AT_EVEN, AT_ODD, AT_SWAP, AT_PUBLISH, AT_LOOK, AT_GENERATION };

struct streak_actor {
    uint64_t word, next, judge;
    uint8_t at, operation, opens, dead;
    uint32_t epoch; /* epoch at the admission */
};

struct streak_world {
    uint64_t word;
    uint64_t judges[2];
    struct streak_actor actors[STREAK_CLIENTS + 1];
    struct {
        uint32_t epoch, streak, generation;
        uint8_t open, ramping, wrong_judge, opened;
    } expect;
    uint64_t scripted; /* operations of the script that have begun */
};

static inline char streak_operation(const struct streak_world *world, unsigned actor)
{
    const uint8_t done = world->actors[actor].operation;
    if (actor == STREAK_TRIPD)
        return streak->tripd ? streak->tripd[done] : '\0';
    if (streak->script)
        return done ? streak->script[done - 1] : '\0';
    return streak->clients[actor] ? streak->clients[actor][done] : '\0';
}

static inline bool streak_swap(struct streak_world *world, struct streak_actor *self, bool blind)
{
    if (world->word == self->word || blind) {
        world->word = self->next;
        return true;
    }
    streak_met.failed_swaps++;
    self->word = world->word;
    return false;
}

static inline struct policy_slot streak_slot(uint64_t even, uint64_t odd)
{
    return (struct policy_slot){.judge = {even, odd}, .longest_ms = STREAK_UNTIL_MS, .ramp_end = policy_ramp_end(7, 0)};
}

/* ------------------------------------------------------------------------------------------ what the contract says */

static inline uint64_t streak_expected_judge(struct streak_world *world, uint64_t used)
{
    const uint32_t generation = world->expect.generation;
    if (judge_generation(world->judges[generation & 1]) != generation) { /* it has no judge: the newest one counts */
        streak_met.repaired++;
        world->expect.generation = judge_generation(used);
    }
    return streak->policies[world->expect.generation];
}

static inline void streak_expect_failure(struct streak_world *world, uint64_t used)
{
    const uint64_t judge = streak_expected_judge(world, used);
    const bool moves = judge_mode(judge) == TRIP_MODE_AUTO || judge_mode(judge) == TRIP_MODE_SHADOW;

    world->expect.wrong_judge |= used != judge;
    world->expect.streak++;
    if (!moves || judge_threshold(judge) == 0 || world->expect.streak < judge_threshold(judge))
        return;
    world->expect.open = 1;
    world->expect.ramping = 0;
    world->expect.opened++;
    world->expect.streak = 0;
    world->expect.epoch++;
}

static inline void streak_expect_closed(struct streak_world *world, uint32_t generation)
{
    world->expect.open = world->expect.ramping = 0;
    world->expect.streak = 0;
    world->expect.epoch++;
    world->expect.generation = generation;
}

static inline const char *streak_check(const void *at, bool ended)
{
    const struct streak_world *const world = at;
    const uint64_t word = world->word;
    (void)ended;

    if (world->expect.wrong_judge)
        return "a failure was judged by another generation than the word's";
    if (word_counts_streak(word) == (bool)world->expect.open)
        return world->expect.open ? "it should be open" : "it should be closed";
    if (word_epoch(word) != world->expect.epoch)
        return "the epoch is another one";
    if (world->expect.open)
        return NULL;
    if ((word_state(word) == WORD_RAMPING) != (bool)world->expect.ramping)
        return "the ramp did not end, or ended early";
    if (word_streak(word) != world->expect.streak)
        return "the streak is another one";
    return word_generation(word) == world->expect.generation ? NULL : "the generation is another one";
}

/* --------------------------------------------------------------------------------------------------------- clients */

static inline void streak_done(struct streak_world *world, struct streak_actor *self)
{
    self->at = AT_START;
    self->word = self->next = self->judge = 0;
    self->opens = 0;
    self->operation = streak->script && self != &world->actors[STREAK_TRIPD] ? 0 : (uint8_t)(self->operation + 1);
}

static inline void streak_client_loaded(struct streak_world *world, struct streak_actor *self, char operation)
{
    const bool success = operation == 'S' || operation == 's';
    const bool late = (operation == 's' || operation == 'f') && word_epoch(self->word) != self->epoch;

    if (late && !(streak->bug == STREAK_LATE_SUCCESS && success)) {
        streak_met.late++;
        streak_done(world, self);
        return;
    }
    if (!success && word_counts_streak(self->word)) {
        self->at = AT_JUDGE;
        return;
    }
    self->next = success ? word_after_success(self->word) : self->word;
    if (self->next == self->word)
        streak_done(world, self);
    else
        self->at = AT_SWAP;
}

static inline void streak_client_judges(struct streak_actor *self, uint64_t judge)
{
    bool opens;
    self->judge = judge;
    if (streak->bug == STREAK_OTHER_JUDGE)
        judge = policy_judge(judge_threshold(judge), judge_mode(judge), false, word_generation(self->word));
    self->next = word_after_failure(self->word, judge, STREAK_UNTIL_MS, &opens);
    if (opens && streak->bug == STREAK_SAME_EPOCH)
        self->next = word_open(word_epoch(self->word), STREAK_UNTIL_MS);
    self->opens = opens;
    self->at = AT_SWAP;
}

static inline void streak_client_swaps(struct streak_world *world, struct streak_actor *self, char operation)
{
    const bool success = operation == 'S' || operation == 's';
    const bool blind = streak->bug == (success ? STREAK_BLIND_SUCCESS : STREAK_BLIND_FAILURE);

    if (!streak_swap(world, self, blind)) {
        streak_client_loaded(world, self, operation);
        return;
    }
    if (!success)
        streak_expect_failure(world, self->judge);
    else if (operation == 'S' || self->epoch == world->expect.epoch)
        world->expect.streak = 0;
    streak_met.opened += self->opens;
    streak_done(world, self);
}

/* Records a failure or a success: loads the word, then judges and swaps until the very word that was judged is
 * replaced. */
static inline void streak_client_records(struct streak_world *world, struct streak_actor *self, char operation)
{
    switch (self->at) {
    case AT_START:
        self->word = world->word;
        streak_client_loaded(world, self, operation);
        break;
    case AT_JUDGE: {
        const uint32_t generation = word_generation(self->word);
        const uint64_t judge = world->judges[streak->bug == STREAK_OTHER_JUDGE ? 0 : generation & 1];
        if (judge_generation(judge) == generation || streak->bug == STREAK_OTHER_JUDGE) {
            streak_client_judges(self, judge);
            break;
        }
        streak_met.judges_outrun++;
        if (streak->bug == STREAK_STUCK)
            streak_done(world, self);
        else
            self->at = AT_EVEN;
        break;
    }
    case AT_EVEN:
        self->judge = world->judges[0];
        self->at = AT_ODD;
        break;
    case AT_ODD: {
        const struct policy_slot seen = streak_slot(self->judge, world->judges[1]);
        streak_client_judges(self, policy_newest_judge(&seen));
        break;
    }
    default:
        streak_client_swaps(world, self, operation);
    }
}

/* Ends the client's own probing: reads the judges, then makes one CAS from the word that it installed. */
static inline void streak_client_ends_probing(struct streak_world *world, struct streak_actor *self, bool good)
{
    switch (self->at) {
    case AT_START:
        self->judge = world->judges[0];
        self->at = AT_ODD;
        break;
    case AT_ODD: {
        const struct policy_slot seen = streak_slot(self->judge, world->judges[1]);
        self->judge = policy_newest_judge(&seen);
        self->word = streak->start;
        self->next = word_after_probe(self->word, good, STREAK_UNTIL_MS, judge_generation(self->judge));
        self->at = AT_SWAP;
        break;
    }
    default:
        if (streak_swap(world, self, false)) {
            if (good)
                streak_expect_closed(world, judge_generation(self->judge));
            else
                world->expect.epoch++;
        }
        streak_done(world, self);
    }
}

static inline void streak_ends_ramp(struct streak_world *world, struct streak_actor *self)
{
    const struct policy_slot slot = streak_slot(0, 0);

    if (self->at == AT_SWAP) {
        if (streak_swap(world, self, false)) {
            world->expect.ramping = 0;
            world->expect.epoch++;
            streak_done(world, self);
            return;
        }
    } else {
        self->word = world->word;
    }
    self->next = word_after_takeover(self->word, &slot, 1, 1);
    if (streak->bug == STREAK_RAMP_FORGETS && self->next != self->word)
        self->next = word_with_streak(self->next, 0);
    if (word_state(self->word) != WORD_RAMPING)
        streak_done(world, self);
    else
        self->at = AT_SWAP;
}

static inline void streak_client_step(struct streak_world *world, struct streak_actor *self, char operation)
{
    switch (operation) {
    case 'a':
        self->epoch = word_epoch(world->word);
        streak_done(world, self);
        break;
    case 'p':
    case 'P':
        streak_client_ends_probing(world, self, operation == 'p');
        break;
    case 'E':
        streak_ends_ramp(world, self);
        break;
    default:
        streak_client_records(world, self, operation);
    }
}

/* ----------------------------------------------------------------------------------------------------------- tripd */

static inline uint32_t streak_newest(const struct streak_world *world)
{
    const struct policy_slot slot = streak_slot(world->judges[0], world->judges[1]);
    return judge_generation(policy_newest_judge(&slot));
}

/* Moves the word to the newest generation, if it has an older one. */
static inline void streak_tripd_follows(struct streak_world *world, struct streak_actor *self, uint8_t then)
{
    if (!word_counts_streak(self->word) || word_generation(self->word) == streak_newest(world)) {
        if (then == AT_START)
            streak_done(world, self);
        self->at = then;
        return;
    }
    self->next = word_with_generation(self->word, streak_newest(world));
    self->judge = then; /* where it goes on */
    self->at = AT_GENERATION;
}

static inline void streak_tripd_moves_generation(struct streak_world *world, struct streak_actor *self)
{
    const uint8_t then = (uint8_t)self->judge;

    if (streak_swap(world, self, streak->bug == STREAK_BLIND_RELOAD)) {
        if (!world->expect.open)
            world->expect.generation = word_generation(self->next);
        self->word = self->next;
    }
    streak_tripd_follows(world, self, then);
}

/* Reloads: the word gets the newest generation, the next policy goes to the other place, and the word follows. */
static inline void streak_tripd_reloads(struct streak_world *world, struct streak_actor *self)
{
    switch (self->at) {
    case AT_START:
        self->word = world->word;
        streak_tripd_follows(world, self, AT_PUBLISH);
        break;
    case AT_PUBLISH: {
        const uint32_t generation = streak_newest(world) + 1;
        world->judges[generation & 1] = streak->policies[generation];
        self->at = AT_LOOK;
        break;
    }
    case AT_LOOK:
        self->word = world->word;
        streak_tripd_follows(world, self, AT_START);
        break;
    default:
        streak_tripd_moves_generation(world, self);
    }
}

static inline uint64_t streak_tripd_next(const struct streak_world *world, uint64_t word, char operation)
{
    switch (operation) {
    case 'X':
        return word_counts_streak(word) ? word_open(word_epoch(word) + 1, STREAK_UNTIL_MS) : word;
    case 'C':
        return word_closed(word_epoch(word) + 1, 0, streak_newest(world));
    default:
        return word_state(word) == WORD_RAMPING ? word_with_permille(word, word_permille(word) + 100) : word;
    }
}

static inline void streak_tripd_moves(struct streak_world *world, struct streak_actor *self, char operation)
{
    if (self->at == AT_START) {
        self->word = world->word;
    } else if (streak_swap(world, self, false)) {
        if (operation == 'C')
            streak_expect_closed(world, word_generation(self->next));
        if (operation == 'X') {
            world->expect.open = 1;
            world->expect.ramping = 0;
            world->expect.streak = 0;
            world->expect.epoch++;
        }
        streak_done(world, self);
        return;
    }
    self->next = streak_tripd_next(world, self->word, operation);
    if (self->next == self->word)
        streak_done(world, self);
    else
        self->at = AT_SWAP;
}

static inline void streak_tripd_step(struct streak_world *world, struct streak_actor *self, char operation)
{
    switch (operation) {
    case 'R':
        streak_tripd_reloads(world, self);
        break;
    case 'L':
        if (self->at == AT_START) {
            self->word = world->word;
            streak_tripd_follows(world, self, AT_START);
        } else {
            streak_tripd_moves_generation(world, self);
        }
        break;
    case 'E':
        streak_ends_ramp(world, self);
        break;
    default:
        streak_tripd_moves(world, self, operation);
    }
}

/* ----------------------------------------------------------------------------------------------------- for the walk */

static inline unsigned streak_ways(const void *at, unsigned actor)
{
    const struct streak_world *const world = at;
    const struct streak_actor *const self = &world->actors[actor];

    if (actor == STREAK_TRIPD)
        return self->dead || !streak_operation(world, actor) ? 0 : streak->tripd_may_die ? 2 : 1;
    if (!streak->script)
        return streak_operation(world, actor) ? 1 : 0;
    if (self->operation)
        return 1;
    for (unsigned other = 0; other < STREAK_CLIENTS; other++)
        if (world->actors[other].operation)
            return 0;
    return streak->script[world->scripted] ? 1 : 0;
}

static inline void streak_step(void *at, unsigned actor, unsigned way)
{
    struct streak_world *const world = at;
    struct streak_actor *const self = &world->actors[actor];

    if (actor == STREAK_TRIPD) {
        if (way == 1)
            self->dead = 1;
        else
            streak_tripd_step(world, self, streak_operation(world, actor));
        return;
    }
    if (streak->script && !self->operation)
        self->operation = (uint8_t)++world->scripted;
    streak_client_step(world, self, streak_operation(world, actor));
}

static inline bool streak_explore(const struct streak_scenario *scenario, const char *(*check)(const void *, bool),
                                  struct interleave *ret_run)
{
    struct streak_world start;

    streak = scenario;
    memset(&start, 0, sizeof(start));
    memset(&streak_met, 0, sizeof(streak_met));
    start.word = scenario->start;
    start.judges[0] = scenario->policies[0];
    start.expect.epoch = word_epoch(start.word);
    start.expect.open = !word_counts_streak(start.word);
    start.expect.ramping = word_state(start.word) == WORD_RAMPING;
    start.expect.streak = word_counts_streak(start.word) ? word_streak(start.word) : 0;
    *ret_run = (struct interleave){
        .size = sizeof(start), .actors = STREAK_CLIENTS + 1, .ways = streak_ways, .step = streak_step, .check = check};
    return interleave_explore(ret_run, &start);
}

#endif
