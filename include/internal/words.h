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

#endif
