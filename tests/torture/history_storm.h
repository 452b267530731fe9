/* One storm: what it has done, and the tripd in it. */
#ifndef TRIP_TESTS_HISTORY_STORM_H
#define TRIP_TESTS_HISTORY_STORM_H

#include "history_clients.h"
#include "instance.h"
#include "storm.h"

#define MS           UINT64_C(1000000)
#define PATIENCE_MS  60000 /* for steps that take a second at most */
#define ABSENCES_MAX 4096
#define VERBS_MAX    16384
#define HOSTILE_MAX  2

enum part {
    RESTART = 1,
    AWAY = 2,
    ROLES = 4,
    HIDING = 8,
    YOUTH = 16,
    MIXED = 32,
    HOSTILE = 64,
    ALL = RESTART | AWAY | ROLES | HIDING | YOUTH | MIXED
};

enum absence_kind { WORKER_KILLED, KEEPER_KILLED, BOTH_KILLED, STOPPED, UPGRADED, ABSENCE_KINDS };

struct storm {
    struct instance instance;
    enum part parts;
    uint64_t random;
    /* Rules that were broken there, of which more reports would tell nothing new. */
    bool failed, gave_up_on[BREAKERS];
    unsigned clients;
    pid_t hostile[HOSTILE_MAX]; /* 0: none is running */
    /* All clients are attached, so that a killed client's lane is read; a client was killed since. */
    bool may_kill, killed;
    unsigned mode; /* mode of OPS: the last of force-open, disable and auto that was sent */
    unsigned absences_of[ABSENCE_KINDS], reloads, hidings, kills, takers, upgrades, replaced, deaths, hostile_deaths;
    struct history_absence absences[ABSENCES_MAX];
    struct history_verb verbs[VERBS_MAX];
    size_t absence_count, verb_count;
};
extern struct storm storm;

/* -------------------------------------------------------------------------------------------------- history_tripd.c */

void check(bool holds, const char *what);
bool does(enum part part);
unsigned dice(unsigned sides);
struct history history_now(void);
/* Polls. False: it did not hold within this time. */
bool wait_until(bool (*holds)(void), unsigned patience_ms);

/* Returns what `tripctl VERB NAME OPTIONS` prints, as a new reference; BREAKERS: without a name. NULL: it failed. */
json_t *tripctl(const char *verb, unsigned breaker, const char *options);
/* Sends a verb, and writes it down. True: it was answered. */
bool operate(unsigned breaker, enum history_verb_kind kind, unsigned for_ms);
/* Sends some verb for OPS. A mode is taken away before the next verb, so that it is certain which one holds. */
void operate_somehow(void);
/* Waits until the totals hold everything that was reported until now; later reports may be in them. */
void wait_for_totals(unsigned breaker);

void tripd_start(void);
/* Makes tripd go away in this way and come back; meanwhile clients may open OPENS. */
void tripd_away(enum absence_kind kind, bool clients_open);
void tripd_reload(void);

/* -------------------------------------------------------------------------------------------------------- history.c */

/* Waits until all clients are attached to the present tripd, except those that never look for it or may not attach. */
void settle_all(void);

#endif
