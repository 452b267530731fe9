/* Replacement of the commons: keeper and worker both died, and a new tripd makes another one (daemon/breakers/adopt.c,
 * libclient/attach.c). It undoes no acknowledged trip; no opening that a client made in the old one is lost; a late
 * hand-over undoes no reset.
 *
 * One slot. Either a process with a thread that calls and one that attaches, or two processes of one thread. An
 * operator trips and resets once, in any order. The worker dies alone (the keeper hands on the commons that it holds)
 * or with the keeper. A word is epoch * 2 + open. A reset stands for the end of the open time too: both close it by
 * the same steps.
 *
 * A new commons moves the epochs on by FRESH, so that the rest of an epoch by FRESH counts the moves of a breaker, in
 * whatever commons: internal/succession.h. tripd keeps two words a slot beside the mirror: the mirror as it was when the
 * breaker had moved last (`before`), and the number of the commons that began with it (`since`). What an older commons
 * says counts if that one or the next began with it: the breaker has not moved in any later one. A binding is a commons
 * and its number, and never changes.
 *
 *   -DPUBLISH_FIRST     the id is published and the numbers are moved before the words are filled
 *   -DANSWER_EARLY      tripd answers operators and clients before it moves the numbers
 *   -DNUMBERS_ONCE      a worker that inherits a published commons leaves the numbers as they are
 *   -DACK_EARLY         tripd answers the operator before it stores the mirror
 *   -DANY_EPOCH         tripd adopts an opening onto every closed word, not only onto one in its first epoch
 *   -DRESET_IN_PLACE    a reset leaves a closed word in its epoch
 *   -DBIND_FIRST        a client moves to the new commons, and does not hand over what the old one says
 *   -DANY_AGE           an opening is taken over however often the breaker moved in later commons
 *   -DNO_SECOND_LOOK    a client that opened does not look again whether its commons is still in force
 *   -DDEAD_WORD         a superseded client decides by the word of its old commons
 */
#define DEATHS 2
#define FRESH 8 /* how far a new commons moves the epoch: further than it gets within a commons */

#define WORD(epoch, open) ((epoch) * 2 + (open))
#define EPOCH(word) ((word) / 2)
#define OPEN(word) ((word) % 2)
#define UNSET 0

#define MOVES(word) (EPOCH(word) % FRESH)

/* Segment. */
byte number = 1;    /* in the admission word: which commons is in force */
byte published = 1; /* in the header: in which one the words are */
byte mirror = WORD(1, 0), before = 0, since = 0;

/* The commons, by number; which one the keeper holds, 0: none. */
byte commons[DEATHS + 2];
byte held = 1;

/* A process: the commons that it is bound to, a bit for each old one to hand over again. */
byte bound[2], owed[2];

/* The socket: a packet of each process, the operator's verb. An answer carries the number of the commons. */
mtype = { IDLE, ASKED, ANSWERED, TRIP, RESET };
mtype packet[2] = IDLE, verb = IDLE;
byte packet_from[2], packet_word[2];
bool serving = false;
byte deaths = 0;

/* For the assertions alone. */
bool tripped = false; /* acknowledged, and no reset asked for since */
bool opened = false;  /* by a client, and not reset since */
byte reset_in = 0;    /* the latest commons in which a word was reset */
byte reset_acked = 0; /* likewise, and the operator was told */
bool threads;         /* the process with two threads, or two processes */

/* After each store tripd may be gone. */
#define STEP(store) \
    atomic { \
        store; \
        if \
        :: deaths < DEATHS -> goto dead \
        :: true \
        fi \
    }

/* A worker that died here leaves words that the next one moves on once more: their moves are the same. */
inline fill() {
    if
    :: MOVES(mirror) != MOVES(before) ->
        STEP(since = held);
        STEP(before = mirror)
    :: else
    fi;
    STEP(commons[held] = WORD(EPOCH(mirror) + FRESH, OPEN(mirror)));
    STEP(mirror = commons[held])
}

inline publish() {
    STEP(published = held);
    STEP(number = held)
}

/* The operator's verb: CAS of whatever is there, mirror, answer. */
inline carry_out() {
    atomic {
        if
        :: verb == TRIP -> set = WORD(EPOCH(commons[held]) + 1, 1)
        :: verb == RESET ->
            set = WORD(EPOCH(commons[held]) + 1, 0);
            opened = false;
            reset_in = held
        fi;
#ifdef RESET_IN_PLACE
        if
        :: verb == RESET && !OPEN(commons[held]) -> set = commons[held]
        :: else
        fi;
#endif
        STEP(commons[held] = set)
    };
#ifndef ACK_EARLY
    STEP(mirror = set);
#endif
    atomic {
        if
        :: verb == TRIP -> tripped = true
        :: verb == RESET -> reset_acked = held
        fi;
        STEP(verb = IDLE)
    };
#ifdef ACK_EARLY
    STEP(mirror = set);
#endif
    set = 0
}

#ifdef ANY_EPOCH
#define FIRST_EPOCH true
#else
#define FIRST_EPOCH (MOVES(commons[held]) == MOVES(before))
#endif
#ifdef ANY_AGE
#define YOUNG true
#else
#define YOUNG (packet_from[p] + 1 >= since)
#endif

/* A client's packet: tripd adopts an opening by a word that nobody moved since this commons was made. */
inline adopt() {
    if
    :: atomic { !OPEN(commons[held]) && FIRST_EPOCH && OPEN(packet_word[p]) && YOUNG ->
           assert(packet_from[p] >= reset_acked);
           set = WORD(EPOCH(commons[held]) + 1, 1);
           STEP(commons[held] = set) }; /* CAS */
       STEP(mirror = set)
    :: else
    fi;
    atomic { packet[p] = ANSWERED; packet_from[p] = held; packet_word[p] = 0; set = 0; p = 0 }
}

proctype tripd() {
    byte set, p;
    goto start;
dead:
    atomic { /* of its memory nothing is left */
        deaths++; serving = false; set = 0; p = 0; verb = IDLE;
        if :: packet[0] == ASKED -> packet[0] = IDLE :: else fi;
        if :: packet[1] == ASKED -> packet[1] = IDLE :: else fi;
        if
        :: held = 0 /* nor of the keeper's */
        :: true
        fi
    };
start:
    atomic {
        if
        :: held == 0 -> held = published + 1; commons[held] = UNSET
        :: else
        fi
    };
    if
    :: held != published ->
#ifdef PUBLISH_FIRST
        publish();
        fill()
#else
        fill();
#ifndef ANSWER_EARLY
        publish()
#endif
#endif
    :: else ->
#ifndef NUMBERS_ONCE
        STEP(number = held)
#endif
    fi;
    serving = true;
end:
    do
    :: atomic { commons[held] != mirror -> mirror = commons[held] }
    :: verb != IDLE -> carry_out()
    :: atomic { packet[0] == ASKED -> p = 0 }; adopt()
    :: atomic { packet[1] == ASKED -> p = 1 }; adopt()
    :: deaths < DEATHS -> goto dead
#ifdef ANSWER_EARLY
    :: number != held -> publish()
#endif
    od
}

/* Each verb once, in any order, or not at all. One that is not answered is not told again. */
proctype operator() {
    bool did_trip = false, did_reset = false;
    do
    :: atomic { serving && !did_trip -> did_trip = true; verb = TRIP }; verb == IDLE
    :: atomic { serving && !did_reset -> did_reset = true; tripped = false; verb = RESET }; verb == IDLE
    :: atomic { did_trip = true; did_reset = true; break }
    od
}

#define MUST_DENY (began && tripped)

/* The word, then the admission, which tells whether the word is still the one in force. */
inline call() {
    atomic { began = tripped; own = bound[p] };
    w = commons[own];
    in_force = number;
    atomic {
        if
        :: in_force == own ->
            assert(!MUST_DENY || OPEN(w));
            if
            :: !OPEN(w) && commons[own] == w -> /* admitted; the failure that opens: CAS */
                commons[own] = WORD(EPOCH(w) + 1, 1);
                won = true;
                if :: own >= reset_in -> opened = true :: else fi
            :: true
            fi
        :: else -> /* superseded: moves no word. While tripd is away it denies also what its old word denies */
#ifndef DEAD_WORD
            w = mirror;
#endif
            assert(!MUST_DENY || OPEN(w))
        fi;
        w = 0; began = false
    };
#ifndef NO_SECOND_LOOK
    atomic {
        if
        :: won && threads && number != own -> owed[p] = owed[p] | (1 << own)
        :: else
        fi
    };
#endif
    atomic { own = 0; in_force = 0; won = false }
}

proctype caller(byte p; byte calls) {
    byte own, w, in_force;
    bool began, won;
    do
    :: calls > 0 -> calls--; call()
    :: else -> break
    od
}

inline hand_over() {
    w = commons[from];
#ifdef BIND_FIRST
    w = 0;
#endif
    atomic { serving -> packet[p] = ASKED; packet_from[p] = from; packet_word[p] = w; w = 0 };
    packet[p] != ASKED;
    if
    :: packet[p] == ANSWERED && from == bound[p] -> bound[p] = packet_from[p]
    :: atomic { packet[p] == IDLE && from != bound[p] -> owed[p] = owed[p] | (1 << from) } /* hung up */
    :: else
    fi;
    atomic { packet[p] = IDLE; packet_from[p] = 0; from = 0 }
}

/* What is owed is taken off before the word is read: a thread that opens later owes it anew. */
proctype attacher(byte p) {
    byte from, w;
end:
    do
    :: atomic { owed[p] & 2 -> from = 1; owed[p] = owed[p] & ~2 }; hand_over()
    :: atomic { owed[p] & 4 -> from = 2; owed[p] = owed[p] & ~4 }; hand_over()
    :: atomic { bound[p] != number && owed[p] == 0 -> from = bound[p] }; hand_over()
    od
}

proctype judge() {
    timeout; /* nothing can move any more */
    assert(serving);
    assert(!opened || OPEN(commons[number]))
}

proctype single(byte p; byte calls) {
    byte own, w, in_force;
    bool began, won;
end:
    do
    :: calls > 0 -> calls--; call()
    :: bound[p] != number ->
        atomic { serving -> packet[p] = ASKED; packet_from[p] = bound[p]; packet_word[p] = commons[bound[p]] };
        atomic {
            packet[p] != ASKED;
            if
            :: packet[p] == ANSWERED -> bound[p] = packet_from[p]
            :: else
            fi;
            packet[p] = IDLE; packet_from[p] = 0; packet_word[p] = 0
        }
    od
}

init {
    atomic {
        commons[1] = WORD(1, 0);
        bound[0] = 1; bound[1] = 1;
        run tripd(); run operator(); run judge();
        if
        :: threads = true; run caller(0, 2); run attacher(0)
        :: run single(0, 1); run single(1, 1)
        fi
    }
}
