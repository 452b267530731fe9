/* What clients and operators of one tripd wrote down while it was killed, stopped, upgraded and reloaded under them,
 * and the rules that must hold over all of it. Pure: a history in, sentences about what broke a rule out.
 *
 * Each happening has the time before and the time after it, for the moment at which it took effect is not known. A rule
 * counts only what is certain: a call was admitted after a verb only if it began after the answer to the verb, and two
 * calls ran at once only if each had begun before the other was about to end. So no verdict hangs on the speed of the
 * machine, and a process that was killed within a call is no special case: its later times are 0, not reached. */
#ifndef TRIP_TESTS_HISTORY_CHECK_H
#define TRIP_TESTS_HISTORY_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "trip.h"

/* All times are nanoseconds of CLOCK_MONOTONIC; 0: it was not reached. */
struct history_call {
    uint64_t begin_before, begin_after; /* trip_begin, or trip_allow */
    uint64_t end_before, end_after;     /* trip_end */
    /* The commons that both the process and tripd used before and after trip_begin; 0: not certain. */
    uint64_t commons;
    uint32_t opening; /* for a probe: the opening that lent the permit */
    uint16_t life;
    uint8_t breaker;
    uint8_t verdict; /* enum trip_verdict, known once begin_after is set */
    uint8_t outcome; /* enum trip_outcome, known once end_before is set */
    bool question;   /* trip_allow, which takes nothing */
};

/* One process, with its calls in the order in which it made them. */
struct history_life {
    uint64_t born, died; /* died 0: it was alive at the end */
    uint32_t pid, uid;
    bool reports;  /* it has the role report: its reports are counted */
    bool settled;  /* it was attached to the tripd of that time after its last call: its reports are counted */
    bool recovers; /* rule 7 applies to it */
};

enum history_verb_kind { VERB_TRIP, VERB_FORCE_OPEN, VERB_DISABLE, VERB_AUTO, VERB_RESET, VERB_KINDS };

struct history_verb {
    enum history_verb_kind kind;
    uint8_t breaker;
    uint64_t for_ns;         /* VERB_TRIP */
    uint64_t sent, answered; /* answered 0: it was refused, or nobody answered, so it may have happened or not */
};

/* A time during which tripd, or only its worker, was away. */
struct history_absence {
    /* The absence lasts from the last moment at which tripd was seen well to the first one at which it was well again.
     */
    uint64_t from, to;
    uint64_t dead_from, dead_to; /* no process of tripd was alive; 0: one was */
};

/* A breaker's settings in the config; 0: it has no such setting, and the rule does not apply. */
struct history_breaker {
    const char *name;
    bool forced_open;              /* by the config */
    uint64_t open_ns;              /* the least time that an opening by clients lasts */
    unsigned permits;              /* of a half-open breaker */
    uint64_t max_wait_ns;          /* a probe that takes longer has lost its permit */
    unsigned tickets;              /* concurrency.max */
    uint64_t limit, per_ns, burst; /* rate, of window: bucket */
    bool counted;                  /* its totals are checked */
};

struct history {
    const struct history_breaker *breakers;
    const struct history_call *calls;
    const struct history_life *lives;
    const struct history_verb *verbs; /* one after the other */
    const struct history_absence *absences;
    size_t breaker_count, call_count, life_count, verb_count, absence_count;
    /* Processes report without writing it down: rule 5 does not check for counts that are too high. */
    bool others_report;
    size_t due_count; /* of these calls rule 5 demands that they are counted; the others may be */
};

/* What tripctl shows of a breaker. */
struct history_totals {
    uint64_t ok, failures, timeouts, ignored, cancelled, late;
};

/* Checks rules 1 to 4 and 6, and tells on `report` how each was broken. Returns how often. */
size_t history_check(const struct history *history, FILE *report);
/* Rule 1: no call was admitted between the answer to trip or force-open and the earliest moment at which the breaker
 * could recover, and none at all where the config forces it open. */
size_t history_check_verbs(const struct history *history, FILE *report);
/* Rule 2: no more probes of one opening ran at once than there are permits. */
size_t history_check_probes(const struct history *history, FILE *report);
/* Rule 3: no more calls ran at once than the bulkhead has tickets. */
size_t history_check_tickets(const struct history *history, FILE *report);
/* Rule 4: no more calls were admitted in any time than the rate allows. */
size_t history_check_rates(const struct history *history, FILE *report);
/* Rule 6: a denial by an opening shows that nobody is admitted until its time is over. */
size_t history_check_openings(const struct history *history, FILE *report);

/* Rule 5: the totals lie between what was certainly reported and what may have been. True: they do. report NULL: print
 * nothing, for a caller that polls. */
bool history_check_totals(const struct history *history, unsigned breaker, const struct history_totals *totals,
                          FILE *report);
/* Rule 7: each living process to which it applies was admitted by the breaker after `since`. report as above. */
bool history_check_recovery(const struct history *history, unsigned breaker, uint64_t since, FILE *report);

/* What the history exercised. */
struct history_seen {
    size_t calls, questions, denials, probes;
    size_t denied_by_verbs;   /* began after the answer of trip or force-open, before the recovery, and were denied */
    size_t denied_while_dead; /* denied by openings that clients made while no tripd was alive */
    size_t openings_across;   /* among them, absences after which such an opening still denied somebody */
    size_t probes_across;     /* probes that ran while tripd went away or came back */
    size_t calls_across;      /* calls of a bulkhead likewise */
    size_t rejected, rated;   /* rejected by the bulkhead, by the rate */
};

struct history_seen history_look(const struct history *history);

#endif
