/* Tickets that no call accounts for (daemon/breakers/limits.c: reclaim_surplus): tripd counts a lane's calls that had
 * ended, then its tickets, then its calls that have begun. However threads and looks interleave, and wherever a thread
 * is stopped, it never finds more tickets than calls, unless somebody else wrote one.
 *
 * Two threads of one lane, each with a meter of its own; two tickets, one of which somebody else may hold.
 *
 *   -DCOUNT_AFTER_TAKE  a call is counted as begun once it has its ticket
 *   -DEND_BEFORE_GIVE   a call is counted as ended before its ticket is given back
 *   -DBEGUN_FIRST       tripd counts what has begun before it looks at the tickets
 *   -DENDED_LAST        tripd counts what has ended after it looked at the tickets
 */
#define THREADS 2
#define CALLS 2
#define LOOKS 2
#define TICKETS 2
#define STRANGER 2

byte ticket[TICKETS]; /* 0: free; 1: the lane's; 2: a stranger's */
byte started[THREADS], finished[THREADS];

inline take() {
    atomic {
        won = true;
        if
        :: ticket[0] == 0 -> ticket[0] = 1; place = 0
        :: ticket[0] != 0 && ticket[1] == 0 -> ticket[1] = 1; place = 1
        :: else -> won = false
        fi
    }
}

proctype thread(byte id) {
    byte calls = 0, place;
    bool won;
    do
    :: calls < CALLS ->
        calls++;
#ifndef COUNT_AFTER_TAKE
        started[id]++;
#endif
        take();
#ifdef COUNT_AFTER_TAKE
        started[id]++;
#endif
#ifdef END_BEFORE_GIVE
        finished[id]++;
#endif
        if
        :: won -> ticket[place] = 0
        :: else
        fi;
#ifndef END_BEFORE_GIVE
        finished[id]++
#endif
    :: else -> break
    od
}

proctype stranger() {
    do
    :: atomic { ticket[0] == 0 -> ticket[0] = STRANGER }; ticket[0] = 0
    :: break
    od
}

inline count_ended() { calls = calls - finished[0]; calls = calls - finished[1] }
inline count_begun() { calls = calls + started[0]; calls = calls + started[1] }
inline count_tickets() {
    if :: ticket[0] == 1 -> held++ :: else fi;
    if :: ticket[1] == 1 -> held++ :: else fi
}

proctype tripd() {
    byte looks = 0;
    short calls, held;
    do
    :: looks < LOOKS ->
        looks++;
        calls = 0;
        held = 0;
#ifndef ENDED_LAST
        count_ended();
#endif
#ifdef BEGUN_FIRST
        count_begun();
#endif
        count_tickets();
#ifndef BEGUN_FIRST
        count_begun();
#endif
#ifdef ENDED_LAST
        count_ended();
#endif
        assert(held <= calls)
    :: else -> break
    od
}

init {
    atomic { run thread(0); run thread(1); run stranger(); run tripd() }
}
