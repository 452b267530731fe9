/* `why`: gathers what is known of the breakers in trouble and of what belongs together with them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "incidents.h"
#include "look.h"
#include "print.h"
#include "print_parts.h"
#include "reading.h"
#include "request.h"
#include "why.h"

#define SAMPLE_MS    500 /* between two looks at what is denied */
#define TROUBLED_MAX 16  /* breakers that are gathered; there is room for few on the page */

/* ------------------------------------------------------------------------- the same questions to segment and socket */

struct source {
    const struct arguments *arguments;
    struct snapshot *snapshot; /* NULL: tripd is asked */
};

/* Asks tripd, page by page. NULL: it failed, which was reported. Takes params. */
static json_t *ask(const struct source *source, const char *method, json_t *params)
{
    json_t *const whole = json_object();
    if (request_pages(source->arguments, method, params, request_join, whole) == EXIT_DONE)
        return whole;
    json_decref(whole);
    return NULL;
}

/* Lists the breakers, a line each. */
static json_t *list(const struct source *source)
{
    struct snapshot_breaker breaker;
    if (!source->snapshot) {
        json_t *const answer = ask(source, "list", json_object());
        json_t *const breakers = json_incref(json_object_get(answer, "breakers"));
        json_decref(answer);
        return breakers;
    }
    json_t *const breakers = json_array();
    for (uint32_t slot = 0; slot < snapshot_slots(source->snapshot); slot++)
        if (snapshot_breaker(source->snapshot, slot, &breaker))
            json_array_append_new(breakers, report_line(&breaker.report));
    return breakers;
}

/* Everything about one breaker. NULL: there is none of this name. */
static json_t *show(const struct source *source, const char *name)
{
    struct snapshot_breaker breaker;
    json_t *answer = NULL;
    if (source->snapshot)
        return snapshot_find(source->snapshot, name, &breaker) ? report_show(&breaker.report) : NULL;
    request_quietly(source->arguments, "show", json_pack("{s:s}", "name", name), &answer);
    return answer;
}

static json_t *incidents(const struct source *source)
{
    if (source->snapshot)
        return incidents_read(source->snapshot);
    return ask(source, "incidents", json_object());
}

static json_t *incident(const struct source *source, uint64_t id)
{
    json_t *answer = NULL;
    if (source->snapshot)
        return incident_read(source->snapshot, id);
    request_quietly(source->arguments, "incidents_show", json_pack("{s:I}", "incident", (json_int_t)id), &answer);
    return answer;
}

/* ------------------------------------------------------------------------------------------------------- choosing */

static bool names(const json_t *list_of_names, const char *name)
{
    size_t i;
    const json_t *entry;
    json_array_foreach(list_of_names, i, entry) if (strcmp(json_string_value(entry) ? json_string_value(entry) : "",
                                                           name) == 0) return true;
    return false;
}

/* Returns the id of the latest incident, of one that goes on before one that ended. name: its breaker; NULL: any. 0:
 * there is none. */
static uint64_t latest(const json_t *all, const char *name)
{
    uint64_t best = 0;
    bool best_goes_on = false;
    size_t i;
    const json_t *entry;
    json_array_foreach(json_object_get(all, "incidents"), i, entry)
    {
        const bool goes_on = tree_absent(entry, "end_unix_ms");
        if ((name && !names(json_object_get(entry, "breakers"), name)) || (best_goes_on && !goes_on))
            continue;
        if (goes_on != best_goes_on || tree_number(entry, "incident") > best) {
            best = tree_number(entry, "incident");
            best_goes_on = goes_on;
        }
    }
    return best;
}

static void add(const struct source *source, json_t *shows, const char *name)
{
    json_t *const whole = json_array_size(shows) < TROUBLED_MAX ? show(source, name) : NULL;
    if (whole)
        json_array_append_new(shows, whole);
}

/* The first breakers in trouble, the cause of the incident before all others; and how many there are. */
static json_t *troubled(const struct source *source, const json_t *lines, const char *cause, size_t *ret_count)
{
    json_t *const shows = json_array();
    size_t i;
    const json_t *line;
    json_array_foreach(lines, i, line) if (why_in_trouble(line) && strcmp(tree_text(line, "breaker"), cause) == 0)
        add(source, shows, cause);
    *ret_count = 0;
    json_array_foreach(lines, i, line)
    {
        const char *const name = tree_text(line, "breaker");
        *ret_count += why_in_trouble(line);
        if (why_in_trouble(line) && strcmp(name, cause) != 0)
            add(source, shows, name);
    }
    return shows;
}

/* ------------------------------------------------------------------------------------------------------ measuring */

static uint64_t denied_of(const json_t *breakers)
{
    uint64_t denied = 0;
    size_t i;
    const json_t *breaker;
    json_array_foreach(breakers, i, breaker) denied += tree_number(json_object_get(breaker, "totals"), "denied");
    return denied;
}

static json_t *again(const struct source *source, const json_t *breakers)
{
    json_t *const shows = json_array(), *answer = NULL;
    size_t i;
    const json_t *breaker;
    if (source->snapshot) /* the newest calls are in the segment once tripd has counted them */
        request_quietly(source->arguments, "sync", NULL, &answer);
    json_decref(answer);
    json_array_foreach(breakers, i, breaker)
    {
        json_t *const now = show(source, tree_text(breaker, "breaker"));
        if (now)
            json_array_append_new(shows, now);
    }
    return shows;
}

/* Looks at the breakers twice. Null: nobody counts now. */
static json_t *denied_per_second(const struct source *source, const json_t *breakers, const char *daemon)
{
    const struct timespec pause = {.tv_nsec = SAMPLE_MS * 1000000L};
    if (strcmp(daemon, "running") != 0 || json_array_size(breakers) == 0)
        return json_null();
    nanosleep(&pause, NULL);
    json_t *const later = again(source, breakers);
    const uint64_t before = denied_of(breakers), now = denied_of(later);
    json_decref(later);
    return json_real(rate_per_second(before, now, SAMPLE_MS));
}

/* ---------------------------------------------------------------------------------------------------------- the verb
 */

static const char *daemon_of(const struct source *source)
{
    return source->snapshot ? report_daemon_name(snapshot_known_daemon(source->snapshot)) : "running";
}

/* Finds the breakers that the answer is about, the one told of most first. Where none was asked for, these are those in
 * trouble, and the cause of the latest incident comes first. */
static json_t *about(const struct source *source, const json_t *lines, const json_t *all, size_t *ret_count)
{
    const char *const asked = source->arguments->operand;
    *ret_count = 1;
    if (asked)
        return json_pack("[o*]", show(source, asked));
    const uint64_t id = latest(all, NULL);
    json_t *const last = id ? incident(source, id) : NULL;
    json_t *const breakers =
        troubled(source, lines, tree_text(json_object_get(last, "candidate"), "breaker"), ret_count);
    json_decref(last);
    return breakers;
}

/* The incident of that breaker, as long as it goes on; of the host, or of a breaker that is well, the last one. */
static json_t *incident_of(const struct source *source, const json_t *all, const json_t *breaker)
{
    const uint64_t id = latest(all, breaker ? tree_text(breaker, "breaker") : NULL);
    json_t *const whole = id ? incident(source, id) : NULL;
    if (whole && (!breaker || !why_in_trouble(breaker) || tree_absent(whole, "end_unix_ms")))
        return whole;
    json_decref(whole);
    return json_null();
}

static json_t *facts_of(const struct source *source, const json_t *lines, const json_t *all)
{
    size_t count;
    json_t *const breakers = about(source, lines, all, &count);
    json_t *const facts =
        json_pack("{s:s, s:s, s:s?, s:I, s:I, s:O, s:o, s:o}", "instance", source->arguments->instance, "daemon",
                  daemon_of(source), "asked", source->arguments->operand, "all", (json_int_t)json_array_size(lines),
                  "in_trouble", (json_int_t)count, "breakers", breakers, "denied_per_second",
                  denied_per_second(source, breakers, daemon_of(source)), "incident",
                  incident_of(source, all, json_array_get(breakers, 0)));
    json_decref(breakers);
    return facts;
}

/* Gathers the facts. NULL: a question to tripd failed, which was reported, or there is no memory. */
static json_t *gather(const struct source *source)
{
    json_t *const lines = list(source), *const all = lines ? incidents(source) : NULL;
    json_t *const facts = lines && all ? facts_of(source, lines, all) : NULL;
    json_decref(lines);
    json_decref(all);
    return facts;
}

static void print_why(FILE *out, const json_t *facts)
{
    size_t i;
    const json_t *line;
    json_array_foreach(json_object_get(facts, "lines"), i, line) fprintf(out, "%s\n", json_string_value(line));
}

int verb_why(const struct arguments *arguments)
{
    struct source source = {.arguments = arguments};
    const int status = reading_open(arguments, &source.snapshot);
    if (status != EXIT_DONE)
        return status;
    const bool by_segment = source.snapshot != NULL;
    json_t *const facts = gather(&source);
    snapshot_close(source.snapshot);
    if (!facts)
        return by_segment ? EXIT_REFUSED : EXIT_NO_DAEMON;
    if (arguments->operand && json_array_size(json_object_get(facts, "breakers")) == 0) {
        json_decref(facts);
        return reading_no_breaker(arguments);
    }
    json_object_set_new(facts, "lines", why_lines(facts));
    return reading_show(arguments, facts, print_why);
}
