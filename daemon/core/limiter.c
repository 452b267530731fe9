/* Adaptive concurrency: windows of samples, the unloaded latency and its drains, one step function an algorithm. */
#include "core/limiter.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/settings.h"

#define INITIAL          20 /* Vegas and gradient2 begin at 20 */
#define WINDOW_CALLS     10
#define DROP_SHARE       0.1 /* of a window's calls */
#define BACKOFF          0.9
#define TOLERANCE        1.5
#define LATENCY_FLOOR_NS 65536 /* the first bucket's end: below it latencies cannot be told apart */

#define DRAIN_DEPTH     3 /* during a drain a third of the limit is in force */
#define DRAIN_WINDOWS   2 /* one window in which earlier calls end, one to measure */
#define DRAIN_PAUSE_MIN (20 * TRIP_S)
#define DRAIN_PAUSE_MAX (300 * TRIP_S)
#define DRAIN_PAUSES    16 /* a pause lasts so many times the last drain: draining costs 3% of the throughput at most */

static double within(double value, double lowest, double highest)
{
    return fmax(lowest, fmin(highest, value));
}

void limiter_init(struct limiter_state *limiter, enum limiter_kind kind, uint32_t min, uint32_t max)
{
    memset(limiter, 0, sizeof(*limiter));
    limiter->kind = kind;
    limiter->min = min < 1 ? 1 : min;
    limiter->max = max < limiter->min ? limiter->min : max;
    limiter->limit = kind == LIMITER_NONE ? limiter->max : within(INITIAL, limiter->min, limiter->max);
}

uint32_t limiter_limit(const struct limiter_state *limiter)
{
    const uint32_t limit = (uint32_t)(limiter->drain_windows ? limiter->limit / DRAIN_DEPTH : limiter->limit);
    return limit < limiter->min ? limiter->min : limit;
}

/* ------------------------------------------------------------------------------------------------------ the steps */

/* Estimates how much of the limit works rather than queues, from the latency. */
static double working_share(const struct limiter_state *limiter, double latency_ns)
{
    return fmin(1, TOLERANCE * limiter->unloaded_ns / latency_ns);
}

static double step_aimd(const struct limiter_state *limiter, double latency_ns)
{
    (void)latency_ns;
    return limiter->limit + fmax(1, limiter->limit / 100);
}

static double step_gradient2(const struct limiter_state *limiter, double latency_ns)
{
    const double gradient = fmax(0.5, working_share(limiter, latency_ns));
    const double queue = fmax(4, sqrt(limiter->limit));

    return 0.8 * limiter->limit + 0.2 * (limiter->limit * gradient + queue);
}

static double step_vegas(const struct limiter_state *limiter, double latency_ns)
{
    const double limit = limiter->limit, step = fmax(1, floor(log10(limit)));
    const double queue = ceil(limit * (1 - working_share(limiter, latency_ns)));

    if (queue <= step)
        return limit + 6 * step;
    if (queue < 3 * step)
        return limit + step;
    return queue > 6 * step ? limit - step : limit;
}

static const struct algorithm {
    double (*step)(const struct limiter_state *limiter, double latency_ns); /* the limit after a window without drops */
    bool reads_latency;
} algorithms[LIMITER_KIND_COUNT] = {
    [LIMITER_AIMD] = {step_aimd, false},
    [LIMITER_GRADIENT2] = {step_gradient2, true},
    [LIMITER_VEGAS] = {step_vegas, true},
};

/* ----------------------------------------------------------------------------------------- the unloaded latency */

static void start_drain(struct limiter_state *limiter, uint64_t now_ns)
{
    limiter->drain_windows = DRAIN_WINDOWS;
    limiter->drain_start_ns = now_ns;
}

static void end_drain(struct limiter_state *limiter, uint64_t now_ns)
{
    const double took_ns = now_ns > limiter->drain_start_ns ? (double)(now_ns - limiter->drain_start_ns) : 0;

    limiter->drain_windows = 0;
    limiter->drain_due_ns = now_ns + (uint64_t)within(DRAIN_PAUSES * took_ns, DRAIN_PAUSE_MIN, DRAIN_PAUSE_MAX);
}

static void drain(struct limiter_state *limiter, double latency_ns, uint64_t now_ns)
{
    if (limiter->drain_windows > 1) {
        limiter->drain_windows--;
        return;
    }
    limiter->unloaded_ns = latency_ns;
    end_drain(limiter, now_ns);
}

/* Learns the unloaded latency. A lower latency is believed soon. A higher one is believed slowly, and only if the limit
 * did not press: under pressure it may come from the limit's own queue. */
static void learn(struct limiter_state *limiter, double latency_ns, bool pressed)
{
    if (limiter->unloaded_ns == 0)
        limiter->unloaded_ns = latency_ns;
    else if (latency_ns < limiter->unloaded_ns)
        limiter->unloaded_ns += (latency_ns - limiter->unloaded_ns) / 2;
    else if (!pressed)
        limiter->unloaded_ns += (latency_ns - limiter->unloaded_ns) / 8;
}

/* ----------------------------------------------------------------------------------------------------- the windows */

/* Counts drops: failures, and for an algorithm that does not read latencies also slow calls. A slow failure is in both
 * counts. */
static double drops(const struct limiter_state *limiter, const struct limiter_sample *sample)
{
    const double slow = algorithms[limiter->kind].reads_latency ? 0 : (double)sample->slow;
    return fmin((double)sample->calls, (double)sample->failures + slow);
}

static void gather(struct limiter_state *limiter, const struct limiter_sample *sample)
{
    const double calls = (double)sample->calls;

    limiter->window.calls += calls;
    limiter->window.drops += drops(limiter, sample);
    limiter->window.latency_ns += calls * (double)sample->mean_latency_ns;
    if (sample->in_flight > limiter->window.in_flight)
        limiter->window.in_flight = sample->in_flight;
}

/* Has the window lasted a round trip? */
static bool window_ended(const struct limiter_state *limiter)
{
    return limiter->window.calls >= fmax(WINDOW_CALLS, fmin(limiter->window.in_flight, limiter->limit));
}

static void advance(struct limiter_state *limiter, double latency_ns, uint64_t now_ns)
{
    const struct algorithm *const algorithm = &algorithms[limiter->kind];
    const bool pressed = limiter->window.in_flight >= limiter->limit / 2;

    learn(limiter, latency_ns, pressed);
    if (!pressed)
        return;
    if (algorithm->reads_latency && now_ns >= limiter->drain_due_ns)
        start_drain(limiter, now_ns);
    else
        limiter->limit = algorithm->step(limiter, latency_ns);
}

static void back_off(struct limiter_state *limiter, uint64_t now_ns)
{
    limiter->limit = fmin(limiter->limit * BACKOFF, limiter->limit - 1);
    if (limiter->drain_windows)
        end_drain(limiter, now_ns);
}

static void judge_window(struct limiter_state *limiter, uint64_t now_ns)
{
    const double calls = limiter->window.calls;
    const double latency_ns = fmax(LATENCY_FLOOR_NS, limiter->window.latency_ns / calls);

    if (limiter->window.drops >= DROP_SHARE * calls)
        back_off(limiter, now_ns);
    else if (limiter->drain_windows)
        drain(limiter, latency_ns, now_ns);
    else
        advance(limiter, latency_ns, now_ns);
    limiter->limit = within(limiter->limit, limiter->min, limiter->max);
}

uint32_t limiter_update(struct limiter_state *limiter, const struct limiter_sample *sample)
{
    if (limiter->kind == LIMITER_NONE)
        return limiter_limit(limiter);
    gather(limiter, sample);
    if (window_ended(limiter)) {
        judge_window(limiter, sample->now_ns);
        memset(&limiter->window, 0, sizeof(limiter->window));
    }
    return limiter_limit(limiter);
}
