/* client: a program with libtrip in it that does what standard input tells it, a line a step, and answers each with a
 * line on standard output. It ends when standard input does.
 *
 *   open [INSTANCE]       "ok", or the error's name
 *   status                what the client is: shared, daemon_away, unreported, private
 *   why                   why it is not shared, in words; empty: it is
 *   breaker NAME          "ok", or the error's name; the lines that follow are about this breaker
 *   breakers COUNT        asks for so many, names-0 and on, the last of which is the breaker of the lines that follow:
 *                         how many of them are everyone's
 *   watches               calls trip_client_fd: "ok", or the error's name
 *   moved MS              polls that descriptor, so long at most: "quiet", or "readable" with each breaker that
 *                         trip_client_next names, and its state
 *   call_fd               calls trip_call_fd for the latest call in flight: "ok", "ok the same" as the last time, or
 *                         the error's name
 *   cut MS                polls that descriptor, so long at most: "quiet" or "readable"
 *   cut_run MS            trip_run of an operation that waits for its cancel_fd, so long at most: the outcome
 *   allow                 the verdict
 *   begin [MS]            the verdict; the call is in flight; with a deadline
 *   begins COUNT          begins calls until one is denied, so many at most: how many are in flight
 *   calls COUNT FAILING   begins and ends so many calls, of whose admitted ones FAILING of 10 time out: how many were
 *   rate_wait             milliseconds until the rate admits the next call of begin
 *   tickets               how many are free
 *   attempts COUNT        runs so many operations, which all fail, with trip_run: how many attempts were sent
 *   retries ERROR         what trip_retry_next answers until it ends an operation's retries: delays in ms, and why
 *   hedged MS             trip_run_with, whose first attempt fails after so long, the second succeeds at once: how
 *                         many attempts were sent, and "ok" or the error's name
 *   walk ERROR            begins a walk of the breaker's chain for this error: "ok"
 *   next                  the walk's next strategy with its text; "none" at its end
 *   fallback ERROR        all strategies of a walk, with "none" at the end
 *   walks ERROR           walks the chain until the next line comes
 *   walked                how many walks those were, and which different lists they gave
 *   instead ERROR MS [FEATURES]  trip_run_with, whose operation fails with this error: which strategy answered with what,
 *                         or the error's name, and which others did not, and why. An alternative's endpoint is
 *                         HOST:PORT, which has so long to answer an HTTP request with 200; there is no answer without
 *                         FEATURES
 *   end OUTCOME           ends the latest call in flight
 *   ends OUTCOME          ends all of them
 *   record OUTCOME COUNT  reports so many
 *   error TYPE MESSAGE CORRELATION TRACE KEY=VALUE  begins a call and ends it with this error; `_` stands for a space,
 *   report TYPE MESSAGE ...                         and `-` for nothing; the same of no call
 *   state, mode, reason   of the breaker, as this process sees it
 *   retry_after           milliseconds until a call may be admitted, and how many permits are free
 *   source                shared: what this process knows of the breaker, and reports of it, is everyone's
 *   feature NAME          "ok", or the error's name; the lines that follow are about this feature
 *   enabled [KEY]         on or off; for this key
 *   permille              of the keys for which the feature is on
 *   load                  reports successes until the next line comes
 *   reported              how many outcomes this process has reported so far
 *   lose                  closes every descriptor it does not know, and puts others on their numbers
 *   harmed                how many of those others were touched since
 *   fork                  the child's pid; the child goes on with the lines that follow, the parent does nothing more
 *   raw_fork              the same without atfork handlers: the child holds all that the parent had open
 *   children COUNT OUTCOME  forks so many, each of which begins a call, ends it so, and is gone: how many were admitted
 *   user UID              becomes this user for good: "ok", or the error's name
 *   leave                 the main thread ends; another one goes on with the lines that follow
 *   dump                  ends by SIGABRT, with a core dump that takes long and little room: of 256 GiB never touched
 *   exec PROGRAM ARG      becomes another program, which answers nothing
 *   ask COUNT             opens so many control connections, asks once on each: how many were answered, not refused
 */
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "trip.h"

#define CALLS_MAX 64
#define PAIRS     16
#define WORDS     6

static trip_client *client;
static trip_breaker *breaker;
static trip_call calls[CALLS_MAX];
static unsigned in_flight;
static unsigned long reported;
static char *words[WORDS]; /* words of the line; "" beyond its end */

static const char *error_name(int error)
{
    return error == 0 ? "ok" : strerrorname_np(-error);
}

/* ------------------------------------------------------------------------------------------ what every program does */

static void step_open(void)
{
    puts(error_name(trip_open(&client, *words[1] ? words[1] : NULL)));
}

static void step_status(void)
{
    puts(trip_client_state_name(trip_client_status(client)));
}

static void step_why(void)
{
    char why[512];
    const int length = trip_client_why(client, why, sizeof(why));
    puts(length == (int)strlen(why) ? why : "of another length");
}

#define NAMED_MAX 8

static struct {
    trip_breaker *breaker;
    char name[TRIP_NAME_MAX + 1];
} named[NAMED_MAX]; /* the breakers that were asked for by name */

static void step_breaker(void)
{
    const int error = trip_breaker_get(client, words[1], &breaker);
    puts(error_name(error));
    for (unsigned i = 0; error == 0 && i < NAMED_MAX && named[i].breaker != breaker; i++)
        if (!named[i].breaker) {
            named[i].breaker = breaker;
            snprintf(named[i].name, sizeof(named[i].name), "%s", words[1]);
            break;
        }
}

static const char *name_of(const trip_breaker *moved)
{
    for (unsigned i = 0; i < NAMED_MAX; i++)
        if (named[i].breaker == moved)
            return named[i].name;
    return "unnamed";
}

static int moves_fd = -1;

/* Its own, since the last open or fork. */
static void step_watches(void)
{
    moves_fd = trip_client_fd(client);
    puts(moves_fd < 0 ? error_name(moves_fd) : "ok");
}

static void step_moved(void)
{
    struct pollfd fd = {.fd = moves_fd, .events = POLLIN};
    trip_breaker *moved;
    trip_state state;
    const bool readable = poll(&fd, 1, atoi(words[1])) > 0;
    printf("%s", readable ? "readable" : "quiet");
    while (readable && trip_client_next(client, &moved, &state) > 0)
        printf(" %s %s", name_of(moved), trip_state_name(state));
    putchar('\n');
}

static int cut_fd = -1;

static void step_call_fd(void)
{
    const int before = cut_fd;
    cut_fd = in_flight ? trip_call_fd(&calls[in_flight - 1]) : -ENOENT;
    puts(cut_fd < 0 ? error_name(cut_fd) : cut_fd == before ? "ok the same" : "ok");
}

static const char *poll_cut(int fd, int ms)
{
    struct pollfd cut = {.fd = fd, .events = POLLIN};
    return poll(&cut, 1, ms) > 0 ? "readable" : "quiet";
}

static void step_cut(void)
{
    puts(poll_cut(cut_fd, atoi(words[1])));
}

static trip_outcome waits_to_be_cut(void *arg, trip_attempt *attempt)
{
    const bool cut = *poll_cut(attempt->cancel_fd, *(int *)arg) == 'r';
    return cut ? TRIP_CANCELLED : TRIP_OK;
}

static void step_cut_run(void)
{
    int ms = atoi(words[1]);
    trip_result result;
    const int error = trip_run(breaker, waits_to_be_cut, &ms, &result);
    printf("%s %s\n", trip_outcome_name(result.outcome), error_name(error));
}

static void step_breakers(void)
{
    const long count = strtol(words[1], NULL, 10);
    long shared = 0;
    for (long i = 0; i < count; i++) {
        char name[32];
        trip_info info;
        snprintf(name, sizeof(name), "names-%ld", i);
        shared += trip_breaker_get(client, name, &breaker) == 0 && trip_breaker_info(breaker, &info) == 0 &&
                  info.client == TRIP_CLIENT_SHARED;
    }
    printf("%ld\n", shared);
}

static void step_allow(void)
{
    puts(trip_verdict_name(trip_allow(breaker)));
}

static void step_begin(void)
{
    const trip_options within = {.within_ns = strtoull(words[1], NULL, 10) * 1000000};
    if (in_flight == CALLS_MAX)
        puts("too many");
    else if (*words[1])
        puts(trip_verdict_name(trip_begin_with(breaker, &calls[in_flight++], &within)));
    else
        puts(trip_verdict_name(trip_begin(breaker, &calls[in_flight++])));
}

static void step_begins(void)
{
    for (long i = strtol(words[1], NULL, 10); i > 0 && in_flight < CALLS_MAX; i--)
        if (trip_admitted(trip_begin(breaker, &calls[in_flight])))
            in_flight++;
        else
            break;
    printf("%u\n", in_flight);
}

static void step_calls(void)
{
    const long failing = strtol(words[2], NULL, 10);
    long admitted = 0;
    for (long i = strtol(words[1], NULL, 10); i > 0; i--) {
        static long ended;
        trip_call call;
        if (!trip_admitted(trip_begin(breaker, &call)))
            continue;
        admitted++;
        trip_end(&call, ended++ * 7 % 10 < failing ? TRIP_TIMEOUT : TRIP_OK);
    }
    printf("%ld\n", admitted);
}

static void step_rate_wait(void)
{
    trip_info info;
    const int error = trip_breaker_info(breaker, &info);
    printf("%ld\n", error < 0 ? (long)error : (long)info.rate_wait_ms[TRIP_PRIORITY_NORMAL]);
}

static void step_tickets(void)
{
    trip_info info;
    const int error = trip_breaker_info(breaker, &info);
    printf("%ld\n", error < 0 ? (long)error : (long)info.tickets_free);
}

static trip_outcome operation_fails(void *arg, trip_attempt *attempt)
{
    ++*(unsigned long *)arg;
    attempt->error.type = TRIP_ERROR_NETWORK;
    return TRIP_FAILURE;
}

static void step_attempts(void)
{
    unsigned long attempts = 0;
    for (long i = strtol(words[1], NULL, 10); i > 0; i--)
        trip_run(breaker, operation_fails, &attempts, NULL);
    printf("%lu\n", attempts);
}

static trip_error_type error_type(const char *name)
{
    int value = 0;
    while (value < TRIP_ERROR_TYPE_COUNT && strcmp(trip_error_type_name((trip_error_type)value), name) != 0)
        value++;
    return (trip_error_type)value;
}

static void step_retries(void)
{
    trip_retry retry;
    trip_retry_answer answer;
    uint64_t delay_ns;
    trip_retry_start(breaker, &retry);
    while ((answer = trip_retry_next(&retry, error_type(words[1]), 0, &delay_ns)) == TRIP_RETRY_AGAIN)
        printf("%lu ", (unsigned long)(delay_ns / 1000000));
    puts(trip_retry_answer_name(answer));
}

struct hedged {
    long first_ms;
    sem_t returned, released; /* trip_run_with has returned; the last attempt may end */
};

static trip_outcome second_is_better(void *arg, trip_attempt *attempt)
{
    struct hedged *const hedged = arg;
    struct timespec until;
    if (attempt->number > 1)
        return TRIP_OK;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += hedged->first_ms / 1000;
    until.tv_nsec += hedged->first_ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    sem_clockwait(&hedged->returned, CLOCK_MONOTONIC, &until);
    return TRIP_FAILURE;
}

static void hedged_released(void *arg)
{
    struct hedged *const hedged = arg;
    sem_post(&hedged->released);
}

static void step_hedged(void)
{
    struct hedged hedged = {.first_ms = strtol(words[1], NULL, 10)};
    trip_result result;
    sem_init(&hedged.returned, 0, 0);
    sem_init(&hedged.released, 0, 0);
    const int error = trip_run_with(breaker, &(trip_options){.idempotent = true, .release = hedged_released},
                                    second_is_better, &hedged, &result);
    sem_post(&hedged.returned);
    sem_wait(&hedged.released);
    printf("%u %s\n", result.attempts, error_name(error));
}

/* --------------------------------------------------------------------------------------------- what answers instead */

#define LISTS_MAX 8

static struct {
    trip_error_type type;
    trip_fallback fallback;
} walk;

static struct {
    unsigned long walks;
    char *lists[LISTS_MAX]; /* different ones */
} walked;

/* Writes a strategy with what belongs to it: "cached 300" of seconds, "queue later", "none". */
static void write_strategy(FILE *out, const trip_fallback *fallback)
{
    fputs(trip_strategy_name(fallback->strategy), out);
    if (fallback->strategy == TRIP_STRATEGY_CACHED)
        fprintf(out, " %llu", (unsigned long long)(fallback->ttl_ns / 1000000000));
    else if (fallback->strategy != TRIP_STRATEGY_NONE)
        fprintf(out, " %.*s", (int)fallback->size, fallback->text);
}

/* Returns a whole walk in words; the caller frees it. */
static char *list_of(trip_error_type type)
{
    char *list;
    size_t size;
    FILE *const out = open_memstream(&list, &size);
    trip_fallback fallback = {0};
    while (trip_fallback_next(breaker, type, &fallback)) {
        write_strategy(out, &fallback);
        fputs(", ", out);
    }
    write_strategy(out, &fallback);
    fclose(out);
    return list;
}

static void step_walk(void)
{
    walk.type = error_type(words[1]);
    walk.fallback = (trip_fallback){0};
    puts("ok");
}

static void step_next(void)
{
    trip_fallback_next(breaker, walk.type, &walk.fallback);
    write_strategy(stdout, &walk.fallback);
    putchar('\n');
}

static void step_fallback(void)
{
    char *const list = list_of(error_type(words[1]));
    puts(list);
    free(list);
}

/* Keeps a list, if it is another one than those before. */
static void keep_list(char *list)
{
    unsigned place = 0;
    while (place < LISTS_MAX - 1 && walked.lists[place] && strcmp(walked.lists[place], list) != 0)
        place++;
    free(walked.lists[place]);
    walked.lists[place] = list;
}

static void step_walks(void)
{
    struct pollfd line = {.fd = STDIN_FILENO, .events = POLLIN};
    const trip_error_type type = error_type(words[1]);
    puts("ok");
    fflush(stdout);
    for (; poll(&line, 1, 0) == 0; walked.walks++)
        keep_list(list_of(type));
}

static void step_walked(void)
{
    printf("%lu", walked.walks);
    for (unsigned place = 0; place < LISTS_MAX && walked.lists[place]; place++)
        printf(" | %s", walked.lists[place]);
    putchar('\n');
}

/* The operation of `instead`, and what is done in its place. */
struct instead {
    trip_error_type type;
    long fetch_ms;
    const char *needed; /* features without which there is no answer */
    char said[8192];    /* what belongs to the strategy that was tried last */
};

static trip_outcome fails_so(void *arg, trip_attempt *attempt)
{
    attempt->error.type = ((const struct instead *)arg)->type;
    return TRIP_FAILURE;
}

/* Asks HOST:PORT by HTTP. Returns whether it answers 200, or a negative errno. */
static int http_get(const char *endpoint, long ms)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    const struct timeval most = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(strchr(endpoint, ':') + 1))};
    char host[64], answer[64] = "";
    snprintf(host, sizeof(host), "%.*s", (int)strcspn(endpoint, ":"), endpoint);
    inet_pton(AF_INET, host, &address.sin_addr);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
    const bool read_some = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
                           send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0 &&
                           recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL) >= 0;
    const int error = errno;
    close(fd);
    return read_some ? strstr(answer, " 200 ") != NULL : -error;
}

static trip_outcome fetch(void *arg, const char *endpoint, trip_attempt *attempt)
{
    struct instead *const instead = arg;
    const int answered = http_get(endpoint, instead->fetch_ms);
    snprintf(instead->said, sizeof(instead->said), " %s", endpoint);
    if (answered == 1)
        return TRIP_OK;
    attempt->error.type = answered < 0 ? trip_error_from_errno(answered) : TRIP_ERROR_PROTOCOL;
    return answered == -EAGAIN || answered == -EINPROGRESS ? TRIP_TIMEOUT : TRIP_FAILURE;
}

static bool reduce(void *arg, const char *features)
{
    struct instead *const instead = arg;
    snprintf(instead->said, sizeof(instead->said), " %s", features);
    return strcmp(features, instead->needed) != 0;
}

static bool use(void *arg, const char *value, size_t size)
{
    struct instead *const instead = arg;
    snprintf(instead->said, sizeof(instead->said), " %.*s", (int)size, value);
    return true;
}

static void step_instead(void)
{
    static const trip_fallbacks fallbacks = {.fetch = fetch, .reduce = reduce, .use = use};
    struct instead instead = {.type = error_type(words[1]), .fetch_ms = strtol(words[2], NULL, 10), .needed = words[3]};
    trip_result result;
    const int error = trip_run_with(breaker, &(trip_options){.fallbacks = &fallbacks}, fails_so, &instead, &result);
    printf("%s%s", trip_strategy_name(result.strategy), error ? " " : instead.said);
    if (error)
        printf("%s", error_name(error));
    for (unsigned i = 0; i < result.tried_count && i < TRIP_TRIED_MAX; i++)
        printf(", %s %s", trip_strategy_name(result.tried[i].strategy), trip_unanswered_name(result.tried[i].why));
    putchar('\n');
}

/* --------------------------------------------------------------------------------------------- outcomes, and states */

static trip_outcome outcome(const char *name)
{
    int value = 0;
    while (value < TRIP_OUTCOME_COUNT && strcmp(trip_outcome_name((trip_outcome)value), name) != 0)
        value++;
    return (trip_outcome)value;
}

/* Returns a text; NULL for `-`. `_` stands for a space. */
static char *text(char *word)
{
    for (char *at = word; *at; at++)
        if (*at == '_')
            *at = ' ';
    return *word && strcmp(word, "-") != 0 ? word : NULL;
}

static trip_error error_of_words(trip_context *pair)
{
    char *const value = strchr(words[5], '=');
    if (value)
        *value = '\0';
    *pair = (trip_context){words[5], value ? value + 1 : NULL};
    const trip_error_type type = error_type(words[1]);
    return (trip_error){.type = type,
                        .message = text(words[2]),
                        .correlation = text(words[3]),
                        .trace = text(words[4]),
                        .context = pair,
                        .context_count = value != NULL};
}

static void step_error(void)
{
    trip_context pair;
    trip_call call;
    const trip_error error = error_of_words(&pair);
    trip_begin(breaker, &call);
    trip_end_error(&call, &error);
    reported++;
    puts("ok");
}

static void step_report(void)
{
    trip_context pair;
    const trip_error error = error_of_words(&pair);
    trip_report_error(breaker, &error);
    puts("ok");
}

static void step_end(void)
{
    if (in_flight == 0) {
        puts("none in flight");
        return;
    }
    trip_end(&calls[--in_flight], outcome(words[1]));
    reported++;
    puts("ok");
}

static void step_ends(void)
{
    while (in_flight > 0) {
        trip_end(&calls[--in_flight], outcome(words[1]));
        reported++;
    }
    puts("ok");
}

static void step_record(void)
{
    const long count = strtol(words[2], NULL, 10);
    for (long i = 0; i < count; i++)
        trip_record(breaker, outcome(words[1]), 0);
    reported += (unsigned long)count;
    puts("ok");
}

static void step_state(void)
{
    trip_info info;
    const int error = trip_breaker_info(breaker, &info);
    puts(error < 0 ? error_name(error) : trip_state_name(info.state));
}

static void step_mode(void)
{
    trip_info info;
    const int error = trip_breaker_info(breaker, &info);
    puts(error < 0 ? error_name(error) : trip_mode_name(info.mode));
}

static void step_reason(void)
{
    trip_info info;
    const int error = trip_breaker_info(breaker, &info);
    puts(error < 0 ? error_name(error) : trip_reason_name(info.reason));
}

static void step_retry_after(void)
{
    trip_info info;
    const int error = trip_breaker_info(breaker, &info);
    if (error < 0)
        puts(error_name(error));
    else
        printf("%ld %u\n", (long)info.retry_after_ms, info.permits_free);
}

static void step_source(void)
{
    trip_info info;
    const int error = trip_breaker_info(breaker, &info);
    puts(error < 0 ? error_name(error) : trip_client_state_name(info.client));
}

static trip_feature *feature;

static void step_feature(void)
{
    puts(error_name(trip_feature_get(client, words[1], &feature)));
}

static void step_enabled(void)
{
    const bool on = *words[1] ? trip_feature_enabled_for(feature, words[1]) : trip_feature_enabled(feature);
    puts(on ? "on" : "off");
}

static void step_permille(void)
{
    printf("%u\n", trip_feature_permille(feature));
}

static void step_load(void)
{
    const struct timespec nap = {.tv_nsec = 100000};
    struct pollfd line = {.fd = STDIN_FILENO, .events = POLLIN};
    puts("ok");
    fflush(stdout);
    while (poll(&line, 1, 0) == 0) {
        trip_record(breaker, TRIP_OK, 0);
        reported++;
        nanosleep(&nap, NULL);
    }
}

static void step_reported(void)
{
    printf("%lu\n", reported);
}

/* ----------------------------------------------- a host program that has no regard for descriptors it does not know */

/* Pairs of sockets: each end holds an unread byte of the other. */
static struct {
    int fd;
    ino_t inode;
} others[2 * PAIRS];

static void other_set(int place, int fd)
{
    struct stat status;
    others[place].fd = fd;
    others[place].inode = fstat(fd, &status) == 0 ? status.st_ino : 0;
}

static void step_lose(void)
{
    syscall(SYS_close_range, 3, ~0U, 0);
    for (int i = 0; i < PAIRS; i++) {
        int pair[2] = {-1, -1};
        if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0 || send(pair[0], "a", 1, 0) != 1 ||
            send(pair[1], "b", 1, 0) != 1) {
            puts(strerrorname_np(errno));
            return;
        }
        other_set(2 * i, pair[0]);
        other_set(2 * i + 1, pair[1]);
    }
    puts("ok");
}

static bool other_harmed(int place)
{
    struct stat status;
    char bytes[64];
    const int fd = others[place].fd;
    if (fstat(fd, &status) < 0 || status.st_ino != others[place].inode)
        return true; /* it is closed, or another file now */
    if (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) != 1 || bytes[0] != (place % 2 ? 'a' : 'b'))
        return true; /* it was read from, or written to */
    return recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) != -1 || errno != EAGAIN;
}

static void step_harmed(void)
{
    int harmed = 0;
    for (int i = 0; i < 2 * PAIRS; i++)
        harmed += other_harmed(i);
    printf("%d\n", harmed);
}

/* -------------------------------------------------------------------------------------------------- other processes */

static void go_on_as(pid_t child)
{
    if (child > 0) {
        pause(); /* lives until it is killed */
        _exit(1);
    }
    printf("%d\n", child < 0 ? -1 : (int)getpid());
}

static void step_fork(void)
{
    go_on_as(fork());
}

static void step_raw_fork(void)
{
    go_on_as(_Fork());
}

/* Reaps a child that ends without a word to libtrip. */
static void step_children(void)
{
    long admitted = 0;
    for (long i = strtol(words[1], NULL, 10); i > 0; i--) {
        int status = 1;
        const pid_t child = fork();
        if (child == 0) {
            trip_call call;
            const bool goes_out = trip_admitted(trip_begin(breaker, &call));
            trip_end(&call, outcome(words[2]));
            _exit(!goes_out);
        }
        waitpid(child, &status, 0);
        admitted += status == 0;
    }
    printf("%ld\n", admitted);
}

static void step_user(void)
{
    const uid_t uid = (uid_t)strtoul(words[1], NULL, 10);
    const bool became = setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0;
    puts(became ? "ok" : strerrorname_np(errno));
}

static void *converse(void *unused);

static void step_leave(void)
{
    pthread_t thread;
    puts(error_name(-pthread_create(&thread, NULL, converse, NULL)));
    fflush(stdout);
    pthread_exit(NULL);
}

static void step_dump(void)
{
    const struct rlimit most = {RLIM_INFINITY, RLIM_INFINITY};
    uint8_t *const memory =
        mmap(NULL, (size_t)256 << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || setrlimit(RLIMIT_CORE, &most) < 0) {
        puts(error_name(errno));
        return;
    }
    *memory = 1;
    abort();
}

static void step_exec(void)
{
    execlp(words[1], words[1], words[2], NULL);
    perror(words[1]);
    _exit(127);
}

/* ------------------------------------------------------------------------------ the control socket, without tripctl */

static bool asked(const struct sockaddr_un *address)
{
    static const char status[] = "\x94\x00\x01\xa6status\x80"; /* [0, 1, "status", {}] */
    char answer[65536];
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
           send(fd, status, sizeof(status) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(status) - 1 &&
           recv(fd, answer, sizeof(answer), 0) > 4 && answer[3] == '\xc0'; /* [1, 1, nil, ...] */
}

static void step_ask(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    long answered = 0;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s.sock", getenv("TRIP_RUNTIME_DIR"),
             getenv("TRIP_INSTANCE"));
    for (long i = strtol(words[1], NULL, 10); i > 0; i--)
        answered += asked(&address);
    printf("%ld\n", answered);
}

/* ------------------------------------------------------------------------------------------------- the conversation */

#define STEP(name)         \
    {                      \
#name, step_##name \
    }
static const struct {
    const char *name;
    void (*take)(void);
} steps[] = {
    STEP(open),     STEP(status),   STEP(breaker),  STEP(allow),   STEP(begin),  STEP(end),       STEP(record),
    STEP(state),    STEP(mode),     STEP(reason),   STEP(source),  STEP(load),   STEP(reported),  STEP(lose),
    STEP(harmed),   STEP(fork),     STEP(raw_fork), STEP(exec),    STEP(ask),    STEP(rate_wait), STEP(tickets),
    STEP(attempts), STEP(begins),   STEP(calls),    STEP(retries), STEP(hedged), STEP(ends),      STEP(children),
    STEP(user),     STEP(leave),    STEP(watches),  STEP(moved),   STEP(why),    STEP(dump),      STEP(retry_after),
    STEP(breakers), STEP(error),    STEP(report),   STEP(call_fd), STEP(cut),    STEP(cut_run),   STEP(feature),
    STEP(enabled),  STEP(permille),
    STEP(walk), STEP(next), STEP(fallback), STEP(walks), STEP(walked), STEP(instead),
};

static void split(char *line)
{
    for (int i = 0; i < WORDS; i++) {
        words[i] = strtok(i == 0 ? line : NULL, " \n");
        if (!words[i])
            words[i] = "";
    }
}

static void step(char *line)
{
    split(line);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (strcmp(steps[i].name, words[0]) == 0) {
            steps[i].take();
            return;
        }
    printf("%s is no step\n", words[0]);
}

static void *converse(void *unused)
{
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        step(line);
        fflush(stdout);
    }
    trip_close(client);
    free(line);
    exit(0);
    return unused;
}

int main(void)
{
    converse(NULL);
}
