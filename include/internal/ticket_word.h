/* The tickets of a breaker's bulkhead: no more than `limit` calls in flight over all processes, one ticket each. Words
 * in the commons, four tickets a word:
 *
 *   63            48 47            32 31            16 15             0
 *   [  ticket 3    ][  ticket 2    ][  ticket 1    ][  ticket 0    ]
 *
 *    15      12 11               0
 *   [ serial 4 ][   holder 12    ]     1 to 2047: a lane; from 2048 on: a lease; 0: free
 *
 * A process takes a ticket with one CAS that puts its lane's number into a free ticket. So tripd finds the tickets of a
 * holder killed at any instruction by that number, and frees them. A process without a number, such as one that began
 * while tripd was away, puts the time in its place, in steps of 4 s: tripd frees such a ticket a minute later.
 * The serial moves each time the ticket is taken, and a call gives its ticket back by a CAS from exactly the value that
 * it put there: a call that is ended twice does not free another call's ticket, unless its own lane holds it after 16
 * takings. tripd reissues a lane's number only after it reclaimed the lane's tickets.
 *
 * Callers take only tickets [0, limit), so at most `limit` are out. There is no counter that a crash could spoil. When
 * a limit falls, tickets beyond it stay out until their calls end, and count: `highest` bounds where they lie. tripd
 * raises `highest` before the limit rises, and lowers it once it has seen, after the limit fell, that none beyond is
 * out. A caller that took a ticket checks again (ticket_keeps): the limit, which may have fallen, and, while tickets
 * beyond it may be out, the number of all tickets out. Several callers that take at once each check after they took, so
 * the last of them sees the tickets of all others: no more than `limit` callers keep theirs.
 *
 * `reserve` is the number of tickets that a caller must leave free for more important calls; 0 for critical ones. A
 * caller with a reserve first counts the free tickets, then takes only from [0, limit - reserve). So, at any
 * interleaving, callers with that reserve never hold more than limit - reserve, and only more important calls take the
 * last `reserve` tickets. The count reads one word after the other and is not repeated after the CAS, so n callers that
 * count at once may leave up to n fewer tickets free. A caller that passes the count finds a ticket: if more than
 * `reserve` are free, one of them is not among the last `reserve`. Round a share of the limit down: a reserve of the
 * whole limit denies always.
 *
 * A caller reads one word at once, but several words one after the other: it misses a ticket that is given back in a
 * word that it has read, and is denied as if it had asked earlier. Checked with spin (tests/model/tickets.pml), and
 * these functions in all interleavings of two and three takers and tripd (tests/unit/core/test_ticket_interleavings.c).
 * tickets_* are pure: word in, word out.
 */
#ifndef TRIP_INTERNAL_TICKET_WORD_H
#define TRIP_INTERNAL_TICKET_WORD_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#define TICKETS_MAX       1024 /* tickets of a breaker at most */
#define TICKETS_PER_WORD  4
#define TICKET_WORDS      (TICKETS_MAX / TICKETS_PER_WORD)
#define TICKET_LANE_MAX   0x7ffu
#define TICKET_LEASE      0x800u /* a holder without a lane; the bits below hold the time at which it took the ticket */
#define TICKET_HOLDER_MAX 0xfffu
#define TICKET_HOLDER_SET ((TICKET_HOLDER_MAX + 1) / 64) /* words of a set of holders, a bit for each */
#define LEASE_UNIT_MS     4000
#define LEASE_UNITS       15
#define LEASE_AHEAD       2 /* units by which the taker's clock may be ahead of the judging process's */
/* An honest process wins each CAS that a taker loses; an attacker may win many. After so many losses in a row the taker
 * finds no ticket free. */
#define TICKET_TAKE_TRIES 64
#define TICKET_GIVE_TRIES 1000

#define TICKET_BITS        16
#define TICKETS_EACH(bits) ((uint64_t)(bits)*UINT64_C(0x0001000100010001))

struct ticket {
    uint16_t index; /* among the breaker's tickets */
    uint16_t value; /* serial and holder, as taken */
};

/* The limit in force, and `highest` >= now: no ticket is out beyond it. */
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

/* Returns a mask of the tickets of this word that lie before ticket `end`: the 12th bit of each field. The word begins
 * at ticket `first`. */
static inline uint64_t tickets_places(unsigned first, unsigned end)
{
    const uint64_t all = TICKETS_EACH(TICKET_HOLDER_MAX + 1);
    if (end >= first + TICKETS_PER_WORD)
        return all;
    return end <= first ? 0 : all & ((UINT64_C(1) << (end - first) * TICKET_BITS) - 1);
}

/* Returns a mask of the tickets that are taken: adding carries into the 12th bit of a field whose holder is not 0, and
 * no further. */
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

/* Returns the first ticket of a mask that has at least one. */
static inline unsigned tickets_first(uint64_t places)
{
    return (unsigned)__builtin_ctzll(places) / TICKET_BITS;
}

static inline uint64_t tickets_with(uint64_t word, unsigned place, uint16_t ticket)
{
    const unsigned shift = place * TICKET_BITS;
    return (word & ~(UINT64_C(0xffff) << shift)) | (uint64_t)ticket << shift;
}

/* Returns the word after this free ticket is taken. */
static inline uint64_t tickets_after_take(uint64_t word, unsigned place, uint32_t holder)
{
    const unsigned serial = tickets_at(word, place) / (TICKET_HOLDER_MAX + 1) + 1;
    return tickets_with(word, place, (uint16_t)(serial * (TICKET_HOLDER_MAX + 1) | (holder & TICKET_HOLDER_MAX)));
}

/* Returns the word after a ticket is given back; the same word if the ticket no longer holds the value that was taken.
 */
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

/* Adds a holder to a set. 0 and numbers beyond 4095 are no holders. */
static inline void ticket_holders_add(uint64_t holders[TICKET_HOLDER_SET], uint32_t holder)
{
    if (holder != 0 && holder <= TICKET_HOLDER_MAX)
        holders[holder / 64] |= UINT64_C(1) << holder % 64;
}

/* Returns a mask of the tickets in this word that these holders hold. */
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

/* Counts the taken tickets among [first, end). */
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

/* Are more than `reserve` of the tickets [0, limit) free? Reads no more words than needed. */
static inline bool ticket_left(const uint64_t *words, unsigned limit, unsigned reserve)
{
    unsigned left = 0;
    for (unsigned first = 0; first < limit && left <= reserve; first += TICKETS_PER_WORD) {
        const uint64_t word = __atomic_load_n(&words[first / TICKETS_PER_WORD], __ATOMIC_RELAXED);
        left += tickets_count(tickets_free(word, tickets_places(first, limit)));
    }
    return left > reserve;
}

/* May a ticket taken under an older limit be kept under this one, which was loaded since? If not, the taker gives it
 * back. */
static inline bool ticket_keeps(const uint64_t *words, struct ticket_limit limit, struct ticket ticket)
{
    return ticket.index < limit.now &&
           (limit.highest <= limit.now || ticket_count(words, 0, limit.highest) <= limit.now);
}

/* Takes a ticket. 0; -EAGAIN: none is free. limit: TICKETS_MAX at most. holder: 1 to 4095. hint: the ticket to begin
 * at, different in each process, so that they meet at different words. */
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
            /* Acquire: pairs with the release of ticket_give and ticket_reclaim_all: the ticket's last call is over.
             * Sequentially consistent: the loads of ticket_keeps follow it; pairs with tripd's fence between lowering
             * the limit and looking at tickets beyond it. */
            if (__atomic_compare_exchange_n(&words[at], &word, after, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
                *ret_ticket = (struct ticket){(uint16_t)(at * TICKETS_PER_WORD + place), tickets_at(after, place)};
                return 0;
            }
        }
    }
    return -EAGAIN;
}

/* Gives a ticket back without a compare: exact while nobody but the holder changes the ticket. */
static inline void ticket_clear(uint64_t *at, unsigned place)
{
    /* Sequentially consistent: as in ticket_give. */
    __atomic_fetch_and(at, ~((uint64_t)TICKET_HOLDER_MAX << place * TICKET_BITS), __ATOMIC_SEQ_CST);
}

/* Gives a ticket back. False: the ticket no longer holds the value that was taken, so it was given back before. */
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
         * release: the caller looks for waiters after it. */
        if (__atomic_compare_exchange_n(at, &word, after, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
            return true;
    }
    if (tickets_at(word, place) != ticket.value)
        return false;
    ticket_clear(at, place);
    return true;
}

/* tripd frees the tickets of lanes whose processes are dead, before it reissues their numbers, and of leases that are
 * over; returns how many they held. It uses a CAS, because a ticket may be given back and taken by another process at
 * this moment; a word that changes all the time is cleared all the same. */
static inline unsigned ticket_reclaim_all(uint64_t *words, const uint64_t holders[TICKET_HOLDER_SET])
{
    unsigned held = 0;
    for (unsigned at = 0; at < TICKET_WORDS; at++) {
        /* Relaxed: tripd noticed the deaths by other means, and since then sees every store of the dead processes. */
        uint64_t word = __atomic_load_n(&words[at], __ATOMIC_RELAXED), bits;
        bool done = false;
        for (unsigned tries = 0; !done && tries < TICKET_GIVE_TRIES && (bits = tickets_of_holders(word, holders));
             tries++) {
            /* Release: pairs with the acquire of ticket_take: the next holder comes after the death. */
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

/* Frees up to `most` tickets of a lane that holds more tickets than calls. The CAS leaves tickets alone that were given
 * back meanwhile. */
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

/* Frees the tickets of one lane. Leases, whose holders lie beyond TICKET_LANE_MAX, end by time alone. */
static inline unsigned ticket_reclaim(uint64_t *words, uint32_t lane)
{
    uint64_t holders[TICKET_HOLDER_SET] = {0};
    if (lane <= TICKET_LANE_MAX)
        ticket_holders_add(holders, lane);
    return ticket_reclaim_all(words, holders);
}

#endif
