/* Half-open: arms permits, counts their answers, and takes back permits that nobody holds any more. An answer goes into
 * the image together with its mark in the journal, so that it counts once; carrying out the mark frees the word, which
 * is armed again afterwards. */
#include "breakers/permits.h"

#include "breakers/policy.h"
#include "breakers/trace.h"
#include "breakers/word.h"

#define ANY_EPOCH UINT32_MAX

static uint64_t *permit_at(const struct breakers *breakers, uint32_t slot, uint32_t place)
{
    return &commons_permits(breakers->commons, slot)[place];
}

static uint64_t load_permit(const struct breakers *breakers, uint32_t slot, uint32_t place)
{
    /* Pairs with the client's CAS that answered: its totals are there. */
    return __atomic_load_n(permit_at(breakers, slot, place), __ATOMIC_ACQUIRE);
}

static bool cas_permit(const struct breakers *breakers, uint32_t slot, uint32_t place, uint64_t from, uint64_t to)
{
    /* seq_cst: in one order with the CAS of the state word to half-open, which came before any arming. */
    return __atomic_compare_exchange_n(permit_at(breakers, slot, place), &from, to, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_RELAXED);
}

/* ---------------------------------------------------------------------------------------------------------- answers */

static bool answered(uint64_t permit)
{
    return permit_outcome(permit) >= PERMIT_OK;
}

static void count_answer(struct breakers *breakers, uint32_t slot, struct core_state *core, uint64_t permit)
{
    const enum permit_outcome outcome = permit_outcome(permit);
    const bool failed = outcome == PERMIT_FAILED || outcome == PERMIT_SLOW_FAILED;
    const bool slow = outcome == PERMIT_SLOW_OK || outcome == PERMIT_SLOW_FAILED;
    if (outcome == PERMIT_NEUTRAL)
        return;
    core_probes(core, 1, call_kind(failed, slow));
    breakers_trace_record(breakers, slot, failed ? TRIP_FAILURE : TRIP_OK, TRIP_ERROR_UNKNOWN, slow);
}

bool breakers_permits_count(struct breakers *breakers, uint32_t slot, uint64_t word)
{
    struct core_state *core = NULL;
    if (!breakers->table[slot].permits_out)
        return false;
    for (uint32_t place = 0; place < PERMITS_PER_BREAKER; place++) {
        const uint64_t permit = load_permit(breakers, slot, place);
        if (!answered(permit) || permit_epoch(permit) != word_epoch(word))
            continue;
        const struct journal_mark mark = {
            .kind = JOURNAL_PERMIT, .place = place, .permit = {.word = permit, .slot = slot}};
        if (!core)
            core = segment_begin(breakers->segment, slot);
        count_answer(breakers, slot, core, permit);
        segment_mark(breakers->segment, &mark);
    }
    if (core)
        segment_commit(breakers->segment);
    return core != NULL;
}

/* Frees the word of a counted answer. The word has a serial: if the answer had been freed already, it would be another
 * word. */
void breakers_permits_store(struct breakers *breakers, const struct journal_mark *mark)
{
    const uint64_t permit = mark->permit.word;
    if (mark->permit.slot < breakers->segment->slots && mark->place < PERMITS_PER_BREAKER)
        cas_permit(breakers, mark->permit.slot, mark->place, permit, permit_with_outcome(permit, PERMIT_FREE));
}

/* -------------------------------------------------------------------------------------------- reclaiming and arming */

struct holdings {
    uint32_t running; /* probes that are running, of any epoch */
    uint32_t ours;    /* permits of this epoch: armed, running, or answered since the answers were counted */
    uint32_t armed;   /* permits that are armed */
};

/* Takes back permits whose holder is gone, or that are held for longer than a lease, and armed ones beyond the number
 * of permits, where no client looks: they were armed by earlier settings, or forged. Counts the rest. */
static struct holdings reclaim(struct breakers *breakers, uint32_t slot, uint64_t word, uint64_t longest_ms)
{
    const uint32_t permits = half_open_permits(breakers->segment->policies[slot].half_open);
    struct holdings holdings = {0};
    for (uint32_t place = 0; place < PERMITS_PER_BREAKER; place++) {
        const uint64_t permit = load_permit(breakers, slot, place);
        const bool ours = permit_epoch(permit) == word_epoch(word);
        if (permit_outcome(permit) == PERMIT_OWNED) {
            breakers_look_at_clock(breakers); /* after the word, or a new lease would seem too long */
            if (permit_running(permit, breakers_now_ms(breakers), longest_ms) &&
                !breakers_lane_dead(breakers, permit_lane(permit))) {
                breakers_note_blocks(breakers, permit_lane(permit));
                holdings.running++;
                holdings.ours += ours;
            } else if (!cas_permit(breakers, slot, place, permit, permit_with_outcome(permit, PERMIT_FREE))) {
                holdings.running++; /* it was answered just now: the next look counts it */
                holdings.ours += ours;
            }
        } else if (place >= permits && permit_takeable(permit, word)) {
            cas_permit(breakers, slot, place, permit, permit_with_outcome(permit, PERMIT_FREE));
        } else if (ours && permit_outcome(permit) != PERMIT_FREE) {
            holdings.ours++;
            holdings.armed += permit_outcome(permit) == PERMIT_ARMED;
        }
    }
    return holdings;
}

/* May this permit be armed? Not while it holds an answer of this epoch, which has to be counted first. */
static bool may_arm(uint64_t permit, uint32_t epoch, uint64_t now_ms, uint64_t longest_ms)
{
    return permit_armable(permit, epoch, now_ms, longest_ms) && !(answered(permit) && permit_epoch(permit) == epoch);
}

static uint32_t arm(struct breakers *breakers, uint32_t slot, uint64_t word, uint32_t most, uint64_t longest_ms)
{
    const uint32_t permits = half_open_permits(breakers->segment->policies[slot].half_open);
    uint32_t armed = 0;
    for (uint32_t place = 0; place < permits && armed < most; place++) {
        const uint64_t permit = load_permit(breakers, slot, place);
        breakers_look_at_clock(breakers); /* after reading the word, as in reclaim */
        if (may_arm(permit, word_epoch(word), breakers_now_ms(breakers), longest_ms))
            armed += cas_permit(breakers, slot, place, permit, permit_armed(permit, word_epoch(word)));
    }
    return armed;
}

static uint32_t disarm(struct breakers *breakers, uint32_t slot, uint64_t word, uint32_t most)
{
    uint32_t disarmed = 0;
    for (uint32_t place = PERMITS_PER_BREAKER; place-- > 0 && disarmed < most;) {
        const uint64_t permit = load_permit(breakers, slot, place);
        if (permit_takeable(permit, word))
            disarmed += cas_permit(breakers, slot, place, permit, permit_with_outcome(permit, PERMIT_FREE));
    }
    return disarmed;
}

static uint32_t beyond(uint32_t count, uint32_t limit)
{
    return count > limit ? count - limit : 0;
}

static uint32_t most(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* Returns when the first lease ends; 0: none runs. epoch: only of this state word's epoch, or ANY_EPOCH. */
static uint64_t first_end_ms(const struct breakers *breakers, uint32_t slot, uint32_t epoch)
{
    const uint64_t now_ms = breakers_now_ms(breakers);
    uint64_t first_ms = 0;
    for (uint32_t place = 0; place < PERMITS_PER_BREAKER; place++) {
        const uint64_t permit = load_permit(breakers, slot, place), end_ms = permit_end_ms(permit, now_ms);
        const bool counts = epoch == ANY_EPOCH || permit_epoch(permit) == epoch;
        if (permit_outcome(permit) == PERMIT_OWNED && counts && (first_ms == 0 || end_ms < first_ms))
            first_ms = end_ms;
    }
    return first_ms;
}

void breakers_permits_renew(struct breakers *breakers, uint32_t slot, uint64_t word)
{
    struct breaker *const breaker = &breakers->table[slot];
    const uint64_t longest_ms = breakers_longest_ms(breakers, slot);
    const uint32_t permits = half_open_permits(breakers->segment->policies[slot].half_open);
    const uint32_t wanted = core_probes_wanted(segment_core(breakers->segment, slot), breaker->settings);
    breaker->permits_out = true;
    struct holdings holdings = reclaim(breakers, slot, word, longest_ms);
    /* The permits of this epoch, answered ones included, are no more than the verdict needs. The armed and running
     * permits of all epochs together are no more than probes may run at once. */
    const uint32_t out = holdings.running + holdings.armed;
    const uint32_t room = beyond(permits, out), missing = beyond(wanted, holdings.ours);
    const uint32_t excess = most(beyond(out, permits), beyond(holdings.ours, wanted));
    if (excess)
        holdings.armed -= disarm(breakers, slot, word, excess);
    else if (missing && room)
        holdings.armed += arm(breakers, slot, word, missing < room ? missing : room, longest_ms);
    /* If the verdict needs no more permits than are out, a probe of an earlier epoch delays nothing. */
    const uint32_t whose = missing ? ANY_EPOCH : word_epoch(word);
    segment_permits_free_publish(breakers->segment, slot, holdings.armed,
                                 holdings.armed ? 0 : first_end_ms(breakers, slot, whose));
}

uint64_t breakers_permits_due(struct breakers *breakers, uint32_t slot)
{
    const uint64_t first_ms = first_end_ms(breakers, slot, ANY_EPOCH);
    return first_ms ? breakers_ms_to_ns(first_ms) : DEADLINE_NEVER;
}

/* --------------------------------------------------------------------------------------------------- a lane is gone */

static void free_of_lane(struct breakers *breakers, uint32_t slot, uint32_t lane)
{
    for (uint32_t place = 0; place < PERMITS_PER_BREAKER; place++) {
        const uint64_t permit = load_permit(breakers, slot, place);
        if (permit_outcome(permit) == PERMIT_OWNED && permit_lane(permit) == lane)
            cas_permit(breakers, slot, place, permit, permit_with_outcome(permit, PERMIT_FREE));
    }
}

void breakers_permits_of_lane(struct breakers *breakers, uint32_t lane)
{
    for (uint32_t slot = 0; slot < breakers->segment->slots; slot++) {
        const struct breaker *const breaker = &breakers->table[slot];
        if (!breaker->settings)
            continue;
        if (breaker->permits_out)
            free_of_lane(breakers, slot, lane);
        const enum word_state state = word_state(breakers->segment->mirror[slot]);
        const uint64_t word = breakers_raw_word(breakers, slot);
        if (state == WORD_HALF_OPEN || (word_state(word) == WORD_PROBING && word_probe_lane(word) == lane))
            breakers_touch(breakers, slot);
    }
}
