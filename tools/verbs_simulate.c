/* simulate, which needs no tripd. Reads a trace line by line and prints what happens as it happens. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulation.h"
#include "verbs.h"

static void print_event_line(void *context, const json_t *event)
{
    (void)context;
    json_dumpf(event, stdout, JSON_COMPACT);
    putchar('\n');
}

static struct config *load(const struct arguments *arguments)
{
    struct config *config = NULL;
    char *problems = NULL;
    const int error = config_load(arguments->config, &config, &problems);
    if (error < 0)
        fprintf(stderr, "%s", problems ? problems : strerror(-error));
    free(problems);
    return config;
}

struct trace {
    FILE *file;
    const char *name;
    size_t number; /* number of the line */
};

static int carry_out(struct simulation *simulation, const struct trace *trace, const char *line, size_t length)
{
    struct trace_step step;
    char problem[256] = "";
    int error = trace_step_parse(line, length, &step, problem);
    if (!error)
        error = simulation_step(simulation, &step, problem);
    if (error)
        fprintf(stderr, "%s:%zu: %s\n", trace->name, trace->number, *problem ? problem : strerror(-error));
    return error == SIMULATION_REFUSED ? 0 : error;
}

static int replay(struct simulation *simulation, struct trace *trace)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    int error = 0;
    while (!error && (length = getline(&line, &room, trace->file)) > 0) {
        trace->number++;
        length -= line[length - 1] == '\n';
        if (length > 0)
            error = carry_out(simulation, trace, line, (size_t)length);
    }
    if (!error && !feof(trace->file)) {
        error = -errno;
        fprintf(stderr, "tripctl: cannot read %s: %s\n", trace->name, strerror(errno));
    }
    free(line);
    return error;
}

int verb_simulate(const struct arguments *arguments)
{
    const bool standard = strcmp(arguments->operand, "-") == 0;
    struct config *config = load(arguments);
    struct trace trace = {.file = standard ? stdin : fopen(arguments->operand, "re"),
                          .name = standard ? "standard input" : arguments->operand};
    struct simulation *simulation = NULL;
    int status = EXIT_REFUSED;
    if (config && !trace.file)
        fprintf(stderr, "tripctl: cannot read %s: %s\n", trace.name, strerror(errno));
    const struct simulation_options options = {.config = config,
                                               .seed = arguments->seed,
                                               .verdicts = (arguments->given & OPTION_VERDICTS) != 0,
                                               .event = print_event_line};
    if (config && trace.file && simulation_new(&options, &simulation) == 0 && replay(simulation, &trace) == 0) {
        simulation_end(simulation);
        status = EXIT_DONE;
    }
    simulation_free(simulation);
    if (trace.file && !standard)
        fclose(trace.file);
    config_free(config);
    return status;
}
