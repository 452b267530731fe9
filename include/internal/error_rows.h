/* Errors of late, counted by entity and type: the rows of SECTION_ERROR_ROWS, which tripd writes and anybody reads.
 *
 * An entity is the host, a group of breakers, or a breaker. A row holds what one entity had of one type, in ten
 * sub-buckets of the correlation window. The row's key is a hash of the entity's kind and name and of the type, so it
 * is found by looking at ERROR_ROW_PROBES places from where its hash says. A row whose errors have all left the window
 * gives its place to another one: the table has as many rows as errors are of late, however many breakers there are.
 */
#ifndef TRIP_INTERNAL_ERROR_ROWS_H
#define TRIP_INTERNAL_ERROR_ROWS_H

#include <stdbool.h>
#include <string.h>

#include "internal/layout.h"
#include "internal/names.h"
#include "internal/numbers.h"
#include "internal/words.h"

#define ERROR_ROW_PROBES 16u

enum error_scope { ERROR_SCOPE_HOST, ERROR_SCOPE_GROUP, ERROR_SCOPE_BREAKER };

/* Returns a hash of the entity's kind and name. A reporter may count errors for every breaker anyway, so an attacker
 * gains nothing from two names with the same hash. */
static inline uint64_t error_entity(enum error_scope scope, const char *name, size_t length)
{
    const uint8_t kind = (uint8_t)scope;
    return fnv1a(fnv1a(FNV1A_BASIS, &kind, 1), name, length);
}

/* Returns the key of a row. It is never 0, which marks an unused row. The multiplication spreads an entity's types over
 * the table. */
static inline uint64_t error_row_key(uint64_t entity, trip_error_type type)
{
    uint64_t key = (entity + (uint64_t)type + 1) * UINT64_C(0x9e3779b97f4a7c15);
    key = (key ^ key >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return (key ^ key >> 32) | 1;
}

static inline uint32_t error_row_place(uint64_t key, uint32_t probe)
{
    return ((uint32_t)(key >> 32) + probe) % ERROR_ROWS;
}

/* Copies the row with this key. False: there is none, or tripd was writing it at each of five tries. */
static inline bool error_row_find(const struct error_row *rows, uint64_t key, struct error_row *ret_row)
{
    for (uint32_t probe = 0; probe < ERROR_ROW_PROBES; probe++) {
        const struct error_row *const row = &rows[error_row_place(key, probe)];
        for (unsigned tries = 0; tries < 5; tries++) {
            /* Acquire: pairs with the release of tripd's last store of the sequence, which is odd while it writes. */
            const uint32_t sequence = __atomic_load_n(&row->sequence, __ATOMIC_ACQUIRE);
            if (__atomic_load_n(&row->key, __ATOMIC_RELAXED) != key)
                break;
            words_load(ret_row, row, sizeof(*ret_row));
            if (!(sequence & 1) && ret_row->key == key && ret_row->sequence == sequence &&
                __atomic_load_n(&row->sequence, __ATOMIC_RELAXED) == sequence)
                return true;
        }
    }
    return false;
}

#endif
