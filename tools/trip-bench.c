/* trip-bench: measures what libtrip and tripd cost, each path beside what bounds it on this machine, in the same run.
 */
#include "bench.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned bench_effort = 100;

static struct {
    bool json, missed;
    json_t *rows;
} output;

/* Returns how many of the row's nanoseconds are reads of the clock. */
static const char *clock_share(const struct bench_row *row)
{
    static char text[16];
    snprintf(text, sizeof(text), row->clock_reads > 0 ? "%.1f" : "-", row->clock_reads * bench_clock_read_ns());
    return text;
}

void bench_report(const struct bench_row *row)
{
    const bool met = row->more_is_better ? row->measured >= row->limit : row->measured <= row->limit;
    const double ratio = row->bound_measured > 0 ? row->measured / row->bound_measured : 0;
    output.missed |= !met;
    if (output.json) {
        json_t *const object = json_pack("{s:s, s:f, s:s, s:f, s:f, s:s, s:b, s:f, s:f}", "path", row->path,
                                         row->is_value ? "value" : "ns", row->measured, "bound", row->bound, "bound_ns",
                                         row->bound_measured, "ratio", ratio, "target", row->target, "met", met,
                                         "clock_reads", row->clock_reads, "clock_read_ns", bench_clock_read_ns());
        if (row->interval.high > 0)
            json_object_set_new(object, "interval", json_pack("[f, f]", row->interval.low, row->interval.high));
        json_array_append_new(output.rows, object);
        return;
    }
    printf("%-30s %10.2f %-2s  %-36s %10.2f  %7.2f  %-6s  %-18s %s\n", row->path, row->measured,
           row->is_value ? "" : "ns", row->bound, row->bound_measured, ratio, clock_share(row), row->target,
           met ? "met" : "MISSED");
    if (row->interval.high > 0)
        printf("%-30s %10.2f to %.2f in 95 of 100 runs\n", "", row->interval.low, row->interval.high);
    fflush(stdout);
}

void bench_report_timed(const char *path, double ns, double clock_reads, const char *bound, double bound_ns,
                        const char *target, double limit)
{
    bench_report(&(struct bench_row){.path = path,
                                     .measured = ns,
                                     .bound = bound,
                                     .bound_measured = bound_ns,
                                     .target = target,
                                     .limit = limit,
                                     .clock_reads = clock_reads});
}

void bench_report_ns(const char *path, double ns, const char *bound, double bound_ns, const char *target, double limit)
{
    bench_report(&(struct bench_row){
        .path = path, .measured = ns, .bound = bound, .bound_measured = bound_ns, .target = target, .limit = limit});
}

static const struct {
    const char *name;
    void (*run)(void);
} parts[] = {{"calls", bench_calls},   {"limits", bench_limits},     {"many", bench_many},     {"trips", bench_trips},
             {"watch", bench_watch},   {"daemon", bench_daemon},     {"errors", bench_errors}, {"peers", bench_peers},
             {"impact", bench_impact}, {"simulate", bench_simulate}, {"top", bench_top}};

static void usage(FILE *stream)
{
    fprintf(
        stream,
        "usage: trip-bench [--json] [--quick] [calls] [limits] [many] [trips] [watch] [daemon] [errors] [peers]\n"
        "                  [impact] [simulate] [top]\n"
        "\n"
        "Starts a tripd of its own and measures each path of libtrip and tripd beside its bound, beside a "
        "mutex\n"
        "and Redis where it is installed, a whole server with and without libtrip, how fast a trace is replayed, and\n"
        "what triptop costs.\n"
        "Needs two cores that are otherwise idle. Without a part: all.\n"
        "\n"
        "  --json    an array of rows: path, ns or value, bound, bound_ns, ratio, target, met, clock_reads,\n"
        "            clock_read_ns, and where it is known, interval: low, high\n"
        "  --quick   a tenth of the samples\n"
        "  --strict  exit status 1 when a target is missed\n");
}

static bool wanted(const char *part, int argc, char **argv)
{
    for (int i = optind; i < argc; i++)
        if (strcmp(argv[i], part) == 0)
            return true;
    return optind == argc;
}

int main(int argc, char **argv)
{
    static const struct option known[] = {{"json", 0, NULL, 'j'}, {"quick", 0, NULL, 'q'},   {"strict", 0, NULL, 's'},
                                          {"help", 0, NULL, 'h'}, {"version", 0, NULL, 'V'}, {NULL, 0, NULL, 0}};
    bool strict = false;
    int key;
    while ((key = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        switch (key) {
        case 'j':
            output.json = true;
            break;
        case 'q':
            bench_effort = 10;
            break;
        case 's':
            strict = true;
            break;
        case 'h':
            usage(stdout);
            return 0;
        case 'V':
            printf("trip-bench %d.%d.%d\n", TRIP_VERSION_MAJOR, TRIP_VERSION_MINOR, TRIP_VERSION_PATCH);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    for (int i = optind; i < argc; i++) {
        bool is_part = false;
        for (size_t part = 0; part < sizeof(parts) / sizeof(parts[0]); part++)
            is_part |= strcmp(argv[i], parts[part].name) == 0;
        if (!is_part) {
            fprintf(stderr, "trip-bench: no part is called %s\n", argv[i]);
            usage(stderr);
            return 2;
        }
    }
    output.rows = json_array();
    if (!output.json)
        printf("%-30s %13s  %-36s %10s  %7s  %-6s  %-18s\n", "path", "measured", "bound", "measured", "ratio", "clock",
               "target");
    for (size_t part = 0; part < sizeof(parts) / sizeof(parts[0]); part++)
        if (wanted(parts[part].name, argc, argv))
            parts[part].run();
    if (output.json) {
        json_dumpf(output.rows, stdout, JSON_INDENT(1));
        putchar('\n');
    }
    json_decref(output.rows);
    return strict && output.missed ? 1 : 0;
}
