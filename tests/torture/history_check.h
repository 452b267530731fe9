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
    uint64_t commons; /* the one that the process used, and tripd too, before and after trip_begin; 0: not certain */
    uint32_t opening; /* of a probe: which opening lent the permit */
    uint16_t life;
    uint8_t breaker;
    uint8_t verdict; /* enum trip_verdict, known once begin_after is set */
    uint8_t outcome; /* enum trip_outcome, known once end_before is set */
    bool question;   /* trip_allow: it takes nothing */
};

/* One process. Its calls stand in the order in which it made them. */
struct history_life {
    uint64_t born, died; /* died 0: it lived at the end */
    uint32_t pid, uid;
    bool reports;  /* it has the role: what it reports is counted */
    bool settled;  /* it was attached to the tripd of then after its last call: what it reported is counted */
    bool recovers; /* rule 7 is asked of it */
};

enum history_verb_kind { VERB_TRIP, VERB_FORCE_OPEN, VERB_DISABLE, VERB_AUTO, VERB_RESET, VERB_KINDS };

struct history_verb {
    enum history_verb_kind kind;
    uint8_t breaker;
    uint64_t for_ns;         /* VERB_TRIP */
    uint64_t sent, answered; /* answered 0: refused, or nobody answered; it may have happened or not */
};

/* tripd, or its worker alone, was away. */
struct history_absence {
    uint64_t from, to;           /* from the last moment at which all was well to the first at which it was again */
    uint64_t dead_from, dead_to; /* no process of tripd lived; 0: one did */
};

/* What the config says of a breaker; 0: it has no such setting, and the rule does not apply. */
struct history_breaker {
    const char *name;
    bool forced_open;              /* by the config */
    uint64_t open_ns;              /* how long an opening by clients lasts at the least */
    unsigned permits;              /* of a half-open breaker */
    uint64_t max_wait_ns;          /* a probe that takes longer has lost its permit */
    unsigned tickets;              /* concurrency.max */
    uint64_t limit, per_ns, burst; /* rate, of window: bucket */
    bool counted;                  /* its totals are compared */
};

struct history {
    const struct history_breaker *breakers;
    const struct history_call *calls;
    const struct history_life *lives;
    const struct history_verb *verbs; /* one after the other */
    const struct history_absence *absences;
    size_t breaker_count, call_count, life_count, verb_count, absence_count;
    bool others_report; /* and write nothing down: rule 5 does not ask that no more is counted than was reported */
    size_t due_count;   /* of the calls: rule 5 asks of these that they are counted, of the others that they may be */
};

/* What tripctl shows of a breaker. */
struct history_totals {
    uint64_t ok, failures, timeouts, ignored, cancelled, late;
};

/* Rules 1 to 4 and 6, each of which says on `report` what broke it: how often it was broken. */
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
/* Rule 6: whoever was denied by an opening shows that nobody is admitted until its time is over. */
size_t history_check_openings(const struct history *history, FILE *report);

/* Rule 5: the totals lie between what was surely reported and what may have been. True: they do. report NULL: in
 * silence, for who waits for it. */
bool history_check_totals(const struct history *history, unsigned breaker, const struct history_totals *totals,
                          FILE *report);
/* Rule 7: each living process of which it is asked was admitted by the breaker after `since`. Likewise. */
bool history_check_recovery(const struct history *history, unsigned breaker, uint64_t since, FILE *report);

/* What the history exercised. */
struct history_seen {
    size_t calls, questions, denials, probes;
    size_t denied_by_verbs;   /* began after the answer of trip or force-open, before the recovery, and were denied */
    size_t denied_while_dead; /* by openings that clients made while no tripd lived */
    size_t openings_across;   /* of these: absences after whose end somebody was still denied by such an opening */
    size_t probes_across;     /* ran while tripd went away or came back */
    size_t calls_across;      /* likewise, calls of a bulkhead */
    size_t rejected, rated;   /* by the bulkhead, by the rate */
};

struct history_seen history_look(const struct history *history);

#endif
