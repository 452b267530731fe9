/* Prints fingerprints and incidents for people. */
#include <stdlib.h>
#include <string.h>

#include "print.h"
#include "print_parts.h"
#include "users.h"
#include "wrap.h"

#define INDENT 4

static bool is_true(const json_t *map, const char *key)
{
    return json_is_true(json_object_get(map, key));
}

static double real(const json_t *map, const char *key)
{
    return json_number_value(json_object_get(map, key));
}

/* Writes names with commas between them. */
static void write_names(FILE *out, const json_t *names, bool more)
{
    size_t i;
    const json_t *name;
    json_array_foreach(names, i, name)
        fprintf(out, "%s%s", i ? ", " : "", json_string_value(name) ? json_string_value(name) : "(unknown)");
    if (more)
        fputs(i ? ", and others" : "others", out);
}

/* Prints what was written to a stream of open_memstream, wrapped, and frees it. */
static void print_wrapped(FILE *out, FILE *text_stream, char **text, int first, int next)
{
    if (!text_stream)
        return;
    fclose(text_stream);
    wrap_print(out, *text, first, next);
    fputc('\n', out);
    free(*text);
}

/* ---------------------------------------------------------------------------------------------------- fingerprints */

static void write_rate(FILE *out, const json_t *entry)
{
    if (real(entry, "per_second") > 0)
        fprintf(out, ", %.1f a second", real(entry, "per_second"));
    if (is_true(entry, "burst"))
        fprintf(out, " in a burst (usually %.1f)", real(entry, "usual_per_second"));
}

static void print_fingerprint(FILE *out, const json_t *entry)
{
    char *text = NULL, when[40];
    size_t size = 0;
    FILE *const line = open_memstream(&text, &size);
    if (!line)
        return;
    fprintf(line, "%llu error%s", N(entry, "errors"), print_plural(tree_number(entry, "errors")));
    if (tree_number(entry, "at_most_others"))
        fprintf(line, " (of these at most %llu others)", N(entry, "at_most_others"));
    write_rate(line, entry);
    fprintf(line, ", %s%s, last %s, %llu process%s: ", tree_text(entry, "type"), is_true(entry, "new") ? ", new" : "",
            print_moment(tree_number(entry, "last_unix_ms"), when), N(entry, "processes"),
            tree_number(entry, "processes") == 1 ? "" : "es");
    write_names(line, json_object_get(entry, "breakers"), is_true(entry, "more_breakers"));
    print_wrapped(out, line, &text, 0, INDENT);
    fprintf(out, "%*s", INDENT, "");
    wrap_print(out, tree_text(entry, "template"), INDENT, INDENT);
    fputc('\n', out);
}

void print_fingerprints(FILE *out, const json_t *result)
{
    const json_t *const deploy = json_object_get(result, "deploy");
    char when[40];
    size_t i;
    json_t *entry;
    if (json_array_size(json_object_get(result, "fingerprints")) == 0)
        fputs("no errors with a message\n", out);
    json_array_foreach(json_object_get(result, "fingerprints"), i, entry) print_fingerprint(out, entry);
    if (tree_number(result, "unclassified"))
        fprintf(out, "unclassified: %llu error%s without a message, or whose text was lost\n",
                N(result, "unclassified"), print_plural(tree_number(result, "unclassified")));
    if (json_is_object(deploy))
        fprintf(out, "new: since the deploy %s%sof %s\n", tree_text(deploy, "name"),
                tree_absent(deploy, "name") ? "" : " ", print_moment(tree_number(deploy, "at_unix_ms"), when));
}

void print_deploy(FILE *out, const json_t *result)
{
    char when[40];
    fprintf(out, "errors that come first after %s are new%s%s\n", print_moment(tree_number(result, "at_unix_ms"), when),
            tree_absent(result, "name") ? "" : ": ", tree_text(result, "name"));
}

/* ------------------------------------------------------------------------------------------------------- incidents */

static void write_duration(FILE *out, const json_t *incident)
{
    char span[24];
    fprintf(out, ", %s %s", tree_absent(incident, "end_unix_ms") ? "goes on for" : "lasted",
            print_span(tree_number(incident, "for_ms"), span));
}

void write_evidence(FILE *out, const json_t *candidate, size_t most)
{
    const json_t *const evidence = json_object_get(candidate, "evidence");
    for (size_t i = 0; i < json_array_size(evidence) && i < most; i++)
        fprintf(out, "%s%s", i ? " and " : "", tree_text(json_array_get(evidence, i), "words"));
}

/* Writes who led, how sure that is, and why. */
static void write_candidate(FILE *out, const json_t *candidate)
{
    char span[24];
    fprintf(out, "%s led, as far as can be told (%.0f%%): it ", tree_text(candidate, "breaker"),
            real(candidate, "confidence"));
    write_evidence(out, candidate, SIZE_MAX);
    if (tree_number(candidate, "lead_ms"))
        fprintf(out, "; %s before the next", print_span(tree_number(candidate, "lead_ms"), span));
}

static void print_head(FILE *out, const json_t *incident)
{
    char *text = NULL, when[40];
    size_t size = 0;
    FILE *const line = open_memstream(&text, &size);
    if (!line)
        return;
    fprintf(line, "%llu  %s", N(incident, "incident"), print_moment(tree_number(incident, "start_unix_ms"), when));
    write_duration(line, incident);
    fprintf(line, ", %llu error%s: ", N(incident, "errors"), print_plural(tree_number(incident, "errors")));
    write_names(line, json_object_get(incident, "breakers"), tree_number(incident, "more_breakers") > 0);
    print_wrapped(out, line, &text, 0, INDENT);
}

static void print_cause(FILE *out, const json_t *incident)
{
    const json_t *const candidate = json_object_get(incident, "candidate");
    char *text = NULL;
    size_t size = 0;
    FILE *const line = json_is_object(candidate) ? open_memstream(&text, &size) : NULL;
    if (!line)
        return;
    write_candidate(line, candidate);
    fprintf(out, "%*s", INDENT, "");
    print_wrapped(out, line, &text, INDENT, INDENT);
}

static void print_leading(FILE *out, const json_t *incident)
{
    const json_t *const fingerprint = json_object_get(incident, "fingerprint");
    if (!json_is_object(fingerprint))
        return;
    fprintf(out, "%*s", INDENT, "");
    wrap_print(out, tree_text(fingerprint, "template"), INDENT, INDENT);
    fputc('\n', out);
}

void print_incidents(FILE *out, const json_t *result)
{
    size_t i;
    json_t *incident;
    if (json_array_size(json_object_get(result, "incidents")) == 0)
        fputs("no incidents\n", out);
    json_array_foreach(json_object_get(result, "incidents"), i, incident)
    {
        print_head(out, incident);
        print_cause(out, incident);
        print_leading(out, incident);
    }
}

static void print_members(FILE *out, const json_t *incident)
{
    size_t i;
    json_t *member;
    json_array_foreach(json_object_get(incident, "members"), i, member)
    {
        char when[40];
        fprintf(out, "  %-14s%s  failed %s, %llu error%s", i ? "" : "breakers", tree_text(member, "breaker"),
                print_moment(tree_number(member, "failed_unix_ms"), when), N(member, "errors"),
                print_plural(tree_number(member, "errors")));
        if (tree_number(member, "opens"))
            fprintf(out, ", opened %llu time%s (%s)", N(member, "opens"), print_plural(tree_number(member, "opens")),
                    tree_text(member, "reason"));
        fputc('\n', out);
    }
}

static void print_moments(FILE *out, const json_t *incident)
{
    size_t i;
    json_t *moment;
    json_array_foreach(json_object_get(incident, "timeline"), i, moment)
    {
        char when[40], name[USER_NAME_MAX];
        fprintf(out, "  %-14s%s  %s%s%s", i ? "" : "timeline", print_moment(tree_number(moment, "at_unix_ms"), when),
                tree_text(moment, "breaker"), tree_absent(moment, "breaker") ? "" : ": ", tree_text(moment, "event"));
        if (!tree_absent(moment, "to"))
            fprintf(out, " %s -> %s, by %s", tree_text(moment, "from"), tree_text(moment, "to"),
                    tree_text(moment, "by"));
        if (!tree_absent(moment, "uid"))
            fprintf(out, " %s", user_name(tree_number(moment, "uid"), name));
        fputc('\n', out);
    }
    if (tree_number(incident, "timeline_more"))
        fprintf(out, "  %-14sand %llu more\n", "", N(incident, "timeline_more"));
}

void print_incident(FILE *out, const json_t *incident)
{
    const json_t *const deploy = json_object_get(incident, "deploy"), *const process =
                                                                          json_object_get(incident, "process");
    char when[40];
    print_head(out, incident);
    print_cause(out, incident);
    print_leading(out, incident);
    if (json_is_object(deploy))
        print_line(out, "deploy", "%s, at %s", tree_absent(deploy, "name") ? "unnamed" : tree_text(deploy, "name"),
                   print_moment(tree_number(deploy, "at_unix_ms"), when));
    if (json_is_object(process))
        print_line(out, "process", "%llu told of the most errors: %llu", N(process, "pid"), N(process, "errors"));
    print_members(out, incident);
    print_moments(out, incident);
}
