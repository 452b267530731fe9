/* Three seconds of load on an upstream that resets every connection (a retry storm, where each worker retries as it
 * likes) or is slow (a pile-up, where each worker has a limit of its own).
 *
 *   overload --workers N --fault reset|slow --breaker NAME [--private]
 *
 * Prints one line of `name=value`: what the workers noted, and what the upstream itself saw. Needs what outage needs.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "stage.h"

#define LOAD_S 3

struct findings {
    uint64_t requests, answered, denied;
    double answer_ms; /* the mean of those that were answered */
};

static bool all_at_rest(const void *at)
{
    const struct stage *stage = at;
    for (unsigned worker = 0; worker < stage->workers; worker++) {
        const uint64_t lines = stage_lines(stage, worker);
        struct record_line line;
        if (lines && !stage_line(stage, worker, lines - 1, &line))
            return false;
    }
    return true;
}

static struct findings find(const struct stage *stage)
{
    struct findings findings = {0};
    uint64_t answered_ns = 0;
    for (unsigned worker = 0; worker < stage->workers; worker++) {
        const uint64_t lines = stage_lines(stage, worker);
        findings.requests += lines;
        for (uint64_t i = 0; i < lines; i++) {
            struct record_line line;
            if (!stage_line(stage, worker, i, &line))
                continue;
            if (!trip_admitted((trip_verdict)line.verdict)) {
                findings.denied++;
            } else if (line.outcome == TRIP_OK) {
                findings.answered++;
                answered_ns += line.end_ns - line.begin_ns;
            }
        }
    }
    findings.answer_ms = findings.answered ? (double)answered_ns / 1e6 / (double)findings.answered : 0;
    return findings;
}

static bool run(struct stage *stage, uint64_t *ret_load_ms)
{
    const struct timespec load = {.tv_sec = LOAD_S};
    stage_start_upstream(stage, stage->fault);
    stage_start_server(stage);
    if (!stage_reach(stage, stage_ready, stage, "ready"))
        return false;
    const uint64_t began_ns = record_now_ns();
    stage_start_load(stage);
    nanosleep(&load, NULL);
    stage_stop(&stage->load);
    if (!stage_reach(stage, all_at_rest, stage, "at rest"))
        return false;
    *ret_load_ms = (record_now_ns() - began_ns) / 1000000 + 1;
    return true;
}

static void print(const struct stage *stage, uint64_t load_ms)
{
    const struct findings findings = find(stage);
    const struct record_upstream *seen = &stage->record->upstream;
    printf("load_ms=%llu requests=%llu answered=%llu denied=%llu answer_ms=%.0f upstream_requests=%llu "
           "upstream_most=%llu upstream_per_request=%.2f\n",
           (unsigned long long)load_ms, (unsigned long long)findings.requests, (unsigned long long)findings.answered,
           (unsigned long long)findings.denied, findings.answer_ms, (unsigned long long)seen->requests,
           (unsigned long long)seen->most, (double)seen->requests / (double)findings.requests);
}

int main(int argc, char **argv)
{
    static struct stage stage;
    uint64_t load_ms;
    stage_parse(&stage, argc, argv, "overload", (const char *const[]){"reset", "slow"});
    const int error = stage_open(&stage);
    if (error) {
        fprintf(stderr, "overload: cannot make the record: %s\n", strerror(-error));
        return 1;
    }
    const bool done = run(&stage, &load_ms);
    if (done)
        print(&stage, load_ms);
    stage_close(&stage);
    return done ? 0 : 1;
}
