/* One outage, measured: a prefork server under load by wrk, its upstream killed or hung, then brought back.
 *
 *   outage --workers N --fault kill|hang --breaker NAME [--private]
 *
 * Prints one line of `name=value`, each from what the workers noted themselves (record.h). Needs a running tripd
 * (TRIP_RUNTIME_DIR, TRIP_INSTANCE) and wrk in the PATH. Starts and stops everything else, also when interrupted. For
 * those who watch it stays LINGER_S seconds, as its environment says, under load, denied and recovered.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

struct outage {
    struct stage stage;
    uint64_t fault_ns, back_ns;
    uint64_t fault_unix_ms; /* to compare with tripd's transitions */
};

/* What one worker's book says. Times of 0: it did not happen. */
struct story {
    uint64_t first_denial_ns; /* after the fault */
    uint64_t recovered_ns;    /* end of the first call that was allowed (no probe) and good, begun after the return */
};

struct findings {
    uint64_t wasted, probes, cut_short;
    double blocked_s, first_denial_ms, last_denial_ms, recovery_ms; /* denials: since the fault */
};

static bool failed(const struct record_line *line)
{
    return trip_admitted((trip_verdict)line->verdict) && line->outcome != TRIP_OK;
}

static struct story story_of(const struct outage *outage, unsigned worker)
{
    const uint64_t lines = stage_lines(&outage->stage, worker);
    struct story story = {0};
    for (uint64_t i = 0; i < lines; i++) {
        struct record_line line;
        if (!stage_line(&outage->stage, worker, i, &line) || line.begin_ns < outage->fault_ns)
            continue;
        if (!story.first_denial_ns && !trip_admitted((trip_verdict)line.verdict))
            story.first_denial_ns = line.end_ns;
        if (!story.recovered_ns && outage->back_ns && line.begin_ns >= outage->back_ns && line.verdict == TRIP_ALLOW &&
            line.outcome == TRIP_OK)
            story.recovered_ns = line.end_ns;
    }
    return story;
}

static bool all_warm(const void *at)
{
    const struct outage *outage = at;
    for (unsigned worker = 0; worker < outage->stage.workers; worker++)
        if (stage_lines(&outage->stage, worker) < 10)
            return false;
    return true;
}

static bool all_denied(const void *at)
{
    const struct outage *outage = at;
    for (unsigned worker = 0; worker < outage->stage.workers; worker++)
        if (!story_of(outage, worker).first_denial_ns)
            return false;
    return true;
}

static bool all_recovered(const void *at)
{
    const struct outage *outage = at;
    for (unsigned worker = 0; worker < outage->stage.workers; worker++)
        if (!story_of(outage, worker).recovered_ns)
            return false;
    return true;
}

static struct findings find(const struct outage *outage)
{
    struct findings findings = {0};
    uint64_t first_denial = UINT64_MAX, last_denial = 0, recovered = 0;
    for (unsigned worker = 0; worker < outage->stage.workers; worker++) {
        const struct story story = story_of(outage, worker);
        first_denial = story.first_denial_ns < first_denial ? story.first_denial_ns : first_denial;
        last_denial = story.first_denial_ns > last_denial ? story.first_denial_ns : last_denial;
        recovered = story.recovered_ns > recovered ? story.recovered_ns : recovered;
    }
    for (unsigned worker = 0; worker < outage->stage.workers; worker++) {
        const uint64_t lines = stage_lines(&outage->stage, worker);
        for (uint64_t i = 0; i < lines; i++) {
            struct record_line line;
            if (!stage_line(&outage->stage, worker, i, &line) || line.end_ns < outage->fault_ns)
                continue;
            if (failed(&line) && line.begin_ns <= last_denial)
                findings.wasted++;
            findings.cut_short += failed(&line) && line.outcome == TRIP_CANCELLED;
            if (failed(&line))
                findings.blocked_s += (double)(line.end_ns - line.begin_ns) / 1e9;
            if (line.verdict == TRIP_PROBE && line.begin_ns >= outage->back_ns && line.begin_ns <= recovered)
                findings.probes++;
        }
    }
    findings.first_denial_ms = (double)(first_denial - outage->fault_ns) / 1e6;
    findings.last_denial_ms = (double)(last_denial - outage->fault_ns) / 1e6;
    findings.recovery_ms = (double)(recovered - outage->back_ns) / 1e6;
    return findings;
}

/* ------------------------------------------------------------------------------------------------------- the outage */

static bool reach(const struct outage *outage, bool (*state)(const void *at), const char *what)
{
    const char *const linger_s = getenv("LINGER_S");
    const bool reached = stage_reach(&outage->stage, state, outage, what);
    sleep(reached && linger_s ? (unsigned)atoi(linger_s) : 0);
    return reached;
}

static bool run(struct outage *outage)
{
    struct stage *const stage = &outage->stage;
    const bool hang = strcmp(stage->fault, "hang") == 0;
    stage_start_upstream(stage, "answer");
    stage_start_server(stage);
    if (!stage_reach(stage, stage_ready, stage, "ready"))
        return false;
    stage_start_load(stage);
    if (!reach(outage, all_warm, "under load"))
        return false;
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    outage->fault_unix_ms = (uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_nsec / 1000000;
    outage->fault_ns = record_now_ns();
    if (hang)
        kill(stage->upstream, SIGUSR1);
    else
        stage_stop(&stage->upstream);
    if (!reach(outage, all_denied, "denied everywhere"))
        return false;
    if (hang)
        kill(stage->upstream, SIGUSR2);
    else
        stage_start_upstream(stage, "answer");
    outage->back_ns = record_now_ns();
    return reach(outage, all_recovered, "recovered everywhere");
}

static void print(const struct outage *outage)
{
    const struct findings findings = find(outage);
    printf("wasted=%llu cut_short=%llu blocked_s=%.3f first_denial_ms=%.0f last_denial_ms=%.0f probes=%llu "
           "recovery_ms=%.0f "
           "fault_unix_ms=%llu\n",
           (unsigned long long)findings.wasted, (unsigned long long)findings.cut_short, findings.blocked_s,
           findings.first_denial_ms, findings.last_denial_ms, (unsigned long long)findings.probes, findings.recovery_ms,
           (unsigned long long)outage->fault_unix_ms);
}

int main(int argc, char **argv)
{
    static struct outage outage;
    stage_parse(&outage.stage, argc, argv, "outage", (const char *const[]){"kill", "hang"});
    const int error = stage_open(&outage.stage);
    if (error) {
        fprintf(stderr, "outage: cannot make the record: %s\n", strerror(-error));
        return 1;
    }
    const bool done = run(&outage);
    if (done)
        print(&outage);
    stage_close(&outage.stage);
    return done ? 0 : 1;
}
