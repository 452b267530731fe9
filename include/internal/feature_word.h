/* The word of a feature: who it is of, and for how many keys the feature is on, in one load.
 *
 *   mark 54 | permille 10      0: the place was never used
 *
 * The mark is a hash of the feature's name. A client that remembers where its feature's word is compares the mark with
 * each load: a place that tripd has given to another feature does not answer for this one. A config whose features have
 * the same mark is refused (daemon/config/levels.c), so a mark stands for one feature of the config.
 *
 * The words are an index by open addressing with linear probing. A word is never removed: that of a feature that is
 * gone says "on", as a name does that is not there, until another feature takes its place. So a search needs no lock,
 * and tripd moves no word while clients look for it.
 */
#ifndef TRIP_INTERNAL_FEATURE_WORD_H
#define TRIP_INTERNAL_FEATURE_WORD_H

#include <stdbool.h>
#include <string.h>

#include "internal/layout_levels.h"
#include "internal/numbers.h"

#define FEATURE_PERMILLE_BITS 10
#define FEATURE_PERMILLE_MASK ((UINT64_C(1) << FEATURE_PERMILLE_BITS) - 1)

_Static_assert(FEATURE_ON <= FEATURE_PERMILLE_MASK, "a word has no room for all permille");
_Static_assert((FEATURE_PLACES & (FEATURE_PLACES - 1)) == 0 && FEATURE_PLACES >= 2 * FEATURES_MAX,
               "the index is half empty at least while all features are configured");

/* Returns the mark in its place in the word, never 0. */
static inline uint64_t feature_mark(const char *name)
{
    const uint64_t mark = fnv1a(FNV1A_BASIS, name, strlen(name)) & ~FEATURE_PERMILLE_MASK;
    return mark ? mark : FEATURE_PERMILLE_MASK + 1;
}

static inline bool feature_has_mark(uint64_t word, uint64_t mark)
{
    return (word & ~FEATURE_PERMILLE_MASK) == mark;
}

/* A value above 1000 is damage, and counts as "on". */
static inline unsigned feature_permille(uint64_t word)
{
    return (unsigned)at_most(word & FEATURE_PERMILLE_MASK, FEATURE_ON);
}

/* Returns the place in which the search for a mark begins: bits of the hash that are not all of them its lowest. */
static inline uint32_t feature_place(uint64_t mark)
{
    return (uint32_t)(mark >> 32) & (FEATURE_PLACES - 1);
}

/* Finds the word of this mark; else the word that ends the search, where tripd may put it one day. */
static inline const uint64_t *feature_find(const uint64_t *words, uint64_t mark)
{
    const uint32_t first = feature_place(mark);
    for (uint32_t i = 0; i < FEATURE_PLACES; i++) {
        const uint64_t *const place = &words[(first + i) & (FEATURE_PLACES - 1)];
        /* Relaxed: the word is all there is to read. Its writer is segment_feature_word. */
        const uint64_t word = __atomic_load_n(place, __ATOMIC_RELAXED);
        if (word == 0 || feature_has_mark(word, mark))
            return place;
    }
    return &words[first];
}

/* Returns where a key stands among the 1000 permille: 0 to 999, the same everywhere and for ever. The feature is on for
 * the key while this is less than its permille. It is FNV-1a (64 bits) of the name, a zero byte and the key, mixed by
 * the last steps of MurmurHash3 (Austin Appleby, public domain); then the upper 32 bits are spread over 1000. */
static inline unsigned feature_position(const char *name, const char *key)
{
    uint64_t hash = fnv1a(FNV1A_BASIS, name, strlen(name) + 1);
    hash = fnv1a(hash, key, strlen(key));
    hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    hash ^= hash >> 33;
    return (unsigned)((hash >> 32) * FEATURE_ON >> 32);
}

#endif
