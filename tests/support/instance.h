/* A tripd of the test's own: its files lie in one folder, found by libtrip and tripctl through the environment.
 * For programs that start real processes: $TRIPD and $TRIPCTL say where the programs are (cmake/tests.cmake). */
#ifndef TRIP_TESTS_INSTANCE_H
#define TRIP_TESTS_INSTANCE_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "folder.h"

struct instance {
    char folder[FOLDER_ROOM];
    bool has_config;
    pid_t keeper; /* 0: not running */
};

/* Makes the folder, and starts tripd with this YAML (NULL: defaults). Ends the program if tripd does not come up. */
void instance_start(struct instance *instance, const char *config);
/* Starts tripd again in the same folder, after its keeper was killed. */
void instance_restart(struct instance *instance);
/* Returns the pid of the present worker; 0: none is running. */
pid_t instance_worker(const struct instance *instance);
/* Kills the keeper with SIGKILL, and reaps it. */
void instance_kill_keeper(struct instance *instance);
bool instance_wait_up(const struct instance *instance, unsigned ms);
/* Stops tripd with SIGTERM, reaps it, and removes the folder. Returns the exit status as waitpid gives it. */
int instance_stop(struct instance *instance);
/* Returns the JSON that `tripctl --json ARGUMENTS` prints, as a new reference. NULL: it failed. */
json_t *instance_ask(const char *arguments);

/* Prints the end of tripd's log on standard error, for a test that failed. */
void instance_print_log(const struct instance *instance);

#endif
