#include "why.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"
#include "print_parts.h"
#include "trip.h"
#include "users.h"
#include "wrap.h"

#define NAMES_SHOWN    3
#define NAME_SHOWN     40 /* characters of the name of another breaker */
#define EVIDENCE_SHOWN 2
#define STALLED_MS     1000 /* in flight for so long since the breaker opened */

struct page {
    json_t *lines;
    size_t most; /* lines that there is room for */
    const json_t *facts;
    const json_t *breaker;  /* the one told of most; NULL: none is in trouble */
    const json_t *incident; /* NULL: there is none */
};

/* ----------------------------------------------------------------------------------------------------- the page */

/* Adds a text's lines, as long as there is room on the page. */
static void add_text(struct page *page, const char *text)
{
    for (const char *line = text, *end; *line && json_array_size(page->lines) < page->most; line = end) {
        end = line + strcspn(line, "\n");
        json_array_append_new(page->lines, json_stringn(line, (size_t)(end - line)));
        end += *end == '\n';
    }
}

static void say(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Wraps a sentence, and adds its lines; further ones are indented. */
static void say(struct page *page, const char *format, ...)
{
    char *sentence = NULL, *wrapped = NULL;
    size_t size = 0;
    va_list arguments;
    va_start(arguments, format);
    const int length = vasprintf(&sentence, format, arguments);
    va_end(arguments);
    FILE *const out = length >= 0 ? open_memstream(&wrapped, &size) : NULL;
    if (out) {
        wrap_print(out, sentence, 0, 2);
        fclose(out);
        add_text(page, wrapped);
        free(wrapped);
    }
    if (length >= 0)
        free(sentence);
}

/* -------------------------------------------------------------------------------------------------- what is open */

/* Writes the names of all but the first, and counts those that are too many. */
static void others(const struct page *page, char *text, size_t size)
{
    const json_t *const breakers = json_object_get(page->facts, "breakers");
    const size_t listed = json_array_size(breakers), count = tree_number(page->facts, "in_trouble");
    size_t used = 0;
    *text = '\0';
    for (size_t i = 1; i < listed && i <= NAMES_SHOWN && used < size; i++) {
        const char *const name = tree_text(json_array_get(breakers, i), "breaker");
        used += (size_t)snprintf(text + used, size - used, "%s%.*s%s", i == 1 ? " Also in trouble: " : ", ", NAME_SHOWN,
                                 name, strlen(name) > NAME_SHOWN ? "..." : "");
    }
    if (*text && count > NAMES_SHOWN + 1 && used < size)
        used += (size_t)snprintf(text + used, size - used, ", and %zu more", count - NAMES_SHOWN - 1);
    if (*text && used < size)
        snprintf(text + used, size - used, ".");
}

static bool forced(const json_t *breaker)
{
    return strcmp(tree_text(breaker, "mode"), "forced_open") == 0;
}

static bool is_state(const json_t *breaker, const char *state)
{
    return strcmp(tree_text(breaker, "state"), state) == 0;
}

/* Does its mode let calls through, whatever its state is? */
static bool overruled(const json_t *breaker)
{
    return strcmp(tree_text(breaker, "mode"), "shadow") == 0 || strcmp(tree_text(breaker, "mode"), "disabled") == 0;
}

static const char *state_words(const json_t *breaker)
{
    return is_state(breaker, "half_open") ? "half-open" : tree_text(breaker, "state");
}

static void say_state(struct page *page)
{
    char since[40], span[24], rest[256];
    others(page, rest, sizeof(rest));
    if (forced(page->breaker))
        say(page, "%s is forced open: it denies every call.%s", tree_text(page->breaker, "breaker"), rest);
    else
        say(page, "%s has been %s for %s, since %.19s.%s", tree_text(page->breaker, "breaker"),
            state_words(page->breaker), print_span(tree_number(page->breaker, "state_for_ms"), span),
            print_moment(tree_number(page->breaker, "since_unix_ms"), since), rest);
}

/* --------------------------------------------------------------------------------------------------- why it opened */

static double rate_of(const json_t *breaker, const char *key)
{
    return json_number_value(json_object_get(json_object_get(breaker, "window"), key));
}

/* Says by which condition it last opened, with the numbers of now. */
static void say_evidence(struct page *page, const char *reason)
{
    const json_t *const window = json_object_get(page->breaker, "window");
    if (strcmp(reason, "consecutive") == 0)
        say(page, "It last opened because %llu calls in a row failed; of the last %llu calls %llu failed.",
            N(json_object_get(page->breaker, "settings"), "consecutive_failures"), N(window, "calls"),
            N(window, "failures"));
    else if (strcmp(reason, "failure_rate") == 0 || strcmp(reason, "failures") == 0)
        say(page, "It last opened because too many calls failed: %llu of the last %llu (%.1f%%).",
            N(window, "failures"), N(window, "calls"), rate_of(page->breaker, "failure_rate"));
    else if (strcmp(reason, "slow_rate") == 0)
        say(page, "It last opened because too many calls were slow: %llu of the last %llu (%.1f%%).", N(window, "slow"),
            N(window, "calls"), rate_of(page->breaker, "slow_rate"));
    else if (strcmp(reason, "in_flight") == 0)
        say(page, "It last opened because too many calls were in flight at once.");
    else if (strcmp(reason, "probe_failed") == 0)
        say(page, "It last opened again because a probe failed.");
    else if (strcmp(reason, "max_wait") == 0)
        say(page, "It last opened again because a probe gave no answer in its time.");
    else if (strcmp(reason, "relapse") == 0)
        say(page, "It last opened again because calls failed while it was closing step by step.");
}

/* Says who set the mode, or took the step that led here. by, uid, note: keys of the breaker. */
static void say_actor(struct page *page, const char *by, const char *uid, const char *note)
{
    char name[USER_NAME_MAX];
    const bool person = !tree_absent(page->breaker, uid);
    const char *const reason = tree_text(page->breaker, note);
    const char *const owner = tree_text(page->breaker, by);
    say(page, "That was done by %s%s%s%s%s.", strcmp(owner, "config") == 0 ? "the config" : owner, person ? " " : "",
        person ? user_name(tree_number(page->breaker, uid), name) : "", *reason ? ": " : "", reason);
}

static void say_reason(struct page *page)
{
    const char *const by = tree_text(page->breaker, "by");
    if (forced(page->breaker))
        say_actor(page, "mode_owner", "mode_uid", "mode_reason");
    else if (is_state(page->breaker, "open") && strcmp(by, "client") != 0 && strcmp(by, "tripd") != 0)
        say_actor(page, "by", "uid", "note");
    else
        say_evidence(page, tree_text(page->breaker, "reason"));
}

/* -------------------------------------------------------------------------------------------------------- who led */

static void say_candidate(struct page *page, const json_t *candidate)
{
    char *evidence = NULL;
    size_t size = 0;
    FILE *const out = open_memstream(&evidence, &size);
    if (!out)
        return;
    write_evidence(out, candidate, EVIDENCE_SHOWN);
    fclose(out);
    say(page, "Most likely the cause: %s (%.0f%% sure), which %s.", tree_text(candidate, "breaker"),
        json_number_value(json_object_get(candidate, "confidence")), evidence);
    free(evidence);
}

static void say_incident(struct page *page)
{
    const json_t *const incident = page->incident, *const candidate = json_object_get(incident, "candidate");
    const size_t count =
        json_array_size(json_object_get(incident, "breakers")) + tree_number(incident, "more_breakers");
    char when[40], span[24];
    print_span(tree_number(incident, "for_ms"), span);
    if (tree_absent(incident, "end_unix_ms"))
        say(page, "Incident %llu began %s ago, with %zu breaker%s and %llu error%s so far.", N(incident, "incident"),
            span, count, print_plural(count), N(incident, "errors"), print_plural(tree_number(incident, "errors")));
    else
        say(page, "The last incident, %llu, of %zu breaker%s, ended at %.19s, after %s.", N(incident, "incident"),
            count, print_plural(count), print_moment(tree_number(incident, "end_unix_ms"), when), span);
    if (json_is_object(candidate) && count > 1)
        say_candidate(page, candidate);
}

static void say_origin(struct page *page)
{
    const json_t *const fingerprint = json_object_get(page->incident, "fingerprint");
    const json_t *const process = json_object_get(page->incident, "process");
    const json_t *const deploy = json_object_get(page->incident, "deploy");
    char span[24];
    if (json_is_object(fingerprint))
        say(page, "Most frequent error: %s (about %llu of %llu).", tree_text(fingerprint, "template"),
            N(fingerprint, "errors"), N(page->incident, "errors"));
    if (json_is_object(deploy))
        say(page, "The deploy %s%swas %s before it.", tree_text(deploy, "name"), tree_absent(deploy, "name") ? "" : " ",
            print_span(tree_number(deploy, "before_ms"), span));
    if (json_is_object(process) && tree_number(process, "errors") * 2 > tree_number(page->incident, "errors"))
        say(page, "Most errors came from one process, pid %llu.", N(process, "pid"));
}

/* ------------------------------------------------------------------------------- what it costs, and what comes next */

struct in_flight {
    uint64_t calls;
    uint64_t stalled;
};

/* Have all of its calls in flight stalled? They began before it opened, since an open breaker admits none. */
static bool only_stalled(const json_t *breaker)
{
    return is_state(breaker, "open") && !overruled(breaker) && tree_number(breaker, "state_for_ms") >= STALLED_MS;
}

static struct in_flight in_flight(const json_t *breakers)
{
    struct in_flight sum = {0};
    size_t i;
    const json_t *breaker;
    json_array_foreach(breakers, i, breaker)
    {
        const uint64_t calls = tree_number(breaker, "in_flight");
        sum.calls += calls;
        sum.stalled += only_stalled(breaker) ? calls : 0;
    }
    return sum;
}

/* Writes how many of the calls in flight have stalled, as the end of a sentence; nothing where none has. */
static void write_stalled(const struct in_flight *found, char *text, size_t size)
{
    *text = '\0';
    if (found->stalled > 0 && found->stalled == found->calls)
        snprintf(text, size, ", %sstalled", found->calls == 1 ? "" : "all ");
    else if (found->stalled > 0)
        snprintf(text, size, ", %llu of them stalled", (unsigned long long)found->stalled);
}

static void say_cost(struct page *page)
{
    const json_t *const breakers = json_object_get(page->facts, "breakers");
    const json_t *const denied = json_object_get(page->facts, "denied_per_second");
    const size_t listed = json_array_size(breakers);
    const struct in_flight found = in_flight(breakers);
    char who[40] = "It denies", stalled[48];
    if (tree_number(page->facts, "in_trouble") > listed)
        snprintf(who, sizeof(who), "%zu of them deny", listed);
    else if (listed > 1)
        snprintf(who, sizeof(who), "Together they deny");
    write_stalled(&found, stalled, sizeof(stalled));
    if (json_is_number(denied))
        say(page, "%s %.0f call%s a second now; %llu %s in flight%s.", who, json_number_value(denied),
            print_plural((uint64_t)lround(json_number_value(denied))), (unsigned long long)found.calls,
            found.calls == 1 ? "is" : "are", stalled);
    else
        say(page, "%llu of its calls were denied so far.", N(json_object_get(page->breaker, "totals"), "denied"));
}

static void say_next(struct page *page)
{
    const json_t *const retry = json_object_get(page->breaker, "retry_after_ms"), *const probes = json_object_get(
                                                                                      page->breaker, "probes");
    char span[24];
    if (forced(page->breaker) && tree_absent(page->breaker, "mode_ttl_ms"))
        say(page, "It stays so until somebody ends it: its mode has no TTL.");
    else if (forced(page->breaker))
        say(page, "Its mode ends in %s.", print_span(tree_number(page->breaker, "mode_ttl_ms"), span));
    else if (is_state(page->breaker, "open") && json_is_integer(retry))
        say(page, "The next probe may go out in %s; it closes after %llu, if they are good.",
            print_span((uint64_t)json_integer_value(retry), span), N(probes, "needed"));
    else if (is_state(page->breaker, "half_open"))
        say(page, "It is being probed: %llu of %llu good probes so far.", N(probes, "ok"), N(probes, "needed"));
    else if (is_state(page->breaker, "ramping"))
        say(page, "It is closing: it admits a growing part of the calls.");
}

static bool tripd_lives(const struct page *page)
{
    return strcmp(tree_text(page->facts, "daemon"), "running") == 0;
}

static void say_choices(struct page *page)
{
    const char *const name = tree_text(page->breaker, "breaker");
    if (!tripd_lives(page))
        say(page, "To act on it, start tripd: systemctl start tripd@%s", tree_text(page->facts, "instance"));
    else if (forced(page->breaker))
        say(page, "You can: tripctl auto %s", name);
    else
        say(page, "You can: tripctl reset %s; tripctl force-open %s --ttl 1h", name, name);
    if (page->incident)
        say(page, "More: tripctl show %s; tripctl incidents show %llu", name, N(page->incident, "incident"));
    else
        say(page, "More: tripctl show %s; tripctl errors %s", name, name);
}

/* --------------------------------------------------------------------------------------------------------- the whole
 */

bool why_in_trouble(const json_t *breaker)
{
    return breaker && (forced(breaker) || (!is_state(breaker, "closed") && !overruled(breaker)));
}

/* The last lines have their room whatever is said before them. */
static void say_trouble(struct page *page)
{
    struct page end = *page;
    end.lines = json_array();
    say_next(&end);
    say_choices(&end);
    page->most -= json_array_size(end.lines) < page->most ? json_array_size(end.lines) : page->most;
    say_state(page);
    say_reason(page);
    say_cost(page);
    if (page->incident) {
        say_incident(page);
        say_origin(page);
    }
    json_array_extend(page->lines, end.lines);
    json_decref(end.lines);
}

static void say_calm(struct page *page)
{
    const uint64_t all = tree_number(page->facts, "all");
    if (page->breaker && overruled(page->breaker))
        say(page, "%s admits every call: its mode is %s. Its state is %s.", tree_text(page->breaker, "breaker"),
            tree_text(page->breaker, "mode"), state_words(page->breaker));
    else if (page->breaker)
        say(page, "%s is closed, and admits every call that its limits allow.", tree_text(page->breaker, "breaker"));
    else if (all == 0)
        say(page, "No program has asked for a breaker yet.");
    else
        say(page, all == 1 ? "The one breaker denies nothing." : "None of the %llu breakers denies calls.",
            (unsigned long long)all);
    if (!page->incident)
        return;
    say_incident(page);
    say_origin(page);
    say(page, "More: tripctl incidents show %llu", N(page->incident, "incident"));
}

static void say_daemon(struct page *page)
{
    if (!tripd_lives(page))
        say(page, "tripd is %s: this is what it knew last, and programs go on without it.",
            tree_text(page->facts, "daemon"));
}

json_t *why_lines(const json_t *facts)
{
    const json_t *const first = json_array_get(json_object_get(facts, "breakers"), 0);
    const json_t *const incident = json_object_get(facts, "incident");
    struct page page = {.lines = json_array(),
                        .most = WHY_LINES_MAX,
                        .facts = facts,
                        .breaker = first,
                        .incident = json_is_object(incident) ? incident : NULL};
    say_daemon(&page);
    if (why_in_trouble(first))
        say_trouble(&page);
    else
        say_calm(&page);
    return page.lines;
}
