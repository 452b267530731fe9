#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "trip.h"

static void nap_ms(unsigned ms)
{
    const struct timespec nap = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&nap, NULL);
}

void instance_print_log(const struct instance *instance)
{
    char command[128];
    snprintf(command, sizeof(command), "tail -n 30 %s/log | sed 's/^/    log: /' >&2", instance->folder);
    fflush(stdout);
    (void)!system(command);
}

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

bool instance_wait_up(const struct instance *instance, unsigned ms)
{
    for (unsigned waited = 0; waited <= ms; waited += 10) {
        trip_client *client;
        if (trip_open(&client, NULL) < 0)
            return false;
        const bool up = trip_client_status(client) == TRIP_CLIENT_SHARED;
        trip_close(client);
        if (up && instance_worker(instance))
            return true;
        nap_ms(10);
    }
    return false;
}

void instance_restart(struct instance *instance)
{
    const char *program = getenv("TRIPD");
    char config[128], log[128];
    snprintf(config, sizeof(config), "%s/test.yaml", instance->folder);
    snprintf(log, sizeof(log), "%s/log", instance->folder);
    const pid_t parent = getpid();
    instance->keeper = fork();
    if (instance->keeper == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), STDERR_FILENO);
        if (getppid() == parent)
            execlp(program ? program : "tripd", "tripd", instance->has_config ? "-c" : NULL, config, NULL);
        _exit(127);
    }
}

void instance_start(struct instance *instance, const char *config)
{
    char path[128];
    *instance = (struct instance){.has_config = config != NULL};
    folder_make(instance->folder, FOLDER_IN_TMP);
    setenv("TRIP_RUNTIME_DIR", instance->folder, 1);
    setenv("TRIP_STATE_DIR", instance->folder, 1);
    setenv("TRIP_SHM_DIR", instance->folder, 1);
    setenv("TRIP_INSTANCE", "test", 1);
    snprintf(path, sizeof(path), "%s/test.yaml", instance->folder);
    FILE *file = config ? fopen(path, "we") : NULL;
    if (config && (!file || fputs(config, file) < 0 || fclose(file) != 0))
        give_up(path);
    instance_restart(instance);
    if (!instance_wait_up(instance, 60000)) {
        instance_print_log(instance);
        fprintf(stderr, "tripd did not come up ($TRIPD is its path)\n");
        instance_stop(instance);
        exit(1);
    }
}

pid_t instance_worker(const struct instance *instance)
{
    char path[64];
    int child = 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)instance->keeper, (int)instance->keeper);
    FILE *file = instance->keeper ? fopen(path, "re") : NULL;
    if (file && fscanf(file, "%d", &child) != 1)
        child = 0;
    if (file)
        fclose(file);
    return child;
}

void instance_kill_keeper(struct instance *instance)
{
    kill(instance->keeper, SIGKILL);
    waitpid(instance->keeper, NULL, 0);
    instance->keeper = 0;
}

int instance_stop(struct instance *instance)
{
    int status = 0;
    if (instance->keeper) {
        kill(instance->keeper, SIGTERM);
        waitpid(instance->keeper, &status, 0);
        if (status != 0)
            instance_print_log(instance);
    }
    folder_remove(instance->folder);
    return status;
}

json_t *instance_ask(const char *arguments)
{
    char command[512];
    const char *program = getenv("TRIPCTL");
    snprintf(command, sizeof(command), "%s --json %s", program ? program : "tripctl", arguments);
    FILE *pipe = popen(command, "re");
    if (!pipe)
        return NULL;
    json_t *answer = json_loadf(pipe, 0, NULL);
    if (pclose(pipe) != 0) {
        json_decref(answer);
        return NULL;
    }
    return answer;
}
