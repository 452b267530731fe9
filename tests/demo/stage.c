#include "stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../support/child.h"

#define TIMEOUT_MS "1000"
#define PATIENCE_S 90 /* longer than a worker waits for tripd, and then says why it is not there */

static bool parse(struct stage *stage, int argc, char **argv)
{
    static const struct option known[] = {{"workers", 1, NULL, 'w'},
                                          {"fault", 1, NULL, 'f'},
                                          {"breaker", 1, NULL, 'b'},
                                          {"private", 0, NULL, 'P'},
                                          {NULL, 0, NULL, 0}};
    *stage = (struct stage){.workers = 8, .breaker = "upstream", .fault = ""};
    int key;
    while ((key = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (key) {
        case 'w':
            stage->workers = (unsigned)atoi(optarg);
            break;
        case 'f':
            stage->fault = optarg;
            break;
        case 'b':
            stage->breaker = optarg;
            break;
        case 'P':
            stage->private = true;
            break;
        default:
            return false;
        }
    }
    return stage->workers >= 1 && stage->workers <= RECORD_WORKERS_MAX && optind == argc;
}

void stage_parse(struct stage *stage, int argc, char **argv, const char *program, const char *const faults[2])
{
    if (parse(stage, argc, argv) &&
        (strcmp(stage->fault, faults[0]) == 0 || (faults[1] && strcmp(stage->fault, faults[1]) == 0)))
        return;
    fprintf(stderr, "usage: %s --workers 1..64 --fault %s%s%s --breaker NAME [--private]\n", program, faults[0],
            faults[1] ? "|" : "", faults[1] ? faults[1] : "");
    exit(2);
}

static void free_port(char port[8])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        getsockname(fd, (struct sockaddr *)&address, &size);
    close(fd);
    snprintf(port, 8, "%u", ntohs(address.sin_port));
}

/* Makes the record in memory, so that no file is left behind. */
static int open_record(struct stage *stage)
{
    const int fd = memfd_create("trip-demo", MFD_CLOEXEC); /* open for as long as this process lives */
    if (fd < 0 || ftruncate(fd, sizeof(struct record)) < 0)
        return -errno;
    snprintf(stage->record_path, sizeof(stage->record_path), "/proc/%d/fd/%d", getpid(), fd);
    stage->record = record_map(stage->record_path);
    return stage->record ? 0 : -errno;
}

int stage_open(struct stage *stage)
{
    const ssize_t length = readlink("/proc/self/exe", stage->folder, sizeof(stage->folder) - 1);
    stage->folder[length > 0 ? length : 0] = '\0';
    dirname(stage->folder);
    free_port(stage->port);
    free_port(stage->upstream_port);
    free_port(stage->alternative_port);
    return open_record(stage);
}

static pid_t start(const char *program, char *const argv[], bool quiet)
{
    const pid_t pid = child_fork();
    if (pid != 0)
        return pid;
    if (quiet)
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
    execvp(program, argv);
    fprintf(stderr, "demo: cannot start %s: %s\n", program, strerror(errno));
    _exit(127);
}

void stage_stop(pid_t *pid)
{
    if (*pid <= 0)
        return;
    kill(*pid, SIGKILL);
    waitpid(*pid, NULL, 0);
    *pid = 0;
}

void stage_close(struct stage *stage)
{
    stage_stop(&stage->load);
    stage_stop(&stage->server);
    stage_stop(&stage->upstream);
    stage_stop(&stage->alternative);
}

static pid_t start_upstream(struct stage *stage, char *port, const char *behaviour)
{
    char path[4200];
    snprintf(path, sizeof(path), "%s/upstream", stage->folder);
    return start(path, (char *[]){path, port, stage->record_path, (char *)behaviour, NULL}, false);
}

void stage_start_upstream(struct stage *stage, const char *behaviour)
{
    stage->upstream = start_upstream(stage, stage->upstream_port, behaviour);
}

void stage_start_alternative(struct stage *stage)
{
    stage->alternative = start_upstream(stage, stage->alternative_port, "answer");
}

void stage_start_server(struct stage *stage)
{
    char path[4200], workers[8];
    snprintf(path, sizeof(path), "%s/prefork_server", stage->folder);
    snprintf(workers, sizeof(workers), "%u", stage->workers);
    char *argv[] = {path,
                    "--port",
                    stage->port,
                    "--upstream",
                    stage->upstream_port,
                    "--alternative",
                    stage->alternative_port,
                    "--workers",
                    workers,
                    "--timeout",
                    TIMEOUT_MS,
                    "--record",
                    stage->record_path,
                    "--breaker",
                    (char *)stage->breaker,
                    stage->private ? "--private" : NULL,
                    NULL};
    stage->server = start(path, argv, false);
}

/* Starts the load: one connection for each worker, together about 800 requests a second. */
void stage_start_load(struct stage *stage)
{
    char connections[8], url[64], script[4200], pace[16];
    snprintf(connections, sizeof(connections), "%u", stage->workers);
    snprintf(url, sizeof(url), "http://127.0.0.1:%s/", stage->port);
    snprintf(script, sizeof(script), "%s/pace.lua", stage->folder);
    snprintf(pace, sizeof(pace), "%u", stage->workers + stage->workers / 4);
    setenv("PACE_MS", pace, 1);
    stage->load = start(
        "wrk", (char *[]){"wrk", "-t1", "-c", connections, "-d", "120", "--timeout", "30", "-s", script, url, NULL},
        true);
}

static void nap_ms(long ms)
{
    const struct timespec nap = {.tv_nsec = ms * 1000000};
    nanosleep(&nap, NULL);
}

bool stage_reach(const struct stage *stage, bool (*state)(const void *at), const void *at, const char *what)
{
    const uint64_t deadline = record_now_ns() + PATIENCE_S * UINT64_C(1000000000);
    while (!state(at)) {
        if (waitpid(stage->server, NULL, WNOHANG) != 0) {
            fprintf(stderr, "demo: the server ended before it was %s\n", what);
            return false;
        }
        if (record_now_ns() > deadline) {
            fprintf(stderr, "demo: not %s within %d s\n", what, PATIENCE_S);
            return false;
        }
        nap_ms(2);
    }
    return true;
}

bool stage_ready(const void *at)
{
    const struct stage *stage = at;
    return __atomic_load_n(&stage->record->ready, __ATOMIC_ACQUIRE) == stage->workers;
}

uint64_t stage_lines(const struct stage *stage, unsigned worker)
{
    return __atomic_load_n(&stage->record->book[worker].lines, __ATOMIC_ACQUIRE);
}

bool stage_line(const struct stage *stage, unsigned worker, uint64_t index, struct record_line *ret_line)
{
    const struct record_line *line = &stage->record->book[worker].line[index];
    ret_line->end_ns = __atomic_load_n(&line->end_ns, __ATOMIC_ACQUIRE); /* the worker's release: the rest is there */
    ret_line->begin_ns = line->begin_ns;
    ret_line->verdict = line->verdict;
    ret_line->outcome = line->outcome;
    ret_line->strategy = line->strategy;
    ret_line->status = line->status;
    return ret_line->end_ns != 0;
}
