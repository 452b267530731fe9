/* tripctl's verbs and options: one declaration for dispatch, help, bash completion, and the test of the man page. */
#ifndef TRIP_TOOLS_VERBS_H
#define TRIP_TOOLS_VERBS_H

#include <stdbool.h>
#include <stdint.h>

#include "trip.h"

/* X(ENUM_SUFFIX, "long name", letter or 0, "ARGUMENT" or "", "help"). Every verb takes the first four. */
#define TRIPCTL_OPTIONS(X)                                                                                    \
    X(INSTANCE, "instance", 'i', "NAME", "the instance to talk to; else $TRIP_INSTANCE, else \"default\"")    \
    X(USER, "user", 0, "", "the instance of this user's own tripd: paths in the XDG directories")             \
    X(JSON, "json", 0, "", "print JSON: durations end in _ms, wall times in _unix_ms, rates are percent")     \
    X(HELP, "help", 'h', "", "print help, after a verb its own, and exit")                                    \
    X(SEGMENT, "segment", 0, "FILE", "read this copy of a state segment; no tripd is asked")                  \
    X(FOLLOW, "follow", 'f', "", "go on with new transitions as they come")                                   \
    X(FOR, "for", 0, "DURATION",                                                                              \
      "trip: how long it stays open, as 250ms, 30s, 5m, else its next open time; trace, record: when to end") \
    X(TTL, "ttl", 0, "DURATION", "when what was set ends by itself, as 30s, 5m, 2h; else never")              \
    X(REASON, "reason", 0, "TEXT", "why, for those who look later")                                           \
    X(CONFIG, "config", 'c', "FILE", "try these settings; else the defaults")                                 \
    X(SEED, "seed", 0, "NUMBER", "of the jitter and the ramp; the same number gives the same run, else 1")    \
    X(VERDICTS, "verdicts", 0, "", "print each admission too")                                                \
    X(STATE, "state", 0, "STATE", "the state to wait for: closed, open, half_open or ramping")                \
    X(ORIGIN, "origin", 0, "", "say which file gave what, and in which line")                                 \
    X(TIMEOUT, "timeout", 0, "DURATION", "when to give up, as 500ms, 30s, 5m; else after 30s")                \
    X(TYPE, "type", 0, "TYPE", "of this type alone: network, timeout, service_unavailable, ...")              \
    X(TRACE, "trace", 0, "ID", "with this trace id alone")                                                    \
    X(CORRELATION, "correlation", 0, "ID", "with this correlation id alone")                                  \
    X(SESSION, "session", 0, "ID", "with this session id alone")                                              \
    X(EVERY, "every", 0, "DURATION", "from one look to the next, at least 100ms; else 1s")                    \
    X(MOST, "most", 0, "SIZE", "end before the file is larger, as 512KiB, 1GiB; else 64MiB")

#define TRIPCTL_OPTION_INDEX(suffix, name, letter, argument, help) OPTION_INDEX_##suffix,
enum { TRIPCTL_OPTIONS(TRIPCTL_OPTION_INDEX) OPTION_COUNT };
#define TRIPCTL_OPTION_BIT(suffix, name, letter, argument, help) OPTION_##suffix = 1 << OPTION_INDEX_##suffix,
enum { OPTION_NONE = 0, TRIPCTL_OPTIONS(TRIPCTL_OPTION_BIT) };

/* X(function and RPC method, "words", "OPERANDS", options of its own, "help") */
#define TRIPCTL_VERBS(X)                                                                                             \
    X(list, "list", "[NAME|PATTERN]", OPTION_SEGMENT, "all breakers, those in trouble first")                        \
    X(show, "show", "NAME", OPTION_SEGMENT, "everything about one breaker")                                          \
    X(why, "why", "[NAME]", OPTION_SEGMENT, "in a few lines: what is open, why, what it costs, and what comes next") \
    X(events, "events", "[NAME|PATTERN]", OPTION_SEGMENT | OPTION_FOLLOW,                                            \
      "changes of state, the last 4,096 at most, oldest first")                                                      \
    X(clients, "clients", "", OPTION_SEGMENT, "processes that are attached")                                         \
    X(errors, "errors", "[NAME|PATTERN]",                                                                            \
      OPTION_SEGMENT | OPTION_TYPE | OPTION_TRACE | OPTION_CORRELATION | OPTION_SESSION,                             \
      "what went wrong: the last errors, oldest first")                                                              \
    X(analyze, "analyze", "[NAME|GROUP]", OPTION_SEGMENT, "what the errors of the last minute have in common")       \
    X(metrics, "metrics", "[NAME|PATTERN|GROUP]", OPTION_SEGMENT,                                                    \
      "what was counted: of tripd and all breakers, or of those named")                                              \
    X(fingerprints, "fingerprints", "[NAME|PATTERN]", OPTION_SEGMENT,                                                \
      "what errors say, by the template of their messages, the most frequent first")                                 \
    X(incidents, "incidents", "", OPTION_SEGMENT, "what failed together, the latest first")                          \
    X(incidents_show, "incidents show", "ID", OPTION_SEGMENT, "one incident: its breakers, its cause, its timeline") \
    X(deploy_mark, "deploy mark", "[LABEL]", OPTION_NONE,                                                            \
      "say that something was deployed: errors that come first after it are new")                                    \
    X(status, "status", "", OPTION_SEGMENT, "tripd itself: does it run, since when, how full")                       \
    X(wait, "wait", "NAME", OPTION_STATE | OPTION_TIMEOUT, "until the breaker is in a state; 1: it was not in time") \
    X(trip, "trip", "NAME|PATTERN", OPTION_FOR | OPTION_REASON, "open now; recovers by itself through half-open")    \
    X(force_open, "force-open", "NAME|PATTERN", OPTION_TTL | OPTION_REASON,                                          \
      "deny every call, until `auto` or the TTL's end")                                                              \
    X(disable, "disable", "NAME|PATTERN", OPTION_TTL | OPTION_REASON,                                                \
      "admit every call and keep the state, until `auto` or the TTL's end")                                          \
    X(shadow, "shadow", "NAME|PATTERN", OPTION_TTL | OPTION_REASON,                                                  \
      "let the state move and show, but deny nothing, until `auto` or the TTL's end")                                \
    X(auto, "auto", "NAME|PATTERN", OPTION_REASON, "end what force-open, disable or shadow set")                     \
    X(reset, "reset", "NAME|PATTERN", OPTION_REASON, "close now, with empty windows")                                \
    X(config_check, "config check", "FILE", OPTION_NONE, "say what is wrong with a config file; needs no tripd")     \
    X(config_reload, "config reload", "", OPTION_NONE, "read the config file again; states and windows stay")        \
    X(config_show, "config show", "", OPTION_ORIGIN, "the config in force, with all defaults filled in")             \
    X(simulate, "simulate", "TRACE", OPTION_CONFIG | OPTION_SEED | OPTION_VERDICTS,                                  \
      "replay recorded outcomes through a config, in virtual time; `-` reads standard input")                        \
    X(trace, "trace", "FILE [NAME|PATTERN]", OPTION_FOR,                                                             \
      "write down outcomes as tripd counts them, for simulate, until interrupted; `-` is standard output")           \
    X(record, "record", "FILE", OPTION_FOR | OPTION_EVERY | OPTION_MOST,                                             \
      "look once a second at all there is, for `triptop --replay`, until interrupted")                               \
    X(cache, "cache", "", OPTION_NONE, "cached answers: the store that keeps them is away")                          \
    X(queue, "queue", "", OPTION_NONE, "calls that wait for later: the store that keeps them is away")               \
    X(level_list, "level", "", OPTION_SEGMENT, "degradation levels: the host's, and those of groups")                \
    X(level_list, "level list", "", OPTION_SEGMENT, "the same")                                                      \
    X(level_show, "level show", "[GROUP]", OPTION_SEGMENT,                                                           \
      "one level, the host's or a group's, and what it switches off")                                                \
    X(level_set, "level set", "[GROUP] LEVEL", OPTION_TTL | OPTION_REASON,                                           \
      "switch off what can be done without: up at once, back one step at a time")                                    \
    X(level_auto, "level auto", "[GROUP]", OPTION_REASON, "end what `level set` set: back one step at a time")       \
    X(feature_list, "feature list", "[FEATURE|PATTERN]", OPTION_SEGMENT, "features: which are on, and why not")      \
    X(feature_show, "feature show", "FEATURE", OPTION_SEGMENT, "everything about one feature")                       \
    X(feature_set, "feature set", "FEATURE on|off|PERCENT", OPTION_TTL | OPTION_REASON,                              \
      "switch a feature by hand, whatever the level, until `auto` or the TTL's end")                                 \
    X(feature_auto, "feature auto", "FEATURE", OPTION_REASON, "end what `feature set` set")                          \
    X(clock_show, "clock show", "", OPTION_NONE, "the instance's time")                                              \
    X(clock_advance, "clock advance", "DURATION", OPTION_NONE, "move the clock of `tripd --test-clock` on")

enum { EXIT_DONE, EXIT_REFUSED, EXIT_USAGE, EXIT_NO_DAEMON };

struct verb;

struct arguments {
    const struct verb *verb;
    const char *operand;  /* NULL: none */
    const char *second;   /* NULL: there is no second operand */
    const char *instance; /* a valid name */
    unsigned given;       /* OPTION_... */
    const char *segment, *reason, *config;
    const char *type, *trace, *correlation, *session;
    uint64_t seed;
    trip_state state;
    uint64_t for_ms, ttl_ms, timeout_ms, every_ms, duration_ms; /* duration_ms: the operand */
    uint64_t most;                                              /* bytes */
};

/* Exit status. */
typedef int verb_fn(const struct arguments *arguments);

struct verb {
    const char *method; /* method of the control socket */
    const char *words;
    const char *operands;
    unsigned options;
    const char *help;
    verb_fn *run;
};

#define TRIPCTL_VERB_DECLARE(function, words, operands, options, help) verb_fn verb_##function;
TRIPCTL_VERBS(TRIPCTL_VERB_DECLARE)

#endif
