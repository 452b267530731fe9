/* Finds a name's breaker, or gives the name a slot: a free one that has memory, or the slot of a breaker that nobody
 * needs. */
#include <errno.h>
#include <string.h>

#include "breakers/limits.h"
#include "breakers/policy.h"
#include "breakers/reconcile.h"
#include "breakers/reuse.h"
#include "breakers/schedule.h"
#include "breakers/settle.h"
#include "breakers/trace.h"
#include "breakers/word.h"

#define NO_MEMORY_PAUSE UINT64_C(1000000000)

/* Continues a free slot's epoch, whatever word is found there. */
static uint32_t next_epoch(const struct breakers *breakers, uint32_t slot)
{
    const uint32_t mirrored = word_epoch(breakers->segment->mirror[slot]);
    const uint32_t found = word_epoch(breakers_raw_word(breakers, slot));
    return ((epoch_after(found, mirrored) ? found : mirrored) + 1) & WORD_EPOCH_MASK;
}

static void begin(struct breakers *breakers, uint32_t slot)
{
    struct segment *const segment = breakers->segment;
    struct breaker *const breaker = &breakers->table[slot];
    const char *const name = segment_name(segment, slot);
    const uint64_t now_ms = breakers_now_ms(breakers);
    const uint64_t fresh = word_closed(next_epoch(breakers, slot), 0, 0);
    const struct pattern_slot *const pattern = segment_pattern_for(segment, name, now_ms);
    *breaker = (struct breaker){.used_ms = now_ms, .ticketed = breaker->ticketed, .untold = true};
    core_init(segment_begin(segment, slot), config_settings_for(breakers->options.config, name), breakers->now_ns);
    segment_commit(segment);
    breakers_limits_begin(breakers, slot);
    segment_mirror(segment, slot, fresh);
    /* Release: pairs with the acquire of clients, who find the slot by its name, published later. */
    __atomic_store_n(commons_word(breakers->commons, slot), fresh, __ATOMIC_RELEASE);
    if (pattern)
        segment_mode_publish(segment, slot, MODE_OWNER_OPERATOR, (trip_mode)pattern->mode, pattern->until_ms,
                             pattern->uid, pattern->reason, now_ms);
    breakers_enliven(breakers, slot);
    breakers_configure(breakers, slot, breakers->options.config);
    breakers_limits_from_now(breakers, slot);
    segment_name_publish(segment, slot);
    if (pattern)
        breakers_trace_mode(breakers, slot, (trip_mode)pattern->mode, pattern->until_ms);
    breakers_settle(breakers, slot);
}

/* Has the user made fewer names than its quota? Whoever may report may ask for names without end. */
static bool within_quota(const struct breakers *breakers, uid_t uid)
{
    const struct segment *const segment = breakers->segment;
    const uint64_t permille = breakers->options.config->limits.breakers_per_user;
    uint64_t made = 0;
    for (uint32_t slot = 0; uid != 0 && slot < segment->slots; slot++)
        made += segment_used(segment, slot) && segment->details[slot].made_by == uid;
    return made < (segment->header->max_breakers * permille + 999) / 1000;
}

/* Gets memory for the next slot in turn. If there is none, new names take slots that have some. */
static void make_memory(struct breakers *breakers)
{
    const uint32_t slots = segment_slots_wanted(breakers->segment);
    if (slots == breakers->segment->slots || breakers->now_ns < breakers->no_memory_until_ns)
        return;
    if (commons_reserve(breakers->commons, slots) < 0 || segment_reserve(breakers->segment, slots) < 0)
        breakers->no_memory_until_ns = breakers_after(breakers->now_ns, NO_MEMORY_PAUSE);
}

int breakers_resolve(struct breakers *breakers, uid_t uid, const char *name, uint32_t *ret_slot)
{
    if (!settings_name_valid(name, strnlen(name, TRIP_NAME_MAX + 1)))
        return -EINVAL;
    breakers_look_at_clock(breakers);
    if (segment_find(breakers->segment, name, ret_slot) == 0) {
        breakers_seen(breakers, *ret_slot);
        breakers_schedule(breakers, *ret_slot, breakers_word(breakers, *ret_slot));
        return 0;
    }
    if (!within_quota(breakers, uid) && !breakers_make_room_of(breakers, uid))
        return -EDQUOT;
    make_memory(breakers);
    if (segment_full(breakers->segment))
        breakers_make_room(breakers);
    const int error = segment_take(breakers->segment, name, breakers_now_ms(breakers), ret_slot);
    if (error < 0)
        return error;
    segment_detail_made_by(breakers->segment, *ret_slot, uid);
    breakers_unused(breakers, *ret_slot);
    begin(breakers, *ret_slot);
    return 0;
}

void breakers_matching(struct breakers *breakers, const char *pattern, void (*each)(void *context, uint32_t slot),
                       void *context)
{
    for (uint32_t slot = 0; slot < breakers->segment->slots; slot++)
        if (breakers->table[slot].settings && settings_pattern_matches(pattern, segment_name(breakers->segment, slot)))
            each(context, slot);
}
