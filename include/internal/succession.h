/* One commons takes the place of another: when tripd and its keeper are both gone and nobody kept their descriptors,
 * the next tripd makes a commons anew. It fills the words from the mirror, epochs moved on by
 * WORD_FRESH_COMMONS_EPOCHS, and moves the number of the commons in the admission word of every breaker, before it
 * answers anybody. So the low 18 bits of an epoch count the moves of a breaker, whatever commons they were made in.
 * What clients did to the old words after tripd's death is not in the mirror:
 *
 *   old commons    closed, epoch 7 ── a client's streak ──> open, epoch 8, until 60 s        (nobody mirrors it)
 *   mirror         closed, epoch 7 ── kept in SECTION_BEFORE
 *   new commons    closed, epoch 7 + 2^18 = 262151: not moved yet
 *
 * Such an opening outlives its commons while its time is not over and the new word has not moved: a later word says
 * that tripd, an operator or a client knew better. Clients judge by this until they have the new commons, and hand the
 * opening over when they get it (wire.h: OPENINGS); tripd judges by the same before it takes it over.
 */
#ifndef TRIP_INTERNAL_SUCCESSION_H
#define TRIP_INTERNAL_SUCCESSION_H

#include "internal/state_word.h"

#define WORD_MOVES_MASK (WORD_FRESH_COMMONS_EPOCHS - 1)

/* How often the breaker has moved between two words, modular, in the same commons or not. 0: it has not. */
static inline uint32_t word_moves_between(uint64_t earlier, uint64_t later)
{
    return (word_epoch(later) - word_epoch(earlier)) & WORD_MOVES_MASK;
}

/* Does the opening that `word` of an older commons shows outlive it? before: the breaker's SECTION_BEFORE; now_word:
 * its word in the commons in force, or the mirror of that. */
static inline bool word_outlives(uint64_t word, uint64_t before, uint64_t now_word, uint64_t now_ms,
                                 uint64_t longest_ms)
{
    const uint32_t moves = word_moves_between(before, word);
    return before != 0 && word_state(word) == WORD_OPEN && !word_due(word, now_ms, longest_ms) && moves != 0 &&
           moves < WORD_FRESH_COMMONS_EPOCHS / 2 && word_counts_streak(now_word) &&
           word_moves_between(before, now_word) == 0;
}

#endif
