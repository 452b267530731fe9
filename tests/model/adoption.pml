/* The journal (include/internal/layout_segment.h): tripd drains a client's counter into a breaker's image and notes in the lane
 * how far it counted. It may be killed between any two stores; the next one adopts. Nothing is lost, nothing counted
 * twice; the image in force never holds what was not reported.
 *
 *   -DMARK_FIRST    the lane's mark is stored before the commit
 *   -DCOUNT_COMMITS carrying out moves `commits` by one more, where it should store the journal's number
 *   -DNO_REDO       adoption drops a committed transaction
 *   -DIN_PLACE      the image in force is written, not the other one
 */
#define REPORTS 3
#define DEATHS 2

byte counter = 0;  /* the client's, in its lane */
byte mark = 0;     /* tripd's, in the lane: counted up to here */
byte image[2];     /* totals */
byte commits = 0;  /* the lowest bit selects the image in force */
bool committed = false; /* journal.state */
byte journal_commits, journal_mark;
byte deaths = 0;
bool reporting = true;

#define IN_FORCE image[commits % 2]

active proctype client() {
    byte n = 0;
    do
    :: n < REPORTS -> counter++; n++
    :: else -> break
    od;
    reporting = false
}

/* At each point tripd may be gone. */
#define OR_DIE if :: deaths < DEATHS -> deaths++; goto adopt :: true fi

active proctype tripd() {
    byte seen, place;
adopt:
    if
#ifndef NO_REDO
    :: committed -> goto carry_out
#endif
    :: else -> committed = false
    fi;
work:
    seen = counter;
    if
    :: seen == mark && !reporting && seen == counter -> goto finished
    :: seen == mark && reporting -> goto work
    :: else
    fi;
#ifdef IN_PLACE
    place = commits % 2;
#else
    place = (commits + 1) % 2;
#endif
    OR_DIE;
    image[place] = IN_FORCE + (seen - mark);
    OR_DIE;
    journal_mark = seen;
    OR_DIE;
#ifdef IN_PLACE
    journal_commits = commits;
#else
    journal_commits = commits + 1;
#endif
    OR_DIE;
#ifdef MARK_FIRST
    mark = journal_mark;
    OR_DIE;
#endif
    committed = true;
    OR_DIE;
carry_out:
#ifdef COUNT_COMMITS
    commits = commits + 1;
#else
    commits = journal_commits;
#endif
    OR_DIE;
    mark = journal_mark;
    OR_DIE;
    committed = false;
    OR_DIE;
    assert(IN_FORCE <= counter);
    goto work;
finished:
    assert(IN_FORCE == REPORTS)
}
