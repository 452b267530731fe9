/* What outage and overload have in common: the server, its upstream and the load by wrk, started and stopped. */
#ifndef TRIP_DEMO_STAGE_H
#define TRIP_DEMO_STAGE_H

#include <stdbool.h>
#include <sys/types.h>

#include "record.h"

struct stage {
    unsigned workers;
    const char *breaker, *fault;
    bool private;
    char folder[4096]; /* of this program: the server and the upstream lie beside it */
    char record_path[64];
    struct record *record;
    char port[8], upstream_port[8];
    pid_t upstream, server, load;
};

/* --workers N --fault FAULT --breaker NAME [--private], FAULT being one of two. Exits with a usage. */
void stage_parse(struct stage *stage, int argc, char **argv, const char *program, const char *const faults[2]);
/* Starts nothing yet. What is started ends with this process, however that ends. */
int stage_open(struct stage *stage);
/* behaviour: upstream.c says which there are. */
void stage_start_upstream(struct stage *stage, const char *behaviour);
void stage_start_server(struct stage *stage);
void stage_start_load(struct stage *stage);
void stage_stop(pid_t *pid);
void stage_close(struct stage *stage);

/* Waits until `state(at)`. False: it took too long, or the server ended. */
bool stage_reach(const struct stage *stage, bool (*state)(const void *at), const void *at, const char *what);
/* Are all workers attached? The state of a stage. */
bool stage_ready(const void *at);

/* The lines of a worker's book so far, and one of them; false: its call is in flight. */
uint64_t stage_lines(const struct stage *stage, unsigned worker);
bool stage_line(const struct stage *stage, unsigned worker, uint64_t index, struct record_line *ret_line);

#endif
