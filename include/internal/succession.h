/* One commons takes the place of another: when tripd and its keeper are both gone and nobody kept their descriptors,
 * the next tripd makes a commons anew, and gives it the next number. It fills the words from the mirror, epochs moved
 * on by WORD_FRESH_COMMONS_EPOCHS, and writes the number into the admission word of every breaker, before it answers
 * anybody. So the low 18 bits of an epoch count the moves of a breaker, whatever commons they were made in. What
 * clients did to the old words after tripd's death is not in the mirror:
 *
 *   commons 1    closed, epoch 7 ── a client's streak ──> open, epoch 8, until 60 s        (nobody mirrors it)
 *   mirror       closed, epoch 7
 *   commons 2    closed, epoch 7 + 2^18 = 262151: not moved yet
 *
 * Such an opening outlives its commons while its time is not over and the breaker has not moved since, in this commons
 * or one between, be it closed, ramping, or open for less long: a later word says that tripd, an operator or a client
 * knew better. Clients judge by this until they have the new commons, and hand the opening over when they get it
 * (wire.h: OPENINGS); tripd judges by the same before it takes it over. Checked with spin (tests/model/commons.pml),
 * and these very functions in all interleavings of two processes, tripd and an operator
 * (tests/unit/core/test_commons_interleavings.c).
 */
#ifndef TRIP_INTERNAL_SUCCESSION_H
#define TRIP_INTERNAL_SUCCESSION_H

#include "internal/state_word.h"

#define WORD_MOVES_MASK (WORD_FRESH_COMMONS_EPOCHS - 1)

/* Has the breaker moved between two of its words, in the same commons or not? */
static inline bool word_moved(uint64_t word, uint64_t other)
{
    return ((word_epoch(word) ^ word_epoch(other)) & WORD_MOVES_MASK) != 0;
}

/* Does the opening that `word` of commons `number` shows outlive it? rest: a copy of the breaker's; now_word: its word
 * in the commons in force, or the mirror of that. */
static inline bool word_outlives(uint64_t word, uint64_t number, const struct breaker_rest *rest, uint64_t now_word,
                                 uint64_t now_ms, uint64_t longest_ms)
{
    const bool rested = rest->since != 0 && number + 1 >= rest->since && !word_moved(rest->word, now_word);
    const bool denies_less = word_counts_streak(now_word) ||
                             (word_state(now_word) == WORD_OPEN && word_deadline_ms(now_word) < word_deadline_ms(word));
    return rested && denies_less && word_state(word) == WORD_OPEN && !word_due(word, now_ms, longest_ms);
}

/* Copies the words of a breaker's rest. `since` is written first. */
static inline struct breaker_rest rest_load(const struct breaker_rest *rest)
{
    /* Acquire: pairs with tripd's release of the word, its `since` is there. */
    const uint64_t word = __atomic_load_n(&rest->word, __ATOMIC_ACQUIRE);
    return (struct breaker_rest){.word = word, .since = __atomic_load_n(&rest->since, __ATOMIC_RELAXED)};
}

#endif
