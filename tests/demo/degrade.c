/* An outage that clients do not see: a prefork server under load by wrk, whose upstream is killed, then the alternative
 * to it as well, and then both are back.
 *
 *   degrade --workers N --fault kill --breaker NAME [--private]
 *
 * Prints one line of `name=value`: for each of the four acts how many requests were answered, and what percentage of
 * them by whom (fresh: the upstream itself), as the workers noted. Needs what outage needs, and a config in which this
 * breaker has a fallback of an alternative "backup", `reduced` and a default.
 */
#include <stdio.h>
#include <string.h>

#include "stage.h"

#define ACT_LINES 50 /* of each worker, at least */

enum act { UPSTREAM_DEAD, BOTH_DEAD, BACK, RECOVERED, ACTS };
static const char *const act_names[ACTS] = {"upstream_dead", "both_dead", "back", "recovered"};

struct degrade {
    struct stage stage;
    unsigned acts;               /* that have begun */
    uint64_t began_ns[ACTS + 1]; /* the last: when the last act was over */
};

/* How many requests were answered, by what. */
struct shares {
    uint64_t requests, failed, by[TRIP_STRATEGY_COUNT]; /* by[NONE]: fresh */
};

static void add(struct shares *shares, const struct record_line *line)
{
    shares->requests++;
    if (line->status == 200)
        shares->by[line->strategy]++;
    else
        shares->failed++;
}

/* Adds what one worker answered from then on, and until then. */
static void add_worker(const struct degrade *degrade, unsigned worker, uint64_t from_ns, uint64_t to_ns,
                       struct shares *shares)
{
    const uint64_t lines = stage_lines(&degrade->stage, worker);
    for (uint64_t i = 0; i < lines; i++) {
        struct record_line line;
        if (stage_line(&degrade->stage, worker, i, &line) && line.end_ns >= from_ns && line.end_ns < to_ns)
            add(shares, &line);
    }
}

/* --------------------------------------------------------------------------------------------------------- the acts */

/* Has each worker answered enough requests in the present act, or before the first one? */
static bool all_answered(const void *at)
{
    const struct degrade *degrade = at;
    const uint64_t from_ns = degrade->acts ? degrade->began_ns[degrade->acts - 1] : 0;
    for (unsigned worker = 0; worker < degrade->stage.workers; worker++) {
        struct shares shares = {0};
        add_worker(degrade, worker, from_ns, UINT64_MAX, &shares);
        if (shares.requests < ACT_LINES)
            return false;
    }
    return true;
}

/* Has each worker an answer of the upstream for a call that was no probe? */
static bool all_recovered(const void *at)
{
    const struct degrade *degrade = at;
    for (unsigned worker = 0; worker < degrade->stage.workers; worker++) {
        uint64_t i = stage_lines(&degrade->stage, worker);
        struct record_line line;
        bool fresh = false;
        while (!fresh && i-- > 0 && degrade->stage.record->book[worker].line[i].begin_ns >= degrade->began_ns[BACK])
            fresh =
                stage_line(&degrade->stage, worker, i, &line) && line.verdict == TRIP_ALLOW && line.outcome == TRIP_OK;
        if (!fresh)
            return false;
    }
    return true;
}

static bool reach(struct degrade *degrade, bool (*state)(const void *at), const char *what)
{
    return stage_reach(&degrade->stage, state, degrade, what);
}

static void begin(struct degrade *degrade)
{
    degrade->began_ns[degrade->acts] = record_now_ns();
    degrade->acts++;
}

static bool run(struct degrade *degrade)
{
    struct stage *const stage = &degrade->stage;
    stage_start_upstream(stage, "answer");
    stage_start_alternative(stage);
    stage_start_server(stage);
    if (!stage_reach(stage, stage_ready, stage, "ready"))
        return false;
    stage_start_load(stage);
    if (!reach(degrade, all_answered, "under load"))
        return false;
    begin(degrade);
    stage_stop(&stage->upstream);
    if (!reach(degrade, all_answered, "answering without its upstream"))
        return false;
    begin(degrade);
    stage_stop(&stage->alternative);
    if (!reach(degrade, all_answered, "answering without both"))
        return false;
    begin(degrade);
    stage_start_upstream(stage, "answer");
    stage_start_alternative(stage);
    if (!reach(degrade, all_recovered, "recovered everywhere"))
        return false;
    begin(degrade);
    if (!reach(degrade, all_answered, "answering as before"))
        return false;
    begin(degrade);
    return true;
}

static void print_act(const struct degrade *degrade, enum act act)
{
    struct shares shares = {0};
    for (unsigned worker = 0; worker < degrade->stage.workers; worker++)
        add_worker(degrade, worker, degrade->began_ns[act], degrade->began_ns[act + 1], &shares);
    const double percent = 100.0 / (double)shares.requests;
    printf("%s_requests=%llu ", act_names[act], (unsigned long long)shares.requests);
    printf("%s_fresh=%.1f ", act_names[act], (double)shares.by[TRIP_STRATEGY_NONE] * percent);
    printf("%s_alternative=%.1f ", act_names[act], (double)shares.by[TRIP_STRATEGY_ALTERNATIVE] * percent);
    printf("%s_reduced=%.1f ", act_names[act], (double)shares.by[TRIP_STRATEGY_REDUCED] * percent);
    printf("%s_default=%.1f ", act_names[act], (double)shares.by[TRIP_STRATEGY_DEFAULT] * percent);
    printf("%s_failed=%llu ", act_names[act], (unsigned long long)shares.failed);
}

int main(int argc, char **argv)
{
    static struct degrade degrade;
    stage_parse(&degrade.stage, argc, argv, "degrade", (const char *const[]){"kill", NULL});
    const int error = stage_open(&degrade.stage);
    if (error) {
        fprintf(stderr, "degrade: cannot make the record: %s\n", strerror(-error));
        return 1;
    }
    const bool done = run(&degrade);
    for (enum act act = UPSTREAM_DEAD; done && act < ACTS; act++)
        print_act(&degrade, act);
    if (done)
        printf("recovery_ms=%.0f\n", (double)(degrade.began_ns[RECOVERED] - degrade.began_ns[BACK]) / 1e6);
    stage_close(&degrade.stage);
    return done ? 0 : 1;
}
