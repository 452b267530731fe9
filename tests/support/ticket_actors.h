/* Clients that take tickets and give them back, and tripd that reclaims those of the dead: each a step machine over the
 * very functions of internal/ticket_word.h, a touch of shared memory a step, for interleave.h.
 *
 * A client's call: count the free tickets if it must leave some; look at a word, swap itself in, go on to the next word
 * when none is free; then look and swap itself out, and, where calls end twice, once more. A process may die at each
 * step: all its threads with it. tripd then looks at each word and clears the dead lane's bits; after the last the
 * lane's number is reissued, and the heir begins.
 *
 * Beside the words the world keeps who really holds: from the step that took to the step that gave back, for the dead
 * to the step that reclaimed. At each step that many tickets are taken, each with what its holder took. */
#ifndef TRIP_TEST_TICKET_ACTORS_H
#define TRIP_TEST_TICKET_ACTORS_H

#include "interleave.h"
#include "internal/ticket_word.h"

#define TICKET_CLIENTS 3
#define TICKET_TRIPD   TICKET_CLIENTS
#define TICKET_LANES   4 /* numbers of lanes are below this one */
#define TICKET_NOBODY  0xeeeu

enum ticket_bug {
    TICKET_NO_BUG,
    TICKET_TAKE_STORED,    /* a taker stores the word that it looked at, with itself in it, without a CAS */
    TICKET_GIVE_STORED,    /* giving back stores likewise */
    TICKET_GIVE_UNCHECKED, /* giving back clears the ticket, whoever holds it */
    TICKET_NO_SERIAL,      /* taking does not move the serial */
    TICKET_NOTED_LATER,    /* taking a ticket and noting its holder are two steps */
    TICKET_RECLAIM_LIVE,   /* tripd reclaims what a living lane holds */
    TICKET_REISSUED_EARLY, /* the dead lane's number is reissued before its tickets are reclaimed */
    TICKET_RESERVE_COUNTED /* the reserve is counted first, and then a ticket of it may be taken */
};

struct ticket_scenario {
    struct {
        uint8_t lane, calls, reserve, hint;
        bool may_die, heir; /* heir: begins when another client's lane number is reissued */
    } clients[TICKET_CLIENTS];
    uint8_t words, limit;
    bool ends_twice;
    enum ticket_bug bug;
};

static const struct ticket_scenario *ticketing;

/* How often steps went each way, in different worlds. */
static struct {
    uint64_t taken, denied, denied_critical, failed_swaps, deaths, dead_holders, reclaimed, heirs, ended_again;
} ticket_met;

enum ticket_at { K_IDLE, K_COUNT, K_LOOK, K_SWAP, K_NOTE, K_GIVE_LOOK, K_GIVE_SWAP, K_RECLAIM_LOOK, K_RECLAIM };

struct ticket_actor {
    uint64_t word;
    struct ticket ticket;
    uint8_t at, looked, left, calls;
    uint8_t dead, holds, again, reserved; /* again: it ends its call a second time */
    uint32_t lane;                        /* tripd: the lane whose tickets it reclaims */
};

struct ticket_world {
    uint64_t words[2];
    struct ticket_actor actors[TICKET_CLIENTS + 1];
    uint8_t reclaimed[TICKET_LANES]; /* by the lane's number */
    uint8_t stolen, given_twice, reserved[2];
};

static inline unsigned ticket_end(unsigned client)
{
    const bool positions = ticketing->bug != TICKET_RESERVE_COUNTED;
    return ticketing->limit - (positions ? ticketing->clients[client].reserve : 0u);
}

static inline unsigned ticket_words(unsigned end)
{
    return (end + TICKETS_PER_WORD - 1) / TICKETS_PER_WORD;
}

static inline bool ticket_swap(uint64_t *word, uint64_t from, uint64_t to, bool blind)
{
    if (*word != from && !blind) {
        ticket_met.failed_swaps++;
        return false;
    }
    *word = to;
    return true;
}

/* --------------------------------------------------------------------------------------------------------- clients */

static inline void ticket_call_over(struct ticket_actor *self)
{
    *self = (struct ticket_actor){.calls = (uint8_t)(self->calls + 1)};
}

static inline void ticket_denied(struct ticket_actor *self, unsigned client)
{
    ticket_met.denied++;
    ticket_met.denied_critical += ticketing->clients[client].reserve == 0;
    ticket_call_over(self);
}

static inline void ticket_next_word(struct ticket_actor *self, unsigned client)
{
    self->at = K_LOOK;
    self->word = 0;
    if (++self->looked == ticket_words(ticket_end(client)))
        ticket_denied(self, client);
}

static inline unsigned ticket_word_of(const struct ticket_actor *self, unsigned client)
{
    return (ticketing->clients[client].hint / TICKETS_PER_WORD + self->looked) % ticket_words(ticket_end(client));
}

static inline uint64_t ticket_free_for(const struct ticket_actor *self, unsigned client)
{
    const unsigned first = ticket_word_of(self, client) * TICKETS_PER_WORD;
    return tickets_free(self->word, tickets_places(first, ticket_end(client)));
}

static inline uint64_t ticket_taken_word(const struct ticket_actor *self, unsigned client, unsigned place)
{
    const uint32_t lane = ticketing->bug == TICKET_NOTED_LATER ? TICKET_NOBODY : ticketing->clients[client].lane;
    const uint64_t after = tickets_after_take(self->word, place, lane);
    return ticketing->bug == TICKET_NO_SERIAL ? tickets_with(after, place, (uint16_t)lane) : after;
}

static inline void ticket_looked(struct ticket_actor *self, uint64_t word, unsigned client)
{
    self->word = word;
    self->at = K_SWAP;
    if (ticket_free_for(self, client) == 0)
        ticket_next_word(self, client);
}

static inline void ticket_swaps_in(struct ticket_world *world, struct ticket_actor *self, unsigned client)
{
    const unsigned at = ticket_word_of(self, client), place = tickets_first(ticket_free_for(self, client));
    const uint64_t after = ticket_taken_word(self, client, place);

    if (!ticket_swap(&world->words[at], self->word, after, ticketing->bug == TICKET_TAKE_STORED)) {
        ticket_looked(self, world->words[at], client);
        return;
    }
    ticket_met.taken++;
    self->ticket = (struct ticket){(uint16_t)(at * TICKETS_PER_WORD + place), tickets_at(after, place)};
    self->holds = 1;
    self->word = 0;
    self->looked = self->left = 0;
    self->at = ticketing->bug == TICKET_NOTED_LATER ? K_NOTE : K_GIVE_LOOK;
}

static inline void ticket_notes(struct ticket_world *world, struct ticket_actor *self, unsigned client)
{
    uint64_t *const word = &world->words[self->ticket.index / TICKETS_PER_WORD];
    self->ticket.value = (uint16_t)((self->ticket.value & ~TICKET_HOLDER_MAX) | ticketing->clients[client].lane);
    *word = tickets_with(*word, self->ticket.index % TICKETS_PER_WORD, self->ticket.value);
    self->at = K_GIVE_LOOK;
}

static inline void ticket_given(struct ticket_actor *self)
{
    if (!ticketing->ends_twice || self->again) {
        ticket_call_over(self);
        return;
    }
    self->again = 1;
    self->holds = 0;
    self->word = 0;
    self->at = K_GIVE_LOOK;
}

/* Returns the word after giving back; the same word if there is nothing to give. */
static inline uint64_t ticket_given_word(const struct ticket_actor *self)
{
    const unsigned place = self->ticket.index % TICKETS_PER_WORD;
    const bool unchecked = ticketing->bug == TICKET_GIVE_UNCHECKED;
    return tickets_after_give(self->word, place, unchecked ? tickets_at(self->word, place) : self->ticket.value);
}

static inline void ticket_looked_to_give(struct ticket_world *world, struct ticket_actor *self, uint64_t word)
{
    self->word = word;
    self->at = K_GIVE_SWAP;
    if (ticket_given_word(self) != word)
        return;
    ticket_met.ended_again += self->again;
    world->stolen |= !self->again;
    ticket_given(self);
}

static inline void ticket_swaps_out(struct ticket_world *world, struct ticket_actor *self)
{
    uint64_t *const word = &world->words[self->ticket.index / TICKETS_PER_WORD];

    if (!ticket_swap(word, self->word, ticket_given_word(self), ticketing->bug == TICKET_GIVE_STORED)) {
        ticket_looked_to_give(world, self, *word);
        return;
    }
    world->given_twice |= self->again;
    ticket_given(self);
}

static inline void ticket_counts(struct ticket_world *world, struct ticket_actor *self, unsigned client)
{
    const unsigned first = self->looked * TICKETS_PER_WORD, limit = ticketing->limit;
    const uint64_t places = tickets_places(first, limit);

    self->left = (uint8_t)(self->left + tickets_count(tickets_free(world->words[self->looked], places)));
    if (self->left > ticketing->clients[client].reserve) {
        self->looked = self->left = 0;
        self->at = K_LOOK;
    } else if (++self->looked == ticket_words(limit)) {
        ticket_denied(self, client);
    }
}

static inline void ticket_dies(struct ticket_world *world, uint32_t lane)
{
    ticket_met.deaths++;
    for (unsigned client = 0; client < TICKET_CLIENTS; client++) {
        if (ticketing->clients[client].lane != lane || ticketing->clients[client].heir)
            continue;
        ticket_met.dead_holders += world->actors[client].holds;
        world->actors[client].dead = 1;
    }
}

static inline void ticket_client_step(struct ticket_world *world, unsigned client, unsigned way)
{
    struct ticket_actor *const self = &world->actors[client];

    if (way == 1) {
        ticket_dies(world, ticketing->clients[client].lane);
        return;
    }
    if (self->at == K_IDLE) {
        ticket_met.heirs += ticketing->clients[client].heir;
        self->at = ticketing->clients[client].reserve ? K_COUNT : K_LOOK;
    }
    switch (self->at) {
    case K_COUNT:
        ticket_counts(world, self, client);
        break;
    case K_LOOK:
        ticket_looked(self, world->words[ticket_word_of(self, client)], client);
        break;
    case K_SWAP:
        ticket_swaps_in(world, self, client);
        break;
    case K_NOTE:
        ticket_notes(world, self, client);
        break;
    case K_GIVE_LOOK:
        ticket_looked_to_give(world, self, world->words[self->ticket.index / TICKETS_PER_WORD]);
        break;
    default:
        ticket_swaps_out(world, self);
    }
}

/* ----------------------------------------------------------------------------------------------------------- tripd */

static inline bool ticket_lane_died(const struct ticket_world *world, uint32_t lane)
{
    for (unsigned client = 0; client < TICKET_CLIENTS; client++)
        if (ticketing->clients[client].lane == lane && world->actors[client].dead)
            return true;
    return false;
}

/* Returns the next lane to reclaim; 0: there is none. */
static inline uint32_t ticket_lane_due(const struct ticket_world *world)
{
    for (uint32_t lane = 1; lane < TICKET_LANES; lane++)
        if (!world->reclaimed[lane] && (ticket_lane_died(world, lane) ||
                                        (ticketing->bug == TICKET_RECLAIM_LIVE && lane == ticketing->clients[0].lane)))
            return lane;
    return 0;
}

static inline void ticket_clears(struct ticket_world *world, struct ticket_actor *self)
{
    world->words[self->looked] &= ~self->word;
    for (unsigned client = 0; client < TICKET_CLIENTS; client++) {
        struct ticket_actor *const holder = &world->actors[client];
        if (!holder->dead || !holder->holds || ticketing->clients[client].lane != self->lane ||
            holder->ticket.index / TICKETS_PER_WORD != self->looked)
            continue;
        holder->holds = 0;
        ticket_met.reclaimed++;
    }
    self->at = K_RECLAIM_LOOK;
    self->word = 0;
    self->looked++;
}

static inline void ticket_tripd_step(struct ticket_world *world)
{
    struct ticket_actor *const self = &world->actors[TICKET_TRIPD];
    uint64_t dead[TICKET_HOLDER_SET] = {0};

    if (self->at == K_IDLE)
        *self = (struct ticket_actor){.at = K_RECLAIM_LOOK, .lane = ticket_lane_due(world)};
    if (self->at == K_RECLAIM_LOOK) {
        ticket_holders_add(dead, self->lane);
        self->word = tickets_of_holders(world->words[self->looked], dead);
        self->at = K_RECLAIM;
    } else {
        ticket_clears(world, self);
    }
    if (self->looked < ticketing->words)
        return;
    world->reclaimed[self->lane] = 1;
    *self = (struct ticket_actor){0};
}

/* ------------------------------------------------------------------------------------------------------- the walk */

static inline unsigned ticket_ways(const void *at, unsigned actor)
{
    const struct ticket_world *const world = at;
    const struct ticket_actor *const self = &world->actors[actor];

    if (actor == TICKET_TRIPD)
        return self->at != K_IDLE || ticket_lane_due(world) != 0;
    if (self->dead || self->calls == ticketing->clients[actor].calls)
        return 0;
    const uint8_t lane = ticketing->clients[actor].lane;
    const bool reissued =
        ticketing->bug == TICKET_REISSUED_EARLY ? ticket_lane_died(world, lane) : world->reclaimed[lane];
    if (ticketing->clients[actor].heir && !reissued)
        return 0;
    return ticketing->clients[actor].may_die ? 2 : 1;
}

static inline void ticket_step(void *at, unsigned actor, unsigned way)
{
    if (actor == TICKET_TRIPD)
        ticket_tripd_step(at);
    else
        ticket_client_step(at, actor, way);
}

static inline const char *ticket_check(const void *at, bool ended)
{
    const struct ticket_world *const world = at;
    unsigned holders = 0, modest = 0, reserve = 0;

    if (world->stolen)
        return "a ticket was taken from its holder";
    if (world->given_twice)
        return "a call that ended twice gave back another's ticket";
    for (unsigned client = 0; client < TICKET_CLIENTS; client++) {
        const unsigned leaves = ticketing->clients[client].reserve;
        holders += world->actors[client].holds;
        modest += leaves && world->actors[client].holds;
        reserve = leaves > reserve ? leaves : reserve;
    }
    if (holders > ticketing->limit)
        return "more tickets are held than there are";
    if (modest > ticketing->limit - reserve)
        return "the reserve is held by who should leave it";
    const unsigned taken = ticket_count(world->words, 0, ticketing->words * TICKETS_PER_WORD);
    if (taken != holders)
        return taken > holders ? "a ticket is lost" : "a ticket is held and free";
    return ended && taken != 0 ? "a ticket is lost" : NULL;
}

static inline bool ticket_explore(const struct ticket_scenario *scenario, struct interleave *ret_run)
{
    struct ticket_world start;

    ticketing = scenario;
    memset(&start, 0, sizeof(start));
    memset(&ticket_met, 0, sizeof(ticket_met));
    *ret_run = (struct interleave){.size = sizeof(start),
                                   .actors = TICKET_CLIENTS + 1,
                                   .ways = ticket_ways,
                                   .step = ticket_step,
                                   .check = ticket_check};
    return interleave_explore(ret_run, &start);
}

#endif
