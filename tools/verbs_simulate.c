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

static int replay(struct simulation *simulation, FILE *trace, const char *name)
{
    char *line = NULL, problem[256] = "";
    size_t room = 0, number = 0;
    ssize_t length;
    int error = 0;
    while (!error && (length = getline(&line, &room, trace)) > 0) {
        struct trace_step step;
        number++;
        length -= line[length - 1] == '\n';
        if (length == 0)
            continue;
        error = trace_step_parse(line, (size_t)length, &step, problem);
        if (!error)
            error = simulation_step(simulation, &step, problem);
    }
    free(line);
    if (!error && ferror(trace))
        error = -EIO;
    if (error)
        fprintf(stderr, "%s:%zu: %s\n", name, number, *problem ? problem : strerror(-error));
    return error;
}

int verb_simulate(const struct arguments *arguments)
{
    const bool standard = strcmp(arguments->operand, "-") == 0;
    struct config *config = load(arguments);
    FILE *trace = standard ? stdin : fopen(arguments->operand, "re");
    struct simulation *simulation = NULL;
    int status = EXIT_REFUSED;
    if (config && !trace)
        fprintf(stderr, "tripctl: cannot read %s: %s\n", arguments->operand, strerror(errno));
    const struct simulation_options options = {.config = config,
                                               .seed = arguments->seed,
                                               .verdicts = (arguments->given & OPTION_VERDICTS) != 0,
                                               .event = print_event_line};
    if (config && trace && simulation_new(&options, &simulation) == 0 &&
        replay(simulation, trace, standard ? "standard input" : arguments->operand) == 0) {
        simulation_end(simulation);
        status = EXIT_DONE;
    }
    simulation_free(simulation);
    if (trace && !standard)
        fclose(trace);
    config_free(config);
    return status;
}
