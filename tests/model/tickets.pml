/* Tickets (include/internal/ticket_word.h): taking, ending twice, death, reclaim, reissue of a lane's number. Never more
 * calls run than there are tickets; none is lost; a call that ends a second time gives nothing back.
 *
 * One word of two tickets, changed by CAS of the whole word, as in memory. Two threads of one process (lane 1), a process
 * that may die at any step (lane 2), and an heir that gets the dead one's number. Each call ends twice.
 *
 *   -DNOTE_AFTER_TAKE  a free ticket is counted down first, and who has it noted in a second step
 *   -DBLIND_TAKE       the word that was looked at is stored with oneself in it, not swapped in
 *   -DBLIND_GIVE       giving back clears the ticket, whoever holds it by now
 *   -DNO_SERIAL        taking does not move the serial
 *   -DRECLAIM_LIVE     tripd reclaims what a living lane holds, as if a hang-up were a death
 *   -DREISSUE_EARLY    the heir begins before the dead lane's tickets are reclaimed
 */
#define TICKETS 2
#define NOBODY 15 /* taken, and not noted by whom */
#define HEIR 3

typedef ticket { byte lane; byte serial };
ticket word[TICKETS];
byte running = 0; /* calls between taking and giving back, of the living and of the dead that were not reclaimed */
byte held_by_dead = 0;
byte finished = 0;
bool dead = false, reclaimed = false;

/* The word as one looked at it: lanes and serials of both tickets. */
#define LOOK l0 = word[0].lane; s0 = word[0].serial; l1 = word[1].lane; s1 = word[1].serial
#define SAME (word[0].lane == l0 && word[0].serial == s0 && word[1].lane == l1 && word[1].serial == s1)
#define RESTORE word[0].lane = l0; word[0].serial = s0; word[1].lane = l1; word[1].serial = s1
#define FORGET l0 = 0; s0 = 0; l1 = 0; s1 = 0

/* The dying process: what it held is tripd's to find. */
#define OR_DIE \
    if \
    :: lane == 2 && id != HEIR && !dead -> atomic { dead = true; held_by_dead = holds; goto over } \
    :: true \
    fi

inline take() {
    atomic { /* CAS: free -> lane, the serial moves */
        won = false;
        if
#ifdef BLIND_TAKE
        :: true -> RESTORE;
#else
        :: SAME ->
#endif
            won = true; holds = 1; running++;
#ifdef NOTE_AFTER_TAKE
            word[p].lane = NOBODY;
#else
            word[p].lane = lane;
#endif
#ifndef NO_SERIAL
            word[p].serial++;
#endif
            serial = word[p].serial
#ifndef BLIND_TAKE
        :: else
#endif
        fi;
        FORGET;
        assert(running <= TICKETS)
    }
}

/* As ticket_give: look, compare with what was taken, swap; a swap that fails looks again. */
inline give() {
    gave = false;
    do
    :: atomic { LOOK; mine = (p == 0 && l0 == lane && s0 == serial) || (p == 1 && l1 == lane && s1 == serial) };
#ifdef BLIND_GIVE
       mine = true;
#endif
       if
       :: mine ->
           atomic {
               if
#ifdef BLIND_GIVE
               :: true ->
#else
               :: SAME ->
#endif
                   word[p].lane = 0; gave = true;
                   if :: holds -> holds = 0; running-- :: else fi
#ifndef BLIND_GIVE
               :: else
#endif
               fi;
               FORGET
           };
           if :: gave -> break :: else fi
       :: else -> atomic { FORGET; break }
       fi
    od
}

proctype client(byte id; byte lane; byte calls) {
    byte p, serial, l0, s0, l1, s1;
    bool won, gave, mine, holds;
    if
#ifdef REISSUE_EARLY
    :: id == HEIR -> (dead || finished == 3)
#else
    :: id == HEIR -> (reclaimed || (!dead && finished == 3))
#endif
    :: else
    fi;
    do
    :: calls > 0 ->
        calls--;
look:
        atomic { LOOK; p = (l0 == 0 -> 0 : (l1 == 0 -> 1 : TICKETS)) };
        OR_DIE;
        if
        :: p < TICKETS ->
            take();
            if :: !won -> goto look :: else fi;
            OR_DIE;
#ifdef NOTE_AFTER_TAKE
            word[p].lane = lane;
            OR_DIE;
#endif
            give();
            assert(gave); /* nobody else gave it back */
            OR_DIE;
            give();
            assert(!gave);
            atomic { p = 0; serial = 0; won = false }
        :: else -> FORGET /* denied */
        fi
    :: else -> break
    od;
over:
    atomic { FORGET; finished++ }
}

inline reclaim(whose) {
    p = 0;
    do
    :: p < TICKETS ->
        atomic {
            if
            :: word[p].lane == whose ->
                word[p].lane = 0; running = running - held_by_dead; held_by_dead = 0
            :: else
            fi
        };
        p++
    :: else -> break
    od
}

active proctype tripd() {
    byte p;
#ifdef RECLAIM_LIVE
    reclaim(1);
#endif
    (dead || finished == 4);
    if
    :: dead -> reclaim(2); reclaimed = true
    :: else
    fi
}

active proctype judge() {
    timeout; /* nothing can move any more */
    assert(finished == 4);
    assert(running == 0);
    assert(word[0].lane == 0 && word[1].lane == 0)
}

init { atomic { run client(0, 1, 2); run client(1, 1, 1); run client(2, 2, 1); run client(HEIR, 2, 1) } }
