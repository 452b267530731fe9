/* Hiding and reuse of slots (daemon/breakers/reuse.c, libclient/breaker.c). An idle breaker is hidden, which moves nothing:
 * its name is found, its slot, word and incarnation stay, handles go on. A new name that finds no free slot gets a hidden
 * one, if that one made anew would be the same; one with limits only if no living process has it marked as resolved. No
 * handle decides by another name's word, no breaker with news is reused, no limited one under a living handle.
 *
 * One slot, whose breaker X has limits or has none; two processes that use X, one that uses Y. The mark goes through a
 * store buffer of one place. A word is epoch, streak and state; two failures open.
 *
 * A process marks, fences, then looks at word and incarnation. tripd unsets the word, looks at the marks, and moves the
 * incarnation after that: the word alone tells a process that tripd may have looked already. The incarnation moves
 * before the name changes and after it: else the old name is found with the new incarnation. The unset word keeps its
 * epoch, and tripd puts the very word back: calls in flight, and what was told of them, go on to count.
 *
 *   -DNO_FENCE          a process does not fence between its mark and its second look
 *   -DNO_SECOND_LOOK    a process binds after its mark without looking again
 *   -DNO_LOOK_AT_WORD   the second look is at the incarnation alone
 *   -DNAME_FIRST        the index's finding is compared by name before its incarnation is read
 *   -DONE_MOVE          the incarnation moves only before the name changes
 *   -DADMISSION_FIRST   a call reads the incarnation, then the word
 *   -DMARKS_FIRST       tripd looks at the marks before it unsets the word
 *   -DNEWS_FIRST        tripd looks for news before it unsets the word
 *   -DTOLD_FIRST        tripd looks at what was told, then at calls in flight
 *   -DREUSE_OPEN        tripd reuses a slot whatever its state
 *   -DBLIND_UNSET       tripd stores the unset word over whatever it is by now
 *   -DNEXT_EPOCH        tripd puts the word back with the next epoch
 */
#define PROCESSES 3
#define CALLS 2
#define HIDINGS 2

#define NOBODY 0
#define X 1
#define Y 2

#define UNSET 0
#define CLOSED 1
#define OPEN 2
#define WORD(epoch, streak, state) ((epoch) * 8 + (streak) * 4 + (state))
#define EPOCH(word) ((word) / 8)
#define STREAK(word) ((word) / 4 % 2)
#define STATE(word) ((word) % 4)
#define CALM(word) (STATE(word) == CLOSED && STREAK(word) == 0)

/* Segment. */
byte index = X;  /* whom the index finds in the slot */
byte name = X;   /* the slot's */
byte incarnation = 1;
bool limited;

byte word = WORD(1, 0, CLOSED); /* commons */

/* A lane: the mark and its store buffer; a call in flight; the epoch + 1 of a failure that was told and not drained. */
bool mark[PROCESSES], mark_buffered[PROCESSES], in_flight[PROCESSES];
byte told[PROCESSES];

/* The socket: the name asked for, and the incarnation answered; FULL: no slot. */
#define FULL 255
byte asked[PROCESSES], answer[PROCESSES];

/* tripd's own. */
bool shown = true; /* not hidden */
bool window = false; /* a failure in it */

/* For the assertions alone. */
byte word_of = X;      /* whose word it is */
byte living[PROCESSES]; /* the incarnation that a handle is bound to; 0: none */
bool news[PROCESSES];  /* a call in flight or a failure told when the word was unset, and still */
byte hidings = 0;

proctype buffer(byte p) {
end:
    do
    :: atomic { mark_buffered[p] -> mark[p] = true; mark_buffered[p] = false }
    od
}

#define UNMARK mark[p] = false; mark_buffered[p] = false; living[p] = 0

/* Finds `mine` in the index or asks tripd: `bound` becomes the incarnation, FULL if there is no slot. */
inline find() {
    bound = 0;
    if
    :: index == mine ->
#ifdef NAME_FIRST
        atomic { if :: name == mine -> bound = 1 :: else fi };
        if :: bound -> bound = incarnation :: else fi
#else
        bound = incarnation;
        atomic { if :: name != mine -> bound = 0 :: else fi }
#endif
    :: else
    fi;
    if
    :: bound == 0 ->
        asked[p] = mine;
        atomic { answer[p] -> bound = answer[p]; answer[p] = 0 }
    :: else
    fi
}

/* The mark, the fence, the second look, the handle. */
inline bind() {
    mark_buffered[p] = true;
#ifndef NO_FENCE
    !mark_buffered[p];
#endif
    stale = false;
#ifndef NO_SECOND_LOOK
#ifndef NO_LOOK_AT_WORD
    stale = (STATE(word) == UNSET);
#endif
    atomic { if :: incarnation != bound -> stale = true :: else fi };
#endif
    atomic {
        if
        :: stale -> UNMARK
        :: else ->
            if :: incarnation == bound -> living[p] = bound :: else fi
        fi
    }
}

/* A failure is told, then moves the streak in the epoch of its call. */
inline fail() {
    told[p] = EPOCH(w) + 1;
    atomic { /* CAS, tried again while only the streak moves */
        if
        :: EPOCH(word) == EPOCH(w) && STATE(word) == CLOSED ->
            assert(word_of == mine);
            word = (STREAK(word) -> WORD(EPOCH(word) + 1, 0, OPEN) : WORD(EPOCH(word), 1, CLOSED))
        :: else
        fi
    }
}

inline call() {
#ifdef ADMISSION_FIRST
    stale = (incarnation != bound);
    atomic { w = word; whose = word_of };
#else
    atomic { w = word; whose = word_of };
    stale = (incarnation != bound);
#endif
    atomic {
        assert(stale || whose == mine || STATE(w) == UNSET);
        whose = 0;
        if
        :: stale -> UNMARK
        :: else -> calls--
        fi
    };
    if
    :: !stale && STATE(w) != OPEN ->
        in_flight[p] = true;
        if
        :: fail()
        :: true
        fi;
        atomic { in_flight[p] = false; news[p] = news[p] && told[p] }
    :: else
    fi;
    w = 0
}

proctype client(byte p; byte mine; byte calls) {
    byte bound, w, whose;
    bool stale = true;
    do
    :: stale && bound != FULL && calls > 0 -> find(); if :: bound != FULL -> bind() :: else fi
    :: !stale && calls > 0 -> call()
    :: else -> break
    od;
    atomic { UNMARK } /* the process ends */
}

inline look_at_marks() {
    q = 0;
    do
    :: q < PROCESSES -> atomic { if :: limited && mark[q] -> kept = true :: else fi; q++ }
    :: else -> q = 0; break
    od
}

inline look_at_told() {
    q = 0;
    do
    :: q < PROCESSES -> atomic { if :: told[q] -> kept = true :: else fi; q++ }
    :: else -> q = 0; break
    od
}

/* What was told is published before its call is counted as ended: so calls in flight are looked at first. */
inline look_for_news() {
#ifdef TOLD_FIRST
    look_at_told();
#endif
    q = 0;
    do
    :: q < PROCESSES -> atomic { if :: in_flight[q] -> kept = true :: else fi; q++ }
    :: else -> q = 0; break
    od;
#ifndef TOLD_FIRST
    look_at_told()
#endif
}

#define NOTE_NEWS(process) news[process] = (in_flight[process] || told[process])
#define VOIDED(process) (told[process] == EPOCH(was) + 1 && EPOCH(word) != EPOCH(was))

/* For asked[p]: the slot made anew, or kept. */
inline reuse() {
    kept = window;
#ifdef MARKS_FIRST
    look_at_marks();
#endif
#ifdef NEWS_FIRST
    look_for_news();
#endif
    was = word;
#ifndef REUSE_OPEN
    atomic { if :: !CALM(was) -> kept = true :: else fi };
#endif
    if
    :: !kept ->
        atomic { /* CAS */
            if
#ifdef BLIND_UNSET
            :: true ->
#else
            :: word == was ->
#endif
                unset_calm = CALM(word);
                word = WORD(EPOCH(was), 0, UNSET);
                NOTE_NEWS(0); NOTE_NEWS(1); NOTE_NEWS(2)
#ifndef BLIND_UNSET
            :: else -> kept = true
#endif
            fi
        };
        if
        :: !kept ->
#ifndef MARKS_FIRST
            look_at_marks();
#endif
#ifndef NEWS_FIRST
            look_for_news();
#endif
            if
            :: kept ->
                atomic {
#ifdef NEXT_EPOCH
                    word = WORD(EPOCH(was) + 1, 0, CLOSED);
#else
                    word = was;
#endif
                    assert(unset_calm);
                    assert(!VOIDED(0) && !VOIDED(1) && !VOIDED(2))
                }
            :: else -> begin()
            fi
        :: else
        fi
    :: else
    fi;
    atomic { was = 0; unset_calm = false; news[0] = false; news[1] = false; news[2] = false }
}

inline begin() {
    atomic {
        assert(unset_calm);
        assert(!limited || (living[0] == 0 && living[1] == 0 && living[2] == 0));
        assert(!news[0] && !news[1] && !news[2]);
        index = NOBODY
    };
    incarnation++;
    name = asked[p];
#ifndef ONE_MOVE
    incarnation++;
#endif
    atomic { word = WORD(EPOCH(was) + 1, 0, CLOSED); word_of = asked[p] }
}

/* A request is answered as a whole: nobody else resolves or reuses meanwhile. */
inline serve() {
    if
    :: asked[p] != name && !shown -> reuse()
    :: else
    fi;
    if
    :: asked[p] == name -> atomic { index = name; shown = true }
    :: else
    fi;
    atomic {
        answer[p] = (asked[p] == name -> incarnation : FULL);
        asked[p] = 0; kept = false; p = 0
    }
}

/* What was told of another epoch is late and enters no window. */
#define DRAIN(process) \
    atomic { \
        told[process] -> \
        if \
        :: told[process] == EPOCH(word) + 1 && word_of == name -> window = true \
        :: else \
        fi; \
        told[process] = 0 \
    }

proctype tripd() {
    byte p, q, was;
    bool kept, unset_calm;
end:
    do
    :: atomic { asked[0] -> p = 0 }; serve()
    :: atomic { asked[1] -> p = 1 }; serve()
    :: atomic { asked[2] -> p = 2 }; serve()
    :: DRAIN(0)
    :: DRAIN(1)
    :: DRAIN(2)
    :: shown && hidings < HIDINGS ->
        atomic { shown = false; hidings++ }
    od
}

init {
    atomic {
        if
        :: limited = true
        :: limited = false
        fi;
        run tripd(); run buffer(0); run buffer(1); run buffer(2);
        run client(0, X, CALLS); run client(1, X, 1); run client(2, Y, CALLS)
    }
}
