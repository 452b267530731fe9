/* One outage, measured: a prefork server under load by wrk, its upstream killed or hung, then brought back.
 *
 *   outage --workers N --fault kill|hang --breaker NAME [--private] [--calm MS]
 *
 * Prints one line of `name=value`, each from what the workers noted themselves (record.h). Needs a running tripd
 * (TRIP_RUNTIME_DIR, TRIP_INSTANCE) and wrk in the PATH. Starts and stops everything else, also when interrupted.
 */
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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "record.h"

#define TIMEOUT_MS "1000"
#define PATIENCE_S 20

struct options {
    unsigned workers;
    const char *breaker;
    bool hang, private;
};

struct outage {
    struct options options;
    char folder[4096]; /* of this program: the server and the upstream lie beside it */
    char record_path[4096];
    struct record *record;
    char port[8], upstream_port[8];
    pid_t upstream, server, load;
    uint64_t fault_ns, back_ns;
    uint64_t fault_unix_ms; /* to be compared with tripd's transitions */
};

/* What one worker's book says. Times 0: did not happen. */
struct story {
    uint64_t first_denial_ns; /* after the fault */
    uint64_t recovered_ns;    /* end of the first call that was allowed (no probe) and good, begun after the return */
};

struct findings {
    uint64_t wasted, probes;
    double blocked_s, first_denial_ms, last_denial_ms, recovery_ms; /* denials: since the fault */
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void nap_ms(long ms)
{
    const struct timespec nap = {.tv_nsec = ms * 1000000};
    nanosleep(&nap, NULL);
}

static bool parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {{"workers", 1, NULL, 'w'},
                                          {"fault", 1, NULL, 'f'},
                                          {"breaker", 1, NULL, 'b'},
                                          {"private", 0, NULL, 'P'},
                                          {NULL, 0, NULL, 0}};
    const char *fault = "";
    *options = (struct options){.workers = 8, .breaker = "upstream"};
    int key;
    while ((key = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (key) {
        case 'w':
            options->workers = (unsigned)atoi(optarg);
            break;
        case 'f':
            fault = optarg;
            break;
        case 'b':
            options->breaker = optarg;
            break;
        case 'P':
            options->private = true;
            break;
        default:
            return false;
        }
    }
    options->hang = strcmp(fault, "hang") == 0;
    return (options->hang || strcmp(fault, "kill") == 0) && options->workers >= 1 &&
           options->workers <= RECORD_WORKERS_MAX && optind == argc;
}

/* ---- the processes */

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

static pid_t start(const char *program, char *const argv[], bool quiet)
{
    const pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    if (quiet)
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
    execvp(program, argv);
    fprintf(stderr, "outage: cannot start %s: %s\n", program, strerror(errno));
    _exit(127);
}

static void stop(pid_t *pid)
{
    if (*pid <= 0)
        return;
    kill(*pid, SIGKILL);
    waitpid(*pid, NULL, 0);
    *pid = 0;
}

static void start_upstream(struct outage *outage)
{
    char path[4200];
    snprintf(path, sizeof(path), "%s/upstream", outage->folder);
    outage->upstream = start(path, (char *[]){path, outage->upstream_port, NULL}, false);
}

static void start_server(struct outage *outage)
{
    char path[4200], workers[8];
    snprintf(path, sizeof(path), "%s/prefork_server", outage->folder);
    snprintf(workers, sizeof(workers), "%u", outage->options.workers);
    char *argv[] = {path,
                    "--port",
                    outage->port,
                    "--upstream",
                    outage->upstream_port,
                    "--workers",
                    workers,
                    "--timeout",
                    TIMEOUT_MS,
                    "--record",
                    outage->record_path,
                    "--breaker",
                    (char *)outage->options.breaker,
                    outage->options.private ? "--private" : NULL,
                    NULL};
    outage->server = start(path, argv, false);
}

/* One connection a worker; together about 800 requests a second, whatever the number of workers. */
static void start_load(struct outage *outage)
{
    char connections[8], url[64], script[4200], pace[16];
    snprintf(connections, sizeof(connections), "%u", outage->options.workers);
    snprintf(url, sizeof(url), "http://127.0.0.1:%s/", outage->port);
    snprintf(script, sizeof(script), "%s/pace.lua", outage->folder);
    snprintf(pace, sizeof(pace), "%u", outage->options.workers + outage->options.workers / 4);
    setenv("PACE_MS", pace, 1);
    outage->load = start(
        "wrk", (char *[]){"wrk", "-t1", "-c", connections, "-d", "120", "--timeout", "30", "-s", script, url, NULL},
        true);
}

/* ---- what the workers noted */

static bool line_of(const struct record_book *book, uint64_t index, struct record_line *ret_line)
{
    const struct record_line *line = &book->line[index];
    ret_line->end_ns = __atomic_load_n(&line->end_ns, __ATOMIC_ACQUIRE); /* the worker's release: the rest is there */
    ret_line->begin_ns = line->begin_ns;
    ret_line->verdict = line->verdict;
    ret_line->outcome = line->outcome;
    return ret_line->end_ns != 0;
}

static bool failed(const struct record_line *line)
{
    return trip_admitted((trip_verdict)line->verdict) && line->outcome != TRIP_OK;
}

static struct story story_of(const struct outage *outage, unsigned worker)
{
    const struct record_book *book = &outage->record->book[worker];
    const uint64_t lines = __atomic_load_n(&book->lines, __ATOMIC_ACQUIRE);
    struct story story = {0};
    for (uint64_t i = 0; i < lines; i++) {
        struct record_line line;
        if (!line_of(book, i, &line) || line.begin_ns < outage->fault_ns)
            continue;
        if (!story.first_denial_ns && !trip_admitted((trip_verdict)line.verdict))
            story.first_denial_ns = line.end_ns;
        if (!story.recovered_ns && outage->back_ns && line.begin_ns >= outage->back_ns && line.verdict == TRIP_ALLOW &&
            line.outcome == TRIP_OK)
            story.recovered_ns = line.end_ns;
    }
    return story;
}

static bool all_ready(const struct outage *outage)
{
    return __atomic_load_n(&outage->record->ready, __ATOMIC_ACQUIRE) == outage->options.workers;
}

static bool all_warm(const struct outage *outage)
{
    for (unsigned worker = 0; worker < outage->options.workers; worker++)
        if (__atomic_load_n(&outage->record->book[worker].lines, __ATOMIC_ACQUIRE) < 10)
            return false;
    return true;
}

static bool all_denied(const struct outage *outage)
{
    for (unsigned worker = 0; worker < outage->options.workers; worker++)
        if (!story_of(outage, worker).first_denial_ns)
            return false;
    return true;
}

static bool all_recovered(const struct outage *outage)
{
    for (unsigned worker = 0; worker < outage->options.workers; worker++)
        if (!story_of(outage, worker).recovered_ns)
            return false;
    return true;
}

static bool reach(const struct outage *outage, bool (*state)(const struct outage *), const char *what)
{
    const uint64_t deadline = now_ns() + PATIENCE_S * UINT64_C(1000000000);
    while (!state(outage)) {
        if (now_ns() > deadline || waitpid(outage->server, NULL, WNOHANG) != 0) {
            fprintf(stderr, "outage: not %s within %d s\n", what, PATIENCE_S);
            return false;
        }
        nap_ms(2);
    }
    return true;
}

static struct findings find(const struct outage *outage)
{
    struct findings findings = {0};
    uint64_t first_denial = UINT64_MAX, last_denial = 0, recovered = 0;
    for (unsigned worker = 0; worker < outage->options.workers; worker++) {
        const struct story story = story_of(outage, worker);
        first_denial = story.first_denial_ns < first_denial ? story.first_denial_ns : first_denial;
        last_denial = story.first_denial_ns > last_denial ? story.first_denial_ns : last_denial;
        recovered = story.recovered_ns > recovered ? story.recovered_ns : recovered;
    }
    for (unsigned worker = 0; worker < outage->options.workers; worker++) {
        const struct record_book *book = &outage->record->book[worker];
        for (uint64_t i = 0; i < book->lines; i++) {
            struct record_line line;
            if (!line_of(book, i, &line) || line.end_ns < outage->fault_ns)
                continue;
            if (failed(&line) && line.begin_ns <= last_denial)
                findings.wasted++;
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

/* ---- the outage */

static bool run(struct outage *outage)
{
    start_upstream(outage);
    start_server(outage);
    const bool ready = reach(outage, all_ready, "ready");
    unlink(outage->record_path); /* all have mapped it: nothing is left behind, however this ends */
    if (!ready)
        return false;
    start_load(outage);
    if (!reach(outage, all_warm, "under load"))
        return false;
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    outage->fault_unix_ms = (uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_nsec / 1000000;
    outage->fault_ns = now_ns();
    if (outage->options.hang)
        kill(outage->upstream, SIGUSR1);
    else
        stop(&outage->upstream);
    if (!reach(outage, all_denied, "denied everywhere"))
        return false;
    if (outage->options.hang)
        kill(outage->upstream, SIGUSR2);
    else
        start_upstream(outage);
    outage->back_ns = now_ns();
    return reach(outage, all_recovered, "recovered everywhere");
}

static int map_record(struct outage *outage)
{
    const char *folder = getenv("TMPDIR");
    snprintf(outage->record_path, sizeof(outage->record_path), "%s/trip-demo.XXXXXX",
             folder && *folder ? folder : "/tmp");
    const int fd = mkostemp(outage->record_path, O_CLOEXEC);
    if (fd < 0 || ftruncate(fd, sizeof(struct record)) < 0)
        return -errno;
    outage->record = mmap(NULL, sizeof(struct record), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return outage->record == MAP_FAILED ? -errno : 0;
}

static struct outage outage;

static void on_signal(int signal)
{
    unlink(outage.record_path); /* the children die with us: PR_SET_PDEATHSIG */
    _exit(128 + signal);
}

int main(int argc, char **argv)
{
    if (!parse(argc, argv, &outage.options)) {
        fprintf(stderr, "usage: outage --workers 1..64 --fault kill|hang --breaker NAME [--private]\n");
        return 2;
    }
    const ssize_t length = readlink("/proc/self/exe", outage.folder, sizeof(outage.folder) - 1);
    outage.folder[length > 0 ? length : 0] = '\0';
    dirname(outage.folder);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGHUP, on_signal);
    const int error = map_record(&outage);
    if (error) {
        fprintf(stderr, "outage: cannot make the record: %s\n", strerror(-error));
        unlink(outage.record_path);
        return 1;
    }
    free_port(outage.port);
    free_port(outage.upstream_port);
    const bool done = run(&outage);
    if (done) {
        const struct findings findings = find(&outage);
        printf("wasted=%llu blocked_s=%.3f first_denial_ms=%.0f last_denial_ms=%.0f probes=%llu recovery_ms=%.0f "
               "fault_unix_ms=%llu\n",
               (unsigned long long)findings.wasted, findings.blocked_s, findings.first_denial_ms,
               findings.last_denial_ms, (unsigned long long)findings.probes, findings.recovery_ms,
               (unsigned long long)outage.fault_unix_ms);
    }
    stop(&outage.load);
    stop(&outage.server);
    stop(&outage.upstream);
    return done ? 0 : 1;
}
