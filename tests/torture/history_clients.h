/* The processes of the storm that call through tripd, and the memory in which they write it down. */
#ifndef TRIP_TESTS_HISTORY_CLIENTS_H
#define TRIP_TESTS_HISTORY_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "history_check.h"

#define CALLS_MAX   (1u << 21)
#define LIVES_MAX   60000 /* they have 16 bits */
#define CLIENTS_MAX 12
#define NOBODY_UID  65534
#define HOSTILE_UID 65533
#define UNSETTLED   UINT32_MAX

/* HELD is forced open by the config, OPS and QUIET are the operators', OPENS and ROLE are opened by clients, ROLE by
 * those alone who lack the role report; YOUNG is called by children that end after one call, TAKEN by children that are
 * killed. */
enum { HELD, OPS, QUIET, OPENS, ROLE, BULK, RATE, COUNT, YOUNG, TAKEN, BREAKERS };
extern const struct history_breaker history_breakers[BREAKERS];

enum client_kind {
    CALLER,   /* calls everything, quickly */
    SLOW,     /* the same, a call every 20 ms */
    ASKER,    /* only asks, with trip_allow */
    ROLELESS, /* forked by a master that opened as root, then nobody */
    FORKER,   /* forks children that call */
    PRESSER   /* asks for ever more names */
};

struct storm_client {
    enum client_kind kind;
    pid_t pid; /* the test's child; 0: there is none */
    unsigned life;
    unsigned settled; /* the last round in which it was attached */
    unsigned retires; /* it has to end by itself */
};

/* What clients have to do, and what they did. */
struct arena {
    uint32_t call_count, life_count;
    unsigned stop, calm, idle;
    unsigned fails[BREAKERS];        /* calls of this breaker fail */
    unsigned opened[BREAKERS];       /* denials by an opening since `fails` was set */
    unsigned probes;                 /* probes that began */
    unsigned settle_round, bursts;   /* rounds in which clients had to be attached, and to call at once */
    unsigned quiet_children, paused; /* FORKER must fork no child; FORKER has stopped forking */
    unsigned taker_wanted, taker_called, taker_go, taker_holds; /* the child that takes all tickets */
    pid_t taker;
    uint64_t children, kept_children, pressed;
    uint64_t hostile_sessions, hostile_lanes, hostile_steps;
    struct storm_client clients[CLIENTS_MAX];
    struct history_life lives[LIVES_MAX];
    struct history_call calls[CALLS_MAX];
};
extern struct arena *arena;

uint64_t history_now_ns(void);
/* Forks it; it waits until it is attached, then writes down what it does. */
void client_start(unsigned slot, enum client_kind kind, uint64_t random);

/* history_hostile.c: forks a reporter that attacks tripd, and the others, through the files in this folder. */
pid_t hostile_start(const char *folder, uint64_t random);

#endif
