/* What failed together: each incident with its cascade as a tree, the likely cause at its root. */
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "incidents.h"
#include "panes.h"
#include "print_parts.h"
#include "symbols.h"
#include "users.h"

static void write_head(struct canvas *paper, const json_t *incident)
{
    const bool goes_on = tree_absent(incident, "end_unix_ms");
    char when[40], span[FORMAT_MAX];
    int at = pane_line(paper, STYLE_BOLD, "#%llu  %s", N(incident, "incident"),
                       print_moment(tree_number(incident, "start_unix_ms"), when));
    at = pane_more(paper, at, goes_on ? STYLE_BAD : STYLE_GOOD, "  %s %s", goes_on ? "goes on for" : "lasted",
                   format_span(tree_number(incident, "for_ms"), span));
    pane_more(paper, at, STYLE_PLAIN, ", %llu error%s", N(incident, "errors"),
              print_plural(tree_number(incident, "errors")));
}

/* "+1.2s": how long after the incident's start; "-": never. */
static const char *after(const json_t *incident, const json_t *member, const char *key, char text[FORMAT_MAX + 1])
{
    const uint64_t start = tree_number(incident, "start_unix_ms"), at = tree_number(member, key);
    if (tree_absent(member, key))
        return "-";
    text[0] = at < start ? '-' : '+';
    format_span(at < start ? start - at : at - start, text + 1);
    return text;
}

static void write_member(struct canvas *paper, const json_t *incident, const json_t *member, const char *indent,
                         const char *branch)
{
    char failed[FORMAT_MAX + 1], opened[FORMAT_MAX + 1], closed[FORMAT_MAX + 1];
    int at = pane_line(paper, STYLE_DIM, "%s%s", indent, branch);
    at = pane_more(paper, at, STYLE_BOLD, "%s", tree_text(member, "breaker"));
    at = pane_more(paper, at, STYLE_PLAIN, "  failed %s, %llu error%s",
                   after(incident, member, "failed_unix_ms", failed), N(member, "errors"),
                   print_plural(tree_number(member, "errors")));
    if (tree_number(member, "opens") == 0)
        return;
    at = pane_more(paper, at, STYLE_BAD, ", opened %s (%s)", after(incident, member, "opened_unix_ms", opened),
                   tree_text(member, "reason"));
    if (!tree_absent(member, "closed_unix_ms"))
        pane_more(paper, at, STYLE_GOOD, ", closed %s", after(incident, member, "closed_unix_ms", closed));
}

/* Is it the member that is thought to be the cause? */
static bool is_cause(const json_t *member, const char *cause)
{
    return *cause && strcmp(tree_text(member, "breaker"), cause) == 0;
}

static void write_cause(struct canvas *paper, const json_t *incident, const json_t *candidate)
{
    const json_t *const members = json_object_get(incident, "members"), *member;
    const json_t *const evidence = json_object_get(candidate, "evidence");
    size_t i;
    json_array_foreach(members, i, member) if (is_cause(member, tree_text(candidate, "breaker")))
        write_member(paper, incident, member, "  ", "");
    int at = pane_line(paper, STYLE_DIM, "     likely the cause (%.0f%%): it ",
                       json_number_value(json_object_get(candidate, "confidence")));
    for (i = 0; i < json_array_size(evidence); i++)
        at = pane_more(paper, at, STYLE_DIM, "%s%s", i ? " and " : "", tree_text(json_array_get(evidence, i), "words"));
}

static void write_tree(struct canvas *paper, const json_t *incident)
{
    const json_t *const candidate = json_object_get(incident, "candidate");
    const char *const cause = tree_text(candidate, "breaker");
    const json_t *const members = json_object_get(incident, "members"), *member;
    size_t left = 0, i;
    if (json_is_object(candidate))
        write_cause(paper, incident, candidate);
    json_array_foreach(members, i, member) left += !is_cause(member, cause);
    json_array_foreach(members, i, member) if (!is_cause(member, cause))
        write_member(paper, incident, member, "  ", symbol(--left ? SYMBOL_BRANCH : SYMBOL_LAST_BRANCH, paper->ascii));
    if (tree_number(incident, "more_breakers"))
        pane_line(paper, STYLE_DIM, "     and %llu more", N(incident, "more_breakers"));
}

static void write_moment(struct canvas *paper, const json_t *moment)
{
    char when[FORMAT_MAX], name[USER_NAME_MAX];
    int at = pane_line(paper, STYLE_DIM, "     %s  ", format_clock(tree_number(moment, "at_unix_ms"), when));
    at = pane_more(paper, at, STYLE_PLAIN, "%s%s%s", tree_text(moment, "breaker"),
                   tree_absent(moment, "breaker") ? "" : ": ", tree_text(moment, "event"));
    if (!tree_absent(moment, "to"))
        at = pane_more(paper, at, STYLE_PLAIN, " %s -> %s, by %s", tree_text(moment, "from"), tree_text(moment, "to"),
                       tree_text(moment, "by"));
    if (!tree_absent(moment, "uid"))
        pane_more(paper, at, STYLE_PLAIN, " %s", user_name(tree_number(moment, "uid"), name));
}

static void write_incident(struct canvas *paper, const json_t *incident)
{
    const json_t *const fingerprint = json_object_get(incident, "fingerprint"), *moment;
    const json_t *const deploy = json_object_get(incident, "deploy");
    char span[FORMAT_MAX];
    size_t i;
    write_head(paper, incident);
    write_tree(paper, incident);
    if (json_is_object(fingerprint))
        pane_line(paper, STYLE_PLAIN, "     %s", tree_text(fingerprint, "template"));
    if (json_is_object(deploy))
        pane_line(paper, STYLE_KEY, "     deploy %s %s before", tree_text(deploy, "name"),
                  format_span(tree_number(deploy, "before_ms"), span));
    json_array_foreach(json_object_get(incident, "timeline"), i, moment) write_moment(paper, moment);
    if (tree_number(incident, "timeline_more"))
        pane_line(paper, STYLE_DIM, "     and %llu more", N(incident, "timeline_more"));
    pane_line(paper, STYLE_PLAIN, "%s", "");
}

static int latest_first(const void *a, const void *b)
{
    const uint64_t left = ((const struct incident *)a)->id, right = ((const struct incident *)b)->id;
    return (left < right) - (left > right);
}

void pane_incidents(struct canvas *paper, const struct scene *scene, const struct pane_options *options)
{
    struct incident incidents[INCIDENTS_KEPT];
    size_t count = 0;
    (void)options;
    for (uint32_t place = 0; place < INCIDENTS_KEPT; place++)
        count += snapshot_incident(scene->snapshot, place, &incidents[count]);
    qsort(incidents, count, sizeof(incidents[0]), latest_first);
    pane_heading(paper, "WHAT FAILED TOGETHER, THE LATEST FIRST");
    if (count == 0)
        pane_line(paper, STYLE_PLAIN, "no incidents");
    for (size_t i = 0; i < count; i++) {
        json_t *const incident = report_incident(&incidents[i], scene->look->now_ms, true);
        write_incident(paper, incident);
        json_decref(incident);
    }
}
