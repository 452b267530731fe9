#include "error.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------------------------ texts */

/* Returns how many bytes of a text fit into the room, cut at the end of a UTF-8 character. */
static size_t fitting(const char *text, size_t room)
{
    size_t length = strnlen(text, room + 1);
    if (length <= room)
        return length;
    for (length = room; length > 0 && ((uint8_t)text[length] & 0xc0) == 0x80;)
        length--;
    return length;
}

/* size: of the field, which is 0. */
static void put_text(char *field, size_t size, const char *text, struct lane_error *record, enum error_cut cut)
{
    const size_t length = text ? fitting(text, size - 1) : 0;
    if (length)
        memcpy(field, text, length);
    if (text && text[length])
        record->cut |= (uint8_t)cut;
}

/* Key and value with their NULs. A pair that does not fit is left out, with all that follow. */
static void put_context(struct lane_error *record, const trip_error *error)
{
    size_t used = 0;
    for (size_t i = 0; error->context && i < error->context_count; i++) {
        const char *const key = error->context[i].key, *const value = error->context[i].value;
        if (!key || !value)
            continue;
        const size_t room = sizeof(record->context) - used, key_size = strnlen(key, room) + 1;
        const size_t value_size = key_size < room ? strnlen(value, room - key_size) + 1 : room;
        if (record->pairs == TRIP_ERROR_PAIRS_MAX || key_size + value_size > room) {
            record->cut |= ERROR_CUT_CONTEXT;
            return;
        }
        memcpy(record->context + used, key, key_size);
        memcpy(record->context + used + key_size, value, value_size);
        used += key_size + value_size;
        record->pairs++;
    }
}

static void fill(struct lane_error *record, const trip_error *error)
{
    put_text(record->message, sizeof(record->message), error->message, record, ERROR_CUT_MESSAGE);
    put_text(record->correlation, sizeof(record->correlation), error->correlation, record, ERROR_CUT_CORRELATION);
    put_text(record->trace, sizeof(record->trace), error->trace, record, ERROR_CUT_TRACE);
    put_text(record->session, sizeof(record->session), error->session, record, ERROR_CUT_SESSION);
    put_context(record, error);
}

/* ---------------------------------------------------------------------------------------------------------- records */

/* Counts the error in the meter's room for errors, which the meter takes with its first error. Without memory for a
 * room the error goes uncounted. */
static void count(const struct reporter *reporter, trip_error_type type)
{
    struct meter *const meter = reporter->meter;
    const uint32_t room = lane_room(reporter->lane, &meter->errors);
    if (!room)
        return;
    uint32_t *const errors = &lane_room_at(reporter->lane->memory, room - 1)->counters[type];
    /* Release: pairs with tripd's acquire, the error's record is there. */
    if (reporter->section)
        __atomic_store_n(errors, __atomic_load_n(errors, __ATOMIC_RELAXED) + 1, __ATOMIC_RELEASE);
    else
        __atomic_fetch_add(errors, 1, __ATOMIC_RELEASE);
    meter_moved(reporter->lane, meter, &reporter->lane->view->segment->round);
}

/* A call's error without texts needs no record: the count of its type says all that is known. */
static bool has_more(const trip_error *error, bool outside)
{
    return outside ||
           (error && (error->message || error->correlation || error->trace || error->session || error->context));
}

/* Apart, so that an error without a record keeps no room for one on the stack. */
static __attribute__((noinline)) bool append_record(struct reporter reporter, const struct outcome *outcome,
                                                    trip_error_type type, bool outside)
{
    struct lane_error record = {.latency_ns = outcome->latency_ns, .type = (uint8_t)type, .outside = outside};
    record.ticks = outcome->ticks ? outcome->ticks : view_ticks(reporter.lane->view);
    record.meter = lane_meter_number(reporter.lane->memory, reporter.meter);
    if (outcome->error)
        fill(&record, outcome->error);
    return lane_append_record(reporter.lane->memory, reporter.section, &record) % (LANE_ERRORS / 2) == 0;
}

bool error_tell(const struct reporter *reporter, const struct outcome *outcome, bool outside)
{
    const trip_error_type type = error_type_of(outcome);
    const bool half_full = has_more(outcome->error, outside) && append_record(*reporter, outcome, type, outside);
    /* After the record: tripd looks for records once it finds one more counted. */
    count(reporter, type);
    return half_full;
}
