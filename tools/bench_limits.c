/* What a call pays for limits that all processes share, beside the same call without them; and what it costs when two
 * processes use one word at the same time, beside two processes that only swap one. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

/* All calls are timed, so that a limit is always beside the same call. A budget holds what 10 s of its floor bring
 * since tripd began, 1,000,000 tokens: after TAKES of them were taken, a fresh one comes next. */
static const char config[] = "limits: {max_breakers: 1024}\n"
                             "breakers:\n"
                             "  - match: \"bulkhead\"\n"
                             "    concurrency: {max: 64}\n"
                             "    trip: {slow_rate: 100%}\n"
                             "  - match: \"rate\"\n"
                             "    rate: {limit: 16777215, per: 1ms}\n"
                             "    trip: {slow_rate: 100%}\n"
                             "  - match: \"retry/*\"\n"
                             "    retry: {budget: {min_per_second: 100000}}\n"
                             "  - match: \"*\"\n"
                             "    trip: {slow_rate: 100%}\n";

#define TAKES   250000
#define BUDGETS 128
#define FULL_US 10000000
/* With the tenth before it less than a budget holds, for two processes. */
#define TWO_TIMES (4000 * (uint64_t)bench_effort)

struct limits {
    trip_client *client;
    trip_breaker *plain, *bulkhead, *rate;
    trip_breaker *budgets[BUDGETS];
    uint64_t taken;
    unsigned denied;
};

static uint64_t *contended; /* a line of its own, which all processes share */

static void call_through(struct limits *limits, trip_breaker *breaker)
{
    trip_call call;
    if (trip_begin(breaker, &call) == TRIP_ALLOW)
        trip_end(&call, TRIP_OK);
    else
        limits->denied++;
}

static void begin_end_ok(void *context, uint64_t times)
{
    struct limits *limits = context;
    for (uint64_t i = 0; i < times; i++)
        call_through(limits, limits->plain);
}

static void begin_end_bulkhead(void *context, uint64_t times)
{
    struct limits *limits = context;
    for (uint64_t i = 0; i < times; i++)
        call_through(limits, limits->bulkhead);
}

static void begin_end_rate(void *context, uint64_t times)
{
    struct limits *limits = context;
    for (uint64_t i = 0; i < times; i++)
        call_through(limits, limits->rate);
}

/* Makes the way of a failed call to its second attempt: the call, and the token. */
static void begin_end_take(void *context, uint64_t times)
{
    struct limits *limits = context;
    for (uint64_t i = 0; i < times; i++) {
        trip_breaker *budget = limits->budgets[limits->taken++ / TAKES];
        call_through(limits, limits->plain);
        limits->denied += !trip_hedge_take(budget);
    }
}

static void take_token(void *context, uint64_t times)
{
    struct limits *limits = context;
    for (uint64_t i = 0; i < times; i++)
        limits->denied += !trip_hedge_take(limits->budgets[0]);
}

/* Swaps the word from what was seen last until it succeeds, as every word of a limit is taken from. */
static void swap_contended(void *context, uint64_t times)
{
    (void)context;
    for (uint64_t i = 0; i < times; i++) {
        uint64_t seen = __atomic_load_n(contended, __ATOMIC_RELAXED);
        while (!__atomic_compare_exchange_n(contended, &seen, seen + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            ;
    }
}

/* ------------------------------------------------------------------------------------------------------------ alone */

static void name_budgets(struct limits *limits)
{
    char name[32];
    for (unsigned number = 0; number < BUDGETS; number++) {
        snprintf(name, sizeof(name), "retry/%u", number);
        limits->budgets[number] = stage_breaker(limits->client, name);
    }
}

static void nothing_was_denied(const struct limits *limits)
{
    if (limits->denied)
        bench_fail("a limit that was to be measured was reached", EDQUOT);
}

static void beyond(const char *path, bench_call_fn *call, double clock_reads, struct limits *limits)
{
    double bound, measured;
    bench_compare(begin_end_ok, call, limits, &bound, &measured);
    bench_report_timed(path, measured, clock_reads, "begin_end_ok", bound, "<= bound + 40 ns", bound + 40);
    nothing_was_denied(limits);
}

static void alone(void)
{
    static struct limits limits;
    limits.client = stage_client();
    limits.plain = stage_breaker(limits.client, "plain");
    limits.bulkhead = stage_breaker(limits.client, "bulkhead");
    limits.rate = stage_breaker(limits.client, "rate");
    name_budgets(&limits);
    beyond("begin_end_bulkhead", begin_end_bulkhead, 2, &limits);
    beyond("retry_budget_take", begin_end_take, 3, &limits);
    beyond("rate_take", begin_end_rate, 2, &limits);
    trip_close(limits.client);
}

/* ---------------------------------------------------------------------------------------------------- two processes */

static void *prepare(unsigned round)
{
    static struct limits limits;
    char name[32];
    snprintf(name, sizeof(name), "retry/two/%u", round);
    limits.client = stage_client();
    limits.plain = stage_breaker(limits.client, "plain");
    limits.bulkhead = stage_breaker(limits.client, "bulkhead");
    limits.rate = stage_breaker(limits.client, "rate");
    limits.budgets[0] = stage_breaker(limits.client, name);
    return &limits;
}

/* The bounds: the same call, with only a swap of one word in place of each word that a limit changes. Swaps alone would
 * be no bound: with nothing between them one process keeps the line for as long as it likes. */
static void begin_swap_end(void *context, uint64_t times)
{
    struct limits *limits = context;
    for (uint64_t i = 0; i < times; i++) {
        swap_contended(NULL, 1);
        call_through(limits, limits->plain);
    }
}

static void begin_swap_swap_end(void *context, uint64_t times)
{
    struct limits *limits = context;
    for (uint64_t i = 0; i < times; i++) {
        swap_contended(NULL, 1);
        call_through(limits, limits->plain);
        swap_contended(NULL, 1);
    }
}

static void read_clock_and_swap(void *context, uint64_t times)
{
    (void)context;
    for (uint64_t i = 0; i < times; i++) {
        __asm__ volatile("" : : "r"(bench_ticks()));
        swap_contended(NULL, 1);
    }
}

static void two(const char *path, bench_call_fn *call, double clock_reads, const char *bound, bench_call_fn *bound_call)
{
    const double bound_ns = bench_two(prepare, bound_call, TWO_TIMES);
    bench_report_timed(path, bench_two(prepare, call, TWO_TIMES), clock_reads, bound, bound_ns, "<= 2x", 2 * bound_ns);
}

static void together(void)
{
    contended = mmap(NULL, sizeof(*contended), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (contended == MAP_FAILED)
        bench_fail("no memory to share", errno);
    two("begin_end_bulkhead_two", begin_end_bulkhead, 2, "begin_end_ok, two contended CAS", begin_swap_swap_end);
    two("retry_budget_take_two", take_token, 1, "clock read, contended CAS", read_clock_and_swap);
    two("rate_take_two", begin_end_rate, 2, "begin_end_ok, contended CAS", begin_swap_end);
    munmap(contended, sizeof(*contended));
}

void bench_limits(void)
{
    struct bench_stage stage;
    stage_start(&stage, config);
    bench_nap_us(FULL_US);
    together(); /* first, for later this process is pinned, and has a client that its children would inherit */
    bench_pin(0);
    alone();
    stage_stop(&stage);
}
