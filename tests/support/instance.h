/* A tripd of the test's own: its files lie in one folder, found by libtrip and tripctl through the environment.
 * For programs that start real processes: $TRIPD and $TRIPCTL say where the programs are (cmake/tests.cmake). */
#ifndef TRIP_TESTS_INSTANCE_H
#define TRIP_TESTS_INSTANCE_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct instance {
    char folder[64];
    bool has_config;
    pid_t keeper; /* 0: not running */
};

/* Makes the folder and starts tripd with this YAML (NULL: defaults). Ends the program if it does not come up. */
void instance_start(struct instance *instance, const char *config);
/* Starts tripd again in the same folder: after a kill of the keeper. */
void instance_restart(struct instance *instance);
/* The pid of the worker now; 0: none at the moment. */
pid_t instance_worker(const struct instance *instance);
/* SIGKILL to the keeper, and reaps it. */
void instance_kill_keeper(struct instance *instance);
bool instance_wait_up(const struct instance *instance, unsigned ms);
/* SIGTERM, reaps, removes the folder. Returns tripd's exit status as of waitpid. */
int instance_stop(struct instance *instance);
/* The JSON that `tripctl --json ARGUMENTS` prints; NULL if it failed. A new reference. */
json_t *instance_ask(const char *arguments);

/* The end of tripd's log, on standard error: for a test that failed. */
void instance_print_log(const struct instance *instance);

#endif
