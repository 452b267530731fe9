/* Lanes and commons as hostile memory: an input writes anything anywhere in them, and between those writes tripd's own
 * code drains, ticks, sees the client go, and is killed. Whatever was written, sums add up and never go back, words are
 * valid and mirrored, no more permits are out than a verdict needs, an honest client beside it is counted in full, and
 * once the attacker is gone, time alone brings each breaker to where a call may try it.
 *
 * fuzz_hostile.c is the same with more steps: the attacker sends packets too, and forges tickets. */
#include <assert.h>

#include "bytes.h"
#include "fuzz.h"
#include "host_again.h"
#include "snapshot.h"

#define BREAKERS   4
#define FLEETING   3 /* a breaker that is forgotten, and its slot given to another incarnation */
#define STEPS_MAX  64
#define DEATHS_MAX 4
#define METERS     12
#define PEACE_MS   180000
#define TIMERS_MAX 2000 /* timers that come due in that time at most: a tick is 250 ms */

#define TRIPPED "trip: {consecutive_failures: 5, failures: 9, failure_rate: 50%, slow_rate: 50%, slow_after: 1s"
#define OPENED  "open: {for: 200ms, multiplier: 2.0, max: 5s, jitter: 0%, forget: 10s}"

#ifdef FUZZ_HOSTILE
#define BULKHEAD ", concurrency: {max: 4}"
#else
#define BULKHEAD ""
#endif

static const char config_first[] =
    "breakers:\n"
    "  - {match: count" BULKHEAD ", " TRIPPED "}, window: {type: count, size: 20, minimum_calls: 4}, " OPENED ",\n"
    "     half_open: {permits: 4, successes: 6, max_wait: 2s}, forget_after: 0s}\n"
    "  - {match: time, " TRIPPED ", in_flight: 8}, window: {type: time, for: 10s, minimum_calls: 4}, " OPENED ",\n"
    "     half_open: {permits: 3, verdict: rate, sample: 5, max_wait: 1s}, ramp: {over: 2s}, forget_after: 0s}\n"
    "  - {match: stalls, " TRIPPED ", stall_after: 500ms}, window: {type: count, size: 4096}, " OPENED ",\n"
    "     forget_after: 0s}\n"
    "  - {match: fleeting, " OPENED ", forget_after: 3s}\n";
static const char config_other[] =
    "breakers:\n"
    "  - {match: count" BULKHEAD ", " TRIPPED "}, window: {type: time, for: 1s, minimum_calls: 4}, " OPENED ",\n"
    "     half_open: {permits: 1, successes: 2, max_wait: 2s}, ramp: {over: 1s}, forget_after: 0s}\n"
    "  - {match: time, mode: shadow, window: {type: count, size: 8, minimum_calls: 1}, " OPENED ", forget_after: 0s}\n"
    "  - {match: stalls, " TRIPPED ", stall_after: 2s, in_flight: 3}, " OPENED ", forget_after: 0s}\n"
    "  - {match: fleeting, " OPENED ", forget_after: 3s}\n";
static const char *const names[BREAKERS] = {"count", "time", "stalls", "fleeting"};

static struct {
    struct host *host;
    struct host_first first;
    struct config *configs[2];
    struct client hostile, honest;
    struct lane_header hostile_header, honest_header; /* the headers as they were made */
    struct snapshot *seen;                            /* the segment, as tools see it */
    struct breaker_totals totals[BREAKERS];           /* totals at the last look */
    uint64_t latencies[BREAKERS];                     /* latencies at the last look */
    uint64_t honest_calls[BREAKERS];
    uint32_t honest_meter[BREAKERS];
    unsigned deaths;
} all;

/* ------------------------------------------------------------------------------------------------- once, and again */

static void at_exit(void)
{
    snapshot_close(all.seen);
    client_free(&all.hostile);
    client_free(&all.honest);
    free(all.first.memory);
    config_free(all.configs[1]);
    all.host->config = all.configs[0];
    host_stop(all.host);
}

static void make(void)
{
    char *why;
    struct host *const host = all.host = host_start(config_first, 8);
    all.configs[0] = host->config;
    all.configs[1] = host_config(config_other);
    for (uint32_t slot = 0; slot < BREAKERS; slot++)
        must(host_breaker(host, names[slot]) == slot);
    host_remember(host, &all.first);
    writer_make(&all.hostile.writer, 101);
    writer_make(&all.honest.writer, 102);
    all.hostile_header = *all.hostile.writer.memory;
    all.honest_header = *all.honest.writer.memory;
    must(snapshot_open(host->dir.path, false, &all.seen, &why) == 0);
    atexit(at_exit);
}

static void renew(struct client *client, const struct lane_header *header)
{
    must(fallocate(client->writer.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)client->writer.size) == 0);
    *client->writer.memory = *header;
    writer_sections(&client->writer, 1);
    client->number = 0;
    client_attach(all.host, client);
}

static void own_meter(uint32_t meter, uint32_t slot, uint32_t section)
{
    lane_meter_at(all.hostile.writer.memory, meter)->owner =
        meter_owner(slot, segment_incarnation(all.host->segment, slot), section);
}

static void begin(void)
{
    if (!all.host)
        make();
    host_again(all.host, &all.first);
    renew(&all.hostile, &all.hostile_header);
    renew(&all.honest, &all.honest_header);
    memset(all.totals, 0, sizeof(all.totals));
    memset(all.latencies, 0, sizeof(all.latencies));
    memset(all.honest_calls, 0, sizeof(all.honest_calls));
    all.deaths = 0;
    for (uint32_t slot = 0; slot < FLEETING; slot++)
        all.honest_meter[slot] = client_meter(all.host, &all.honest, slot);
    for (uint32_t meter = 0; meter < METERS; meter++)
        own_meter(meter, meter % BREAKERS, meter % 5);
    all.hostile.writer.memory->meters_used = METERS;
    for (uint32_t meter = 0; meter < METERS; meter++)
        writer_room(&all.hostile.writer,
                    &lane_meter_at(all.hostile.writer.memory, meter)->rooms[meter % LATENCY_GROUPS]);
    writer_sections(&all.hostile.writer, 5);
}

/* ------------------------------------------------------------------------------------------- what is written where */

static uint64_t *word_of(void *memory, size_t size, uint32_t at)
{
    return (uint64_t *)memory + at % (size / 8);
}

/* Returns any word that tripd reads; words of which tripd makes more come more often. */
static uint64_t *any_word(struct bytes *bytes)
{
    void *const lane = all.hostile.writer.memory;
    const uint32_t where = bytes_below(bytes, 10), which = bytes_byte(bytes);
    struct commons *const commons = all.host->commons;
    struct lane_event *event;
    switch (where) {
    case 0:
        return word_of(lane, sizeof(struct lane_header), which);
    case 1:
        return word_of(lane_section_at(lane, which % 5), sizeof(struct lane_section), bytes_byte(bytes));
    case 2:
    case 3:
        return word_of(lane_meter_at(lane, which % METERS), sizeof(struct meter), bytes_byte(bytes));
    case 4:
        return bytes_byte(bytes) & 1 ? word_of(lane_room_at(lane, which % METERS), sizeof(struct lane_room), which)
                                     : word_of(lane_meter_at(lane, which % METERS)->rooms, 64, which);
    case 5:
        event = lane_event_at(lane, which % 5, bytes_byte(bytes));
        return word_of(event, sizeof(*event), bytes_byte(bytes));
    case 6:
        return word_of(lane_call_at(lane, which), sizeof(struct lane_call), bytes_byte(bytes));
    case 7:
        return commons_word(commons, which % BREAKERS);
    case 8:
        return &commons_permits(commons, which % BREAKERS)[bytes_below(bytes, PERMITS_PER_BREAKER)];
    default:
        return bytes_byte(bytes) & 1 ? word_of(lane, all.hostile.writer.size, (uint32_t)bytes_take(bytes, 4))
                                     : word_of(commons->header, commons->size, (uint32_t)bytes_take(bytes, 2));
    }
}

static uint64_t near_ms(struct bytes *bytes)
{
    return host_now_ms(all.host) + bytes_number(bytes) * 16 - 512;
}

static uint64_t any_word_of_state(struct bytes *bytes, uint32_t epoch)
{
    const enum word_state state = bytes_byte(bytes) % 8;
    return word_make(epoch, state, near_ms(bytes));
}

static uint64_t any_streak(struct bytes *bytes, uint32_t epoch, uint32_t generation)
{
    const enum word_state state = bytes_byte(bytes) % 2 ? WORD_RAMPING : WORD_CLOSED;
    return word_make(epoch, state, bytes_number(bytes) << 16 | generation);
}

static uint64_t any_permit(struct bytes *bytes, uint32_t epoch)
{
    const uint32_t serial = bytes_byte(bytes), lane = bytes_byte(bytes) % 4;
    const enum permit_outcome outcome = bytes_byte(bytes) % 8;
    return permit_make(epoch, serial, lane, outcome, near_ms(bytes));
}

static uint64_t any_call(struct bytes *bytes)
{
    const uint32_t meter = bytes_byte(bytes) % METERS;
    return lane_call_state(meter, 0, bytes_byte(bytes) % 8);
}

/* Returns a value that might be taken for true, or nonsense. */
static uint64_t any_value(struct bytes *bytes, uint64_t before)
{
    const uint32_t kind = bytes_byte(bytes) % 8, slot = bytes_byte(bytes) % BREAKERS;
    const uint64_t word = host_word(all.host, slot);
    const uint32_t epoch = word_epoch(word) + bytes_byte(bytes) % 8 - 3;
    switch (kind) {
    case 0:
        return bytes_number(bytes);
    case 1:
        return before + bytes_number(bytes);
    case 2:
        return evidence_make(epoch, bytes_number(bytes));
    case 3:
        return meter_owner(slot, segment_incarnation(all.host->segment, slot), bytes_byte(bytes));
    case 4:
        return any_word_of_state(bytes, epoch);
    case 5:
        return any_streak(bytes, epoch, word_generation(word));
    case 6:
        return any_permit(bytes, epoch);
    default:
        return any_call(bytes);
    }
}

static void write_word(struct bytes *bytes)
{
    uint64_t *const word = any_word(bytes);
    *word = any_value(bytes, *word);
}

static void write_bytes(struct bytes *bytes)
{
    uint8_t *const lane = (uint8_t *)all.hostile.writer.memory;
    const size_t size = bytes_byte(bytes), at = bytes_take(bytes, 4) % (all.hostile.writer.size - size);
    for (size_t i = 0; i < size; i++)
        lane[at + i] = bytes_byte(bytes);
}

/* Takes a meter that claims to be this breaker's. */
static void take_meter(struct bytes *bytes)
{
    const uint32_t meter = bytes_byte(bytes) % METERS, slot = bytes_byte(bytes) % BREAKERS;
    own_meter(meter, slot, bytes_byte(bytes) % 5);
}

/* Tells an outcome as it should be told, except for its time. */
static void tell(struct bytes *bytes)
{
    const uint32_t meter = bytes_byte(bytes) % METERS, slot = bytes_byte(bytes) % BREAKERS;
    const uint8_t how = bytes_byte(bytes);
    const uint64_t ticks = all.host->clock.test_now_ns - bytes_number(bytes) * 1000000;
    writer_outcome(&all.hostile.writer, meter, word_epoch(host_word(all.host, slot)), how % TRIP_OUTCOME_COUNT,
                   how & 128, ticks);
    client_mark_dirty(all.host, &all.hostile);
}

static void report_honestly(struct bytes *bytes)
{
    const uint32_t slot = bytes_byte(bytes) % FLEETING, calls = bytes_byte(bytes) % 8, what = bytes_byte(bytes);
    for (uint32_t i = 0; i < calls; i++)
        client_report_slow(all.host, &all.honest, all.honest_meter[slot], slot, what >> i & 1 ? TRIP_TIMEOUT : TRIP_OK,
                           what & 1);
    writer_latency(&all.honest.writer, all.honest_meter[slot], (uint64_t)what << what % 32, calls);
    all.honest_calls[slot] += calls;
}

/* ------------------------------------------------------------------------------------------------- what tripd does */

static void attach_again(struct client *client, const struct lane_header *header)
{
    const char *why = NULL;
    const int fd = writer_send(&client->writer);
    const struct lane_offer offer = {
        .fd = fd, .uid = getuid(), .pid = getpid(), .lane_id = header->lane_id, .number = client->number};
    if (lanes_attach(all.host->lanes, &offer, &client->lane, &why) == 0) {
        client->number = lane_number(client->lane);
        breakers_lane_came(all.host->breakers, client->lane);
        return;
    }
    must(why);
    close(fd);
    *client->writer.memory = *header; /* with the first lane's header it is a lane */
    client_attach(all.host, client);
}

static void ring(struct bytes *bytes)
{
    (void)bytes;
    breakers_rung(all.host->breakers);
}

static void drain_all(struct bytes *bytes)
{
    (void)bytes;
    breakers_drain_all(all.host->breakers);
}

static void advance_ms(uint64_t ms)
{
    struct host *const host = all.host;
    const uint64_t target = host->clock.test_now_ns + ms * 1000000;
    unsigned rounds = 0;
    for (uint64_t at = breakers_due(host->breakers); at <= target; at = breakers_due(host->breakers)) {
        host->clock.test_now_ns = at > host->clock.test_now_ns ? at : host->clock.test_now_ns + 1;
        if (host->clock.test_now_ns > target)
            break;
        host->move_count = 0;
        breakers_tick(host->breakers);
        assert(++rounds < TIMERS_MAX);
    }
    host->clock.test_now_ns = target;
    segment_test_now(host->segment, target);
}

static void advance(struct bytes *bytes)
{
    advance_ms(bytes_below(bytes, 60000));
}

/* May a process die now? Each death costs as much as a hundred other steps. */
static bool may_die(void)
{
    return all.deaths++ < DEATHS_MAX;
}

static void lane_dies(struct bytes *bytes)
{
    const bool returns = bytes_byte(bytes) & 1; /* otherwise another process comes, with a new lane */
    if (!may_die())
        return;
    client_die(all.host, &all.hostile);
    if (!returns)
        memset(all.hostile.writer.memory, 0, all.hostile.writer.size);
    all.hostile.number = 0;
    attach_again(&all.hostile, &all.hostile_header);
}

static void worker_dies(struct bytes *bytes)
{
    struct host *const host = all.host;
    (void)bytes;
    if (!may_die())
        return;
    host_close(host);
    segment_inherit(host->segment, &host->clock);
    host_open(host);
    attach_again(&all.honest, &all.honest_header);
    attach_again(&all.hostile, &all.hostile_header);
    breakers_drain_all(host->breakers);
}

static void operate(struct bytes *bytes)
{
    static const struct breakers_actor operator= {.by = BY_OPERATOR, .reason = "fuzz"};
    struct breakers *const breakers = all.host->breakers;
    const uint32_t slot = bytes_byte(bytes) % BREAKERS, what = bytes_byte(bytes) % 4;
    const uint64_t ms = bytes_below(bytes, 30000);
    uint32_t found;
    if (what == 0)
        breakers_trip(breakers, slot, ms, &operator);
    else if (what == 1)
        breakers_reset(breakers, slot, &operator);
    else if (what == 2)
        breakers_mode(breakers, slot, MODE_OWNER_OPERATOR, bytes_byte(bytes) % TRIP_MODE_COUNT, 1 + ms, &operator);
    else
        must(breakers_resolve(breakers, 0, names[slot], &found) == 0 || slot == FLEETING);
}

static void reload(struct bytes *bytes)
{
    all.host->config = all.configs[bytes_byte(bytes) & 1];
    breakers_reconfigure(all.host->breakers, all.host->config);
}

/* ------------------------------------------------------------------------------------ packets, and what others hold */

#ifdef FUZZ_HOSTILE
#define BULKHEAD_SLOT 0
#define HOLDS_MAX     4

static struct {
    unsigned count;
    struct ticket tickets[HOLDS_MAX];
} honest_holds; /* tickets held by calls of the honest client */

static uint64_t *tickets(void)
{
    return commons_tickets(all.host->commons, BULKHEAD_SLOT);
}

/* Hands an opening over, as OPENINGS does. */
static void say_opened(struct bytes *bytes)
{
    const uint32_t slot = bytes_byte(bytes) % (BREAKERS + 1), epoch = word_epoch(host_word(all.host, slot % BREAKERS));
    const uint64_t word =
        bytes_byte(bytes) & 1 ? any_word_of_state(bytes, epoch + bytes_byte(bytes) % 4) : bytes_number(bytes);
    breakers_opened_before(all.host->breakers, slot == BREAKERS ? (uint32_t)bytes_number(bytes) : slot, word,
                           bytes_byte(bytes) % 4);
}

/* Asks for a name, as RESOLVE does: except for root's, no more names than half of the table. */
static void ask_for_a_name(struct bytes *bytes)
{
    const uint32_t most = (all.host->max_breakers + 1) / 2;
    const char name[] = {'s', 'q', (char)('a' + bytes_byte(bytes) % 26), '\0'};
    uint32_t slot, made = 0;
    breakers_resolve(all.host->breakers, 65534, name, &slot);
    for (slot = 0; slot < all.host->segment->slots; slot++)
        made += segment_used(all.host->segment, slot) && all.host->segment->details[slot].made_by == 65534;
    assert(made <= most);
}

static void forge_ticket(struct bytes *bytes)
{
    uint64_t *const word = &tickets()[bytes_byte(bytes) % 2];
    const uint32_t place = bytes_byte(bytes) % TICKETS_PER_WORD, holder = bytes_byte(bytes) % 4;
    const uint64_t free = ~*word & 1; /* at times any value, mostly one that might be true */
    *word = tickets_with(*word, place, (uint16_t)(bytes_byte(bytes) < 16 ? bytes_take(bytes, 2) + free : holder));
}

/* Makes a call like libtrip: begins it, takes the ticket, gives it back, ends it. */
static void call_honestly(struct bytes *bytes)
{
    struct meter *const line = lane_meter_at(all.honest.writer.memory, all.honest_meter[BULKHEAD_SLOT]);
    const bool ends = bytes_byte(bytes) & 1;
    if (ends && honest_holds.count > 0) {
        ticket_give(tickets(), honest_holds.tickets[--honest_holds.count]);
        writer_total(&line->finished, 1);
        return;
    }
    if (ends || honest_holds.count == HOLDS_MAX)
        return;
    writer_total(&line->started, 1);
    if (ticket_take(tickets(), 4, 0, all.honest.number, 0, &honest_holds.tickets[honest_holds.count]) == 0)
        honest_holds.count++;
    else
        writer_total(&line->finished, 1);
}

static void begin_hostile(void)
{
    honest_holds.count = 0;
    for (uint32_t slot = 0; slot < FLEETING; slot++) /* otherwise they are the first to make room */
        client_report_slow(all.host, &all.honest, all.honest_meter[slot], slot, TRIP_OK, false);
    for (uint32_t slot = 0; slot < FLEETING; slot++)
        all.honest_calls[slot]++;
    breakers_drain_all(all.host->breakers);
}

/* Checks that nothing is held by the attacker, or by others in its name: the honest client can have everything that it
 * does not hold already. */
static void check_tickets(void)
{
    assert(ticket_count(tickets(), 0, TICKETS_MAX) <= honest_holds.count);
}
#endif

/* -------------------------------------------------------------------------------------------------- what must hold */

static void check_grown(uint32_t slot, const struct breaker_totals *now)
{
    struct breaker_totals *const before = &all.totals[slot];
    assert(now->calls >= before->calls && now->ok >= before->ok && now->failures >= before->failures);
    assert(now->timeouts >= before->timeouts && now->slow >= before->slow && now->ignored >= before->ignored);
    assert(now->cancelled >= before->cancelled && now->late >= before->late && now->retries >= before->retries);
    for (unsigned denial = 0; denial < DENIALS; denial++)
        assert(now->denied[denial] >= before->denied[denial]);
    for (unsigned type = 0; type < TRIP_ERROR_TYPE_COUNT; type++)
        assert(now->errors[type] >= before->errors[type]);
    *before = *now;
}

static void check_latencies(uint32_t slot)
{
    uint64_t counts[LATENCY_BUCKETS];
    segment_latency_read(all.host->segment, slot, counts);
    const uint64_t calls = latency_calls(counts);
    assert(calls >= all.latencies[slot]);
    all.latencies[slot] = calls;
}

static void check_sums(uint32_t slot, const struct core_head *head)
{
    uint64_t trips = 0;
    for (unsigned reason = 0; reason < TRIP_REASON_COUNT; reason++)
        trips += head->totals.trips[reason];
    assert(head->totals.calls == head->totals.ok + head->totals.failures);
    assert(head->totals.timeouts <= head->totals.failures && head->totals.slow <= head->totals.calls);
    assert(head->window_failures <= head->window_calls && head->window_slow <= head->window_calls);
    assert(head->totals.opens == trips);
    if (slot == FLEETING)
        return;
    check_grown(slot, &head->totals);
    check_latencies(slot);
}

static void check_all_sums(void)
{
    for (uint32_t slot = 0; slot < BREAKERS; slot++)
        check_sums(slot, host_head(all.host, slot));
    assert(all.host->segment->journal->state == 0);
}

/* Checks that tools find each breaker, and its last transition. */
static void check_seen(void)
{
    struct snapshot_breaker breaker;
    struct transition transition;
    const uint64_t next = all.host->segment->header->transition_next;
    for (uint32_t slot = 0; slot < FLEETING; slot++)
        assert(snapshot_find(all.seen, names[slot], &breaker));
    assert(next == 0 || snapshot_transition(all.seen, next - 1, &transition));
}

struct permits {
    uint32_t armed, takeable; /* armed permits, and those of them at places where clients look */
    uint32_t held, ours;      /* held by anybody; for this verdict */
};

static struct permits permits_of(uint32_t slot, uint64_t word)
{
    struct permits permits = {0};
    for (uint32_t place = 0; place < PERMITS_PER_BREAKER; place++) {
        const uint64_t permit = commons_permits(all.host->commons, slot)[place];
        const bool armed = permit_takeable(permit, word), held = permit_outcome(permit) == PERMIT_OWNED;
        permits.armed += armed;
        permits.takeable += armed && place < half_open_permits(host_policy(all.host, slot)->half_open);
        permits.held += held;
        permits.ours += armed || (held && permit_epoch(permit) == word_epoch(word));
    }
    return permits;
}

static void check_half_open(uint32_t slot, uint64_t word)
{
    const struct permits permits = permits_of(slot, word);
    const struct breaker_settings *const settings =
        config_settings_for(all.host->config, segment_name(all.host->segment, slot));
    const uint32_t wanted = core_probes_wanted(segment_core(all.host->segment, slot), settings);
    assert(permits.armed == 0 || permits.ours <= wanted);
    assert(permits.armed == 0 || permits.armed + permits.held <= settings->half_open.permits);
    assert(permits.takeable > 0 || permits.held > 0); /* some client can try, or is trying */
}

/* Checks the words after everything was drained. */
static void check_words(void)
{
    for (uint32_t slot = 0; slot < BREAKERS; slot++) {
        const uint64_t word = host_word(all.host, slot);
        const struct policy_slot *const policy = host_policy(all.host, slot);
        if (!segment_used(all.host->segment, slot))
            continue;
        assert(word_valid(word) && word == all.host->segment->mirror[slot]);
        const trip_mode mode = policy_mode_now(policy, policy->admission, host_now_ms(all.host));
        const bool frozen = mode == TRIP_MODE_FORCED_OPEN || mode == TRIP_MODE_DISABLED;
        if (word_state(word) == WORD_HALF_OPEN && !frozen)
            check_half_open(slot, word);
        if (word_state(word) != WORD_CLOSED && word_state(word) != WORD_HALF_OPEN && !frozen)
            assert(breakers_due(all.host->breakers) <= all.host->clock.test_now_ns + PEACE_MS * UINT64_C(1000000));
        assert(slot == FLEETING || all.totals[slot].calls >= all.honest_calls[slot]);
    }
}

static void settle(void)
{
    all.host->move_count = 0;
    breakers_drain_all(all.host->breakers);
    check_all_sums();
    check_words();
}

/* The attacker is gone, and time passes. What honest clients counted in a forged epoch may stand until the breaker
 * comes to that epoch, once. */
static void check_peace(void)
{
    client_die(all.host, &all.hostile);
    settle();
    for (unsigned round = 0; round < 3; round++) {
        advance_ms(PEACE_MS / 3);
        settle();
    }
    check_seen();
#ifdef FUZZ_HOSTILE
    check_tickets();
#endif
    for (uint32_t slot = 0; slot < FLEETING; slot++) {
        const uint64_t word = host_word(all.host, slot);
        assert(word_counts_streak(word) || (word_state(word) == WORD_HALF_OPEN && permits_of(slot, word).takeable > 0));
    }
}

/* ----------------------------------------------------------------------------------------------------------- input */

typedef void step_fn(struct bytes *bytes);
static step_fn *const steps[] = {
#ifdef FUZZ_HOSTILE
    forge_ticket, forge_ticket,   call_honestly,
#endif
    write_word,   write_word,     write_word,    take_meter, tell,        write_bytes, report_honestly,
    ring,         drain_all,      advance,       lane_dies,  worker_dies, operate,     reload,
#ifdef FUZZ_HOSTILE
    say_opened,   ask_for_a_name,
#endif
};
#ifdef FUZZ_HOSTILE
#define WRITES 10 /* of the steps, so many are writes; the others are tripd's */
#else
#define WRITES 7
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = {data, size};
    begin();
#ifdef FUZZ_HOSTILE
    begin_hostile();
#endif
    for (unsigned i = 0; i < STEPS_MAX && bytes_left(&bytes); i++) {
        const uint32_t step = bytes_byte(&bytes) % (sizeof(steps) / sizeof(steps[0]));
        all.host->move_count = 0;
        steps[step](&bytes);
        if (step >= WRITES)
            check_all_sums();
        if (steps[step] == drain_all)
            check_words();
    }
    settle();
    check_peace();
    return 0;
}
