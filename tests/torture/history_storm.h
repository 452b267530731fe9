/* One storm: what it has done, and the tripd in it. */
#ifndef TRIP_TESTS_HISTORY_STORM_H
#define TRIP_TESTS_HISTORY_STORM_H

#include "history_clients.h"
#include "instance.h"
#include "storm.h"

#define MS           UINT64_C(1000000)
#define PATIENCE_MS  60000 /* for what a second is enough for */
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
    bool failed, gave_up_on[BREAKERS]; /* of what was found wrong there, more would tell nothing */
    unsigned clients;
    pid_t hostile[HOSTILE_MAX]; /* 0: none runs */
    bool may_kill, killed;      /* all clients are attached, so a lane of a killed one is read; one was killed since */
    unsigned mode;              /* of OPS: the last of force-open, disable and auto that was sent */
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
/* Polls; false: not within this time. */
bool wait_until(bool (*holds)(void), unsigned patience_ms);

/* What `tripctl VERB NAME OPTIONS` says, without a name for BREAKERS; NULL: it failed. A new reference. */
json_t *tripctl(const char *verb, unsigned breaker, const char *options);
/* Sends a verb, and writes it down. True: it was answered. */
bool operate(unsigned breaker, enum history_verb_kind kind, unsigned for_ms);
/* Some verb about OPS. A mode is taken away before another verb, so that there is no doubt of what holds. */
void operate_somehow(void);
/* What was reported until now must be counted soon; what is reported meanwhile may be. */
void wait_for_totals(unsigned breaker);

void tripd_start(void);
/* tripd goes away in this way and comes back; meanwhile clients may open OPENS. */
void tripd_away(enum absence_kind kind, bool clients_open);
void tripd_reload(void);

/* -------------------------------------------------------------------------------------------------------- history.c */

/* All clients are attached to the tripd of now, but those that never look for it or may not. */
void settle_all(void);

#endif
