/* Copies between private memory and memory that another process may be reading or writing meanwhile: word by word, each
 * load an acquire and each store a release, so that the sequence number or counter that guards the copy needs no fence:
 *
 *   writer   sequence = odd          (relaxed)     reader   sequence            (acquire)
 *            words_store: each word  (release)              words_load: each    (acquire)
 *            sequence = even         (release)              sequence again      (relaxed)
 *
 * A reader that saw one of the new words sees the odd sequence too. Sizes and shared addresses are multiples of 8.
 */
#ifndef TRIP_INTERNAL_WORDS_H
#define TRIP_INTERNAL_WORDS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t __attribute__((may_alias)) shared_word;

static inline void words_store(void *shared, const void *from, size_t size)
{
    shared_word *to = shared;
    for (size_t i = 0; i < size / 8; i++) {
        uint64_t word;
        memcpy(&word, (const uint8_t *)from + i * 8, 8);
        /* Pairs with the acquire of words_load. */
        __atomic_store_n(&to[i], word, __ATOMIC_RELEASE);
    }
}

static inline void words_load(void *to, const void *shared, size_t size)
{
    const shared_word *from = shared;
    for (size_t i = 0; i < size / 8; i++) {
        /* Pairs with the release of words_store. */
        const uint64_t word = __atomic_load_n(&from[i], __ATOMIC_ACQUIRE);
        memcpy((uint8_t *)to + i * 8, &word, 8);
    }
}

/* An entry begins with a word that is 0 while the entry is written, and says what it is afterwards: a sequence, an id.
 * A writer that is killed in between leaves an entry that no reader takes. */
static inline void words_publish(void *shared, const void *entry, size_t size)
{
    uint64_t first;
    memcpy(&first, entry, sizeof(first));
    __atomic_store_n((shared_word *)shared, 0, __ATOMIC_RELAXED);
    words_store((uint8_t *)shared + 8, (const uint8_t *)entry + 8, size - 8);
    __atomic_store_n((shared_word *)shared, first, __ATOMIC_RELEASE); /* pairs with the acquire of words_take */
}

/* Copies such an entry. Returns its first word; 0: it is being written, or it became another one meanwhile. */
static inline uint64_t words_take(void *to, const void *shared, size_t size)
{
    uint64_t first;
    /* Acquire: pairs with the release of words_publish. */
    const uint64_t seen = __atomic_load_n((const shared_word *)shared, __ATOMIC_ACQUIRE);
    words_load(to, shared, size);
    memcpy(&first, to, sizeof(first));
    /* Relaxed, after the copy, whose loads are acquires: an entry that was overwritten meanwhile begins otherwise. */
    return first == seen && __atomic_load_n((const shared_word *)shared, __ATOMIC_RELAXED) == seen ? seen : 0;
}

#endif
