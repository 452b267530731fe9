/* Takers of tickets while their limit moves, and tripd that moves it: each a step machine over the functions of
 * internal/ticket_word.h, a touch of shared memory a step, for interleave.h.
 *
 * A taker loads the limit and how far tickets may lie beyond it, counts those that do, leaves as many free, and takes;
 * then it loads both again, and keeps its ticket or gives it back, as libtrip's ticket_try and ticket_keeps. tripd, for
 * each limit of a list: says how far tickets may lie, sets the limit, looks at each word, and says how far they do.
 *
 * The world keeps who was admitted, and the highest limit that was in force since each taker looked at it again: no
 * more are in flight when it is admitted. */
#ifndef TRIP_TEST_LIMIT_ACTORS_H
#define TRIP_TEST_LIMIT_ACTORS_H

#include "interleave.h"
#include "internal/ticket_word.h"

#define TAKERS      3
#define TAKER_TRIPD TAKERS
#define LIMITS_MAX  4
#define WORDS       2

enum limit_bug {
    LIMIT_NO_BUG,
    LIMIT_NOT_AGAIN,   /* a taker does not look again */
    LIMIT_NOT_COUNTED, /* a taker looks again at the limit, but not at how many tickets are out */
    LIMIT_LOOK_FIRST   /* tripd looks for tickets beyond the limit before it lowers the limit */
};

struct limit_scenario {
    uint8_t limits[LIMITS_MAX]; /* the first one is in force at the start; 0: no more follow */
    uint8_t calls, hints[TAKERS];
    enum limit_bug bug;
};

static const struct limit_scenario *limiting;
static struct {
    uint64_t denied, given_back, beyond, recounted;
} limit_met;

enum limit_at { L_LIMIT, L_HIGHEST, L_BEYOND, L_LEFT, L_LOOK, L_SWAP, L_AGAIN, L_REACH, L_RECOUNT, L_BACK, L_RUN };
enum limit_tripd_at { L_RAISE, L_SET, L_SEE, L_LOWER };

struct limit_actor {
    uint64_t word;
    struct ticket ticket;
    uint8_t at, calls, limit, highest, out, looked, admitted, peak, left, unused[3];
};

struct limit_world {
    uint64_t words[WORDS];
    struct limit_actor actors[TAKERS + 1];
    uint8_t limit, highest, over, unused[5];
};

static inline unsigned limit_words(unsigned end)
{
    return (end + TICKETS_PER_WORD - 1) / TICKETS_PER_WORD;
}

static inline uint8_t limit_most(unsigned one, unsigned other)
{
    return (uint8_t)(one > other ? one : other);
}

/* Counts taken tickets of one word among [first, end). */
static inline unsigned limit_out(const struct limit_world *world, unsigned at, unsigned first, unsigned end)
{
    const unsigned begin = at * TICKETS_PER_WORD;
    return ticket_count(world->words, limit_most(first, begin),
                        end < begin + TICKETS_PER_WORD ? end : begin + TICKETS_PER_WORD);
}

static inline void limit_over(struct limit_actor *self)
{
    *self = (struct limit_actor){.calls = (uint8_t)(self->calls + 1)};
}

static inline void limit_denied(struct limit_actor *self)
{
    limit_met.denied++;
    limit_over(self);
}

static inline void limit_admitted(struct limit_world *world, struct limit_actor *self)
{
    unsigned admitted = 0;
    self->admitted = 1;
    for (unsigned taker = 0; taker < TAKERS; taker++)
        admitted += world->actors[taker].admitted;
    world->over |= admitted > self->peak;
    self->at = L_RUN;
}

static inline void limit_give(struct limit_world *world, const struct limit_actor *self)
{
    uint64_t *const word = &world->words[self->ticket.index / TICKETS_PER_WORD];
    *word = tickets_after_give(*word, self->ticket.index % TICKETS_PER_WORD, self->ticket.value);
}

static inline unsigned limit_end(const struct limit_actor *self)
{
    return self->limit > self->out ? (unsigned)(self->limit - self->out) : 0u;
}

static inline unsigned limit_word_of(const struct limit_actor *self, unsigned taker)
{
    return (limiting->hints[taker] / TICKETS_PER_WORD + self->looked) % limit_words(limit_end(self));
}

static inline uint64_t limit_free(const struct limit_actor *self, unsigned taker)
{
    return tickets_free(self->word, tickets_places(limit_word_of(self, taker) * TICKETS_PER_WORD, limit_end(self)));
}

static inline void limit_looked(struct limit_actor *self, unsigned taker, uint64_t word)
{
    self->word = word;
    self->at = L_SWAP;
    if (limit_free(self, taker))
        return;
    self->word = 0;
    self->at = L_LOOK;
    if (++self->looked == limit_words(limit_end(self)))
        limit_denied(self);
}

static inline void limit_swaps(struct limit_world *world, struct limit_actor *self, unsigned taker)
{
    const unsigned at = limit_word_of(self, taker), place = tickets_first(limit_free(self, taker));
    if (world->words[at] != self->word) {
        limit_looked(self, taker, world->words[at]);
        return;
    }
    world->words[at] = tickets_after_take(self->word, place, taker + 1);
    self->ticket = (struct ticket){(uint16_t)(at * TICKETS_PER_WORD + place), tickets_at(world->words[at], place)};
    self->word = 0;
    self->looked = self->out = self->left = 0;
    self->at = L_AGAIN;
    self->peak = world->limit;
    if (limiting->bug == LIMIT_NOT_AGAIN)
        limit_admitted(world, self);
}

static inline void limit_counts_beyond(struct limit_world *world, struct limit_actor *self)
{
    self->out = (uint8_t)(self->out + limit_out(world, self->looked, self->limit, self->highest));
    if (++self->looked < limit_words(self->highest))
        return;
    limit_met.beyond += self->out != 0;
    self->looked = 0;
    self->at = self->out ? L_LEFT : L_LOOK;
    if (self->out >= self->limit)
        limit_denied(self);
}

static inline void limit_counts_left(struct limit_world *world, struct limit_actor *self)
{
    const unsigned first = self->looked * TICKETS_PER_WORD;
    const uint64_t places = tickets_places(first, self->limit);
    self->left = (uint8_t)(self->left + tickets_count(tickets_free(world->words[self->looked], places)));
    if (self->left > self->out) {
        self->looked = self->left = 0;
        self->at = L_LOOK;
    } else if (++self->looked == limit_words(self->limit)) {
        limit_denied(self);
    }
}

static inline void limit_recounts(struct limit_world *world, struct limit_actor *self)
{
    self->out = (uint8_t)(self->out + limit_out(world, self->looked, 0, self->highest));
    if (++self->looked < limit_words(self->highest))
        return;
    limit_met.recounted++;
    if (self->out <= self->limit)
        limit_admitted(world, self);
    else
        self->at = L_BACK;
}

static inline void limit_reaches(struct limit_world *world, struct limit_actor *self)
{
    self->highest = world->highest;
    self->at = L_RECOUNT;
    if (self->highest <= self->limit || limiting->bug == LIMIT_NOT_COUNTED)
        limit_admitted(world, self);
}

static inline void limit_taker_step(struct limit_world *world, unsigned taker)
{
    struct limit_actor *const self = &world->actors[taker];
    switch (self->at) {
    case L_LIMIT:
        self->limit = world->limit;
        self->at = L_HIGHEST;
        break;
    case L_HIGHEST:
        self->highest = world->highest;
        self->looked = (uint8_t)(self->highest > self->limit ? self->limit / TICKETS_PER_WORD : 0);
        self->at = self->highest > self->limit ? L_BEYOND : L_LOOK;
        break;
    case L_BEYOND:
        limit_counts_beyond(world, self);
        break;
    case L_LEFT:
        limit_counts_left(world, self);
        break;
    case L_LOOK:
        limit_looked(self, taker, world->words[limit_word_of(self, taker)]);
        break;
    case L_SWAP:
        limit_swaps(world, self, taker);
        break;
    case L_AGAIN:
        self->limit = self->peak = world->limit;
        self->at = self->ticket.index < self->limit ? L_REACH : L_BACK;
        break;
    case L_REACH:
        limit_reaches(world, self);
        break;
    case L_RECOUNT:
        limit_recounts(world, self);
        break;
    case L_BACK:
        limit_met.given_back++;
        limit_give(world, self);
        limit_denied(self);
        break;
    default:
        limit_give(world, self);
        limit_over(self);
    }
}

static inline void limit_set(struct limit_world *world, uint8_t limit)
{
    world->limit = limit;
    for (unsigned taker = 0; taker < TAKERS; taker++)
        world->actors[taker].peak = limit_most(world->actors[taker].peak, limit);
}

/* `calls` counts the limits that were set, `out` is where the last ticket ends. */
static inline void limit_tripd_step(struct limit_world *world)
{
    struct limit_actor *const self = &world->actors[TAKER_TRIPD];
    const uint8_t next = limiting->limits[self->calls + 1];
    const bool first = limiting->bug == LIMIT_LOOK_FIRST;
    switch ((enum limit_tripd_at)self->at) {
    case L_RAISE:
        world->highest = limit_most(limit_most(world->highest, world->limit), next);
        self->at = first ? L_SEE : L_SET;
        break;
    case L_SET:
        limit_set(world, next);
        self->at = first ? L_LOWER : L_SEE;
        break;
    case L_SEE:
        for (unsigned place = 0; place < TICKETS_PER_WORD; place++)
            if (tickets_holder_at(world->words[self->looked], place))
                self->out = (uint8_t)(self->looked * TICKETS_PER_WORD + place + 1);
        if (++self->looked == WORDS)
            self->at = first ? L_SET : L_LOWER;
        break;
    case L_LOWER:
        world->highest = limit_most(world->limit, self->out);
        limit_over(self);
    }
}

static inline unsigned limit_ways(const void *at, unsigned actor)
{
    const struct limit_world *const world = at;
    const unsigned done = world->actors[actor].calls;
    if (actor == TAKER_TRIPD)
        return done + 1 < LIMITS_MAX && limiting->limits[done + 1] != 0;
    return done < limiting->calls;
}

static inline void limit_step(void *at, unsigned actor, unsigned way)
{
    (void)way;
    if (actor == TAKER_TRIPD)
        limit_tripd_step(at);
    else
        limit_taker_step(at, actor);
}

static inline const char *limit_check(const void *at, bool ended)
{
    const struct limit_world *const world = at;
    if (world->over)
        return "more are in flight than the limit";
    return ended && ticket_count(world->words, 0, WORDS * TICKETS_PER_WORD) != 0 ? "a ticket is lost" : NULL;
}

static inline bool limit_explore(const struct limit_scenario *scenario, struct interleave *ret_run)
{
    struct limit_world start;
    limiting = scenario;
    memset(&start, 0, sizeof(start));
    memset(&limit_met, 0, sizeof(limit_met));
    start.limit = start.highest = scenario->limits[0];
    *ret_run = (struct interleave){
        .size = sizeof(start), .actors = TAKERS + 1, .ways = limit_ways, .step = limit_step, .check = limit_check};
    return interleave_explore(ret_run, &start);
}

#endif
