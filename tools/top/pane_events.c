/* What happened, the latest first: changes of state and mode, incidents, changes of levels and features. */
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "panes.h"
#include "print_parts.h"
#include "users.h"

#define EVENTS_SHOWN 1000

/* The latest events that are wanted, in the order in which they came. */
struct events {
    struct transition ring[EVENTS_SHOWN];
    uint64_t count;             /* that were found: the ring has the last of them */
    struct levels_image levels; /* for their names */
};

static void collect(struct events *events, const struct scene *scene, const struct rows_options *rows)
{
    struct transition event;
    snapshot_levels(scene->snapshot, &events->levels);
    for (uint64_t index = 0; snapshot_transition(scene->snapshot, index, &event); index = event.sequence) {
        event.name[TRIP_NAME_MAX] = '\0';
        const bool of_host = event.of == OF_INCIDENT || (event.of == OF_LEVEL && !event.name[0]);
        if (of_host || rows_wanted(event.name, rows))
            events->ring[events->count++ % EVENTS_SHOWN] = event;
    }
}

static void write_actor(struct canvas *paper, int at, const json_t *event)
{
    char name[USER_NAME_MAX];
    at = pane_more(paper, at, STYLE_DIM, ", by %s", tree_text(event, "by"));
    if (!tree_absent(event, "uid"))
        at = pane_more(paper, at, STYLE_DIM, " %s", user_name(tree_number(event, "uid"), name));
    if (!tree_absent(event, "note"))
        at = pane_more(paper, at, STYLE_PLAIN, ": %s", tree_text(event, "note"));
    if (tree_number(event, "steps") > 1)
        pane_more(paper, at, STYLE_PLAIN, ", after %llu steps too fast to tell", N(event, "steps"));
}

static void write_event(struct canvas *paper, const json_t *event)
{
    char when[40];
    const char *const kind = tree_text(event, "event"), *const to = tree_text(event, "to");
    int at = pane_line(paper, STYLE_DIM, "%s  ", print_moment(tree_number(event, "at_unix_ms"), when));
    at = pane_more(paper, at, STYLE_BOLD, "%s  ", event_subject(event));
    if (strcmp(kind, "incident") == 0) {
        pane_more(paper, at, STYLE_BAD, "incident #%llu %s", N(event, "incident"), to);
        return;
    }
    const bool transition = strcmp(kind, "transition") == 0;
    at = pane_more(paper, at, STYLE_PLAIN, "%s%s%s -> ", transition ? "" : kind, transition ? "" : " ",
                   tree_text(event, "from"));
    at = pane_more(paper, at, transition ? style_of_state_name(to) : STYLE_MODED, "%s", to);
    if (!tree_absent(event, "set") && strcmp(tree_text(event, "set"), to) != 0)
        at = pane_more(paper, at, STYLE_PLAIN, ", on the way to %s", tree_text(event, "set"));
    if (transition && strcmp(to, "open") == 0)
        at = pane_more(paper, at, STYLE_PLAIN, " (%s%s%s)", tree_text(event, "reason"),
                       tree_absent(event, "condition") ? "" : ": ", tree_text(event, "condition"));
    if (!tree_absent(event, "until_unix_ms"))
        at = pane_more(paper, at, STYLE_PLAIN, " until %s", print_moment(tree_number(event, "until_unix_ms"), when));
    write_actor(paper, at, event);
}

void pane_events(struct canvas *paper, const struct scene *scene, const struct pane_options *options)
{
    struct events *const events = must(calloc(1, sizeof(*events)));
    collect(events, scene, options->rows);
    pane_heading(paper, "WHEN                     BREAKER  WHAT HAPPENED, THE LATEST FIRST");
    if (events->count == 0)
        pane_line(paper, STYLE_PLAIN, "nothing has happened yet");
    for (uint64_t i = 0; i < events->count && i < EVENTS_SHOWN; i++) {
        json_t *const event = report_transition(&events->ring[(events->count - 1 - i) % EVENTS_SHOWN], &events->levels);
        write_event(paper, event);
        json_decref(event);
    }
    free(events);
}
