/* Errors by their messages' templates: how often each comes, of whom, and whether it comes in a burst.
 *
 *   error record ──> template_of ──> the entry with this template, or one that can be merged with it, or a new one
 *
 * The table is bounded: Space-Saving (layout_chronicle.h). Each function leaves the table to its caller, who owns the
 * memory and stores the entry that changed; so nothing here depends on where the table lives. Pure. */
#ifndef TRIP_CORE_FINGERPRINTS_H
#define TRIP_CORE_FINGERPRINTS_H

#include <stdbool.h>

#include "core/burst.h"
#include "internal/layout.h"

#define FINGERPRINT_MEMOS 64

/* Which entry a message had: in a storm the same ones come again, and their template is not made anew. */
struct fingerprint_memo {
    uint64_t message; /* its hash, and its type's */
    uint64_t id;      /* 0: none; another entry may have the place by now */
    uint32_t place;
};

/* Where entries are looked for without touching each of them: a word of each, made from its type and its template's
 * first word and number of words. */
struct fingerprints {
    const struct fingerprint *table; /* read here, written by the caller */
    uint32_t *shapes;                /* by place; 0: free */
    uint32_t places;
    uint64_t next_id;
    uint64_t seen; /* the highest sequence that an entry has seen: of the last record that was counted */
    struct fingerprint_memo memos[FINGERPRINT_MEMOS]; /* by hash */
};

/* Makes the shapes of a table that is there, and finds the next id and the last record seen. */
void fingerprints_begin(struct fingerprints *fingerprints, const struct fingerprint *table, uint32_t *shapes,
                        uint32_t places);

#define FINGERPRINT_NONE UINT32_MAX       /* the record has no message, or nothing is left of it in a template */
#define FINGERPRINT_GONE (UINT32_MAX - 1) /* it was counted before, and its place is given away */

/* Counts an error record. Returns the place that changes and its new content, which the caller stores there, and
 * then calls fingerprints_stored; or FINGERPRINT_NONE or FINGERPRINT_GONE. Records come in rising sequence, except
 * that some come again after a crash. A record whose sequence is not above the highest one seen was counted, and
 * changes nothing: *ret_entry is the entry as it is. *ret_burst: with this record a burst began. */
uint32_t fingerprints_count(struct fingerprints *fingerprints, const struct error_record *record,
                            struct fingerprint *ret_entry, bool *ret_burst);
void fingerprints_stored(struct fingerprints *fingerprints, uint32_t place);

/* Hashes a breaker's name. An entry keeps the hash beside the slot, since a slot may be given to another breaker. */
uint16_t fingerprint_name_hash(const char *name);

/* How many processes told of it, estimated (linear counting: Whang et al., 1990): exact to a few, 64 or more: 64. */
unsigned fingerprint_processes(const struct fingerprint *entry);

#endif
