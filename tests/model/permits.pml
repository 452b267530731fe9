/* Permits (include/internal/permit_word.h): leases, death and reclaim. Never more probes run than are permitted; none is
 * lost for ever; an answer counts for the permit that was taken, not for a later owner's.
 *
 * Three clients: two are threads of one process (lane 0), one is a process that may die (lane 1). Time: a lease is over
 * when tripd says so, at any moment after it was taken.
 *
 *   -DBLIND_ANSWER  the outcome is stored, not swapped in
 *   -DNO_SERIAL     arming does not move the serial
 *   -DARM_OWNED     tripd arms a word whose owner lives and whose lease runs
 *   -DNO_RECLAIM    a dead owner's permit is not taken back
 */
#define PERMITS 2
#define CLIENTS 3
#define TURNS 2
#define ARMS 5

#define FREE 0
#define ARMED 1
#define OWNED 2
#define ANSWERED 3

typedef permit { byte state; byte serial; byte lane; byte by };
permit word[PERMITS];
byte held[CLIENTS]; /* place + 1 of the permit whose lease runs; `running` of them: must stay within PERMITS */
byte running = 0;
byte finished = 0;
bool dead = false; /* lane 1 */

inline take() {
    atomic { /* CAS ARMED(serial) -> OWNED(serial, lane) */
        if
        :: word[p].state == ARMED && word[p].serial == serial ->
            word[p].state = OWNED; word[p].lane = lane; word[p].by = id;
            won = true; held[id] = p + 1; running++;
            assert(running <= PERMITS)
        :: else
        fi
    }
}

inline let_go() { if :: held[id] -> held[id] = 0; running-- :: else fi }

inline answer() {
    atomic { /* CAS OWNED(serial, lane) -> ANSWERED(serial, lane) */
        if
#ifdef BLIND_ANSWER
        :: true ->
#else
        :: word[p].state == OWNED && word[p].serial == serial && word[p].lane == lane ->
#endif
            assert(held[id] == p + 1); /* its lease runs: the answer is for what it took */
            word[p].state = ANSWERED
#ifndef BLIND_ANSWER
        :: else
#endif
        fi;
        let_go()
    }
}

proctype client(byte id; byte lane) {
    byte n = 0, p, serial;
    bool won;
    do
    :: n < TURNS ->
        n++; p = 0; won = false;
        do
        :: p < PERMITS && !won ->
            atomic { serial = word[p].serial; won = word[p].state == ARMED };
            if :: won -> won = false; take() :: else fi;
            if :: !won -> p++ :: else fi
        :: else -> break
        od;
        if
        :: won && lane == 1 -> atomic { dead = true; let_go() }; break
        :: won -> answer()
        :: else
        fi
    :: else -> break
    od;
    finished++
}

/* What tripd may do with one word: counted or reclaimed, it is armed again while ARMS last, then free. */
inline look() {
    atomic {
        can = false;
        if
        :: word[p].state == ANSWERED || word[p].state == FREE -> can = true
#ifndef NO_RECLAIM
        :: word[p].state == OWNED && word[p].lane == 1 && dead -> can = true
#endif
        :: word[p].state == OWNED && !(word[p].lane == 1 && dead) ->
            if
            :: held[word[p].by] == p + 1 -> held[word[p].by] = 0; running--; can = true /* its lease is over */
#ifdef ARM_OWNED
            :: can = true
#endif
            :: true
            fi
        :: else
        fi;
        if
        :: can && arms < ARMS ->
            arms++; word[p].state = ARMED; word[p].lane = 0; word[p].by = 0;
#ifndef NO_SERIAL
            word[p].serial++
#endif
        :: can && arms >= ARMS -> word[p].state = FREE; word[p].lane = 0; word[p].by = 0
        :: else
        fi
    }
}

active proctype tripd() {
    byte p, arms = 0;
    bool can, last = false;
    do
    :: last = (finished == CLIENTS);
       p = 0;
       do
       :: p < PERMITS -> look(); p++
       :: else -> break
       od;
       if :: last -> break :: else fi
    od;
    assert(running == 0);
    assert(word[0].state != OWNED && word[1].state != OWNED)
}

init { atomic { run client(0, 0); run client(1, 0); run client(2, 1) } }
