/* An instance without its processes: segment, commons, lanes and breakers under a test clock, and clients by hand that
 * take libtrip's steps one by one. host_kill kills tripd: everything that was only in its memory is gone. */
#ifndef TRIP_TESTS_BREAKERS_HOST_H
#define TRIP_TESTS_BREAKERS_HOST_H

#include "breakers/breakers.h"
#include "internal/permit_word.h"
#include "lane_writer.h"
#include "segment_dir.h"

#define HOST_LANES 8
#define HOST_MOVES 64

struct host {
    struct segment_dir dir;
    struct clock clock;
    struct segment *segment;
    struct commons *commons;
    struct lanes *lanes;
    struct breakers *breakers;
    struct tracer tracer;
    struct config *config;
    uint32_t max_breakers;
    uint32_t draining;                   /* the lane that would be blamed for a crash */
    struct transition moves[HOST_MOVES]; /* as they were logged */
    struct transition last_mode;
    unsigned mode_count;
    unsigned move_count;
    breakers_slot_fn *stepped, *admits; /* a test that listens sets these; NULL: it does not */
};

struct client {
    struct lane_writer writer;
    struct lane *lane;
    uint32_t number;
};

#define must(x)                                                     \
    do {                                                            \
        if (!(x)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
            abort();                                                \
        }                                                           \
    } while (0)

/* -------------------------------------------------------------------------------------------------------- the host */

static inline void host_moved(void *context, const struct transition *transition)
{
    struct host *host = context;
    if (transition->of == OF_MODE) {
        host->last_mode = *transition;
        host->mode_count++;
        return;
    }
    must(host->move_count < HOST_MOVES);
    host->moves[host->move_count++] = *transition;
}

static inline void host_stepped(void *context, uint32_t slot)
{
    struct host *host = context;
    if (host->stepped)
        host->stepped(host, slot);
}

static inline void host_admits(void *context, uint32_t slot)
{
    struct host *host = context;
    if (host->admits)
        host->admits(host, slot);
}

static inline struct config *host_config(const char *text)
{
    struct config *config;
    char *problems = NULL;
    if (config_parse(text, strlen(text), "test", &config, &problems) < 0) {
        fprintf(stderr, "%s", problems);
        abort();
    }
    return config;
}

static inline void host_open(struct host *host)
{
    const struct lanes_options lanes = {.max_lanes = HOST_LANES,
                                        .memory_per_user = UINT64_C(1) << 30,
                                        .clock = &host->clock,
                                        .draining = &host->draining};
    must(lanes_new(&lanes, &host->lanes) == 0);
    const struct breakers_options options = {.segment = host->segment,
                                             .commons = host->commons,
                                             .lanes = host->lanes,
                                             .clock = &host->clock,
                                             .config = host->config,
                                             .tracer = &host->tracer,
                                             .seed = 42,
                                             .moved = host_moved,
                                             .stepped = host_stepped,
                                             .admits = host_admits,
                                             .context = host};
    must(breakers_new(&options, &host->breakers) == 0);
    segment_started(host->segment, 1, 1);
    segment_heartbeat(host->segment);
}

static inline void host_commons(struct host *host)
{
    int fd;
    must(commons_make(&fd) == 0);
    must(commons_map(fd, &host->commons) == 0);
}

/* Gives every breaker these settings. */
static inline struct config *host_settings(const char *settings)
{
    char config[1024];
    must((size_t)snprintf(config, sizeof(config), "breakers: [{match: \"*\", %s}]", settings) < sizeof(config));
    return host_config(config);
}

static inline struct host *host_start_by(struct config *config, uint32_t max_breakers)
{
    struct host *host = calloc(1, sizeof(*host));
    must(host);
    host->max_breakers = max_breakers;
    segment_dir_make(&host->dir);
    host->segment = segment_dir_create(&host->dir, max_breakers, HOST_LANES);
    host->clock = host->dir.clock;
    host->config = config;
    host_commons(host);
    host_open(host);
    breakers_drain_all(host->breakers);
    return host;
}

static inline struct host *host_start(const char *config, uint32_t max_breakers)
{
    return host_start_by(host_config(config), max_breakers);
}

static inline void host_close(struct host *host)
{
    host->breakers = breakers_free(host->breakers);
    host->lanes = lanes_free(host->lanes);
}

static inline void host_stop(struct host *host)
{
    host_close(host);
    close(host->commons->fd);
    commons_unmap(host->commons);
    segment_unmap(host->segment);
    segment_dir_remove(&host->dir);
    config_free(host->config);
    free(host);
}

/* Moves the clock as `tripctl clock advance` does. */
static inline void host_advance_ns(struct host *host, uint64_t ns)
{
    const uint64_t target = host->clock.test_now_ns + ns;
    breakers_drain_all(host->breakers);
    breakers_stall_look_all(host->breakers);
    for (uint64_t at = breakers_due(host->breakers); at <= target; at = breakers_due(host->breakers)) {
        host->clock.test_now_ns = at > host->clock.test_now_ns ? at : host->clock.test_now_ns + 1;
        if (host->clock.test_now_ns > target)
            break;
        breakers_tick(host->breakers);
    }
    host->clock.test_now_ns = target;
    breakers_drain_all(host->breakers);
    segment_test_now(host->segment, target);
}

static inline void host_advance(struct host *host, uint64_t ms)
{
    host_advance_ns(host, ms * 1000000);
}

/* Lets time pass while tripd is away. */
static inline void host_sleep(struct host *host, uint64_t ms)
{
    host->clock.test_now_ns += ms * 1000000;
    segment_test_now(host->segment, host->clock.test_now_ns);
}

static inline uint64_t host_now_ms(const struct host *host)
{
    return host->clock.test_now_ns / 1000000;
}

static inline uint32_t host_breaker(struct host *host, const char *name)
{
    uint32_t slot;
    must(breakers_resolve(host->breakers, 0, name, &slot) == 0);
    return slot;
}

static inline uint64_t host_word(const struct host *host, uint32_t slot)
{
    return __atomic_load_n(commons_word(host->commons, slot), __ATOMIC_ACQUIRE);
}

static inline enum word_state host_state(const struct host *host, uint32_t slot)
{
    return word_state(host_word(host, slot));
}

static inline const struct core_head *host_head(const struct host *host, uint32_t slot)
{
    return &segment_core(host->segment, slot)->head;
}

static inline const struct policy_slot *host_policy(const struct host *host, uint32_t slot)
{
    return &host->segment->policies[slot];
}

/* ----------------------------------------------------------------------------------------------------- its clients */

static inline void client_attach(struct host *host, struct client *client)
{
    const char *why = NULL;
    const struct lane_offer offer = {.fd = writer_send(&client->writer),
                                     .uid = getuid(),
                                     .pid = getpid(),
                                     .lane_id = client->writer.memory->lane_id,
                                     .number = client->number};
    must(lanes_attach(host->lanes, &offer, &client->lane, &why) == 0);
    client->number = lane_number(client->lane);
    lane_grant(client->lane, host->segment->header->commons_number);
    breakers_lane_came(host->breakers, client->lane);
}

static inline void client_start(struct host *host, struct client *client, uint64_t lane_id)
{
    *client = (struct client){0};
    writer_make(&client->writer, lane_id);
    client_attach(host, client);
}

/* Kills the client: tripd sees its pidfd. */
static inline void client_die(struct host *host, struct client *client)
{
    breakers_lanes_gone(host->breakers, &client->lane, 1);
    lanes_remove(host->lanes, client->lane);
    client->lane = NULL;
}

static inline void client_free(struct client *client)
{
    writer_free(&client->writer);
}

/* Takes a meter for each breaker, as libtrip does. */
static inline uint32_t client_meter(struct host *host, struct client *client, uint32_t slot)
{
    const uint64_t owner = meter_owner(slot, segment_incarnation(host->segment, slot), 1);
    for (uint32_t meter = 0; meter < client->writer.memory->meters_used; meter++)
        if (lane_meter_at(client->writer.memory, meter)->owner == owner)
            return meter;
    return writer_meter(&client->writer, slot, segment_incarnation(host->segment, slot), 1);
}

static inline void client_mark_dirty(struct host *host, const struct client *client)
{
    __atomic_fetch_or(&host->commons->header->dirty[client->number / 64], UINT64_C(1) << client->number % 64,
                      __ATOMIC_SEQ_CST);
}

/* Counts the streak, as libtrip does. */
static inline void client_streak(struct host *host, uint32_t slot, uint32_t epoch, bool failed)
{
    const struct policy_slot *const policy = host_policy(host, slot);
    for (;;) {
        uint64_t word = host_word(host, slot);
        bool opened;
        if (!word_counts_streak(word) || word_epoch(word) != epoch)
            return;
        const uint64_t next = failed ? word_after_failure(word, policy_judge_of(policy, word_generation(word)),
                                                          host_now_ms(host) + policy->next_open_ms, &opened)
                                     : word_after_success(word);
        if (next == word || __atomic_compare_exchange_n(commons_word(host->commons, slot), &word, next, false,
                                                        __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
            return;
    }
}

/* Reports an outcome without admission (trip_record), with event and bell. meter: of this breaker. */
static inline void client_report_slow(struct host *host, struct client *client, uint32_t meter, uint32_t slot,
                                      trip_outcome outcome, bool slow)
{
    const uint64_t word = host_word(host, slot);
    const uint32_t epoch = word_epoch(word);
    const bool failed = outcome != TRIP_OK;
    if (!failed && !slow && word_state(word) == WORD_CLOSED) {
        writer_ok(&client->writer, meter, epoch, 1);
        client_streak(host, slot, epoch, false);
        return;
    }
    writer_outcome(&client->writer, meter, epoch, outcome, slow, host->clock.test_now_ns);
    client_streak(host, slot, epoch, failed);
    client_mark_dirty(host, client);
}

static inline void client_report(struct host *host, struct client *client, uint32_t meter, uint32_t slot,
                                 trip_outcome outcome)
{
    client_report_slow(host, client, meter, slot, outcome, false);
}

/* Reports outcomes. S: success, F: failure, s, f: slow ones. */
static inline void client_reports(struct host *host, struct client *client, uint32_t meter, uint32_t slot,
                                  const char *outcomes)
{
    for (; *outcomes; outcomes++)
        client_report_slow(host, client, meter, slot, *outcomes == 'F' || *outcomes == 'f' ? TRIP_FAILURE : TRIP_OK,
                           *outcomes == 's' || *outcomes == 'f');
}

/* Takes a permit. PERMITS_PER_BREAKER: none is free. */
static inline uint32_t client_take_permit(struct host *host, const struct client *client, uint32_t slot)
{
    uint64_t word = host_word(host, slot);
    const uint64_t max_wait_ms = half_open_max_wait_ms(host_policy(host, slot)->half_open);
    const uint64_t end_ms = lease_end_ms(host_now_ms(host), max_wait_ms);
    for (uint32_t place = 0; place < half_open_permits(host_policy(host, slot)->half_open); place++) {
        uint64_t *const permit = &commons_permits(host->commons, slot)[place];
        if (!permit_takeable(*permit, word))
            continue;
        *permit = permit_owned(*permit, client->number, end_ms);
        *commons_word(host->commons, slot) = word_extended(word, end_ms);
        return place;
    }
    return PERMITS_PER_BREAKER;
}

/* Gives the permit back with this answer, and appends the event. */
static inline void client_answer(struct host *host, struct client *client, uint32_t meter, uint32_t slot,
                                 uint32_t place, enum permit_outcome outcome)
{
    uint64_t *const permit = &commons_permits(host->commons, slot)[place];
    *permit = permit_with_outcome(*permit, outcome);
    struct meter *const line = lane_meter_at(client->writer.memory, meter);
    const bool failed = outcome == PERMIT_FAILED || outcome == PERMIT_SLOW_FAILED;
    if (outcome != PERMIT_NEUTRAL)
        writer_total(failed ? &line->total_failures : &line->total_ok, 1);
    else
        writer_total(&line->ignored, 1);
    writer_tell(&client->writer, meter, word_epoch(host_word(host, slot)),
                failed                      ? TRIP_FAILURE
                : outcome == PERMIT_NEUTRAL ? TRIP_IGNORED
                                            : TRIP_OK,
                false, host->clock.test_now_ns, 0);
    client_mark_dirty(host, client);
}

/* -------------------------------------------------------------------------------------------------- kills of tripd */

/* Does kill -9 to the worker: the next one finds segment, commons and lanes. */
static inline void host_kill(struct host *host, struct client *clients, unsigned count)
{
    host_close(host);
    segment_inherit(host->segment, &host->clock);
    host_open(host);
    for (unsigned i = 0; i < count; i++)
        client_attach(host, &clients[i]);
    breakers_drain_all(host->breakers);
}

/* Kills keeper and worker: the next tripd makes another commons, and clients attach again with the same lanes. */
static inline void host_kill_both(struct host *host, struct client *clients, unsigned count)
{
    host_close(host);
    close(host->commons->fd);
    commons_unmap(host->commons);
    host_commons(host);
    segment_inherit(host->segment, &host->clock);
    host_open(host);
    breakers_drain_all(host->breakers);
    for (unsigned i = 0; i < count; i++)
        clients[i].number = 0;
    for (unsigned i = 0; i < count; i++)
        client_attach(host, &clients[i]);
}

#endif
