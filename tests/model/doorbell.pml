/* The doorbell (include/internal/doorbell.h) and the dirty bit: no event is left behind while tripd sleeps.
 *
 * Stores go through a store buffer of one place, as on x86 and weaker machines: a plain store becomes visible some time
 * later; a fence and a locked instruction wait for it.
 *
 *   -DNO_FENCE_RINGER   the ringer does not fence between its event and its look at dirty bit and bell
 *   -DNO_FENCE_SLEEPER  tripd does not fence between ASLEEP and its last look
 *   -DCLEAR_LATE        tripd drains the lane, then clears the dirty bit
 *   -DNO_LAST_LOOK      tripd sleeps without looking again
 */
#define RINGERS 2
#define EVENTS 2 /* each ringer's */

bool asleep = false;      /* the futex word */
bool waiting = false;     /* tripd waits in the futex */
bool dirty[RINGERS];
byte event[RINGERS];      /* visible events of a lane */
byte drained[RINGERS];
byte buffered[RINGERS];   /* the ringer's store buffer: events it published that nobody sees yet */
bool sleep_buffered;      /* tripd's: ASLEEP, not visible yet */
byte done = 0;

inline fence(id) { (buffered[id] == 0) }

proctype buffer(byte id) {
end: do
     :: atomic { buffered[id] > 0 -> event[id] = event[id] + buffered[id]; buffered[id] = 0 }
     od
}

proctype sleep_buffer() {
end: do
     :: atomic { sleep_buffered -> asleep = true; sleep_buffered = false }
     od
}

proctype ringer(byte id) {
    byte n = 0;
    bool seen;
    do
    :: n < EVENTS ->
        n++;
        buffered[id]++;
#ifndef NO_FENCE_RINGER
        fence(id);
#endif
        seen = dirty[id];
        if
        :: !seen -> atomic { fence(id); dirty[id] = true } /* fetch_or: locked */
        :: else
        fi;
        seen = asleep;
        if
        :: seen ->
            atomic { /* CAS ASLEEP -> AWAKE: locked */
                fence(id);
                if
                :: asleep -> asleep = false; seen = true
                :: else -> seen = false
                fi
            };
            if
            :: seen -> waiting = false /* FUTEX_WAKE */
            :: else
            fi
        :: else
        fi
    :: else -> break
    od;
    done++
}

inline drain() {
    i = 0;
    do
    :: i < RINGERS ->
#ifdef CLEAR_LATE
        found = dirty[i];
        if :: found -> drained[i] = event[i]; dirty[i] = false; :: else fi;
#else
        atomic { found = dirty[i]; dirty[i] = false }; /* exchange: locked */
        if :: found -> drained[i] = event[i] :: else fi;
#endif
        i++
    :: else -> break
    od
}

active proctype tripd() {
    byte i;
    bool found, pending;
    do
    :: drain();
       sleep_buffered = true;
#ifndef NO_FENCE_SLEEPER
       (!sleep_buffered);
#endif
       pending = false;
#ifndef NO_LAST_LOOK
       i = 0;
       do
       :: i < RINGERS -> if :: dirty[i] -> pending = true :: else fi; i++
       :: else -> break
       od;
#endif
       if
       :: pending
       :: else ->
            /* the kernel compares and sleeps as one, with the caller's stores flushed */
            atomic { (!sleep_buffered); if :: asleep -> waiting = true :: else fi };
end:        (!waiting)
       fi;
       atomic { (!sleep_buffered); asleep = false }
    od
}

active proctype judge() {
    timeout; /* nothing can move any more */
    assert(done == RINGERS);
    assert(drained[0] == EVENTS && drained[1] == EVENTS)
}

init {
    atomic {
        run buffer(0); run buffer(1); run sleep_buffer();
        run ringer(0); run ringer(1)
    }
}
