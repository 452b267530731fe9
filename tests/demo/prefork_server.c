/* A prefork HTTP server, as many are: N worker processes accept on one socket, each serves one connection at a time,
 * and asks the upstream for each request, with a timeout. The breaker around that call is what the demo is about.
 *
 *   prefork_server --port P --upstream P --record FILE [--alternative P] [--workers N] [--breaker NAME] [--private]
 *                  [--timeout MS]
 *
 * --private gives each worker a breaker of its own (NAME-1, NAME-2, ..): what a breaker library without shared memory
 * does. Answers 200 when the upstream did, or a strategy of the breaker's `fallback` instead; 503 when the breaker
 * denied the call or cut it short, 502 when the upstream failed. --alternative is where the endpoint of an
 * `alternative` listens.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "record.h"

#define SHARED_PATIENCE_S 60

struct options {
    uint16_t port, upstream, alternative;
    unsigned workers, timeout_ms;
    const char *breaker, *record;
    bool private;
};

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A client's request. */
struct request {
    const struct options *options;
    bool recommends; /* for recommendations: it cannot be answered without them */
};

struct upstream_call {
    int fd;
    uint16_t port;
    int cancel_fd; /* -1: nothing cuts the call short */
    uint64_t until_ns;
};

/* Waits for the upstream. 0, -ETIMEDOUT, or -ECANCELED: the breaker opened meanwhile. */
static int wait_for(const struct upstream_call *call, short events)
{
    struct pollfd fds[] = {{.fd = call->fd, .events = events}, {.fd = call->cancel_fd, .events = POLLIN}};
    const uint64_t now_ns = record_now_ns();
    const int left_ms = call->until_ns > now_ns ? (int)((call->until_ns - now_ns + 999999) / 1000000) : 0;
    if (poll(fds, 2, left_ms) < 0)
        return -errno;
    return fds[0].revents ? 0 : fds[1].revents ? -ECANCELED : -ETIMEDOUT;
}

static int connect_upstream(const struct upstream_call *call)
{
    const struct sockaddr_in address = loopback(call->port);
    const struct linger reset = {.l_onoff = 1}; /* no TIME_WAIT: thousands of calls a second from one address */
    int error = 0;
    setsockopt(call->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    if (connect(call->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return -errno;
    const int waited = wait_for(call, POLLOUT);
    if (waited < 0)
        return waited;
    getsockopt(call->fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof(error)});
    return -error;
}

static int request_upstream(const struct upstream_call *call)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: upstream\r\nConnection: close\r\n\r\n";
    char answer[512];
    int error = connect_upstream(call);
    if (error == 0 && send(call->fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
        error = -errno;
    if (error == 0)
        error = wait_for(call, POLLIN);
    if (error < 0)
        return error;
    const ssize_t size = recv(call->fd, answer, sizeof(answer), 0);
    if (size < 0)
        return -errno;
    return size < 12 || memcmp(answer + 9, "200", 3) != 0 ? -EPROTO : 0;
}

/* Sends one request to the upstream, or the alternative, at this port. 0, -ETIMEDOUT, -ECANCELED, or another error. */
static int ask_upstream(const struct options *options, uint16_t port, int cancel_fd)
{
    const struct upstream_call call = {.port = port,
                                       .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
                                       .cancel_fd = cancel_fd,
                                       .until_ns = record_now_ns() + (uint64_t)options->timeout_ms * 1000000};
    if (call.fd < 0)
        return -errno;
    const int error = request_upstream(&call);
    close(call.fd);
    return error;
}

static trip_outcome attempt_at(const struct options *options, uint16_t port, trip_attempt *attempt)
{
    const int error = ask_upstream(options, port, attempt->cancel_fd);
    if (!error)
        return TRIP_OK;
    if (error == -ECANCELED)
        return TRIP_CANCELLED;
    attempt->error = (trip_error){.type = trip_error_from_errno(error), .message = strerror(-error)};
    return error == -ETIMEDOUT ? TRIP_TIMEOUT : TRIP_FAILURE;
}

static trip_outcome attempt_upstream(void *arg, trip_attempt *attempt)
{
    const struct request *request = arg;
    return attempt_at(request->options, request->options->upstream, attempt);
}

/* The config has one endpoint. */
static trip_outcome attempt_alternative(void *arg, const char *endpoint, trip_attempt *attempt)
{
    const struct request *request = arg;
    (void)endpoint;
    return attempt_at(request->options, request->options->alternative, attempt);
}

static bool answer_without(void *arg, const char *features)
{
    const struct request *request = arg;
    return !request->recommends || !strstr(features, "recommendations");
}

/* Whatever the value is: an answer of this server is its status alone. */
static bool answer_default(void *arg, const char *value, size_t size)
{
    (void)arg;
    (void)value;
    return size > 0;
}

/* The whole use of libtrip. The settings say how often the request is tried, and what answers instead. */
static void handle(struct request *request, trip_breaker *breaker, struct record_line *line)
{
    static const trip_fallbacks fallbacks = {
        .fetch = attempt_alternative, .reduce = answer_without, .use = answer_default};
    trip_result result;
    const int error =
        trip_run_with(breaker, &(trip_options){.fallbacks = &fallbacks}, attempt_upstream, request, &result);
    line->verdict = (uint32_t)result.verdict;
    line->outcome = (uint32_t)result.outcome;
    line->strategy = (uint32_t)result.strategy;
    line->status = error == -EAGAIN || error == -ECANCELED ? 503 : error ? 502 : 200;
}

static void handle_and_note(const struct options *options, trip_breaker *breaker, struct record_book *book, int client)
{
    struct record_line unnoted, *line = book->lines < RECORD_LINES ? &book->line[book->lines] : &unnoted;
    struct request request = {.options = options, .recommends = book->lines % 2};
    line->begin_ns = record_now_ns();
    if (line != &unnoted) /* the line is whole before its number is visible to stage.c */
        __atomic_store_n(&book->lines, book->lines + 1, __ATOMIC_RELEASE);
    handle(&request, breaker, line);
    __atomic_store_n(&line->end_ns, record_now_ns(), __ATOMIC_RELEASE);
    char answer[128];
    const int size = snprintf(answer, sizeof(answer), "HTTP/1.1 %u %s\r\nContent-Length: 0\r\n\r\n", line->status,
                              line->status == 200   ? "OK"
                              : line->status == 503 ? "Service Unavailable"
                                                    : "Bad Gateway");
    (void)!send(client, answer, (size_t)size, MSG_NOSIGNAL);
}

/* Serves the requests of one connection, one after the other; an empty line ends each. */
static void serve(const struct options *options, trip_breaker *breaker, struct record_book *book, int client)
{
    char request[4096];
    size_t size = 0;
    for (;;) {
        const ssize_t more = recv(client, request + size, sizeof(request) - size - 1, 0);
        if (more <= 0)
            return;
        size += (size_t)more;
        request[size] = '\0';
        if (strstr(request, "\r\n\r\n")) {
            handle_and_note(options, breaker, book, client);
            size = 0;
        } else if (size == sizeof(request) - 1) {
            return;
        }
    }
}

/* Waits until the breaker is shared: on a busy machine tripd answers 64 workers later than trip_open waits. */
static bool becomes_shared(trip_breaker *breaker)
{
    const struct timespec nap = {.tv_nsec = 10000000};
    trip_info info = {.client = TRIP_CLIENT_PRIVATE};
    for (unsigned naps = 0; naps < SHARED_PATIENCE_S * 100 && info.client != TRIP_CLIENT_SHARED; naps++) {
        nanosleep(&nap, NULL);
        trip_breaker_info(breaker, &info);
    }
    return info.client == TRIP_CLIENT_SHARED;
}

static int work(const struct options *options, struct record *record, unsigned number, int listener)
{
    trip_client *client;
    trip_breaker *breaker;
    char name[TRIP_NAME_MAX + 1];
    if (options->private)
        snprintf(name, sizeof(name), "%s-%u", options->breaker, number + 1);
    else
        snprintf(name, sizeof(name), "%s", options->breaker);
    int error = trip_open(&client, NULL);
    if (!error)
        error = trip_breaker_get(client, name, &breaker);
    if (error) {
        fprintf(stderr, "prefork_server: no breaker %s: %s\n", name, strerror(-error));
        return 1;
    }
    if (!becomes_shared(breaker)) {
        char why[256];
        trip_client_why(client, why, sizeof(why));
        fprintf(stderr, "prefork_server: breaker %s is not shared: %s\n", name, why);
        return 1;
    }
    __atomic_add_fetch(&record->ready, 1, __ATOMIC_RELEASE);
    for (;;) {
        const int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (connection < 0)
            continue;
        serve(options, breaker, &record->book[number], connection);
        close(connection);
    }
}

static int listen_on(uint16_t port)
{
    const struct sockaddr_in address = loopback(port);
    const int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1024) < 0)
        return -errno;
    return fd;
}

static bool parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"port", 1, NULL, 'p'},    {"upstream", 1, NULL, 'u'},    {"workers", 1, NULL, 'w'},
        {"breaker", 1, NULL, 'b'}, {"private", 0, NULL, 'P'},     {"timeout", 1, NULL, 't'},
        {"record", 1, NULL, 'r'},  {"alternative", 1, NULL, 'a'}, {NULL, 0, NULL, 0}};
    *options = (struct options){.workers = 8, .timeout_ms = 1000, .breaker = "upstream"};
    int key;
    while ((key = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (key) {
        case 'p':
            options->port = (uint16_t)atoi(optarg);
            break;
        case 'u':
            options->upstream = (uint16_t)atoi(optarg);
            break;
        case 'a':
            options->alternative = (uint16_t)atoi(optarg);
            break;
        case 'w':
            options->workers = (unsigned)atoi(optarg);
            break;
        case 'b':
            options->breaker = optarg;
            break;
        case 'P':
            options->private = true;
            break;
        case 't':
            options->timeout_ms = (unsigned)atoi(optarg);
            break;
        case 'r':
            options->record = optarg;
            break;
        default:
            return false;
        }
    }
    return options->port && options->upstream && options->record && options->timeout_ms && options->workers >= 1 &&
           options->workers <= RECORD_WORKERS_MAX && optind == argc;
}

int main(int argc, char **argv)
{
    struct options options;
    if (!parse(argc, argv, &options)) {
        fprintf(stderr, "usage: prefork_server --port P --upstream P --record FILE [--alternative P] [--workers 1..64] "
                        "[--breaker NAME] [--private] [--timeout MS]\n");
        return 2;
    }
    struct record *record = record_map(options.record);
    const int listener = listen_on(options.port);
    if (!record || listener < 0) {
        fprintf(stderr, "prefork_server: cannot %s: %s\n", record ? "listen" : "map the record",
                strerror(record ? -listener : errno));
        return 1;
    }
    const pid_t parent = getpid();
    for (unsigned number = 0; number < options.workers; number++) {
        const pid_t pid = fork();
        if (pid < 0)
            return 1;
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            return getppid() == parent ? work(&options, record, number, listener) : 1;
        }
    }
    wait(NULL); /* workers serve until they are killed: one that ends could not begin */
    return 1;
}
