/* The stage of outage, overload and degrade: starts and stops the server, its upstreams, and the load by wrk. */
#ifndef TRIP_DEMO_STAGE_H
#define TRIP_DEMO_STAGE_H

#include <stdbool.h>
#include <sys/types.h>

#include "record.h"

struct stage {
    unsigned workers;
    const char *breaker, *fault;
    bool private;
    char folder[4096]; /* the folder of this program, where the server and the upstream are, too */
    char record_path[64];
    struct record *record;
    char port[8], upstream_port[8], alternative_port[8];
    pid_t upstream, alternative, server, load;
};

/* Reads --workers N --fault FAULT --breaker NAME [--private]; FAULT is one of two, or of one and NULL. Exits with a
 * usage. */
void stage_parse(struct stage *stage, int argc, char **argv, const char *program, const char *const faults[2]);
/* Prepares, and starts nothing yet. All processes started later end with this one, however it ends. */
int stage_open(struct stage *stage);
/* behaviour: see upstream.c. */
void stage_start_upstream(struct stage *stage, const char *behaviour);
/* Starts the server that the config calls "backup". */
void stage_start_alternative(struct stage *stage);
void stage_start_server(struct stage *stage);
void stage_start_load(struct stage *stage);
void stage_stop(pid_t *pid);
void stage_close(struct stage *stage);

/* Waits until `state(at)`. False: it took too long, or the server ended. */
bool stage_reach(const struct stage *stage, bool (*state)(const void *at), const void *at, const char *what);
/* Are all workers attached? A state for stage_reach. */
bool stage_ready(const void *at);

/* Return how many lines a worker's book has, and one of them. False: its call is in flight. */
uint64_t stage_lines(const struct stage *stage, unsigned worker);
bool stage_line(const struct stage *stage, unsigned worker, uint64_t index, struct record_line *ret_line);

#endif
