#include "breakers/word.h"

uint64_t breakers_raw_word(const struct breakers *breakers, uint32_t slot)
{
    /* Acquire: pairs with the CAS that moved the word: what its process published before is there. */
    return __atomic_load_n(commons_word(breakers->commons, slot), __ATOMIC_ACQUIRE);
}

bool breakers_cas(const struct breakers *breakers, uint32_t slot, uint64_t from, uint64_t to)
{
    /* seq_cst: in one order with clients' CASes of permits and loads of this word (libtrip's probe.c). The release in
     * it publishes policy, deadlines and ramp end to whoever acquires the word. */
    return __atomic_compare_exchange_n(commons_word(breakers->commons, slot), &from, to, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_RELAXED);
}
