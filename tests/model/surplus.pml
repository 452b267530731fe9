/* Tickets that no call accounts for (daemon/breakers/limits.c: breakers_limits_reclaim): tripd counts a lane's calls that
 * had ended, then its tickets, then looks for meters that it did not know, and counts the calls that have begun. However
 * threads and looks interleave, and wherever a thread is stopped, it never finds more tickets than calls, unless somebody
 * else wrote one.
 *
 * Two threads of one lane, each with a meter of its own that it takes at its first call; two tickets, one of which
 * somebody else may hold. A thread may have to give its ticket back, and takes another one.
 *
 *   -DCOUNT_AFTER_TAKE  a call is counted as begun once it has its ticket
 *   -DEND_BEFORE_GIVE   a call is counted as ended before its ticket is given back
 *   -DBEGUN_FIRST       tripd counts what has begun before it looks at the tickets
 *   -DENDED_LAST        tripd counts what has ended after it looked at the tickets
 *   -DFIND_FIRST        tripd looks for meters before it looks at the tickets
 *   -DONE_FOR_ALL       a call that takes a ticket once more is counted once
 */
#define THREADS 2
#define CALLS 2
#define LOOKS 2
#define TICKETS 2
#define STRANGER 2

byte ticket[TICKETS]; /* 0: free; 1: the lane's; 2: a stranger's */
byte started[THREADS], finished[THREADS];
bool taken[THREADS]; /* the thread's meter */

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

inline begin() {
    taken[id] = true;
    started[id]++
}

inline end() { finished[id]++ }

proctype thread(byte id) {
    byte calls = 0, place;
    bool won;
    do
    :: calls < CALLS ->
        calls++;
#ifndef COUNT_AFTER_TAKE
        begin();
#endif
        take();
#ifdef COUNT_AFTER_TAKE
        begin();
#endif
#ifdef END_BEFORE_GIVE
        end();
#endif
        if
        :: won -> ticket[place] = 0
        :: else
        fi;
        if
        :: won -> /* the limit fell meanwhile: once more */
#ifndef ONE_FOR_ALL
            end();
            begin();
#endif
            take();
            if
            :: won -> ticket[place] = 0
            :: else
            fi
        :: true
        fi;
#ifndef END_BEFORE_GIVE
        end()
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

inline find_meters() { known[0] = taken[0]; known[1] = taken[1] }
inline count_ended() {
    if :: known[0] -> calls = calls - finished[0] :: else fi;
    if :: known[1] -> calls = calls - finished[1] :: else fi
}
inline count_begun() {
    if :: known[0] -> calls = calls + started[0] :: else fi;
    if :: known[1] -> calls = calls + started[1] :: else fi
}
inline count_tickets() {
    if :: ticket[0] == 1 -> held++ :: else fi;
    if :: ticket[1] == 1 -> held++ :: else fi
}

proctype tripd() {
    byte looks = 0;
    short calls, held;
    bool known[THREADS];
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
#ifdef FIND_FIRST
        find_meters();
#endif
        count_tickets();
#ifndef FIND_FIRST
        find_meters();
#endif
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
