/* The bell (include/internal/bell.h): failures that cannot trip anything wake nobody, and the one that can does.
 *
 * A ringer's stores (evidence, then event) go through a store buffer, as on x86 and weaker machines: they become visible
 * some time later, in order; a fence and a locked instruction wait for it. So does tripd's `ring_at`. NEEDED failures
 * trip: all of them, or all but one; for fewer the first of each meter rings anyway.
 *
 *   -DNO_FENCE_SLEEPER  tripd does not fence between ring_at, ASLEEP and its last look
 *   -DNO_LAST_LOOK      tripd sleeps without looking at the dirty bits again
 *   -DBELL_BEFORE_BIT   the ringer compares with ring_at before it sets its dirty bit
 *   -DBASE_LATE         tripd reads `told` after the meters
 *   -DIGNORES_UNTOLD    tripd counts on failures whose events it has not taken
 *   -DQUIET_FIRST       the first event of a meter, which tripd may not know, rings as any other
 */
#define RINGERS 2
#define EVENTS 2 /* each ringer's */
#define EACH 100 /* told is never so far behind */
#ifdef QUIET_FIRST
#define RINGS_ANYWAY false
#else
#define RINGS_ANYWAY (n == 1)
#endif

bool asleep = false;      /* the futex word */
bool waiting = false;     /* tripd waits in the futex */
bool dirty[RINGERS];
byte told = EACH;         /* so that ring_at 0 is behind it */
byte ring_at = 0;
byte evidence[RINGERS];   /* visible counters of a meter, and events of its lane */
byte event[RINGERS];
byte evidence_buffered[RINGERS];
byte event_buffered[RINGERS];
byte drained[RINGERS];    /* events that tripd took, and counted */
bool known[RINGERS];      /* the meter, to tripd */
byte ring_at_next;        /* tripd's store buffer */
bool ring_at_buffered, sleep_buffered;
byte needed;
byte done = 0;

inline fence(id) { (evidence_buffered[id] == 0 && event_buffered[id] == 0) }

proctype buffer(byte id) {
end: do
     :: atomic { evidence_buffered[id] > 0 -> evidence[id]++; evidence_buffered[id]-- }
     :: atomic { evidence_buffered[id] == 0 && event_buffered[id] > 0 -> event[id]++; event_buffered[id]-- }
     od
}

proctype tripd_buffer() {
end: do
     :: atomic { ring_at_buffered -> ring_at = ring_at_next; ring_at_buffered = false }
     :: atomic { sleep_buffered && !ring_at_buffered -> asleep = true; sleep_buffered = false }
     od
}

proctype ringer(byte id) {
    byte n = 0, mine, bound;
    bool seen;
    do
    :: n < EVENTS ->
        n++;
        evidence_buffered[id]++;
        event_buffered[id]++;
        atomic { fence(id); told++; mine = told }; /* fetch_add: locked; then a fence */
#ifdef BELL_BEFORE_BIT
        bound = ring_at;
#endif
        seen = dirty[id];
        if
        :: !seen -> dirty[id] = true /* fetch_or: locked */
        :: else
        fi;
#ifndef BELL_BEFORE_BIT
        bound = ring_at;
#endif
        if
        :: mine < bound && !RINGS_ANYWAY -> skip
        :: else ->
            atomic { /* CAS ASLEEP -> AWAKE: locked */
                if
                :: asleep -> asleep = false; seen = true
                :: else -> seen = false
                fi
            };
            if
            :: seen -> waiting = false /* FUTEX_WAKE */
            :: else
            fi
        fi
    :: else -> break
    od;
    done++
}

inline look_at_told() { base = told }

inline read_meters() {
    i = 0;
    untold = false;
    counted = 0;
    do
    :: i < RINGERS ->
        if
        :: known[i] && evidence[i] != drained[i] -> untold = true
        :: else
        fi;
        counted = counted + drained[i];
        i++
    :: else -> break
    od
}

inline drain() {
    i = 0;
    do
    :: i < RINGERS ->
        atomic { found = dirty[i]; dirty[i] = false }; /* exchange: locked */
        if :: found -> drained[i] = event[i]; known[i] = true :: else fi;
        i++
    :: else -> break
    od;
#ifdef BASE_LATE
    read_meters();
    look_at_told();
#else
    look_at_told();
    read_meters();
#endif
    (!ring_at_buffered);
#ifdef IGNORES_UNTOLD
    untold = false;
#endif
    atomic {
        ring_at_next = (untold -> 0 : base + (counted < needed -> needed - counted : 1));
        ring_at_buffered = true
    }
}

active proctype tripd() {
    byte i, base, counted;
    bool found, pending, untold;
    (needed > 0);
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
    assert(drained[0] + drained[1] >= needed)
}

init {
    atomic {
        select(needed : 3 .. 4);
        run buffer(0); run buffer(1); run tripd_buffer();
        run ringer(0); run ringer(1)
    }
}
