/* The segment's slots: which name has which slot, the words that clients judge by, and the details that people are
 * shown. */
#include "segment/segment.h"

#include <errno.h>
#include <string.h>

#include "internal/names.h"
#include "internal/numbers.h"
#include "internal/policy.h"
#include "internal/words.h"

/* ----------------------------------------------------------------------------------------------------------- names */
/* A slot is in use when the index names it. Taking one fills it first and names it last, forgetting one takes the name
 * out first: whatever a kill leaves between is a free slot. */

bool segment_used(const struct segment *segment, uint32_t slot)
{
    return slot < segment->slots && (segment->used[slot / 64] >> slot % 64 & 1);
}

static void set_used(struct segment *segment, uint32_t slot, bool used)
{
    const uint64_t bit = UINT64_C(1) << slot % 64;
    if (used == segment_used(segment, slot))
        return;
    segment->used[slot / 64] ^= bit;
    segment->used_count += used ? 1 : UINT32_MAX;
}

const char *segment_name(const struct segment *segment, uint32_t slot)
{
    return segment->details[slot].name;
}

const char *segment_name_of(const struct segment *segment, uint32_t slot)
{
    return slot < segment->slots && segment_used(segment, slot) ? segment_name(segment, slot) : "";
}

static int find(const struct segment *segment, const char *name, uint32_t *ret_slot, uint32_t *ret_place)
{
    return names_find(segment->names, NAMES_PLACES, segment->details, sizeof(struct detail_slot), segment->slots, name,
                      ret_slot, ret_place);
}

int segment_find(const struct segment *segment, const char *name, uint32_t *ret_slot)
{
    return find(segment, name, ret_slot, NULL);
}

/* Returns the end of the slots that names are given now. After max_breakers fell, slots beyond may be in use. */
static uint32_t end_of_slots(const struct segment *segment)
{
    const uint32_t most = segment->header->max_breakers;
    return segment->slots < most ? segment->slots : most;
}

bool segment_full(const struct segment *segment)
{
    return segment->used_count >= end_of_slots(segment);
}

/* Finds the next free slot. Slots come in turn, so that one just forgotten rests as long as may be. */
static int next_free(struct segment *segment, uint32_t *ret_slot)
{
    const uint32_t end = end_of_slots(segment), first = segment->take_next < end ? segment->take_next : 0;
    for (uint32_t i = 0; i < end && !segment_full(segment); i++) {
        const uint32_t slot = (first + i) % end;
        if (segment_used(segment, slot))
            continue;
        segment->take_next = slot + 1;
        *ret_slot = slot;
        return 0;
    }
    return segment->used_count < segment->header->max_breakers ? -ENOMEM : -ENOSPC;
}

uint32_t segment_incarnation(const struct segment *segment, uint32_t slot)
{
    return policy_incarnation(segment->policies[slot].admission);
}

/* Moves the incarnation on, so that handles to the slot's last name turn stale. It is never 0: no handle fits a slot
 * that was never used. */
static void move_incarnation(struct segment *segment, uint32_t slot)
{
    const uint32_t incarnation = segment_incarnation(segment, slot) % 0xffff + 1;
    /* Pairs with the acquire of a client's admission check. */
    __atomic_store_n(&segment->policies[slot].admission, policy_plain(incarnation, segment->header->commons_number),
                     __ATOMIC_RELEASE);
}

static void clear_policy(struct policy_slot *policy)
{
    const struct policy_slot unset = {0};
    words_store(policy->judge, unset.judge, sizeof(unset) - offsetof(struct policy_slot, judge));
}

/* ----------------------------------------------------------------------------------------------------- details */

/* Begins a sequence-locked write. Until sequence_end a reader sees an odd sequence and tries again (words.h). If a
 * worker died here, the sequence is odd already, and stays so. */
static void sequence_begin(uint64_t *sequence)
{
    __atomic_store_n(sequence, *sequence | 1, __ATOMIC_RELAXED);
}

static void sequence_end(uint64_t *sequence)
{
    /* Pairs with the acquire of the reader's first look at the sequence. */
    __atomic_store_n(sequence, *sequence + 1, __ATOMIC_RELEASE);
}

static void detail_begin(struct detail_slot *detail)
{
    sequence_begin(&detail->sequence);
}

static void detail_end(struct detail_slot *detail)
{
    sequence_end(&detail->sequence);
}

static void store_number(uint64_t *field, uint64_t value)
{
    /* Pairs with the acquire of words_load. */
    __atomic_store_n(field, value, __ATOMIC_RELEASE);
}

/* Stores a word only if it changes, for its line is read by every process at each call. */
static void store_change(uint64_t *field, uint64_t value)
{
    if (*field != value)
        store_number(field, value);
}

static void store_byte(uint8_t *field, unsigned value)
{
    /* Pairs with the acquire of words_load. */
    __atomic_store_n(field, (uint8_t)value, __ATOMIC_RELEASE);
}

/* Stores a text, cut to the field; NULL: an empty one. size: of the field, a multiple of 8. */
static void store_text(char *field, const char *text, size_t size)
{
    char copy[TRIP_NAME_MAX + 1] = {0};
    if (text)
        memcpy(copy, text, strnlen(text, size - 1));
    words_store(field, copy, size);
}

static void fresh_detail(struct segment *segment, uint32_t slot, const char *name, uint64_t now_ms)
{
    struct detail_slot *const detail = &segment->details[slot];
    struct detail_slot fresh = {.created_unix_ms = segment_wall_ms(segment), .used_ms = now_ms, .since_ms = now_ms};
    const size_t head = offsetof(struct detail_slot, name);
    fresh.since_unix_ms = fresh.created_unix_ms;
    memcpy(fresh.name, name, strnlen(name, TRIP_NAME_MAX));
    memcpy(fresh.latency, detail->latency, sizeof(fresh.latency)); /* the latency groups stay the slot's */
    detail_begin(detail);
    segment_latency_clear(segment, slot);
    words_store((uint8_t *)detail + head, (const uint8_t *)&fresh + head, sizeof(fresh) - head);
    detail_end(detail);
}

void segment_detail_state(struct segment *segment, uint32_t slot, trip_reason reason, uint64_t now_ms,
                          uint64_t until_ms)
{
    struct detail_slot *detail = &segment->details[slot];
    detail_begin(detail);
    store_number(&detail->since_unix_ms, segment_wall_ms(segment));
    store_number(&detail->since_ms, now_ms);
    store_number(&detail->until_ms, until_ms);
    store_byte(&detail->reason, reason);
    detail_end(detail);
}

void segment_detail_condition(struct segment *segment, uint32_t slot, trip_reason condition)
{
    store_byte(&segment->details[slot].condition, condition);
}

/* It is one word, and so whole without a sequence. */
void segment_detail_intended(struct segment *segment, uint32_t slot, uint64_t word)
{
    store_number(&segment->details[slot].intended, word);
}

void segment_detail_actor(struct segment *segment, uint32_t slot, enum transition_by by, uint32_t uid, const char *note)
{
    struct detail_slot *detail = &segment->details[slot];
    detail_begin(detail);
    store_byte(&detail->by, by);
    /* Pairs with the acquire of words_load. */
    __atomic_store_n(&detail->uid, uid, __ATOMIC_RELEASE);
    store_text(detail->note, note, sizeof(detail->note));
    detail_end(detail);
}

void segment_detail_error(struct segment *segment, uint32_t slot, const struct error_record *record)
{
    struct detail_slot *detail = &segment->details[slot];
    detail_begin(detail);
    store_byte(&detail->error_type, record->type);
    store_number(&detail->error_unix_ms, at_least(segment_wall_ms(segment), 1));
    store_text(detail->error_message, record->message, sizeof(detail->error_message));
    store_number(&detail->error_sequence, segment->correlation->next);
    detail_end(detail);
}

/* It is one word, and so whole without a sequence. */
void segment_detail_used(struct segment *segment, uint32_t slot, uint64_t now_ms)
{
    store_number(&segment->details[slot].used_ms, now_ms);
}

void segment_detail_made_by(struct segment *segment, uint32_t slot, uid_t uid)
{
    __atomic_store_n(&segment->details[slot].made_by, uid, __ATOMIC_RELAXED); /* for tripd alone */
}

void segment_detail_hidden(struct segment *segment, uint32_t slot, uint64_t since_ms)
{
    store_number(&segment->details[slot].hidden_ms, since_ms);
}

void segment_detail_match(struct segment *segment, uint32_t slot, const char *match)
{
    struct detail_slot *detail = &segment->details[slot];
    detail_begin(detail);
    store_text(detail->settings_match, match, sizeof(detail->settings_match));
    detail_end(detail);
}

void segment_mirror(struct segment *segment, uint32_t slot, uint64_t word)
{
    /* Pairs with the acquire of tools: the details of a state are there before it. */
    __atomic_store_n(&segment->mirror[slot], word, __ATOMIC_RELEASE);
}

/* ---------------------------------------------------------------------------------------- coming and going */

int segment_take(struct segment *segment, const char *name, uint64_t now_ms, uint32_t *ret_slot)
{
    uint32_t slot;
    const int error = next_free(segment, &slot);
    if (error < 0) {
        __atomic_store_n(&segment->header->overflow, segment->header->overflow + 1, __ATOMIC_RELEASE);
        return error;
    }
    clear_policy(&segment->policies[slot]);
    fresh_detail(segment, slot, name, now_ms);
    /* After the name has changed: a client that compared the old name has read the incarnation before this one, so that
     * its handle is stale from here on. */
    move_incarnation(segment, slot);
    segment_core_clear(segment, slot);
    store_change(&segment->rests[slot].since, 0); /* an older commons knows another breaker in this slot */
    set_used(segment, slot, true);
    *ret_slot = slot;
    return 0;
}

/* Finds the first empty place in the name's probe order. There is one, for at least half of the index is empty. */
static uint32_t place_for(const struct segment *segment, uint32_t hash)
{
    uint32_t place = hash & (NAMES_PLACES - 1);
    while (segment->names[place] != NAMES_EMPTY)
        place = (place + 1) & (NAMES_PLACES - 1);
    return place;
}

void segment_name_publish(struct segment *segment, uint32_t slot)
{
    const uint32_t hash = names_hash(segment_name(segment, slot));
    /* Pairs with the acquire of names_find: name, policy and state word are there before. */
    __atomic_store_n(&segment->names[place_for(segment, hash)], names_entry(hash, slot), __ATOMIC_RELEASE);
}

/* Moves entries behind the hole up into it, if searches would no longer reach them. Each is written to its new place
 * before it is gone from the old one; a kill between leaves it in both: see segment_names_restore. */
static void close_hole(struct segment *segment, uint32_t hole)
{
    const uint32_t mask = NAMES_PLACES - 1, begin = hole;
    for (uint32_t i = 1; i < NAMES_PLACES; i++) {
        const uint32_t place = (begin + i) & mask;
        const uint64_t entry = segment->names[place];
        const uint32_t way = (place - names_entry_hash(entry)) & mask; /* how far its searches have come here */
        if (entry == NAMES_EMPTY)
            break;
        if (way < ((place - hole) & mask))
            continue;
        /* Pairs with the acquire of names_find. */
        __atomic_store_n(&segment->names[hole], entry, __ATOMIC_RELEASE);
        hole = place;
    }
    __atomic_store_n(&segment->names[hole], NAMES_EMPTY, __ATOMIC_RELEASE);
}

static bool entry_sound(const struct segment *segment, uint32_t place)
{
    const uint32_t slot = names_entry_slot(segment->names[place]);
    uint32_t found, first;
    return slot < segment->slots && segment_name(segment, slot)[0] != '\0' &&
           find(segment, segment_name(segment, slot), &found, &first) == 0 && first == place;
}

void segment_names_restore(struct segment *segment)
{
    for (uint32_t place = 0; place < NAMES_PLACES; place++)
        while (segment->names[place] != NAMES_EMPTY && !entry_sound(segment, place))
            close_hole(segment, place);
    for (uint32_t place = 0; place < NAMES_PLACES; place++)
        if (segment->names[place] != NAMES_EMPTY)
            set_used(segment, names_entry_slot(segment->names[place]), true);
}

void segment_forget(struct segment *segment, uint32_t slot)
{
    uint32_t found, place;
    if (!segment_used(segment, slot))
        return;
    /* First: a worker that is killed here leaves the name, and the next one shows its reporters anew. */
    segment_reporters_show(segment, slot, &(struct reporters_shown){0});
    if (find(segment, segment_name(segment, slot), &found, &place) == 0 && found == slot)
        close_hole(segment, place);
    move_incarnation(segment, slot);
    set_used(segment, slot, false);
}

/* ---------------------------------------------------------------------------------------------------- policies */

uint32_t segment_policy_publish(struct segment *segment, uint32_t slot, const struct segment_policy *policy,
                                trip_mode mode, uint32_t generation)
{
    struct policy_slot *words = &segment->policies[slot];
    const uint32_t next = (generation + 1) & 0xffff;
    /* Each is a word by itself; release, so that the judge of the new generation finds them. */
    store_change(&words->slow_after_ns, policy->slow_after_ns);
    store_change(&words->half_open, policy_half_open(policy->permits, policy->max_wait_ms));
    store_change(&words->longest_ms, policy->longest_ms);
    store_change(&words->fallback, policy->fallback); /* of a book that is there: segment_fallbacks_publish */
    /* The judge that is not in force. The caller's CAS of the state word's generation brings it into force, and a
     * client that acquires that word finds this judge. */
    store_change(&words->judge[next & 1], policy_judge(policy->threshold, mode, policy->watched, next));
    return next;
}

void segment_next_open_publish(struct segment *segment, uint32_t slot, uint64_t next_open_ms, uint64_t longest_ms)
{
    /* The bound first: a client must see no open time that it would take for damage. */
    store_change(&segment->policies[slot].longest_ms, longest_ms);
    store_change(&segment->policies[slot].next_open_ms, next_open_ms);
}

void segment_ramp_end_publish(struct segment *segment, uint32_t slot, uint32_t epoch, uint64_t end_ms)
{
    store_number(&segment->policies[slot].ramp_end, policy_ramp_end(epoch, end_ms));
}

void segment_permits_free_publish(struct segment *segment, uint32_t slot, uint32_t permits_free, uint64_t due_ms)
{
    store_change(&segment->details[slot].permit_due_ms, due_ms);
    store_change(&segment->policies[slot].permits_free, permits_free);
}

void segment_limits_publish(struct segment *segment, uint32_t slot, const struct policy_slot *wanted)
{
    struct policy_slot *const words = &segment->policies[slot];
    /* For each limit that a client finds in `limits`, its words must be there: so limits that go off are cleared first,
     * and those that come on are set last. */
    store_change(&words->limits, words->limits & wanted->limits);
    store_change(&words->tickets_wait, wanted->tickets_wait);
    for (size_t at = offsetof(struct policy_slot, tickets_highest); at < sizeof(*words); at += sizeof(uint64_t))
        store_change((uint64_t *)((uint8_t *)words + at), *(const uint64_t *)((const uint8_t *)wanted + at));
    store_change(&words->limits, wanted->limits);
}

void segment_tickets_highest_publish(struct segment *segment, uint32_t slot, uint64_t highest)
{
    store_change(&segment->policies[slot].tickets_highest, highest);
}

/* Writes an entry for people, which begins with its sequence, if what follows has changed, or a worker that died while
 * it wrote left the sequence odd. size: of the whole entry. */
static void show(void *place, const void *shown, size_t size)
{
    const size_t head = sizeof(uint64_t);
    const bool half_written = *(const uint64_t *)place & 1;
    if (!half_written && memcmp((const uint8_t *)place + head, (const uint8_t *)shown + head, size - head) == 0)
        return;
    sequence_begin(place);
    words_store((uint8_t *)place + head, (const uint8_t *)shown + head, size - head);
    sequence_end(place);
}

void segment_limits_show(struct segment *segment, uint32_t slot, const struct limits_shown *shown)
{
    show(&segment->limits[slot], shown, sizeof(*shown));
}

void segment_reporters_show(struct segment *segment, uint32_t slot, const struct reporters_shown *shown)
{
    show(&segment->reporters[slot], shown, sizeof(*shown));
}

static void detail_mode(struct segment *segment, uint32_t slot, enum mode_owner owner, trip_mode mode,
                        uint64_t until_unix_ms, uint32_t uid, const char *reason)
{
    struct detail_slot *detail = &segment->details[slot];
    typeof(detail->modes[0]) set = {0};
    if (mode < TRIP_MODE_COUNT) {
        set.since_unix_ms = segment_wall_ms(segment);
        set.until_unix_ms = until_unix_ms;
        set.uid = uid;
        set.mode = mode;
        if (reason)
            memcpy(set.reason, reason, strnlen(reason, sizeof(set.reason) - 1));
    }
    detail_begin(detail);
    words_store(&detail->modes[owner], &set, sizeof(set));
    if (owner == MODE_OWNER_CONFIG)
        store_byte(&detail->mode_by_config, mode < TRIP_MODE_COUNT ? mode : TRIP_MODE_AUTO);
    detail_end(detail);
}

trip_mode segment_mode_now(struct segment *segment, uint32_t slot, uint64_t now_ms, uint64_t *ret_until_ms)
{
    struct policy_slot *policy = &segment->policies[slot];
    uint64_t until_ms;
    for (unsigned owner = 0; owner < MODE_OWNER_COUNT; owner++) {
        const uint64_t ends_ms = policy->modes[owner] >> 4 & POLICY_MS_MASK;
        if (ends_ms == 0 || now_ms < ends_ms)
            continue;
        store_number(&policy->modes[owner], 0);
        detail_mode(segment, slot, owner, TRIP_MODE_COUNT, 0, 0, NULL);
    }
    const trip_mode mode = policy_mode_of(policy->modes, now_ms, &until_ms);
    store_change(&policy->admission, policy_admission(policy->admission, mode, until_ms != 0));
    if (ret_until_ms)
        *ret_until_ms = until_ms;
    return mode;
}

void segment_mode_publish(struct segment *segment, uint32_t slot, enum mode_owner owner, trip_mode mode,
                          uint64_t until_ms, uint32_t uid, const char *reason, uint64_t now_ms)
{
    const uint64_t bounded_ms = until_ms < POLICY_MS_MASK ? until_ms : POLICY_MS_MASK;
    const uint64_t left_ms = time_until(bounded_ms, now_ms);
    detail_mode(segment, slot, owner, mode, until_ms ? segment_wall_ms(segment) + left_ms : 0, uid, reason);
    /* The owner's word is the truth. `admission` is recomputed from it, also after a kill between the two stores. */
    store_number(&segment->policies[slot].modes[owner],
                 mode < TRIP_MODE_COUNT ? policy_mode_word(mode, bounded_ms) : 0);
    segment_mode_now(segment, slot, now_ms, NULL);
}
