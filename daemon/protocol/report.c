#include "protocol/report_parts.h"

#include <string.h>

#include "core/breaker.h"
#include "internal/enum_names.h"
#include "internal/policy.h"
#include "internal/printable.h"
#include "internal/state_word.h"
#include "internal/ticks.h"
#include "protocol/figures.h"
#include "protocol/report_errors.h"
#include "protocol/report_levels.h"

#define REPORT_NAME(suffix, name) name,
static const char *const outcome_names[] = {TRIP_OUTCOMES(REPORT_NAME)};
static const char *const op_names[] = {TRACED_OPS(REPORT_NAME)};
static const char *const daemon_names[] = {REPORT_DAEMONS(REPORT_NAME)};

json_t *report_text(const char *from, size_t size)
{
    char clean[1024];
    clean[0] = '\0'; /* gcc wants it set, for it does not see that a length of 0 is never read */
    const size_t length = strnlen(from, size < sizeof(clean) ? size : sizeof(clean));
    memcpy(clean, from, length);
    printable_make(clean, length);
    json_t *json = json_stringn(clean, length);
    if (json)
        return json;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)clean[i] >= 0x80)
            clean[i] = '?';
    return json_stringn(clean, length);
}

#define TEXT(field) report_text(field, sizeof(field))

json_t *report_text_or_null(const char *from, size_t size)
{
    return from[0] ? report_text(from, size) : json_null();
}

/* ------------------------------------------------------------------------------------------------------- a breaker */

static json_t *rate(int32_t permille)
{
    return permille < 0 ? json_null() : json_real(permille / 10.0);
}

/* A count of slow calls. null: clients do not time each call, so nobody knows how many were slow. */
static json_t *slow(const struct report_breaker *breaker, uint64_t count)
{
    return policy_times_calls(breaker->policy) ? number(count) : json_null();
}

static json_t *window(const struct report_breaker *breaker, const struct figures *figures)
{
    const struct core_head *const core = breaker->core;
    const uint64_t failures = core->window_failures < core->window_calls ? core->window_failures : core->window_calls;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "calls", number(core->window_calls), "ok",
                     number(core->window_calls - failures), "failures", number(failures), "slow",
                     slow(breaker, core->window_slow), "failure_rate", rate(figures->failure_permille), "slow_rate",
                     rate(figures->slow_permille));
}

/* null: it never comes, or is not known. */
static json_t *span(uint64_t ms)
{
    return ms == FIGURES_NEVER ? json_null() : number(ms);
}

/* The share of calls that a ramp admits, and when it ends; null: the breaker is not ramping. */
static json_t *ramp(const struct figures *figures)
{
    if (!figures->ramps)
        return json_null();
    return json_pack("{s:o, s:o}", "admit", rate((int32_t)figures->ramp_permille), "ends_ms",
                     span(figures->ramp_ends_ms));
}

/* Tells which user set the mode, if a person did. */
static json_t *mode_uid(const struct report_breaker *breaker, enum mode_owner owner)
{
    return owner == MODE_OWNER_OPERATOR ? number(breaker->detail->modes[owner].uid) : json_null();
}

/* Names the condition that held at a relapse. NULL, so that the key is left out: it was no relapse. */
static json_t *condition(uint8_t held)
{
    return held == TRIP_REASON_NONE ? NULL : json_string(NAME_OF(reason_names, held));
}

json_t *report_line(const struct report_breaker *breaker)
{
    const struct detail_slot *detail = breaker->detail;
    const struct figures figures = figures_of(breaker);
    const enum mode_owner owner = figures.mode_owner;
    const bool owned = owner < MODE_OWNER_COUNT;

    return json_pack(
        "{s:o, s:s, s:s, s:s, s:o*, s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:b, s:b, "
        "s:s, "
        "s:o}",
        "breaker", TEXT(detail->name), "state", NAME_OF(state_names, figures.state), "mode",
        NAME_OF(mode_names, figures.mode), "reason", NAME_OF(reason_names, detail->reason), "condition",
        condition(detail->condition), "by", NAME_OF(actor_names, detail->by), "uid",
        detail->by == BY_OPERATOR ? number(detail->uid) : json_null(), "note",
        report_text_or_null(detail->note, sizeof(detail->note)), "since_unix_ms", number(detail->since_unix_ms),
        "state_for_ms", number(figures.state_for_ms), "window", window(breaker, &figures), "consecutive_failures",
        (int)figures.streak, "retry_after_ms", span(figures.retry_after_ms), "permits_free", (int)figures.permits_free,
        "ramp", ramp(&figures), "mode_owner", owned ? json_string(owner_names[owner]) : json_null(), "mode_reason",
        owned ? report_text_or_null(detail->modes[owner].reason, sizeof(detail->modes[owner].reason)) : json_null(),
        "mode_ttl_ms", span(figures.mode_ttl_ms), "mode_uid", mode_uid(breaker, owner), "hidden",
        detail->hidden_ms != 0, "certain", breaker->daemon == REPORT_RUNNING, "daemon",
        NAME_OF(daemon_names, breaker->daemon), "as_of_ms", number(breaker->as_of_ms));
}

json_t *report_mode(const struct report_breaker *breaker)
{
    const struct figures figures = figures_of(breaker);
    if (figures.mode == TRIP_MODE_AUTO || figures.mode_owner == MODE_OWNER_COUNT)
        return NULL;
    return json_pack("{s:o, s:s, s:s, s:o}", "breaker", TEXT(breaker->detail->name), "mode",
                     NAME_OF(mode_names, figures.mode), "mode_owner", owner_names[figures.mode_owner], "mode_uid",
                     mode_uid(breaker, figures.mode_owner));
}

static json_t *denials(const uint64_t denied[DENIALS])
{
    json_t *map = json_object();
    for (unsigned denial = 0; denial < DENIALS; denial++)
        json_object_set_new(map, verdict_names[TRIP_DENY_OPEN + denial], number(denied[denial]));
    return map;
}

static json_t *totals(const struct report_breaker *breaker)
{
    const struct breaker_totals *const sums = &breaker->core->totals;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "calls", number(sums->calls), "ok",
                     number(sums->ok), "failures", number(sums->failures), "timeouts", number(sums->timeouts), "slow",
                     slow(breaker, sums->slow), "ignored", number(sums->ignored), "cancelled", number(sums->cancelled),
                     "late", number(sums->late), "denied", number(denied_by_breaker(sums->denied)), "denied_by",
                     denials(sums->denied));
}

/* The probes of this half-open state. */
static json_t *probes(const struct report_breaker *breaker)
{
    const struct core_head *const core = breaker->core;
    return json_pack("{s:o, s:o, s:o, s:o}", "ok", number(core->probe_ok), "failures", number(core->probe_failures),
                     "slow", slow(breaker, core->probe_slow), "needed", number(core->probes_needed));
}

/* Returns the time spent in a state, the present stay included. */
static uint64_t state_ms(const struct report_breaker *breaker, enum trip_state state)
{
    const struct core_head *const core = breaker->core;
    const uint64_t lasting_ms = core->state == state ? time_until(breaker->now_ms, core->state_since_ns / 1000000) : 0;
    return core->totals.state_ns[state] / 1000000 + lasting_ms;
}

static json_t *trips(const struct core_head *core)
{
    json_t *map = json_object();
    for (unsigned reason = TRIP_REASON_NONE + 1; reason < TRIP_REASON_COUNT; reason++)
        json_object_set_new(map, reason_names[reason], number(core->totals.trips[reason]));
    return map;
}

/* An error whose record is overwritten has lost its ids. */
static json_t *last_error(const struct report_breaker *breaker)
{
    const struct detail_slot *const detail = breaker->detail;
    const struct error_record *const record = breaker->error;
    if (!detail->error_unix_ms)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "type", report_error_type(detail->error_type), "message",
                     report_text_or_null(detail->error_message, sizeof(detail->error_message)), "at_unix_ms",
                     number(detail->error_unix_ms), "correlation",
                     record ? report_text_or_null(record->correlation, sizeof(record->correlation)) : json_null(),
                     "trace", record ? report_text_or_null(record->trace, sizeof(record->trace)) : json_null(),
                     "session", record ? report_text_or_null(record->session, sizeof(record->session)) : json_null());
}

static json_t *modes(const struct report_breaker *breaker)
{
    json_t *list = json_array();
    for (unsigned owner = 0; owner < MODE_OWNER_COUNT; owner++) {
        const uint64_t word = breaker->policy->modes[owner], until_ms = word >> 4 & POLICY_MS_MASK;
        if (!(word & 8) || (until_ms && breaker->now_ms >= until_ms))
            continue;
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:o, s:o, s:I, s:o}", "owner", owner_names[owner], "mode",
                                        NAME_OF(mode_names, word & 7), "since_unix_ms",
                                        number(breaker->detail->modes[owner].since_unix_ms), "ttl_ms",
                                        until_ms ? number(time_until(until_ms, breaker->now_ms)) : json_null(), "uid",
                                        (json_int_t)breaker->detail->modes[owner].uid, "reason",
                                        report_text_or_null(breaker->detail->modes[owner].reason, DETAIL_TEXT_MAX)));
    }
    return list;
}

/* A quantile in ms. null: there were no calls, or it lies in the last bucket, which has no upper end. */
static json_t *quantile(const uint64_t counts[LATENCY_BUCKETS], uint32_t permille)
{
    const uint32_t bucket = latency_quantile_bucket(counts, permille);
    return bucket < LATENCY_BUCKETS - 1 ? json_real((double)latency_bucket_middle_ns(bucket) / 1e6) : json_null();
}

json_t *report_latency(const uint64_t counts[LATENCY_BUCKETS])
{
    return json_pack("{s:o, s:o, s:o, s:o}", "calls", number(latency_calls(counts)), "p50_ms", quantile(counts, 500),
                     "p95_ms", quantile(counts, 950), "p99_ms", quantile(counts, 990));
}

/* Returns n if clients time one in n calls of this breaker now, and null if they time each. */
static json_t *latency_sampled(const struct report_breaker *breaker)
{
    return policy_times_calls(breaker->policy) ? json_null() : number(SAMPLED_ONE_IN);
}

/* Returns the judge word of the state word's generation, or if the state has no streak the newer one: the next closed
 * word will be judged by it. */
static uint64_t judge_of(const struct policy_slot *policy, uint64_t word)
{
    if (word_counts_streak(word))
        return policy->judge[word_generation(word) & 1];
    const uint32_t ahead = (judge_generation(policy->judge[1]) - judge_generation(policy->judge[0])) & 0xffff;
    return policy->judge[ahead != 0 && ahead < 0x8000];
}

/* The settings by which clients judge now; `config show` has the rest. */
static json_t *settings(const struct report_breaker *breaker)
{
    const struct policy_slot *policy = breaker->policy;
    const uint64_t judge = judge_of(policy, breaker->word);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "match", TEXT(breaker->detail->settings_match),
                     "consecutive_failures", number(judge_threshold(judge)), "slow_after_ms",
                     number(policy->slow_after_ns / 1000000), "minimum_calls", number(breaker->core->minimum_calls),
                     "permits", number(half_open_permits(policy->half_open)), "max_wait_ms",
                     number(half_open_max_wait_ms(policy->half_open)), "next_open_ms", number(policy->next_open_ms));
}

/* NULL, so that the key is left out: there are no processes. */
static json_t *reporters(const struct report_breaker *breaker)
{
    const struct reporters_shown *const shown = breaker->reporters;
    if (!shown)
        return NULL;
    json_t *lanes = json_array();
    for (unsigned i = 0; i < REPORTERS_LISTED && shown->lanes[i].lane; i++)
        json_array_append_new(lanes,
                              json_pack("{s:o, s:o, s:o, s:o}", "lane", number(shown->lanes[i].lane), "calls",
                                        number(shown->lanes[i].calls), "failures", number(shown->lanes[i].failures),
                                        "slow", slow(breaker, shown->lanes[i].slow)));
    return json_pack("{s:o, s:o}", "count", number(shown->count), "lanes", lanes);
}

json_t *report_show(const struct report_breaker *breaker)
{
    const struct core_head *core = breaker->core;
    json_t *show = json_pack("{s:o, s:s}", "t_ms", number(breaker->now_ms), "event", "show");
    json_t *line = report_line(breaker);
    json_t *rest = json_pack(
        "{s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o*}", "totals", totals(breaker),
        "errors", report_errors_by_type(core->totals.errors), "probes", probes(breaker), "in_flight",
        number(core->in_flight), "calls_until_rate", (int)core_calls_until_rate(core), "opens",
        number(core->totals.opens), "open_ms", number(state_ms(breaker, TRIP_STATE_OPEN)), "trips", trips(core),
        "error", last_error(breaker), "modes", modes(breaker), "latency", report_latency(breaker->latency),
        "latency_sampled", latency_sampled(breaker), "settings", settings(breaker), "created_unix_ms",
        number(breaker->detail->created_unix_ms), "limits", report_limits(breaker), "reporters", reporters(breaker));
    const bool whole = json_object_update(show, line) == 0 && json_object_update(show, rest) == 0;
    json_decref(line);
    json_decref(rest);
    if (!whole) {
        json_decref(show);
        return NULL;
    }
    return show;
}

/* ------------------------------------------------------------------------------------------------ all other things */

json_t *report_pattern(const struct pattern_slot *pattern, uint64_t now_ms)
{
    return json_pack("{s:o, s:s, s:o, s:o, s:I, s:o}", "pattern", TEXT(pattern->pattern), "mode",
                     NAME_OF(mode_names, pattern->mode), "since_unix_ms", number(pattern->set_unix_ms), "ttl_ms",
                     pattern->until_ms ? number(time_until(pattern->until_ms, now_ms)) : json_null(), "uid",
                     (json_int_t)pattern->uid, "reason", report_text_or_null(pattern->reason, sizeof(pattern->reason)));
}

static json_t *until(const struct transition *event)
{
    return event->until_unix_ms ? number(event->until_unix_ms) : json_null();
}

static json_t *state_step(const struct transition *event, const struct levels_image *levels)
{
    (void)levels;
    return json_pack("{s:o, s:s, s:s, s:s, s:s, s:o*}", "breaker", TEXT(event->name), "event", "transition", "from",
                     NAME_OF(state_names, event->from), "to", NAME_OF(state_names, event->to), "reason",
                     NAME_OF(reason_names, event->reason), "condition", condition(event->condition));
}

static json_t *mode_step(const struct transition *event, const struct levels_image *levels)
{
    (void)levels;
    return json_pack("{s:o, s:s, s:s, s:s, s:o}", "breaker", TEXT(event->name), "event", "mode", "from",
                     NAME_OF(mode_names, event->from), "to", NAME_OF(mode_names, event->to), "until_unix_ms",
                     until(event));
}

static json_t *incident_step(const struct transition *event, const struct levels_image *levels)
{
    (void)levels;
    return json_pack("{s:o, s:s, s:o, s:s}", "breaker", TEXT(event->name), "event", "incident", "incident",
                     number(event->epoch), "to", NAME_OF(incident_step_names, event->to));
}

static json_t *level_step(const struct transition *event, const struct levels_image *levels)
{
    return json_pack("{s:o, s:s, s:o, s:o, s:i, s:o, s:o}", "group",
                     report_text_or_null(event->name, sizeof(event->name)), "event", "level", "from",
                     report_level_name(levels, event->from), "to", report_level_name(levels, event->to), "number",
                     event->to, "set", report_level_name(levels, event->set), "until_unix_ms", until(event));
}

static json_t *feature_step(const struct transition *event, const struct levels_image *levels)
{
    (void)levels;
    return json_pack("{s:o, s:s, s:o, s:o, s:o}", "feature", TEXT(event->name), "event", "feature", "from",
                     report_permille(event->from_permille), "to", report_permille(event->to_permille), "until_unix_ms",
                     until(event));
}

static json_t *actor_of(const struct transition *event)
{
    return json_pack("{s:s, s:o, s:o, s:o*}", "by", NAME_OF(actor_names, event->by), "uid",
                     event->by == BY_OPERATOR ? number(event->uid) : json_null(), "note",
                     report_text_or_null(event->note, sizeof(event->note)), "steps",
                     event->of == OF_STATE ? number(event->steps ? event->steps : 1) : NULL);
}

bool report_transition_wanted(const struct transition *transition, const char *wanted)
{
    return !wanted || (transition->of != OF_INCIDENT && settings_pattern_matches(wanted, transition->name));
}

json_t *report_transition(const struct transition *transition, const struct levels_image *levels)
{
    static json_t *(*const steps[OF_COUNT])(const struct transition *event,
                                            const struct levels_image *levels) = {[OF_STATE] = state_step,
                                                                                  [OF_MODE] = mode_step,
                                                                                  [OF_INCIDENT] = incident_step,
                                                                                  [OF_LEVEL] = level_step,
                                                                                  [OF_FEATURE] = feature_step};
    json_t *const entry = json_pack("{s:o, s:o, s:o}", "sequence", number(transition->sequence), "t_ms",
                                    number(transition->at_ms), "at_unix_ms", number(transition->at_unix_ms));
    json_t *const step = steps[transition->of < OF_COUNT ? transition->of : OF_STATE](transition, levels);
    json_t *const actor = actor_of(transition);
    const bool whole = json_object_update(entry, step) == 0 && json_object_update(entry, actor) == 0;
    json_decref(step);
    json_decref(actor);
    if (whole)
        return entry;
    json_decref(entry);
    return NULL;
}

json_t *report_client(uint32_t lane, const struct client_slot *client)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "lane", number(lane), "pid", number(client->pid),
                     "uid", number(client->uid), "program", TEXT(client->program), "attached_unix_ms",
                     number(client->attached_unix_ms), "detached", client->detached != 0, "meters",
                     number(client->meters), "lost", number(client->lost));
}

void report_count_client(struct report_instance *instance, const struct client_slot *client)
{
    instance->clients++;
    instance->lost += client->lost;
}

enum report_daemon report_daemon_state(const struct segment_header *header, uint64_t mono_ns, const uint8_t boot_id[16])
{
    if (header->daemon_state == DAEMON_STOPPED)
        return REPORT_STOPPED;
    if (header->daemon_state != DAEMON_RUNNING || memcmp(header->boot_id, boot_id, sizeof(header->boot_id)) != 0 ||
        header->heartbeat_mono_ns > mono_ns)
        return REPORT_GONE;
    return mono_ns - header->heartbeat_mono_ns > HEARTBEAT_STALE_NS ? REPORT_STALLED : REPORT_RUNNING;
}

const char *report_daemon_name(enum report_daemon daemon)
{
    return NAME_OF(daemon_names, daemon);
}

void report_count(struct report_instance *instance, const struct policy_slot *policy, uint64_t word)
{
    uint64_t until_ms;
    instance->states[word_shown_state(word)]++;
    instance->moded += policy_mode_of(policy->modes, instance->now_ms, &until_ms) != TRIP_MODE_AUTO;
}

static json_t *breaker_counts(const struct report_instance *instance)
{
    const struct segment_header *header = instance->header;
    uint64_t all = 0;
    for (unsigned state = 0; state < TRIP_STATE_COUNT; state++)
        all += instance->states[state];
    json_t *counts = json_pack("{s:o, s:o, s:o, s:o}", "count", number(all), "most", number(header->max_breakers),
                               "overflow", number(header->overflow), "not_auto", number(instance->moded));
    for (unsigned state = 0; state < TRIP_STATE_COUNT; state++)
        json_object_set_new(counts, state_names[state], number(instance->states[state]));
    return counts;
}

/* Names the clock by which clients of the real clock time calls. */
static const char *timer(const struct segment_header *header)
{
    const struct tsc_line *const tsc = &header->tsc;
    if (header->clock_kind == CLOCK_KIND_TEST)
        return "test";
    if (tsc->bases[tsc->sequence & 1].ns_q32)
        return "tsc";
    return tsc->sequence ? "tsc_given_up" : "monotonic";
}

uint64_t report_segment_memory(const struct segment_header *header)
{
    uint64_t bytes = LAYOUT_PAGE;
    for (unsigned i = 0; i < SECTION_COUNT; i++) {
        const struct section *const section = &header->sections[i];
        bytes += (uint64_t)section->stride * section_entries(header, i);
    }
    return bytes;
}

json_t *report_status(const struct report_instance *instance)
{
    const struct segment_header *header = instance->header;
    const bool lives = instance->daemon == REPORT_RUNNING || instance->daemon == REPORT_STALLED;
    const bool here = lives || instance->daemon == REPORT_DEAD;
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "daemon",
                     daemon_names[instance->daemon], "heartbeat_age_ms",
                     here ? number(time_until(instance->mono_ns, header->heartbeat_mono_ns) / 1000000) : json_null(),
                     "keeper_pid", lives ? number(header->keeper_pid) : json_null(), "worker_pid",
                     lives ? number(header->worker_pid) : json_null(), "starts", number(header->starts), "clock",
                     header->clock_kind == CLOCK_KIND_TEST ? "test" : "real", "timer", timer(header), "now_ms",
                     number(instance->now_ms), "created_unix_ms", number(header->created_unix_ms), "config_unix_ms",
                     number(header->config_unix_ms), "segment_bytes", number(report_segment_memory(header)), "breakers",
                     breaker_counts(instance), "clients",
                     json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "count", number(instance->clients), "most",
                               number(header->max_lanes), "refused", number(header->refused), "no_lane",
                               number(header->refused_lanes), "no_memory", number(header->refused_memory), "lost",
                               number(instance->lost)),
                     "transitions", number(header->transition_next));
}

/* --------------------------------------------------------------------------------------------------------- a trace */

/* A number. NULL, so that the key is left out: it is 0. */
static json_t *number_or_nothing(uint64_t value)
{
    return value ? number(value) : NULL;
}

/* The error type of a traced outcome. NULL, so that the key is left out, where the outcome implies it: TIMEOUT for a
 * timeout, UNKNOWN for another failure. */
static json_t *error_or_nothing(const struct traced *step)
{
    const trip_error_type plain = step->outcome == TRIP_TIMEOUT ? TRIP_ERROR_TIMEOUT : TRIP_ERROR_UNKNOWN;
    return step->error == plain ? NULL : report_error_type(step->error);
}

static json_t *report_traced(const struct traced *step)
{
    json_t *line = json_pack("{s:o, s:s, s:o}", "t_ms", number(step->at_ms), "op", NAME_OF(op_names, step->op),
                             "breaker", TEXT(step->breaker));
    switch (step->op) {
    case TRACED_RECORD:
        json_object_update_new(line, json_pack("{s:s, s:o*, s:o*, s:o*}", "outcome",
                                               NAME_OF(outcome_names, step->outcome), "error", error_or_nothing(step),
                                               "latency_ms", number_or_nothing(step->latency_ms), "n",
                                               number_or_nothing(step->n > 1 ? step->n : 0)));
        break;
    case TRACED_MODE:
        json_object_update_new(line, json_pack("{s:s, s:o*}", "mode", NAME_OF(mode_names, step->mode), "ttl_ms",
                                               number_or_nothing(step->span_ms)));
        break;
    case TRACED_TRIP:
        json_object_update_new(line, json_pack("{s:o*}", "for_ms", number_or_nothing(step->span_ms)));
        break;
    case TRACED_RESET:
        break;
    case TRACED_ERROR:
        json_object_update_new(line, json_pack("{s:o, s:o*}", "error", report_error_type(step->error), "n",
                                               number_or_nothing(step->n > 1 ? step->n : 0)));
        break;
    }
    return line;
}

json_t *report_trace(const struct tracer_batch *batch)
{
    json_t *steps = json_array();
    for (uint32_t i = 0; i < batch->count; i++)
        json_array_append_new(steps, report_traced(&batch->steps[i]));
    return json_pack("{s:o, s:o*}", "steps", steps, "lost", number_or_nothing(batch->lost));
}

json_t *report_lines(const char *from)
{
    json_t *list = json_array();
    const char *const end = from ? from + strnlen(from, 30000) : from;
    while (from < end) {
        const size_t length = strcspn(from, "\n");
        json_array_append_new(list, report_text(from, length));
        from += length + (from[length] == '\n');
    }
    return list;
}
