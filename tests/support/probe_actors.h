/* Clients that want to call through a breaker that is not closed, tripd, and the clock: each a step machine over the
 * very functions of internal/state_word.h and permit_word.h, a touch of shared memory a step, for interleave.h.
 *
 * A client's call: load the word, read the clock; then either take the step that is due while the heartbeat looks
 * stale, or try the permits; if a probe may start, read the clock again, start it, end it. tripd looks: open that is
 * due becomes half-open; half-open: count answers, arm permits, give the verdict; probing whose lease is over, or whose
 * owner died, opens. Whether a client suspects tripd is a way of its step, so a living tripd is falsely suspected at
 * any moment.
 *
 * Beside the words the world keeps which probes run: never more than the permits, by whatever way they came about. A
 * probe runs from its start to its end, its process's death, or its lease's end. */
#ifndef TRIP_TEST_PROBE_ACTORS_H
#define TRIP_TEST_PROBE_ACTORS_H

#include "interleave.h"
#include "internal/permit_word.h"

#define PROBE_CLIENTS 3
#define PROBE_TRIPD   PROBE_CLIENTS
#define PROBE_CLOCK   (PROBE_CLIENTS + 1)
#define PROBE_PERMITS 2

enum probe_bug {
    PROBE_NO_BUG,
    PROBE_TAKEN_AS_HALF_OPEN, /* a takeover makes the word half-open: there is no `probing` */
    PROBE_TAKEOVER_STORED,    /* a client stores the word of its takeover */
    PROBE_NOT_EXTENDED,       /* a permit is taken without extending the half-open deadline */
    PROBE_CLOCK_FIRST,        /* a client reads the clock before the word it is compared with */
    PROBE_CLOCK_KEPT,         /* tripd compares a permit with a time that it read before */
    PROBE_LEASE_UNCHECKED,    /* a probe starts without checking its lease */
    PROBE_ANSWER_STORED,      /* an outcome is stored into the permit */
    PROBE_LEASE_IGNORED,      /* tripd arms a permit that is owned, whether its lease runs or not */
};

enum probe_suspicion { PROBE_TRUSTED, PROBE_SUSPECTED, PROBE_KNOWN_DEAD };

struct probe_scenario {
    uint64_t start;
    uint64_t permit[PROBE_PERMITS];
    uint8_t calls[PROBE_CLIENTS], looks; /* looks: tripd's; 0: it is dead */
    uint8_t ticks;                       /* steps of 64 ms */
    uint8_t permits, successes;
    enum probe_suspicion suspicion;
    bool clients_may_die, tripd_may_die;
    uint32_t max_wait_ms, open_ms;
    enum probe_bug bug;
};

static const struct probe_scenario *probe;

/* How often steps went each way, in different worlds. */
static struct {
    uint64_t takeovers, starts, failed_swaps, given_back, extended, armed, closed, deaths, late_answers;
} probe_met;

enum probe_at {
    P_START,
    P_CLOCK,
    P_TAKE_OVER,
    P_TAKEN_OVER,
    P_PROBING,
    P_PERMIT,
    P_TAKE,
    P_LOOK,
    P_EXTEND,
    P_TAKEN,
    P_OWNING,
    P_GIVE_BACK,
    P_VERDICT,
    P_PERMIT_CLOCK,
    P_ARM,
};

struct probe_actor {
    uint64_t word, next, permit;
    uint32_t now_ms, lease_end_ms;
    uint8_t at, place, calls, dead, running;
    uint8_t good, bad, counted; /* tripd: answers of the epoch whose lowest bits are `counted` */
};

struct probe_world {
    uint64_t word;
    uint64_t permit[PROBE_PERMITS];
    uint32_t now_ms;
    uint8_t started_late, closed_early;
    uint8_t good; /* probes of this epoch that succeeded */
    uint8_t reserved;
    struct probe_actor actors[PROBE_CLIENTS + 1];
};

static inline uint64_t probe_longest_ms(void)
{
    return probe->max_wait_ms > probe->open_ms ? probe->max_wait_ms : probe->open_ms;
}

static inline struct policy_slot probe_slot(void)
{
    return (struct policy_slot){.longest_ms = probe_longest_ms(),
                                .half_open = policy_half_open(probe->permits, probe->max_wait_ms)};
}

static inline bool probe_swap(uint64_t *word, uint64_t from, uint64_t to)
{
    if (*word != from) {
        probe_met.failed_swaps++;
        return false;
    }
    *word = to;
    return true;
}

static inline bool probe_moves(struct probe_world *world, uint64_t from, uint64_t to)
{
    if (!probe_swap(&world->word, from, to))
        return false;
    probe_met.closed += word_state(to) == WORD_CLOSED;
    world->good = 0;
    return true;
}

/* --------------------------------------------------------------------------------------------------------- clients */

static inline void probe_done(struct probe_actor *self)
{
    *self = (struct probe_actor){
        .calls = (uint8_t)(self->calls + 1), .good = self->good, .bad = self->bad, .counted = self->counted};
}

static inline void probe_decide(struct probe_actor *self, unsigned lane, bool suspects)
{
    const struct policy_slot slot = probe_slot();

    self->lease_end_ms = (uint32_t)lease_end_ms(self->now_ms, probe->max_wait_ms);
    self->next = suspects ? word_after_takeover(self->word, &slot, lane, self->now_ms) : self->word;
    if (self->next != self->word) {
        if (probe->bug == PROBE_TAKEN_AS_HALF_OPEN)
            self->next = word_half_open(word_epoch(self->next), self->lease_end_ms);
        self->at = P_TAKE_OVER;
    } else if (word_state(self->word) == WORD_HALF_OPEN) {
        self->at = P_PERMIT;
    } else {
        probe_done(self); /* admitted without more, or denied */
    }
}

/* Is the lease over: that of the probing word which the client installed, or that of its permit? */
static inline bool probe_lease_over(const struct probe_actor *self, uint64_t now_ms)
{
    if (probe->bug == PROBE_LEASE_UNCHECKED)
        return false;
    if (self->at == P_TAKEN)
        return permit_lease_over(self->permit, now_ms);
    return word_state(self->next) == WORD_PROBING ? word_probe_over(self->next, now_ms) : now_ms >= self->lease_end_ms;
}

static inline void probe_start(struct probe_world *world, struct probe_actor *self)
{
    probe_met.starts++;
    world->started_late |= world->now_ms >= self->lease_end_ms;
    self->running = 1;
}

/* way: 0 good, 1 bad, 2 neutral. */
static inline void probe_ends_probing(struct probe_world *world, struct probe_actor *self, unsigned way)
{
    const uint64_t until_ms = way == 2 ? world->now_ms : world->now_ms + probe->open_ms;

    probe_moves(world, self->next, word_after_probe(self->next, way == 0, until_ms, 0));
    probe_done(self);
}

static inline void probe_answers_permit(struct probe_world *world, struct probe_actor *self, unsigned way)
{
    static const enum permit_outcome outcomes[] = {PERMIT_OK, PERMIT_FAILED, PERMIT_NEUTRAL};
    const uint64_t answered = permit_with_outcome(self->permit, outcomes[way]);

    if (probe->bug == PROBE_ANSWER_STORED)
        world->permit[self->place] = answered;
    else if (!probe_swap(&world->permit[self->place], self->permit, answered))
        probe_met.late_answers++;
    if (world->permit[self->place] == answered && permit_epoch(answered) == word_epoch(world->word))
        world->good = (uint8_t)(world->good + (way == 0));
    probe_done(self);
}

static inline void probe_next_permit(struct probe_actor *self)
{
    self->at = P_PERMIT;
    if (++self->place == probe->permits)
        probe_done(self);
}

static inline void probe_looked(struct probe_actor *self, uint64_t word)
{
    if (word_state(word) != WORD_HALF_OPEN || word_epoch(word) != permit_epoch(self->permit)) {
        self->at = P_GIVE_BACK;
        return;
    }
    self->word = word;
    self->next = word_extended(word, self->lease_end_ms);
    self->at = self->next == word || probe->bug == PROBE_NOT_EXTENDED ? P_TAKEN : P_EXTEND;
}

static inline void probe_permit_step(struct probe_world *world, struct probe_actor *self, unsigned lane, unsigned way)
{
    uint64_t *const permit = &world->permit[self->place];
    uint64_t owned;

    switch (self->at) {
    case P_PERMIT:
        self->permit = *permit;
        if (permit_takeable(self->permit, self->word))
            self->at = P_TAKE;
        else
            probe_next_permit(self);
        break;
    case P_TAKE:
        owned = permit_owned(self->permit, lane, self->lease_end_ms);
        if (probe_swap(permit, self->permit, owned)) {
            self->permit = owned;
            self->at = P_LOOK;
        } else {
            probe_next_permit(self);
        }
        break;
    case P_LOOK:
        probe_looked(self, world->word);
        break;
    case P_EXTEND:
        if (probe_swap(&world->word, self->word, self->next)) {
            probe_met.extended++;
            self->at = P_TAKEN;
        } else {
            probe_looked(self, world->word);
        }
        break;
    case P_TAKEN:
        if (probe_lease_over(self, world->now_ms)) {
            self->at = P_GIVE_BACK;
        } else {
            probe_start(world, self);
            self->at = P_OWNING;
        }
        break;
    case P_OWNING:
        probe_answers_permit(world, self, way);
        break;
    default:
        probe_met.given_back++;
        probe_swap(permit, self->permit, permit_with_outcome(self->permit, PERMIT_FREE));
        probe_done(self);
    }
}

static inline void probe_client_step(struct probe_world *world, struct probe_actor *self, unsigned lane, unsigned way)
{
    const bool clock_first = probe->bug == PROBE_CLOCK_FIRST;

    switch (self->at) {
    case P_START:
        if (clock_first)
            self->now_ms = world->now_ms;
        else
            self->word = world->word;
        self->at = P_CLOCK;
        break;
    case P_CLOCK:
        if (clock_first)
            self->word = world->word;
        else
            self->now_ms = world->now_ms;
        probe_decide(self, lane, probe->suspicion == PROBE_KNOWN_DEAD || way == 1);
        break;
    case P_TAKE_OVER:
        if (probe->bug == PROBE_TAKEOVER_STORED)
            self->word = world->word;
        if (probe_moves(world, self->word, self->next)) {
            probe_met.takeovers++;
            self->at = P_TAKEN_OVER;
        } else {
            probe_done(self);
        }
        break;
    case P_TAKEN_OVER:
        if (probe_lease_over(self, world->now_ms)) {
            probe_done(self);
        } else {
            probe_start(world, self);
            self->at = P_PROBING;
        }
        break;
    case P_PROBING:
        probe_ends_probing(world, self, way);
        break;
    default:
        probe_permit_step(world, self, lane, way);
    }
}

/* ----------------------------------------------------------------------------------------------------------- tripd */

static inline bool probe_owner_died(const struct probe_world *world, uint32_t lane)
{
    return lane >= 1 && lane <= PROBE_CLIENTS && world->actors[lane - 1].dead;
}

static inline void probe_tripd_decides(struct probe_world *world, struct probe_actor *self)
{
    const uint32_t epoch = word_epoch(self->word);

    switch (word_state(self->word)) {
    case WORD_OPEN:
        if (!word_due(self->word, self->now_ms, probe_longest_ms())) {
            probe_done(self);
            break;
        }
        self->next = word_half_open(epoch + 1, self->now_ms + probe->max_wait_ms);
        self->at = P_VERDICT;
        break;
    case WORD_HALF_OPEN:
        self->at = P_PERMIT;
        break;
    case WORD_PROBING:
        if (word_due(self->word, self->now_ms, probe_longest_ms()) ||
            probe_owner_died(world, word_probe_lane(self->word))) {
            self->next = word_open(epoch + 1, self->now_ms);
            self->at = P_VERDICT;
            break;
        }
        probe_done(self);
        break;
    default:
        probe_done(self);
    }
}

/* An answer of this epoch counts once: the word is armed again before tripd looks at it another time. */
static inline void probe_tripd_counts(struct probe_actor *self, uint32_t epoch)
{
    if (permit_epoch(self->permit) != epoch)
        return;
    self->good = (uint8_t)(self->good + (permit_outcome(self->permit) == PERMIT_OK));
    self->bad |= permit_outcome(self->permit) == PERMIT_FAILED;
}

static inline void probe_tripd_judges_permit(struct probe_world *world, struct probe_actor *self)
{
    const uint32_t epoch = word_epoch(self->word);
    const bool owned = permit_outcome(self->permit) == PERMIT_OWNED;

    if (permit_armable(self->permit, epoch, self->now_ms, probe_longest_ms()) ||
        (owned && probe_owner_died(world, permit_lane(self->permit))) || (owned && probe->bug == PROBE_LEASE_IGNORED))
        self->at = P_ARM;
    else
        probe_next_permit(self);
}

static inline void probe_tripd_looks_at_permit(struct probe_world *world, struct probe_actor *self)
{
    const uint32_t epoch = word_epoch(self->word);

    self->permit = world->permit[self->place];
    probe_tripd_counts(self, epoch);
    if (self->bad || self->good >= probe->successes) {
        self->next = self->bad ? word_open(epoch + 1, self->now_ms + probe->open_ms) : word_closed(epoch + 1, 0, 0);
        self->at = P_VERDICT;
        return;
    }
    self->at = P_PERMIT_CLOCK;
    if (probe->bug == PROBE_CLOCK_KEPT)
        probe_tripd_judges_permit(world, self);
}

static inline void probe_tripd_step(struct probe_world *world, struct probe_actor *self)
{
    switch (self->at) {
    case P_START:
        self->word = world->word;
        if (self->counted != (uint8_t)word_epoch(self->word))
            self->good = self->bad = 0;
        self->counted = (uint8_t)word_epoch(self->word);
        self->at = P_CLOCK;
        break;
    case P_CLOCK:
        self->now_ms = world->now_ms;
        probe_tripd_decides(world, self);
        break;
    case P_PERMIT:
        probe_tripd_looks_at_permit(world, self);
        break;
    case P_PERMIT_CLOCK:
        self->now_ms = world->now_ms;
        probe_tripd_judges_permit(world, self);
        break;
    case P_ARM: {
        const uint64_t armed = permit_armed(self->permit, word_epoch(self->word));
        probe_met.armed += probe_swap(&world->permit[self->place], self->permit, armed);
        probe_next_permit(self);
        break;
    }
    default: {
        const bool good = world->good >= probe->successes;
        if (probe_moves(world, self->word, self->next))
            world->closed_early |= word_state(self->next) == WORD_CLOSED && !good;
        probe_done(self);
    }
    }
}

/* ----------------------------------------------------------------------------------------------------- for the walk */

static inline unsigned probe_ways(const void *at, unsigned actor)
{
    const struct probe_world *const world = at;

    if (actor == PROBE_CLOCK)
        return world->now_ms < probe->ticks * LEASE_STEP_MS;
    const struct probe_actor *const self = &world->actors[actor];
    if (actor == PROBE_TRIPD)
        return self->dead || self->calls == probe->looks ? 0 : probe->tripd_may_die ? 2 : 1;
    if (self->dead || self->calls == probe->calls[actor])
        return 0;
    const unsigned ways = self->at == P_PROBING || self->at == P_OWNING                ? 3
                          : self->at == P_CLOCK && probe->suspicion == PROBE_SUSPECTED ? 2
                                                                                       : 1;
    return ways + (probe->clients_may_die && self->at > P_CLOCK);
}

static inline void probe_step(void *at, unsigned actor, unsigned way)
{
    struct probe_world *const world = at;

    if (actor == PROBE_CLOCK) {
        world->now_ms += LEASE_STEP_MS;
        return;
    }
    struct probe_actor *const self = &world->actors[actor];
    const unsigned ways = probe_ways(world, actor);
    const bool dies = actor == PROBE_TRIPD ? way == 1 : probe->clients_may_die && self->at > P_CLOCK && way == ways - 1;
    if (dies) {
        *self = (struct probe_actor){.dead = 1};
        probe_met.deaths++;
    } else if (actor == PROBE_TRIPD) {
        probe_tripd_step(world, self);
    } else {
        probe_client_step(world, self, actor + 1, way);
    }
}

/* Nothing is lost for ever: a process that comes much later can go on from here. */
static inline bool probe_wedged(const struct probe_world *world)
{
    const uint64_t later_ms = world->now_ms + probe_longest_ms() + 1000;

    if (word_state(world->word) == WORD_CLOSED)
        return false;
    for (unsigned place = 0; word_state(world->word) == WORD_HALF_OPEN && place < probe->permits; place++)
        if (!permit_takeable(world->permit[place], world->word) &&
            !permit_armable(world->permit[place], word_epoch(world->word), later_ms, probe_longest_ms()))
            return true;
    return !word_due(world->word, later_ms, probe_longest_ms());
}

static inline const char *probe_check(const void *at, bool ended)
{
    const struct probe_world *const world = at;
    unsigned running = 0;

    for (unsigned client = 0; client < PROBE_CLIENTS; client++) {
        const struct probe_actor *const self = &world->actors[client];
        running += self->running && self->lease_end_ms > world->now_ms;
    }
    if (running > probe->permits)
        return "more probes run than are permitted";
    if (world->started_late)
        return "a probe started after its lease";
    if (world->closed_early)
        return "it closed without good probes";
    return ended && probe_wedged(world) ? "it is wedged" : NULL;
}

static inline bool probe_explore(const struct probe_scenario *scenario, struct interleave *ret_run)
{
    struct probe_world start;

    probe = scenario;
    memset(&start, 0, sizeof(start));
    memset(&probe_met, 0, sizeof(probe_met));
    start.word = scenario->start;
    memcpy(start.permit, scenario->permit, sizeof(start.permit));
    *ret_run = (struct interleave){.size = sizeof(start),
                                   .actors = PROBE_CLIENTS + 2,
                                   .ways = probe_ways,
                                   .step = probe_step,
                                   .check = probe_check};
    return interleave_explore(ret_run, &start);
}

#endif
