/* What a call costs its caller: each path beside its bound, in turns. */
#include "bench.h"

#include <errno.h>
#include <signal.h>

#include "internal/policy.h"

static const char config[] = "breakers:\n"
                             "  - match: \"burst/*\"\n"
                             "    trip: {consecutive_failures: 32767, failure_rate: 0%}\n"
                             "  - match: \"timed/*\"\n"
                             "    trip: {slow_rate: 100%}\n"
                             "  - match: \"chain/*\"\n"
                             "    open: {for: 1h, max: 1h}\n"
                             "    fallback:\n"
                             "      \"*\": [{cached: {ttl: 300s}}, {alternative: {endpoints: [\"chain/dead\"]}},\n"
                             "            {reduced: [recommendations]}, {default: {value: {items: []}}}]\n"
                             "  - match: \"*\"\n"
                             "features: {recommendations: {off_from: 1}}\n";

#define TWO_TIMES (200000 * (uint64_t)bench_effort)

struct calls {
    trip_breaker *ok, *timed, *burst, *denied;
    trip_feature *feature;
    uint64_t words[8] __attribute__((aligned(64)));
    uint64_t counters[8] __attribute__((aligned(64)));
    volatile uint64_t sink;
    uint64_t answered;
};

static void bound_load(void *context, uint64_t times)
{
    struct calls *calls = context;
    for (uint64_t i = 0; i < times; i++)
        calls->counters[2] += (uint64_t)!bound_load_branch(calls->words);
}

static void allow(void *context, uint64_t times)
{
    struct calls *calls = context;
    for (uint64_t i = 0; i < times; i++)
        calls->counters[2] += (uint64_t)(trip_allow(calls->ok) != TRIP_ALLOW);
}

static void feature_enabled(void *context, uint64_t times)
{
    struct calls *calls = context;
    for (uint64_t i = 0; i < times; i++)
        calls->counters[2] += (uint64_t)!trip_feature_enabled(calls->feature);
}

static void bound_count(void *context, uint64_t times)
{
    struct calls *calls = context;
    for (uint64_t i = 0; i < times; i++)
        bound_load_branch_count(calls->words, calls->counters);
}

static void allow_record_ok(void *context, uint64_t times)
{
    struct calls *calls = context;
    for (uint64_t i = 0; i < times; i++)
        if (trip_allow(calls->ok) == TRIP_ALLOW)
            trip_record(calls->ok, TRIP_OK, 0);
}

static void bound_two_clocks(void *context, uint64_t times)
{
    struct calls *calls = context;
    for (uint64_t i = 0; i < times; i++) {
        const uint64_t start = bench_ticks();
        calls->sink = bench_ticks() - start;
    }
}

static void begin_end_ok(void *context, uint64_t times)
{
    struct calls *calls = context;
    trip_call call;
    for (uint64_t i = 0; i < times; i++)
        if (trip_begin(calls->timed, &call) == TRIP_ALLOW)
            trip_end(&call, TRIP_OK);
}

static void begin_end_untimed(void *context, uint64_t times)
{
    struct calls *calls = context;
    trip_call call;
    for (uint64_t i = 0; i < times; i++)
        if (trip_begin(calls->ok, &call) == TRIP_ALLOW)
            trip_end(&call, TRIP_OK);
}

static void bound_cas(void *context, uint64_t times)
{
    struct calls *calls = context;
    for (uint64_t i = 0; i < times; i++) {
        uint64_t seen = __atomic_load_n(&calls->words[1], __ATOMIC_RELAXED);
        __atomic_compare_exchange_n(&calls->words[1], &seen, seen + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    }
}

/* --------------------------------------------------------------------------------------------------------- failures */

/* The rows measure failures while tripd is awake but not draining: its worker is stopped after its doorbell was rung.
 */

#define BURST 400 /* a lane's ring has 512 places */

static double burst_once(const struct bench_stage *stage, struct calls *calls, bool sparse)
{
    static volatile uint8_t elsewhere[256 * 1024];
    trip_record(calls->burst, TRIP_OK, 0); /* ends the streak */
    bench_nap_us(2000);
    kill(stage->worker, SIGSTOP);
    trip_record(calls->burst, TRIP_FAILURE, 0); /* rings: from now on tripd counts as awake */
    uint64_t spent = 0;
    for (unsigned i = 0; i < BURST; i++) {
        for (size_t line = 0; sparse && line < sizeof(elsewhere); line += 64)
            elsewhere[line]++; /* stands for what a program does between two failures */
        const uint64_t start = sparse || i == 0 ? bench_ticks() : 0;
        trip_record(calls->burst, TRIP_FAILURE, 0);
        if (sparse)
            spent += bench_ticks() - start;
        else if (i == 0)
            spent = start;
    }
    if (!sparse)
        spent = bench_ticks() - spent;
    kill(stage->worker, SIGCONT);
    return bench_ns(spent) / BURST;
}

static void failures(const struct bench_stage *stage, struct calls *calls)
{
    double cas_ns = 1e9, burst_ns = 1e9, sparse_ns = 1e9;
    const double clock_ns = bench_clock_read_ns();
    for (unsigned round = 0; round < 10 + bench_effort / 2; round++) {
        const uint64_t start = bench_ticks();
        bound_cas(calls, BURST);
        const double cas = bench_ns(bench_ticks() - start) / BURST;
        const double burst = burst_once(stage, calls, false);
        const double sparse = burst_once(stage, calls, true) - clock_ns;
        cas_ns = cas < cas_ns ? cas : cas_ns;
        burst_ns = burst < burst_ns ? burst : burst_ns;
        sparse_ns = sparse < sparse_ns ? sparse : sparse_ns;
    }
    bench_report_timed("record_failure_burst", burst_ns, 1, "CAS and clock read", cas_ns + clock_ns, "<= bound + 15 ns",
                       cas_ns + clock_ns + 15);
    bench_report_timed("record_failure_sparse", sparse_ns, 1, "CAS and clock read", cas_ns + clock_ns, "<= 60 ns", 60);
}

/* ------------------------------------------------------------------------------------------------------- a fallback */

static trip_outcome fetch(void *arg, const char *endpoint, trip_attempt *attempt)
{
    (void)arg;
    (void)endpoint;
    (void)attempt;
    return TRIP_FAILURE;
}

static bool reduce(void *arg, const char *features)
{
    (void)arg;
    (void)features;
    return false;
}

static bool use(void *arg, const char *value, size_t size)
{
    struct calls *calls = arg;
    calls->sink = size + (uint64_t)value[0];
    return true;
}

static trip_outcome never(void *arg, trip_attempt *attempt)
{
    (void)arg;
    (void)attempt;
    return TRIP_OK;
}

/* A denied operation: no cache keeps an answer, the alternative is dead, the feature is needed, the default answers. */
static void denied_instead(void *context, uint64_t times)
{
    static const trip_fallbacks fallbacks = {.fetch = fetch, .reduce = reduce, .use = use};
    struct calls *calls = context;
    for (uint64_t i = 0; i < times; i++) {
        trip_result result;
        trip_run_with(calls->denied, &(trip_options){.fallbacks = &fallbacks}, never, calls, &result);
        calls->answered += result.strategy == TRIP_STRATEGY_DEFAULT;
    }
}

static void denied_run(void *context, uint64_t times)
{
    struct calls *calls = context;
    for (uint64_t i = 0; i < times; i++)
        trip_run(calls->denied, never, calls, NULL);
}

static void fallback_chain(struct calls *calls, trip_client *client)
{
    double bound, path;
    calls->denied = stage_breaker(client, "chain/db");
    for (unsigned i = 0; i < 5; i++) {
        trip_record(calls->denied, TRIP_FAILURE, 0);
        trip_record(stage_breaker(client, "chain/dead"), TRIP_FAILURE, 0);
    }
    denied_instead(calls, 1);
    if (!calls->answered)
        bench_fail("a fallback's default should have answered", ENOENT);
    bench_compare(denied_run, denied_instead, calls, &bound, &path);
    bench_report_ns("fallback_chain", path, "denied without a fallback", bound, "<= 2000 ns", 2000);
}

static void *prepare(unsigned round)
{
    static struct calls calls;
    (void)round;
    trip_client *client = stage_client();
    calls.ok = stage_breaker(client, "ok");
    calls.timed = stage_breaker(client, "timed/ok");
    return &calls;
}

void bench_calls(void)
{
    struct bench_stage stage;
    struct calls calls = {0};
    double bound, path, one, two;
    stage_start(&stage, config);
    bench_one_and_two(prepare, allow, TWO_TIMES, &one, &two);
    bench_report_ns("allow_two", two, "allow in one process", one, "<= 1.2x", 1.2 * one);
    bench_one_and_two(prepare, begin_end_ok, TWO_TIMES, &one, &two);
    bench_report(&(struct bench_row){.path = "two_processes",
                                     .is_value = true,
                                     .measured = 2 * one / two,
                                     .bound = "two cores",
                                     .bound_measured = 2,
                                     .target = ">= 1.9",
                                     .limit = 1.9,
                                     .more_is_better = true});
    trip_client *client = stage_client();
    calls.ok = stage_breaker(client, "ok");
    calls.timed = stage_breaker(client, "timed/ok");
    calls.burst = stage_breaker(client, "burst/1");
    bench_pin(0);
    bench_compare(bound_load, allow, &calls, &bound, &path);
    bench_report_ns("allow", path, "load and branch in a shared library", bound, "<= 2x", 2 * bound);
    const int error = trip_feature_get(client, "recommendations", &calls.feature);
    if (error < 0)
        bench_fail("trip_feature_get", error);
    bench_compare(bound_load, feature_enabled, &calls, &bound, &path);
    bench_report_ns("feature_enabled", path, "load and branch in a shared library", bound, "<= 2x", 2 * bound);
    bench_compare(bound_count, allow_record_ok, &calls, &bound, &path);
    bench_report_ns("allow_record_ok", path, "load, branch and two counters", bound, "<= 7 ns", 7);
    bench_compare(bound_two_clocks, begin_end_ok, &calls, &bound, &path);
    bench_report_timed("begin_end_ok", path, 2, "two clock reads", bound, "<= bound + 12 ns", bound + 12);
    bench_compare(bound_count, begin_end_untimed, &calls, &bound, &path);
    bench_report_timed("begin_end_untimed", path, 2.0 / SAMPLED_ONE_IN, "load, branch and two counters", bound,
                       "<= 15 ns", 15);
    failures(&stage, &calls);
    fallback_chain(&calls, client);
    trip_close(client);
    stage_stop(&stage);
}
