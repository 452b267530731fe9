/* The errors that the segment keeps: the last records, and the rows that are analysed (internal/error_rows.h). */
#include "segment/segment.h"

#include <string.h>

#include "internal/error_records.h"
#include "internal/error_rows.h"
#include "internal/words.h"
#include "segment/pages.h"

_Static_assert(SETTINGS_ERRORS_MAX == ERROR_RECORDS_MAX, "correlation.max_errors may be as many as there are places");

static void store(uint64_t *word, uint64_t value)
{
    /* Pairs with the acquire of readers: what was written before it is there. */
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* ----------------------------------------------------------------------------------------------------- settings */

/* Forgets records whose place is beyond the new end. A record that stays is found by its sequence, whatever its place.
 */
static void forget_records_beyond(struct segment *segment, uint64_t end)
{
    for (uint64_t place = end; place < segment->header->error_records; place++)
        __atomic_store_n(&segment->errors[place].sequence, 0, __ATOMIC_RELAXED);
}

static void clear_rows(struct segment *segment)
{
    static const struct error_row none;
    for (uint32_t place = 0; place < ERROR_ROWS; place++)
        words_store(&segment->error_rows[place], &none, sizeof(none));
}

int segment_correlation_publish(struct segment *segment, const struct correlation_settings *settings)
{
    struct correlation_shown *const shown = segment->correlation;
    const int error = pages_reserve_entries(segment->fd, &segment->header->sections[SECTION_ERRORS], 0,
                                            (uint32_t)settings->max_errors);
    if (error < 0)
        return error;
    forget_records_beyond(segment, settings->max_errors);
    if (shown->window_ns != settings->window)
        clear_rows(segment);
    store(&shown->window_ns, settings->window);
    store(&shown->high_error_rate, settings->high_error_rate);
    store(&shown->pattern_share, settings->pattern_share);
    /* Last: the records below have memory. Pairs with the acquire of readers. */
    __atomic_store_n(&segment->header->error_records, (uint32_t)settings->max_errors, __ATOMIC_RELEASE);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------ records */

void segment_error(struct segment *segment, const struct error_record *what)
{
    struct correlation_shown *const shown = segment->correlation;
    const uint32_t places = segment->header->error_records;
    if (places == 0) /* there was no memory for any record */
        return;
    struct error_record *const place = &segment->errors[shown->next % places];
    struct error_record record = *what;
    record.sequence = shown->next + 1;
    record.at_unix_ms = segment_wall_ms(segment);
    memcpy(record.name, segment_name(segment, record.breaker), sizeof(record.name));
    words_publish(place, &record, sizeof(record));
    store(&shown->next, record.sequence);
}

void segment_errors_untexted(struct segment *segment, uint64_t n)
{
    if (n)
        store(&segment->correlation->untexted, segment->correlation->untexted + n);
}

/* --------------------------------------------------------------------------------------------------------- rows */

/* Finds the row with this key, or else a row to give it: one never used, or with no error left in the window. NULL:
 * there is none. */
static struct error_row *row_for(struct segment *segment, uint64_t key, uint64_t now_ns)
{
    struct error_row *free_row = NULL;
    for (uint32_t probe = 0; probe < ERROR_ROW_PROBES; probe++) {
        struct error_row *const row = &segment->error_rows[error_row_place(key, probe)];
        if (row->key == key)
            return row;
        if (!free_row && (row->key == 0 || error_row_sum(row, segment->correlation->window_ns, now_ns) == 0))
            free_row = row;
    }
    return free_row;
}

static void row_count(struct segment *segment, uint64_t key, uint64_t at_ns, uint64_t n, uint64_t now_ns)
{
    struct correlation_shown *const shown = segment->correlation;
    struct error_row *const row = row_for(segment, key, now_ns);
    if (!row) {
        store(&shown->uncounted, shown->uncounted + n);
        return;
    }
    const uint32_t sequence = row->sequence | 1; /* odd already, if a worker died here */
    struct error_row next = row->key == key ? *row : (struct error_row){.key = key};
    error_row_add(&next, shown->window_ns, at_ns, n);
    next.sequence = sequence;
    __atomic_store_n(&row->sequence, sequence, __ATOMIC_RELAXED);
    words_store(row, &next, sizeof(next));
    __atomic_store_n(&row->sequence, sequence + 1, __ATOMIC_RELEASE); /* pairs with error_row_find */
}

void segment_errors_count(struct segment *segment, uint32_t slot, trip_error_type type, uint64_t at_ns, uint64_t n,
                          uint64_t now_ns)
{
    const char *const name = segment_name(segment, slot);
    const size_t group = group_length(name);
    if (segment->correlation->window_ns == 0) /* not published yet */
        return;
    row_count(segment, error_row_key(error_entity(ERROR_SCOPE_HOST, "", 0), type), at_ns, n, now_ns);
    row_count(segment, error_row_key(error_entity(ERROR_SCOPE_BREAKER, name, strlen(name)), type), at_ns, n, now_ns);
    if (group)
        row_count(segment, error_row_key(error_entity(ERROR_SCOPE_GROUP, name, group), type), at_ns, n, now_ns);
}

/* ------------------------------------------------------------------------------------------------------- reading */

static struct error_records records_of(const struct segment *segment)
{
    return (struct error_records){.places = (const uint8_t *)segment->errors,
                                  .stride = sizeof(struct error_record),
                                  .count = segment->header->error_records,
                                  .next = segment->correlation->next};
}

bool segment_error_after(const struct segment *segment, uint64_t after, struct error_record *ret_record)
{
    const struct error_records records = records_of(segment);
    return error_record_after(&records, after, ret_record);
}

bool segment_error_find(const struct segment *segment, uint64_t sequence, struct error_record *ret_record)
{
    const struct error_records records = records_of(segment);
    return error_record_find(&records, sequence, ret_record);
}
