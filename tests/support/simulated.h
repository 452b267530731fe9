/* A simulation for tests: steps in, what it reported out. Include it after cmocka.h. */
#ifndef TRIP_TESTS_SIMULATED_H
#define TRIP_TESTS_SIMULATED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulation.h"

struct run {
    struct config *config;
    struct simulation *simulation;
    json_t *events;
    char problem[256];
};

static inline void keep(void *context, const json_t *event)
{
    json_array_append_new(context, json_deep_copy(event));
}

static inline struct run begin(const char *yaml, bool verdicts)
{
    struct run run = {.events = json_array()};
    char *problems = NULL;
    if (config_parse(yaml, strlen(yaml), "test.yaml", &run.config, &problems) < 0)
        fail_msg("%s", problems);
    const struct simulation_options options = {
        .config = run.config, .seed = 1, .verdicts = verdicts, .event = keep, .context = run.events};
    assert_int_equal(simulation_new(&options, &run.simulation), 0);
    return run;
}

static inline int step(struct run *run, const char *line)
{
    struct trace_step parsed;
    const int error = trace_step_parse(line, strlen(line), &parsed, run->problem);
    return error ? error : simulation_step(run->simulation, &parsed, run->problem);
}

static inline void steps(struct run *run, const char *const lines[])
{
    for (size_t i = 0; lines[i]; i++)
        if (step(run, lines[i]) != 0)
            fail_msg("%s: %s", lines[i], run->problem);
}

static inline void end(struct run *run)
{
    simulation_free(run->simulation);
    config_free(run->config);
    json_decref(run->events);
}

static inline const char *attempt_of(const json_t *event)
{
    static char text[32];
    const json_t *attempt = json_object_get(event, "attempt");
    if (!attempt)
        return "";
    snprintf(text, sizeof(text), " %lld", (long long)json_integer_value(attempt));
    return text;
}

/* "T FROM>TO REASON" of each transition, "T VERDICT" of each verdict, with the number of a retry's attempt, one after
 * the other. */
static inline const char *story(const struct run *run, char text[1024])
{
    size_t i, used = 0;
    json_t *event;
    text[0] = '\0';
    json_array_foreach(run->events, i, event)
    {
        const char *kind = json_string_value(json_object_get(event, "event"));
        const long long t_ms = json_integer_value(json_object_get(event, "t_ms"));
        if (strcmp(kind, "transition") == 0)
            used += (size_t)snprintf(
                text + used, 1024 - used, "%lld %s>%s %s; ", t_ms, json_string_value(json_object_get(event, "from")),
                json_string_value(json_object_get(event, "to")), json_string_value(json_object_get(event, "reason")));
        else if (strcmp(kind, "verdict") == 0)
            used += (size_t)snprintf(text + used, 1024 - used, "%lld %s%s; ", t_ms,
                                     json_string_value(json_object_get(event, "verdict")), attempt_of(event));
    }
    return text;
}

static inline bool is_kind(const json_t *event, const char *kind)
{
    return strcmp(json_string_value(json_object_get(event, "event")), kind) == 0;
}

/* The last event but for those of fingerprints and incidents, which end a simulation. */
static inline const json_t *last(const struct run *run)
{
    size_t i = json_array_size(run->events);
    const json_t *event;
    do
        event = json_array_get(run->events, --i);
    while (i > 0 && (is_kind(event, "fingerprint") || is_kind(event, "incident_summary")));
    return event;
}

static inline long long number(const json_t *event, const char *group, const char *key)
{
    return json_integer_value(json_object_get(group ? json_object_get(event, group) : event, key));
}

#endif
