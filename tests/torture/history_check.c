#include "history_check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MS            UINT64_C(1000000)
#define TOLD_MOST     3            /* violations of a rule that are told one by one */
#define DEADLINE_STEP (2 * MS)     /* deadlines are whole milliseconds, and cut */
#define LEASE_NS      (50000 * MS) /* a ticket of who has no lane is lent for a minute, in steps of 4 s */

static const char *const verb_names[VERB_KINDS] = {"trip", "force-open", "disable", "auto", "reset"};

static void *reserve(size_t count, size_t size)
{
    void *const memory = calloc(count + 1, size);
    if (!memory)
        abort();
    return memory;
}

static bool admitted(const struct history_call *call)
{
    return call->begin_after && trip_admitted((trip_verdict)call->verdict);
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static bool tells(FILE *report, size_t violations)
{
    return report && violations < TOLD_MOST;
}

static void tell_rest(FILE *report, const char *rule, size_t violations)
{
    if (report && violations > TOLD_MOST)
        fprintf(report, "FAILED: rule %s: and %zu times more\n", rule, violations - TOLD_MOST);
}

static void tell_who(FILE *report, const struct history *history, const struct history_call *call)
{
    const struct history_life *const life = &history->lives[call->life];
    fprintf(report, "pid %" PRIu32 " (uid %" PRIu32 ") was answered %s %s", life->pid, life->uid,
            trip_verdict_name((trip_verdict)call->verdict), call->question ? "by trip_allow" : "by trip_begin");
}

/* ----------------------------------------------------------------------------------------------------------- rule 1 */

/* Does this verb forbid that tripd and clients admit any call after tripctl has its answer? */
static bool forbids(const struct history *history, size_t index)
{
    const struct history_verb *const verb = &history->verbs[index];
    bool disabled = false;
    for (size_t i = 0; i < index; i++) {
        const struct history_verb *const before = &history->verbs[i];
        if (before->breaker != verb->breaker)
            continue;
        if (before->kind == VERB_DISABLE)
            disabled = true; /* also if it is not certain */
        else if ((before->kind == VERB_AUTO || before->kind == VERB_FORCE_OPEN) && before->answered)
            disabled = false;
    }
    return verb->answered && (verb->kind == VERB_FORCE_OPEN || (verb->kind == VERB_TRIP && !disabled));
}

/* The earliest moment at which the breaker may admit again. The next verb may end it, and another trip shorten it. */
static uint64_t forbidden_until(const struct history *history, size_t index)
{
    const struct history_verb *const verb = &history->verbs[index];
    uint64_t until = verb->kind == VERB_TRIP ? verb->sent + verb->for_ns - DEADLINE_STEP : UINT64_MAX;
    for (size_t i = index + 1; i < history->verb_count; i++) {
        const struct history_verb *const next = &history->verbs[i];
        if (next->breaker == verb->breaker)
            return next->sent < until ? next->sent : until;
    }
    return until;
}

static bool within(const struct history_call *call, uint64_t from, uint64_t until)
{
    return call->begin_after && call->begin_before >= from && call->begin_after < until;
}

static size_t check_verb(const struct history *history, size_t index, size_t told, FILE *report)
{
    const struct history_verb *const verb = &history->verbs[index];
    const uint64_t until = forbidden_until(history, index);
    size_t violations = 0;
    for (size_t i = 0; i < history->call_count; i++) {
        const struct history_call *const call = &history->calls[i];
        if (call->breaker != verb->breaker || !admitted(call) || !within(call, verb->answered, until))
            continue;
        if (tells(report, told + violations++)) {
            fprintf(report, "FAILED: rule 1: %s: ", history->breakers[verb->breaker].name);
            tell_who(report, history, call);
            fprintf(report, " %.1f ms after tripctl %s was answered", ms(call->begin_before - verb->answered),
                    verb_names[verb->kind]);
            if (verb->kind == VERB_TRIP)
                fprintf(report, ", %.1f ms before the trip could end", ms(until - call->begin_after));
            fprintf(report, "\n");
        }
    }
    return violations;
}

static size_t check_forced(const struct history *history, size_t told, FILE *report)
{
    size_t violations = 0;
    for (size_t i = 0; i < history->call_count; i++) {
        const struct history_call *const call = &history->calls[i];
        if (!history->breakers[call->breaker].forced_open || !admitted(call))
            continue;
        if (tells(report, told + violations++)) {
            fprintf(report,
                    "FAILED: rule 1: %s, which the config forces open: ", history->breakers[call->breaker].name);
            tell_who(report, history, call);
            fprintf(report, "\n");
        }
    }
    return violations;
}

size_t history_check_verbs(const struct history *history, FILE *report)
{
    size_t by_verbs = 0;
    for (size_t i = 0; i < history->verb_count; i++)
        if (forbids(history, i))
            by_verbs += check_verb(history, i, by_verbs, report);
    tell_rest(report, "1", by_verbs);
    const size_t by_config = check_forced(history, 0, report);
    tell_rest(report, "1", by_config);
    return by_verbs + by_config;
}

/* ---------------------------------------------------------------------------------- rules 2 and 3: how many at once */

struct edge {
    uint64_t group, at;
    int change;
    const struct history_call *call;
};

static int by_group_and_time(const void *one, const void *other)
{
    const struct edge *const a = one, *const b = other;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    if (a->at != b->at)
        return a->at < b->at ? -1 : 1;
    return a->change - b->change; /* who leaves at that moment has left */
}

/* The time in which a call was surely inside; who was killed in it, at one moment. */
static size_t edges_of(const struct history_call *call, uint64_t group, uint64_t lent_ns, struct edge *edges)
{
    const uint64_t lease = call->begin_before + lent_ns, end = call->end_before ? call->end_before : call->begin_after;
    const uint64_t until = end < lease ? end : lease;
    if (until <= call->begin_after)
        return 0;
    edges[0] = (struct edge){group, call->begin_after, 1, call};
    edges[1] = (struct edge){group, until, -1, call};
    return 2;
}

static size_t count_beyond(const struct history *history, struct edge *edges, size_t count, size_t most,
                           const char *rule, const char *what, size_t *told, FILE *report)
{
    size_t violations = 0, inside = 0;
    qsort(edges, count, sizeof(*edges), by_group_and_time);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && edges[i].group != edges[i - 1].group)
            inside = 0;
        inside += (size_t)edges[i].change;
        if (edges[i].change < 0 || inside <= most)
            continue;
        violations++;
        if (tells(report, (*told)++)) {
            fprintf(report, "FAILED: rule %s: %s: %zu %s at once, where %zu are the most: ", rule,
                    history->breakers[edges[i].call->breaker].name, inside, what, most);
            tell_who(report, history, edges[i].call);
            fprintf(report, "\n");
        }
    }
    return violations;
}

size_t history_check_probes(const struct history *history, FILE *report)
{
    struct edge *const edges = reserve(2 * history->call_count, sizeof(*edges));
    size_t violations = 0, told = 0;
    for (unsigned breaker = 0; breaker < history->breaker_count; breaker++) {
        const struct history_breaker *const is = &history->breakers[breaker];
        size_t count = 0;
        for (size_t i = 0; is->permits && i < history->call_count; i++) {
            const struct history_call *const call = &history->calls[i];
            if (call->breaker == breaker && admitted(call) && call->verdict == TRIP_PROBE && !call->question)
                count += edges_of(call, call->opening, is->max_wait_ns, edges + count);
        }
        violations += count_beyond(history, edges, count, is->permits, "2", "probes of one opening", &told, report);
    }
    free(edges);
    tell_rest(report, "2", violations);
    return violations;
}

size_t history_check_tickets(const struct history *history, FILE *report)
{
    struct edge *const edges = reserve(2 * history->call_count, sizeof(*edges));
    size_t violations = 0, told = 0;
    for (unsigned breaker = 0; breaker < history->breaker_count; breaker++) {
        const struct history_breaker *const is = &history->breakers[breaker];
        size_t count = 0;
        for (size_t i = 0; is->tickets && i < history->call_count; i++) {
            const struct history_call *const call = &history->calls[i];
            if (call->breaker == breaker && admitted(call) && !call->question && call->commons)
                count += edges_of(call, call->commons, LEASE_NS, edges + count);
        }
        violations += count_beyond(history, edges, count, is->tickets, "3", "calls", &told, report);
    }
    free(edges);
    tell_rest(report, "3", violations);
    return violations;
}

/* ----------------------------------------------------------------------------------------------------------- rule 4 */

/* A bucket brings its tokens by ticks, which are off by some millionths of the clock of the history. */
static uint64_t tokens_in(const struct history_breaker *breaker, uint64_t ns)
{
    return breaker->burst + (uint64_t)((unsigned __int128)(ns + ns / 1000) * breaker->limit / breaker->per_ns);
}

static int by_end_of_begin(const void *one, const void *other)
{
    const struct history_call *const a = *(const struct history_call *const *)one,
                                     *const b = *(const struct history_call *const *)other;
    if (a->commons != b->commons)
        return a->commons < b->commons ? -1 : 1;
    return a->begin_after < b->begin_after ? -1 : a->begin_after > b->begin_after;
}

/* Of all times that begin with the taking of one token, the first in which too many were taken. */
static bool too_many_from(const struct history_breaker *breaker, const struct history_call *const *taken, size_t count,
                          size_t first, size_t *ret_many, uint64_t *ret_ns)
{
    const uint64_t from = taken[first]->begin_before;
    size_t many = 0;
    for (size_t i = first; i < count && taken[i]->commons == taken[first]->commons; i++) {
        if (taken[i]->begin_before < from)
            continue;
        many++;
        if (many > tokens_in(breaker, taken[i]->begin_after - from)) {
            *ret_many = many;
            *ret_ns = taken[i]->begin_after - from;
            return true;
        }
    }
    return false;
}

static size_t check_rate(const struct history *history, unsigned breaker, const struct history_call **taken,
                         size_t told, FILE *report)
{
    const struct history_breaker *const is = &history->breakers[breaker];
    size_t count = 0, violations = 0;
    for (size_t i = 0; i < history->call_count; i++) {
        const struct history_call *const call = &history->calls[i];
        if (call->breaker == breaker && admitted(call) && !call->question && call->commons)
            taken[count++] = call;
    }
    qsort(taken, count, sizeof(*taken), by_end_of_begin);
    for (size_t first = 0; first < count; first++) {
        size_t many = 0;
        uint64_t ns = 0;
        if (!too_many_from(is, taken, count, first, &many, &ns))
            continue;
        if (tells(report, told + violations++))
            fprintf(report,
                    "FAILED: rule 4: %s: %zu calls were admitted within %.1f ms, where a bucket of %" PRIu64
                    " with %" PRIu64 " more each %.0f ms allows %" PRIu64 "\n",
                    is->name, many, ms(ns), is->burst, is->limit, ms(is->per_ns), tokens_in(is, ns));
        while (first + 1 < count && taken[first + 1]->begin_before < taken[first]->begin_before + ns)
            first++; /* the same burst once */
    }
    return violations;
}

size_t history_check_rates(const struct history *history, FILE *report)
{
    const struct history_call **const taken = reserve(history->call_count, sizeof(*taken));
    size_t violations = 0;
    for (unsigned breaker = 0; breaker < history->breaker_count; breaker++)
        if (history->breakers[breaker].limit)
            violations += check_rate(history, breaker, taken, violations, report);
    free(taken);
    tell_rest(report, "4", violations);
    return violations;
}

/* ----------------------------------------------------------------------------------------------------------- rule 6 */

/* Somebody was denied by an opening: nobody is admitted from then on until its time is over. */
struct denial {
    uint64_t at, until;
    uint64_t commons; /* for whom; 0: for all, as nobody but clients knew of this opening */
    const struct history_call *call;
};

/* While no tripd lived? */
static const struct history_absence *dead_at(const struct history *history, uint64_t from, uint64_t to)
{
    for (size_t i = 0; i < history->absence_count; i++) {
        const struct history_absence *const absence = &history->absences[i];
        if (absence->dead_from && from >= absence->dead_from && to <= absence->dead_to)
            return absence;
    }
    return NULL;
}

/* A verb may close the breaker: what was open before it says nothing of what comes after. */
static uint64_t until_next_verb(const struct history *history, const struct history_call *call, uint64_t until)
{
    for (size_t i = 0; i < history->verb_count; i++) {
        const struct history_verb *const verb = &history->verbs[i];
        const uint64_t over = verb->answered ? verb->answered : UINT64_MAX;
        if (verb->breaker != call->breaker || over <= call->begin_before)
            continue;
        return verb->sent <= call->begin_after ? 0 : verb->sent < until ? verb->sent : until;
    }
    return until;
}

/* Closed when this process was last allowed, and open now: it opened between the two. */
static size_t list_denials(const struct history *history, unsigned breaker, struct denial *denials)
{
    const struct history_call **const allowed = reserve(history->life_count, sizeof(*allowed));
    const uint64_t open_ns = history->breakers[breaker].open_ns - DEADLINE_STEP;
    size_t count = 0;
    for (size_t i = 0; i < history->call_count; i++) {
        const struct history_call *const call = &history->calls[i];
        if (call->breaker != breaker || !call->begin_after || !call->commons)
            continue;
        if (call->verdict == TRIP_ALLOW)
            allowed[call->life] = call;
        const struct history_call *const last = allowed[call->life];
        if (call->verdict != TRIP_DENY_OPEN || !last || last->commons != call->commons)
            continue;
        const uint64_t until = until_next_verb(history, call, last->begin_before + open_ns);
        const bool dead = dead_at(history, last->begin_before, call->begin_after) != NULL;
        if (until > call->begin_after)
            denials[count++] = (struct denial){call->begin_after, until, dead ? 0 : call->commons, call};
    }
    free(allowed);
    return count;
}

static int by_denial_time(const void *one, const void *other)
{
    const struct denial *const a = one, *const b = other;
    return a->at < b->at ? -1 : a->at > b->at;
}

static int by_begin(const void *one, const void *other)
{
    const struct history_call *const a = *(const struct history_call *const *)one,
                                     *const b = *(const struct history_call *const *)other;
    return a->begin_before < b->begin_before ? -1 : a->begin_before > b->begin_before;
}

static bool later(const struct denial *denial, const struct denial *than)
{
    return !than || denial->until > than->until;
}

static void tell_opening(const struct history *history, const struct history_call *call, const struct denial *denial,
                         FILE *report)
{
    fprintf(report, "FAILED: rule 6: %s: ", history->breakers[call->breaker].name);
    tell_who(report, history, call);
    fprintf(report, " %.1f ms after pid %" PRIu32 " was denied by an opening%s, %.1f ms before its time was over\n",
            ms(call->begin_before - denial->at), history->lives[denial->call->life].pid,
            denial->commons ? "" : " of clients while no tripd lived", ms(denial->until - call->begin_after));
}

/* Had this process used the commons, to its knowledge, before it was at `call`? */
static bool had_used(const struct history *history, const struct history_call *call, unsigned life, uint64_t commons)
{
    for (const struct history_call *each = history->calls; each < history->calls + history->call_count; each++)
        if (each->life == life && each->commons == commons && each->begin_after &&
            each->begin_after <= call->begin_before)
            return true;
    return false;
}

/* What clients opened while no tripd lived is known to processes that used that commons, and to tripd once one of these
 * has attached to it again. A process that only asks trip_allow never gets another commons than its first. */
static bool could_know(const struct history *history, const struct history_call *call, const struct denial *denial)
{
    const uint64_t commons = denial->call->commons;
    if (had_used(history, call, call->life, commons))
        return true;
    for (unsigned life = 0; call->commons && life < history->life_count; life++)
        if (had_used(history, call, life, commons) && had_used(history, call, life, call->commons))
            return true;
    return false;
}

static size_t check_opening(const struct history *history, unsigned breaker, size_t told, FILE *report)
{
    struct denial *const denials = reserve(history->call_count, sizeof(*denials));
    const struct history_call **const calls = reserve(history->call_count, sizeof(*calls));
    const struct denial *latest = NULL, *latest_of_all = NULL; /* of the commons of now, and of the dead */
    const size_t denial_count = list_denials(history, breaker, denials);
    size_t count = 0, next = 0, violations = 0;
    for (size_t i = 0; i < history->call_count; i++)
        if (history->calls[i].breaker == breaker && admitted(&history->calls[i]))
            calls[count++] = &history->calls[i];
    qsort(denials, denial_count, sizeof(*denials), by_denial_time);
    qsort(calls, count, sizeof(*calls), by_begin);
    for (size_t i = 0; i < count; i++) {
        for (; next < denial_count && denials[next].at <= calls[i]->begin_before; next++) {
            const struct denial *const denial = &denials[next];
            if (!denial->commons)
                latest_of_all = later(denial, latest_of_all) ? denial : latest_of_all;
            else if (!latest || latest->commons != denial->commons || later(denial, latest))
                latest = denial;
        }
        const struct denial *by = NULL;
        if (latest_of_all && calls[i]->begin_after < latest_of_all->until &&
            could_know(history, calls[i], latest_of_all))
            by = latest_of_all;
        else if (latest && latest->commons == calls[i]->commons && calls[i]->begin_after < latest->until)
            by = latest;
        if (by && tells(report, told + violations++))
            tell_opening(history, calls[i], by, report);
    }
    free(calls);
    free(denials);
    return violations;
}

size_t history_check_openings(const struct history *history, FILE *report)
{
    size_t violations = 0;
    for (unsigned breaker = 0; breaker < history->breaker_count; breaker++)
        if (history->breakers[breaker].open_ns)
            violations += check_opening(history, breaker, violations, report);
    tell_rest(report, "6", violations);
    return violations;
}

size_t history_check(const struct history *history, FILE *report)
{
    return history_check_verbs(history, report) + history_check_probes(history, report) +
           history_check_tickets(history, report) + history_check_rates(history, report) +
           history_check_openings(history, report);
}

/* ----------------------------------------------------------------------------------------------------------- rule 5 */

/* Exempt: who ended while tripd was away may never have been known to it. */
static bool ended_in_peace(const struct history *history, const struct history_life *life)
{
    const uint64_t from = life->settled ? life->died : life->born;
    if (!life->died)
        return life->settled;
    for (size_t i = 0; i < history->absence_count; i++)
        if (life->died >= history->absences[i].from && from <= history->absences[i].to)
            return false;
    return true;
}

struct bounds {
    uint64_t least[TRIP_OUTCOME_COUNT], most[TRIP_OUTCOME_COUNT];
};

static struct bounds count_outcomes(const struct history *history, unsigned breaker)
{
    bool *const surely = reserve(history->life_count, sizeof(*surely));
    struct bounds bounds = {0};
    for (size_t i = 0; i < history->life_count; i++)
        surely[i] = history->lives[i].reports && ended_in_peace(history, &history->lives[i]);
    for (size_t i = 0; i < history->call_count; i++) {
        const struct history_call *const call = &history->calls[i];
        if (call->breaker != breaker || !admitted(call) || !call->end_before)
            continue;
        bounds.most[call->outcome]++;
        bounds.least[call->outcome] += i < history->due_count && call->end_after && surely[call->life];
    }
    free(surely);
    return bounds;
}

static uint64_t sum(const uint64_t counts[TRIP_OUTCOME_COUNT])
{
    uint64_t all = 0;
    for (unsigned i = 0; i < TRIP_OUTCOME_COUNT; i++)
        all += counts[i];
    return all;
}

/* A late outcome has lost what it was. */
static bool lies_between(const struct history *history, unsigned breaker, const char *what, uint64_t counted,
                         uint64_t late, uint64_t least, uint64_t most, FILE *report)
{
    if (counted + late >= least && (counted <= most || history->others_report))
        return true;
    if (report)
        fprintf(report,
                "FAILED: rule 5: %s: %" PRIu64 " %s counted (%" PRIu64 " late), where %" PRIu64 " to %" PRIu64
                " were reported\n",
                history->breakers[breaker].name, counted, what, late, least, most);
    return false;
}

bool history_check_totals(const struct history *history, unsigned breaker, const struct history_totals *totals,
                          FILE *report)
{
    const struct bounds is = count_outcomes(history, breaker);
    const uint64_t *const least = is.least, *const most = is.most;
    const uint64_t counted = totals->ok + totals->failures + totals->ignored + totals->cancelled + totals->late;
    return (int)lies_between(history, breaker, "outcomes", counted, 0, sum(least), sum(most), report) &
           (int)lies_between(history, breaker, "ok", totals->ok, totals->late, least[TRIP_OK], most[TRIP_OK], report) &
           (int)lies_between(history, breaker, "failures", totals->failures, totals->late,
                             least[TRIP_FAILURE] + least[TRIP_TIMEOUT], most[TRIP_FAILURE] + most[TRIP_TIMEOUT],
                             report) &
           (int)lies_between(history, breaker, "timeouts", totals->timeouts, totals->late, least[TRIP_TIMEOUT],
                             most[TRIP_TIMEOUT], report) &
           (int)lies_between(history, breaker, "ignored", totals->ignored, totals->late, least[TRIP_IGNORED],
                             most[TRIP_IGNORED], report) &
           (int)lies_between(history, breaker, "cancelled", totals->cancelled, totals->late, least[TRIP_CANCELLED],
                             most[TRIP_CANCELLED], report);
}

/* ----------------------------------------------------------------------------------------------------------- rule 7 */

bool history_check_recovery(const struct history *history, unsigned breaker, uint64_t since, FILE *report)
{
    const struct history_call **const last = reserve(history->life_count, sizeof(*last));
    bool *const recovered = reserve(history->life_count, sizeof(*recovered)), all = true;
    size_t asked = 0;
    for (size_t i = 0; i < history->call_count; i++) {
        const struct history_call *const call = &history->calls[i];
        if (call->breaker != breaker || !call->begin_after)
            continue;
        last[call->life] = call;
        recovered[call->life] |= call->begin_before >= since && admitted(call);
        asked++;
    }
    for (size_t i = 0; i < history->life_count; i++) {
        const struct history_life *const life = &history->lives[i];
        if (life->died || !life->recovers || recovered[i] || !last[i])
            continue;
        all = false;
        if (!report)
            continue;
        fprintf(report, "FAILED: rule 7: %s does not recover: ", history->breakers[breaker].name);
        tell_who(report, history, last[i]);
        fprintf(report, " at last, and is not admitted since %.1f s\n",
                ms(last[i]->begin_after > since ? last[i]->begin_after - since : 0) / 1e3);
    }
    free(recovered);
    free(last);
    return all;
}

/* ----------------------------------------------------------------------------------------------- what was exercised */

static void look_at_verbs(const struct history *history, struct history_seen *seen)
{
    for (size_t verb = 0; verb < history->verb_count; verb++) {
        const uint64_t from = history->verbs[verb].answered, until = forbidden_until(history, verb);
        for (size_t i = 0; forbids(history, verb) && i < history->call_count; i++) {
            const struct history_call *const call = &history->calls[i];
            seen->denied_by_verbs += call->breaker == history->verbs[verb].breaker && within(call, from, until) &&
                                     !trip_admitted((trip_verdict)call->verdict);
        }
    }
}

static bool ran_across(const struct history *history, const struct history_call *call)
{
    for (size_t i = 0; i < history->absence_count; i++) {
        const struct history_absence *const absence = &history->absences[i];
        const uint64_t until = call->end_before ? call->end_before : call->begin_after;
        if ((call->begin_after < absence->from && until > absence->from) ||
            (call->begin_after < absence->to && until > absence->to))
            return true;
    }
    return false;
}

static void look_at_openings(const struct history *history, unsigned breaker, struct history_seen *seen)
{
    struct denial *const denials = reserve(history->call_count, sizeof(*denials));
    bool *const across = reserve(history->absence_count, sizeof(*across));
    const size_t count = list_denials(history, breaker, denials);
    for (size_t i = 0; i < count; i++) {
        if (denials[i].commons)
            continue;
        const struct history_absence *const absence =
            dead_at(history, denials[i].call->begin_before, denials[i].call->begin_after);
        seen->denied_while_dead++;
        across[absence - history->absences] |= denials[i].until > absence->to;
    }
    for (size_t i = 0; i < history->absence_count; i++)
        seen->openings_across += across[i];
    free(across);
    free(denials);
}

struct history_seen history_look(const struct history *history)
{
    struct history_seen seen = {0};
    for (size_t i = 0; i < history->call_count; i++) {
        const struct history_call *const call = &history->calls[i];
        if (!call->begin_after)
            continue;
        const struct history_breaker *const breaker = &history->breakers[call->breaker];
        seen.calls += !call->question;
        seen.questions += call->question;
        seen.denials += !admitted(call);
        seen.rejected += call->verdict == TRIP_DENY_CONCURRENCY;
        seen.rated += call->verdict == TRIP_DENY_RATE;
        if (!admitted(call) || call->question)
            continue;
        seen.probes += call->verdict == TRIP_PROBE;
        seen.probes_across += call->verdict == TRIP_PROBE && ran_across(history, call);
        seen.calls_across += breaker->tickets && ran_across(history, call);
    }
    look_at_verbs(history, &seen);
    for (unsigned breaker = 0; breaker < history->breaker_count; breaker++)
        if (history->breakers[breaker].open_ns)
            look_at_openings(history, breaker, &seen);
    return seen;
}
