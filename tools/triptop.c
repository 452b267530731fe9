/* triptop: breakers, errors and incidents of an instance, live in a terminal. It reads the state segment alone; what
 * its user does to breakers it asks of tripd, as tripctl does. */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "batch.h"
#include "internal/paths.h"
#include "internal/ticks.h"
#include "playback.h"
#include "source.h"
#include "terminal.h"

#define FIRST_MS 1100 /* from the first look to the second: there is a heartbeat between them */
#define PLAY_MS  100  /* how often a recording goes on */
#define REST_MS  60000

struct invocation {
    struct arguments arguments; /* instance, user, segment */
    const char *recording;
    char **patterns;
    bool batch, json, ascii;
    uint64_t looks;       /* of the batch mode; 0: without end */
    uint64_t interval_ms; /* 0: as in the settings */
};

static volatile sig_atomic_t ended;

static void end(int signal)
{
    ended = signal;
}

/* ----------------------------------------------------------------------------------------------- the command line */

static const char usage[] = "usage: triptop [OPTION...] [NAME|PATTERN...]\n"
                            "Shows circuit breakers, errors and incidents live. Press h for the keys.\n\n"
                            "  -i, --instance NAME    the instance to look at; else $TRIP_INSTANCE, else \"default\"\n"
                            "      --user             the instance of this user's own tripd\n"
                            "      --segment FILE     look at this copy of a state segment\n"
                            "      --replay FILE      play back what `tripctl record` wrote\n"
                            "  -d, --delay SECONDS    between two looks, from 0.1 to 3600; else as kept, at first 1\n"
                            "  -b, --batch            print each look as text, and read no keys\n"
                            "  -n, --looks N          print so many looks, and end; with -b\n"
                            "      --once             print one look: -b -n 1\n"
                            "      --json             print each look as JSON in a line: -b\n"
                            "      --ascii            use ASCII alone\n"
                            "  -h, --help             print help and exit\n"
                            "      --version          print the version and exit\n\n"
                            "A PATTERN has * for any run of characters and ? for one: quote it.\n"
                            "Exit status: 0 done, 1 nothing to look at, 2 wrong usage. See triptop(1).";

enum { OPT_USER = 256, OPT_SEGMENT, OPT_REPLAY, OPT_ONCE, OPT_JSON, OPT_ASCII, OPT_VERSION, OPT_MANUAL };

static const struct option long_options[] = {{"instance", required_argument, NULL, 'i'},
                                             {"user", no_argument, NULL, OPT_USER},
                                             {"segment", required_argument, NULL, OPT_SEGMENT},
                                             {"replay", required_argument, NULL, OPT_REPLAY},
                                             {"delay", required_argument, NULL, 'd'},
                                             {"batch", no_argument, NULL, 'b'},
                                             {"looks", required_argument, NULL, 'n'},
                                             {"once", no_argument, NULL, OPT_ONCE},
                                             {"json", no_argument, NULL, OPT_JSON},
                                             {"ascii", no_argument, NULL, OPT_ASCII},
                                             {"help", no_argument, NULL, 'h'},
                                             {"version", no_argument, NULL, OPT_VERSION},
                                             {"manual", no_argument, NULL, OPT_MANUAL}, /* for the man page */
                                             {NULL, 0, NULL, 0}};

static void refuse(const char *what, const char *why)
{
    fprintf(stderr, "triptop: %s %s; `triptop --help` lists the options\n", what, why);
    exit(EXIT_USAGE);
}

/* Reads the seconds of -d, as `top` takes them. */
static uint64_t delay_of(const char *text)
{
    char *rest;
    const double seconds = strtod(text, &rest);
    if (*rest || rest == text || !isfinite(seconds) || seconds * 1000 < INTERVAL_LEAST_MS ||
        seconds * 1000 > INTERVAL_MOST_MS)
        refuse(text, "is no delay in seconds from 0.1 to 3600");
    return (uint64_t)(seconds * 1000);
}

static uint64_t looks_of(const char *text)
{
    char *rest;
    errno = 0;
    const unsigned long long looks = strtoull(text, &rest, 10);
    if (*rest || rest == text || errno || looks == 0 || strchr(text, '-'))
        refuse(text, "is no number of looks from 1 on");
    return looks;
}

static void take_option(int option, struct invocation *invocation)
{
    switch (option) {
    case 'i':
        invocation->arguments.instance = optarg;
        break;
    case OPT_USER:
        invocation->arguments.given |= OPTION_USER;
        break;
    case OPT_SEGMENT:
        invocation->arguments.given |= OPTION_SEGMENT;
        invocation->arguments.segment = optarg;
        break;
    case OPT_REPLAY:
        invocation->recording = optarg;
        break;
    case 'd':
        invocation->interval_ms = delay_of(optarg);
        break;
    case 'n':
        invocation->looks = looks_of(optarg);
        break;
    case OPT_ONCE:
        invocation->looks = 1;
        invocation->batch = true;
        break;
    case OPT_JSON:
        invocation->json = invocation->batch = true;
        break;
    case 'b':
        invocation->batch = true;
        break;
    default:
        invocation->ascii = true;
    }
}

static void print_about(int option)
{
    if (option == 'h') {
        puts(usage);
    } else if (option == OPT_VERSION) {
        printf("triptop %d.%d.%d\n", TRIP_VERSION_MAJOR, TRIP_VERSION_MINOR, TRIP_VERSION_PATCH);
    } else {
        puts("# KEYS\n");
        keys_manual(stdout);
        puts("# COLUMNS\n");
        columns_manual(stdout);
    }
}

static struct invocation invocation_of(int argc, char **argv)
{
    struct invocation invocation = {0};
    for (int option; (option = getopt_long(argc, argv, "i:d:bn:h", long_options, NULL)) != -1;) {
        if (option == '?')
            exit(EXIT_USAGE);
        if (option == 'h' || option == OPT_VERSION || option == OPT_MANUAL) {
            print_about(option);
            exit(EXIT_SUCCESS);
        }
        take_option(option, &invocation);
    }
    const char *const instance = paths_instance(invocation.arguments.instance);
    if (!instance)
        refuse("--instance", "is 1 to 32 letters, digits and . _ -, with no dot first");
    if (invocation.recording && (invocation.arguments.given & OPTION_SEGMENT))
        refuse("--replay", "and --segment do not go together");
    invocation.arguments.instance = instance;
    invocation.patterns = argv + optind;
    return invocation;
}

/* ------------------------------------------------------------------------------------------------------- the looks */

/* Where looks come from: one of the two. */
struct feed {
    struct source *source;
    struct playback *playback;
};

static uint64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t mono_ms(void)
{
    return monotonic_ns() / 1000000;
}

static void look(const struct feed *feed, struct top *top)
{
    const char *waits;
    const struct snapshot *const snapshot = source_look(feed->source, &waits);
    top_look(top, snapshot, waits, wall_ms());
}

static void sleep_ms(uint64_t ms)
{
    const struct timespec span = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&span, NULL);
}

/* ------------------------------------------------------------------------------------------------------- batch mode */

static void print_look(const struct invocation *invocation, const struct top *top)
{
    if (invocation->json)
        batch_json(stdout, top);
    else
        batch_print(stdout, top);
}

/* A recording is printed look by look, as fast as it can be read. */
static int print_recording(const struct invocation *invocation, struct playback *playback, struct top *top)
{
    playback_begin(playback, top);
    for (uint64_t printed = 1;; printed++) {
        print_look(invocation, top);
        if (playback_ended(playback) || printed == invocation->looks || ferror(stdout) || ended)
            return EXIT_SUCCESS;
        playback_press(playback, top, ACTION_STEP);
    }
}

/* The first look has no rates: where tripd runs, the first one that is printed is the second. */
static int print_looks(const struct invocation *invocation, const struct feed *feed, struct top *top)
{
    look(feed, top);
    if (top->scene.look && top->scene.look->daemon == REPORT_RUNNING) {
        sleep_ms(FIRST_MS);
        look(feed, top);
    }
    for (uint64_t printed = 1; !ended; printed++) {
        print_look(invocation, top);
        if (printed == invocation->looks || ferror(stdout))
            break;
        sleep_ms(invocation->interval_ms ? invocation->interval_ms : top->settings.interval_ms);
        look(feed, top);
    }
    return top->scene.look ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ------------------------------------------------------------------------------------------------------ the terminal
 */

static void paint(struct top *top)
{
    int rows, columns;
    terminal_size(&rows, &columns);
    struct canvas *const canvas = canvas_new(rows, columns, top->options.ascii);
    top_paint(top, canvas);
    terminal_show(canvas);
    canvas_free(canvas);
}

/* While it is paused, a copy of the segment is shown, in which nothing moves. */
static void pause_or_go_on(const struct feed *feed, struct top *top)
{
    top->paused = !top->paused;
    if (!feed->source || !top->paused)
        return;
    const struct snapshot *const frozen = source_freeze(feed->source);
    if (frozen)
        top_look(top, frozen, "", top->scene.unix_ms);
}

static void handle(const struct terminal_event *event, const struct feed *feed, struct top *top)
{
    enum action action = ACTION_COUNT;
    if (event->kind == TERMINAL_CLICK)
        top_click(top, event->row, event->column, event->twice);
    else if (event->kind == TERMINAL_WHEEL)
        top_wheel(top, event->lines);
    else if (event->kind == TERMINAL_KEY && event->pressed != PRESSED_NOTHING)
        action = top_press(top, event->pressed);
    if (action == ACTION_PAUSE)
        pause_or_go_on(feed, top);
    else if (action != ACTION_COUNT && feed->playback)
        playback_press(feed->playback, top, action);
}

static void watch(const struct feed *feed, struct top *top)
{
    uint64_t last = mono_ms();
    if (feed->playback)
        playback_begin(feed->playback, top);
    else
        look(feed, top);
    while (!top->left && !ended) {
        const uint64_t interval = feed->playback ? PLAY_MS : top->settings.interval_ms, passed = mono_ms() - last;
        paint(top);
        const uint64_t left = top->paused ? REST_MS : passed < interval ? interval - passed : 0;
        const struct terminal_event event = terminal_wait((int)left);
        if (event.kind == TERMINAL_ENDED)
            return;
        handle(&event, feed, top);
        const uint64_t now = mono_ms();
        if (top->paused || now - last < interval) {
            last = top->paused ? now : last;
            continue;
        }
        if (feed->playback)
            playback_go_on(feed->playback, top, now - last);
        else
            look(feed, top);
        last = now;
    }
}

static int run_in_terminal(const struct invocation *invocation, const struct feed *feed, struct top *top)
{
    if (terminal_open() < 0) {
        fputs("triptop: this terminal cannot place text: looks are printed one after the other, as with -b\n", stderr);
        return feed->playback ? print_recording(invocation, feed->playback, top) : print_looks(invocation, feed, top);
    }
    const uint64_t kept_ms = top->settings.interval_ms;
    if (invocation->interval_ms)
        top->settings.interval_ms = invocation->interval_ms;
    watch(feed, top);
    terminal_close();
    if (top->settings.interval_ms == invocation->interval_ms)
        top->settings.interval_ms = kept_ms; /* -d is for this time alone */
    const int error = settings_save(&top->settings);
    if (error < 0 && error != -ENOENT)
        fprintf(stderr, "triptop: the settings were not kept: %s\n", strerror(-error));
    return EXIT_SUCCESS;
}

/* ------------------------------------------------------------------------------------------------------- the whole */

static int open_feed(const struct invocation *invocation, struct feed *feed)
{
    char *why = NULL;
    const char *const file = invocation->recording ? invocation->recording : invocation->arguments.segment;
    const int error = invocation->recording ? playback_open(invocation->recording, &feed->playback, &why)
                                            : source_open(&invocation->arguments, &feed->source, &why);
    if (error < 0)
        fprintf(stderr, "triptop: %s%s%s\n", why ? why : file, why ? "" : ": ", why ? "" : strerror(-error));
    free(why);
    return error;
}

static struct top_options options_of(const struct invocation *invocation)
{
    struct top_options options = {.named = invocation->arguments.instance,
                                  .patterns = invocation->patterns,
                                  .recording = invocation->recording != NULL,
                                  .ascii = invocation->ascii || terminal_is_ascii()};
    if (invocation->recording || (invocation->arguments.given & OPTION_SEGMENT)) {
        const char *const file = invocation->recording ? invocation->recording : invocation->arguments.segment;
        const char *const slash = strrchr(file, '/');
        options.named = slash ? slash + 1 : file;
        options.unchangeable = "nothing can be changed in a file";
    } else {
        options.arguments = &invocation->arguments;
    }
    return options;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

int main(int argc, char **argv)
{
    struct feed feed = {0};
    setlocale(LC_ALL, "");
    const struct invocation invocation = invocation_of(argc, argv);
    if (open_feed(&invocation, &feed) < 0)
        return EXIT_FAILURE;
    const struct top_options options = options_of(&invocation);
    struct top *const top = top_new(&options);
    catch_signals();
    const int status = !invocation.batch      ? run_in_terminal(&invocation, &feed, top)
                       : invocation.recording ? print_recording(&invocation, feed.playback, top)
                                              : print_looks(&invocation, &feed, top);
    top_free(top);
    playback_close(feed.playback);
    source_close(feed.source);
    return status;
}
