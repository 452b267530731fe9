#include "core/fingerprints.h"

#include <math.h>
#include <string.h>

#include "core/template.h"
#include "internal/names.h"
#include "internal/numbers.h"

#define NOWHERE        FINGERPRINT_NONE
#define PID_CLASSES    64
#define MERGE_TRIES    32 /* entries of one shape: somebody may make all messages of one */
#define NS_PER_MS      UINT64_C(1000000)
#define OTHER_BREAKERS (FINGERPRINT_BREAKERS + 1) /* breaker_count, where there are more than have a place */

/* ----------------------------------------------------------------------------------------------------------- shapes */

static uint32_t words_of(const char *text)
{
    uint32_t words = 1;
    for (; *text; text++)
        words += *text == ' ';
    return words;
}

/* Only texts of equal shape can be merged. First words that are masked have one shape. */
static uint32_t shape_of(uint8_t type, const char *text)
{
    const uint32_t words = words_of(text);
    uint64_t hash = fnv1a(fnv1a(FNV1A_BASIS, &type, sizeof(type)), &words, sizeof(words));
    hash = fnv1a(hash, text, *text == '<' ? 1 : strcspn(text, " "));
    const uint32_t shape = (uint32_t)(hash ^ hash >> 32);
    return shape ? shape : 1;
}

static void learn(struct fingerprints *fingerprints, uint32_t place)
{
    const struct fingerprint *const entry = &fingerprints->table[place];
    fingerprints->shapes[place] = entry->id ? shape_of(entry->type, entry->text) : 0;
    fingerprints->next_id = at_least(fingerprints->next_id, entry->id + 1);
    if (entry->id)
        fingerprints->seen = at_least(fingerprints->seen, entry->seen);
}

void fingerprints_begin(struct fingerprints *fingerprints, const struct fingerprint *table, uint32_t *shapes,
                        uint32_t places)
{
    *fingerprints = (struct fingerprints){.table = table, .shapes = shapes, .places = places, .next_id = 1};
    for (uint32_t place = 0; place < places; place++)
        learn(fingerprints, place);
}

void fingerprints_stored(struct fingerprints *fingerprints, uint32_t place)
{
    learn(fingerprints, place);
}

/* ----------------------------------------------------------------------------------------------------------- places */

static uint32_t place_with_text(const struct fingerprints *fingerprints, uint32_t shape, uint8_t type, const char *text)
{
    for (uint32_t place = 0; place < fingerprints->places; place++) {
        const struct fingerprint *const entry = &fingerprints->table[place];
        if (fingerprints->shapes[place] == shape && entry->type == type && strcmp(entry->text, text) == 0)
            return place;
    }
    return NOWHERE;
}

/* Finds an entry that the template can be merged with, and makes the text what they have in common. An entry that
 * already covers the template comes before one that would have to be generalised, so that no two entries come to have
 * one text. */
static uint32_t place_to_merge(const struct fingerprints *fingerprints, uint32_t shape, uint8_t type,
                               char text[FINGERPRINT_TEXT_MAX + 1])
{
    char common[FINGERPRINT_TEXT_MAX + 1], found_text[FINGERPRINT_TEXT_MAX + 1];
    uint32_t found = NOWHERE;
    unsigned tries = 0;
    bool covers = false;
    for (uint32_t place = 0; place < fingerprints->places && !covers && tries < MERGE_TRIES; place++) {
        const struct fingerprint *const entry = &fingerprints->table[place];
        if (fingerprints->shapes[place] != shape || entry->type != type)
            continue;
        tries++;
        if (!template_merge(entry->text, text, common))
            continue;
        covers = strcmp(common, entry->text) == 0;
        if (found != NOWHERE && !covers)
            continue;
        found = place;
        strcpy(found_text, common);
    }
    if (found != NOWHERE)
        strcpy(text, found_text);
    return found;
}

/* Finds the entry that counts the template, and makes the text what the entry's text becomes. */
static uint32_t place_of(const struct fingerprints *fingerprints, uint8_t type, char text[FINGERPRINT_TEXT_MAX + 1])
{
    const uint32_t shape = shape_of(type, text), place = place_with_text(fingerprints, shape, type, text);
    return place != NOWHERE ? place : place_to_merge(fingerprints, shape, type, text);
}

static bool is_less(const struct fingerprint *one, const struct fingerprint *other)
{
    return one->count < other->count || (one->count == other->count && one->seen < other->seen);
}

/* Returns the place that a new entry takes: a free one, or that of the least count; of equal ones, of the one that came
 * last the longest time ago. */
static uint32_t place_to_take(const struct fingerprints *fingerprints)
{
    uint32_t least = NOWHERE;
    for (uint32_t place = 0; place < fingerprints->places; place++) {
        if (fingerprints->shapes[place] == 0)
            return place;
        if (least == NOWHERE || is_less(&fingerprints->table[place], &fingerprints->table[least]))
            least = place;
    }
    return least;
}

/* --------------------------------------------------------------------------------------------------------- counting */

/* Makes the template of the record's message. The last word of a message that was cut is left out: how much of it there
 * is depends on the words before it. */
static void template_of_record(const struct error_record *record, char ret_template[FINGERPRINT_TEXT_MAX + 1])
{
    char message[sizeof(record->message) + 1] = "";
    memcpy(message, record->message, sizeof(record->message));
    char *const last = record->cut & ERROR_CUT_MESSAGE ? strrchr(message, ' ') : NULL;
    if (last && last > message)
        *last = '\0';
    template_of(message, ret_template);
}

/* Makes the entry of a template that is new. It takes over the count of the entry that is there. */
static struct fingerprint new_entry(const struct fingerprints *fingerprints, uint32_t place,
                                    const struct error_record *record)
{
    const uint64_t over = fingerprints->shapes[place] ? fingerprints->table[place].count : 0;
    return (struct fingerprint){.id = fingerprints->next_id,
                                .count = over,
                                .over = over,
                                .first_ms = record->at_ms,
                                .first_unix_ms = record->at_unix_ms,
                                .type = record->type};
}

uint16_t fingerprint_name_hash(const char *name)
{
    const uint32_t hash = names_hash(name);
    return (uint16_t)(hash ^ hash >> 16);
}

static void add_breaker(struct fingerprint *entry, const struct error_record *record)
{
    const uint16_t name = fingerprint_name_hash(record->name);
    uint32_t at = 0;
    while (at < entry->breaker_count && at < FINGERPRINT_BREAKERS &&
           (entry->breakers[at] != record->breaker || entry->names[at] != name))
        at++;
    if (at == FINGERPRINT_BREAKERS) {
        entry->breaker_count = OTHER_BREAKERS;
    } else if (at == entry->breaker_count) {
        entry->breakers[at] = record->breaker;
        entry->names[at] = name;
        entry->breaker_count++;
    }
}

static uint64_t class_of(uint32_t pid)
{
    uint64_t seed = pid;
    return UINT64_C(1) << random_next(&seed) % PID_CLASSES;
}

/* Adds the record to its entry, whose text becomes this one. True: a burst begins. */
static bool add_record(struct fingerprint *entry, const struct error_record *record, const char *text)
{
    entry->seen = record->sequence;
    entry->count += record->times;
    if (record->at_ms >= entry->last_ms) {
        entry->last_ms = record->at_ms;
        entry->last_unix_ms = record->at_unix_ms;
    }
    entry->processes |= class_of(record->pid);
    add_breaker(entry, record);
    memset(entry->text, 0, sizeof(entry->text));
    memcpy(entry->text, text, strlen(text));
    return burst_add(&entry->burst, record->at_ms * NS_PER_MS, record->times);
}

static struct fingerprint_memo *memo_of(struct fingerprints *fingerprints, const struct error_record *record,
                                        uint64_t *ret_message)
{
    const uint8_t kind[] = {record->type, record->cut & ERROR_CUT_MESSAGE};
    const uint64_t message = fnv1a(fnv1a(FNV1A_BASIS, kind, sizeof(kind)), record->message,
                                   strnlen(record->message, sizeof(record->message)));
    *ret_message = message;
    return &fingerprints->memos[(message ^ message >> 32) % FINGERPRINT_MEMOS];
}

static bool remembers(const struct fingerprints *fingerprints, const struct fingerprint_memo *memo, uint64_t message)
{
    return memo->id && memo->message == message && fingerprints->table[memo->place].id == memo->id;
}

/* Finds the entry of the record's template, and makes the text what the entry's text becomes. NOWHERE: there is none
 * yet, or, with an empty text, the record has no message. */
static uint32_t look_up(const struct fingerprints *fingerprints, const struct error_record *record,
                        char ret_text[FINGERPRINT_TEXT_MAX + 1])
{
    template_of_record(record, ret_text);
    return *ret_text ? place_of(fingerprints, record->type, ret_text) : NOWHERE;
}

uint32_t fingerprints_count(struct fingerprints *fingerprints, const struct error_record *record,
                            struct fingerprint *ret_entry, bool *ret_burst)
{
    char text[FINGERPRINT_TEXT_MAX + 1];
    uint64_t message;
    struct fingerprint_memo *const memo = memo_of(fingerprints, record, &message);
    const bool again = record->sequence <= fingerprints->seen;
    uint32_t place;
    if (remembers(fingerprints, memo, message)) {
        place = memo->place;
        strcpy(text, fingerprints->table[place].text);
    } else {
        place = look_up(fingerprints, record, text);
    }
    if (!*text || !fingerprints->places)
        return FINGERPRINT_NONE;
    if (place == NOWHERE && again)
        return FINGERPRINT_GONE;
    const uint32_t taken = place != NOWHERE ? place : place_to_take(fingerprints);
    *ret_entry = place != NOWHERE ? fingerprints->table[place] : new_entry(fingerprints, taken, record);
    *ret_burst = !again && add_record(ret_entry, record, text);
    *memo = (struct fingerprint_memo){.message = message, .id = ret_entry->id, .place = taken};
    return taken;
}

unsigned fingerprint_processes(const struct fingerprint *entry)
{
    const int classes = __builtin_popcountll(entry->processes);
    if (classes == PID_CLASSES)
        return PID_CLASSES;
    const double estimate = PID_CLASSES * log((double)PID_CLASSES / (PID_CLASSES - classes));
    return (unsigned)lround(fmin(estimate, PID_CLASSES));
}
