/* The tickets of a breaker's bulkhead: no more than `limit` calls in flight over all processes, one ticket each. Words
 * in the commons, four tickets a word:
 *
 *   63            48 47            32 31            16 15             0
 *   [  ticket 3    ][  ticket 2    ][  ticket 1    ][  ticket 0    ]
 *
 *    15      12 11               0
 *   [ serial 4 ][   holder 12    ]     1 to 2047: a lane; from 2048 on: a lease; 0: free
 *
 * Taking is one CAS that puts one's lane's number into a free ticket: it takes and notes in one step, so that a holder
 * killed at any instruction is found by its number, and tripd frees all that it held. Who has no number, as a process
 * that began while tripd was away, notes the time instead, in steps of 4 s: tripd frees such a ticket a minute later.
 * The serial moves at each taking, and giving back is a CAS of exactly what was taken: a call that is ended twice does
 * not give back the ticket of now, unless that is its own lane's and the 16th taking since. A lane's number is reissued
 * only after its tickets were reclaimed.
 *
 * Only tickets [0, limit) are taken, so that there are never more than `limit` of them: nothing is counted, and nobody
 * can be between taking and counting. Where a limit falls, those beyond it stay out until they are given back, and
 * count: `highest` is how far they may lie. tripd publishes it before a limit rises, and takes it back when it has
 * seen, after the limit fell, that none of them is out. Who took a ticket looks again (ticket_keeps): at the limit, for
 * it may have fallen meanwhile, and while some may lie beyond it, at how many are out in all. Each of several who take
 * at once comes before its own look, so that the last of them sees all the others': no more than the limit keep theirs.
 *
 * `reserve` is how many tickets must be left free for the more important, 0 for the critical: who has one counts the
 * free ones first, and takes only from [0, limit - reserve). So, exactly and at any interleaving, those who leave
 * `reserve` never hold more than limit - reserve, and the last `reserve` tickets are the more important's alone. The
 * count is a look at one word after the other, and not repeated after the CAS: several who look at once may leave fewer
 * free by as many as they are. Who is admitted by the count finds a ticket: if more than `reserve` are free, one of
 * them is not among the last `reserve`. Round a share of the limit down: a reserve of the whole limit denies always.
 *
 * One word is judged whole, several one after the other: a ticket that is given back behind the look is not seen, and
 * the call is denied as if it had come earlier.
 * Checked with spin (tests/model/tickets.pml), and these functions in all interleavings of two and three takers and
 * tripd (tests/unit/core/test_ticket_interleavings.c). tickets_* are pure: word in, word out.
 */
#ifndef TRIP_INTERNAL_TICKET_WORD_H
#define TRIP_INTERNAL_TICKET_WORD_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#define TICKETS_MAX       1024 /* of a breaker */
#define TICKETS_PER_WORD  4
#define TICKET_WORDS      (TICKETS_MAX / TICKETS_PER_WORD)
#define TICKET_LANE_MAX   0x7ffu
#define TICKET_LEASE      0x800u /* a holder without a lane: and, in the bits below, when it took */
#define TICKET_HOLDER_MAX 0xfffu
#define TICKET_HOLDER_SET ((TICKET_HOLDER_MAX + 1) / 64) /* words of a set of holders, a bit each */
#define LEASE_UNIT_MS     4000
#define LEASE_UNITS       15
#define LEASE_AHEAD       2 /* units by which a taker's clock may be ahead of who judges */
/* Lost swaps in a row are others' won ones, or somebody's malice: then it is as if no ticket was free. */
#define TICKET_TAKE_TRIES 64
#define TICKET_GIVE_TRIES 1000

#define TICKET_BITS        16
#define TICKETS_EACH(bits) ((uint64_t)(bits)*UINT64_C(0x0001000100010001))

struct ticket {
    uint16_t index; /* within the breaker's */
    uint16_t value; /* serial and holder */
};

/* How many there are. highest >= now: none is out beyond it. */
struct ticket_limit {
    unsigned now, highest;
};

/* -------------------------------------------------------------------------------------------------- pure: a word */

static inline uint16_t tickets_at(uint64_t word, unsigned place)
{
    return (uint16_t)(word >> place * TICKET_BITS);
}

static inline uint32_t tickets_holder_at(uint64_t word, unsigned place)
{
    return tickets_at(word, place) & TICKET_HOLDER_MAX;
}

/* The places of a word that begins at ticket `first` and lie before ticket `end`, a bit each, the fields' 12th. */
static inline uint64_t tickets_places(unsigned first, unsigned end)
{
    const uint64_t all = TICKETS_EACH(TICKET_HOLDER_MAX + 1);
    if (end >= first + TICKETS_PER_WORD)
        return all;
    return end <= first ? 0 : all & ((UINT64_C(1) << (end - first) * TICKET_BITS) - 1);
}

/* Those whose lane is not 0: a carry into the 12th bit of the field, and no further. */
static inline uint64_t tickets_taken(uint64_t word, uint64_t places)
{
    return ((word & TICKETS_EACH(TICKET_HOLDER_MAX)) + TICKETS_EACH(TICKET_HOLDER_MAX)) & places;
}

static inline unsigned tickets_count(uint64_t places)
{
    return (unsigned)__builtin_popcountll(places);
}

static inline uint64_t tickets_free(uint64_t word, uint64_t places)
{
    return ~tickets_taken(word, places) & places;
}

/* Of one at least. */
static inline unsigned tickets_first(uint64_t places)
{
    return (unsigned)__builtin_ctzll(places) / TICKET_BITS;
}

static inline uint64_t tickets_with(uint64_t word, unsigned place, uint16_t ticket)
{
    const unsigned shift = place * TICKET_BITS;
    return (word & ~(UINT64_C(0xffff) << shift)) | (uint64_t)ticket << shift;
}

/* Of a free ticket. */
static inline uint64_t tickets_after_take(uint64_t word, unsigned place, uint32_t holder)
{
    const unsigned serial = tickets_at(word, place) / (TICKET_HOLDER_MAX + 1) + 1;
    return tickets_with(word, place, (uint16_t)(serial * (TICKET_HOLDER_MAX + 1) | (holder & TICKET_HOLDER_MAX)));
}

/* The word itself if the ticket is no more what was taken. */
static inline uint64_t tickets_after_give(uint64_t word, unsigned place, uint16_t taken)
{
    return tickets_at(word, place) == taken ? word & ~((uint64_t)TICKET_HOLDER_MAX << place * TICKET_BITS) : word;
}

/* Times are those of the instance, since the segment's creation. */
static inline uint32_t ticket_lease(uint64_t now_ms)
{
    return TICKET_LEASE | ((uint32_t)(now_ms / LEASE_UNIT_MS) & TICKET_LANE_MAX);
}

static inline bool ticket_lease_over(uint32_t holder, uint64_t now_ms)
{
    const uint32_t age = (ticket_lease(now_ms) - holder) & TICKET_LANE_MAX;
    return holder >= TICKET_LEASE && age > LEASE_UNITS && age <= TICKET_LANE_MAX - LEASE_AHEAD;
}

/* 0 and beyond 4095: no holder, nothing is added. */
static inline void ticket_holders_add(uint64_t holders[TICKET_HOLDER_SET], uint32_t holder)
{
    if (holder != 0 && holder <= TICKET_HOLDER_MAX)
        holders[holder / 64] |= UINT64_C(1) << holder % 64;
}

/* The bits of these holders, wherever they hold a ticket in this word. */
static inline uint64_t tickets_of_holders(uint64_t word, const uint64_t holders[TICKET_HOLDER_SET])
{
    uint64_t held = 0;
    for (unsigned place = 0; word && place < TICKETS_PER_WORD; place++) {
        const uint32_t holder = tickets_holder_at(word, place);
        if (holders[holder / 64] >> holder % 64 & 1)
            held |= (uint64_t)TICKET_HOLDER_MAX << place * TICKET_BITS;
    }
    return held;
}

/* ------------------------------------------------------------------------------------- a breaker's, in the commons */

/* Taken ones among [first, end). */
static inline unsigned ticket_count(const uint64_t *words, unsigned first, unsigned end)
{
    unsigned taken = 0;
    for (unsigned at = first; at < end && at < TICKETS_MAX; at += TICKETS_PER_WORD - at % TICKETS_PER_WORD) {
        /* Sequentially consistent for ticket_keeps, which comes after a taking: a plain load on most machines. */
        const uint64_t word = __atomic_load_n(&words[at / TICKETS_PER_WORD], __ATOMIC_SEQ_CST);
        const unsigned start = at - at % TICKETS_PER_WORD;
        taken += tickets_count(tickets_taken(word, tickets_places(start, end) & ~tickets_places(start, at)));
    }
    return taken;
}

/* Are more than `reserve` of [0, limit) free? Looks no further than it must. */
static inline bool ticket_left(const uint64_t *words, unsigned limit, unsigned reserve)
{
    unsigned left = 0;
    for (unsigned first = 0; first < limit && left <= reserve; first += TICKETS_PER_WORD) {
        const uint64_t word = __atomic_load_n(&words[first / TICKETS_PER_WORD], __ATOMIC_RELAXED);
        left += tickets_count(tickets_free(word, tickets_places(first, limit)));
    }
    return left > reserve;
}

/* May a ticket that was taken by an older limit be kept by this one, loaded since? If not, it is to be given back. */
static inline bool ticket_keeps(const uint64_t *words, struct ticket_limit limit, struct ticket ticket)
{
    return ticket.index < limit.now &&
           (limit.highest <= limit.now || ticket_count(words, 0, limit.highest) <= limit.now);
}

/* 0; -EAGAIN: none is free. limit: TICKETS_MAX at most. holder: 1 to 4095. hint: of the ticket to begin at: different
 * in each process, so that they meet at different words. */
static inline int ticket_take(uint64_t *words, unsigned limit, unsigned reserve, uint32_t holder, unsigned hint,
                              struct ticket *ret_ticket)
{
    limit = limit < TICKETS_MAX ? limit : TICKETS_MAX;
    if (reserve >= limit || (reserve && !ticket_left(words, limit, reserve)))
        return -EAGAIN;

    const unsigned end = limit - reserve, count = (end + TICKETS_PER_WORD - 1) / TICKETS_PER_WORD;
    unsigned at = hint / TICKETS_PER_WORD % count;
    for (unsigned looked = 0, tries = 0; looked < count; looked++, at = at + 1 < count ? at + 1 : 0) {
        const uint64_t places = tickets_places(at * TICKETS_PER_WORD, end);
        /* Relaxed: the CAS is from this very word, and judges it. */
        uint64_t word = __atomic_load_n(&words[at], __ATOMIC_RELAXED);
        for (uint64_t left; (left = tickets_free(word, places)); tries++) {
            if (tries == TICKET_TAKE_TRIES)
                return -EAGAIN;
            const unsigned place = tickets_first(left);
            const uint64_t after = tickets_after_take(word, place, holder);
            /* Acquire: pairs with the release of ticket_give and ticket_reclaim_all: the call of before is over.
             * Sequentially consistent: the looks of ticket_keeps come after it; pairs with tripd's fence between the
             * limit that it lowered and its look at those beyond. */
            if (__atomic_compare_exchange_n(&words[at], &word, after, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
                *ret_ticket = (struct ticket){(uint16_t)(at * TICKETS_PER_WORD + place), tickets_at(after, place)};
                return 0;
            }
        }
    }
    return -EAGAIN;
}

/* Giving back without a compare: exact for as long as nobody else changes a ticket but its holder. */
static inline void ticket_clear(uint64_t *at, unsigned place)
{
    /* Sequentially consistent: as in ticket_give. */
    __atomic_fetch_and(at, ~((uint64_t)TICKET_HOLDER_MAX << place * TICKET_BITS), __ATOMIC_SEQ_CST);
}

/* False: it is not what was taken any more: it was given back before. */
static inline bool ticket_give(uint64_t *words, struct ticket ticket)
{
    uint64_t *const at = &words[ticket.index % TICKETS_MAX / TICKETS_PER_WORD];
    const unsigned place = ticket.index % TICKETS_PER_WORD;
    uint64_t word = __atomic_load_n(at, __ATOMIC_RELAXED);

    for (unsigned tries = 0; tries < TICKET_GIVE_TRIES; tries++) {
        const uint64_t after = tickets_after_give(word, place, ticket.value);
        if (after == word)
            return false;
        /* Pairs with the acquire of ticket_take: what this call did is done. Sequentially consistent rather than a
         * release: who then asks whether anybody waits comes after it. */
        if (__atomic_compare_exchange_n(at, &word, after, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
            return true;
    }
    if (tickets_at(word, place) != ticket.value)
        return false;
    ticket_clear(at, place);
    return true;
}

/* tripd, for lanes whose processes are dead, before their numbers are reissued, and for leases that are over: how many
 * they held. By compare, for what was taken for a dead one's may be given back this moment, and the place be another's;
 * a word that never rests is cleared all the same. */
static inline unsigned ticket_reclaim_all(uint64_t *words, const uint64_t holders[TICKET_HOLDER_SET])
{
    unsigned held = 0;
    for (unsigned at = 0; at < TICKET_WORDS; at++) {
        /* Relaxed: the deaths were noticed by other means, and everything that the dead did is visible since. */
        uint64_t word = __atomic_load_n(&words[at], __ATOMIC_RELAXED), bits;
        bool done = false;
        for (unsigned tries = 0; !done && tries < TICKET_GIVE_TRIES && (bits = tickets_of_holders(word, holders));
             tries++) {
            /* Release: pairs with the acquire of ticket_take: who takes it next comes after the death. */
            done =
                __atomic_compare_exchange_n(&words[at], &word, word & ~bits, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
            held += done ? tickets_count(bits) / 12 : 0;
        }
        bits = done ? 0 : tickets_of_holders(word, holders);
        if (bits) {
            __atomic_fetch_and(&words[at], ~bits, __ATOMIC_RELEASE);
            held += tickets_count(bits) / 12;
        }
    }
    return held;
}

/* So many at most of one lane's, which has more of them than calls. By compare: what was given back meanwhile is left.
 */
static inline unsigned ticket_reclaim_some(uint64_t *words, uint32_t lane, unsigned most)
{
    unsigned freed = 0;
    for (unsigned at = 0; at < TICKET_WORDS && freed < most; at++)
        for (unsigned place = 0; place < TICKETS_PER_WORD && freed < most; place++) {
            uint64_t word = __atomic_load_n(&words[at], __ATOMIC_RELAXED);
            const uint64_t after = word & ~((uint64_t)TICKET_HOLDER_MAX << place * TICKET_BITS);
            /* Release: as in ticket_reclaim_all. */
            if (tickets_holder_at(word, place) == lane)
                freed +=
                    __atomic_compare_exchange_n(&words[at], &word, after, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
        }
    return freed;
}

/* Of one lane; one beyond TICKET_LANE_MAX holds leases, which are over by time alone. */
static inline unsigned ticket_reclaim(uint64_t *words, uint32_t lane)
{
    uint64_t holders[TICKET_HOLDER_SET] = {0};
    if (lane <= TICKET_LANE_MAX)
        ticket_holders_add(holders, lane);
    return ticket_reclaim_all(words, holders);
}

#endif
