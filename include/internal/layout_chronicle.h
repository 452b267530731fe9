/* What tripd makes of the errors and events that it keeps: fingerprints and incidents. tripd alone writes; readers copy
 * by words_take, and validate the copy. */
#ifndef TRIP_INTERNAL_LAYOUT_CHRONICLE_H
#define TRIP_INTERNAL_LAYOUT_CHRONICLE_H

#include "internal/layout_base.h"

/* --------------------------------------------------------------------------------------------------------- bursts */

/* How often something happens: in the bucket of time that runs, and in the long run. core/burst.h. */
struct burst {
    uint32_t bucket;       /* number of the bucket that runs */
    uint32_t count;        /* in it */
    uint32_t buckets;      /* that have ended since the first one */
    uint32_t burst_bucket; /* the last bucket with a burst; 0: there was none */
    uint64_t long_run;     /* millionths of an event in a bucket, of the buckets that have ended */
};

/* --------------------------------------------------------------------------------------------------- fingerprints */

#define FINGERPRINTS_MAX     4096 /* correlation.fingerprints at most */
#define FINGERPRINT_TEXT_MAX 95
#define FINGERPRINT_BREAKERS 3

/* Errors whose messages have one template, in the place of one of the `correlation.fingerprints` most frequent ones
 * (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data Streams, ICDT 2005):
 * where a new template finds no place it takes that of the least frequent one, with its count. */
struct fingerprint {
    uint64_t id;    /* 1, 2, ...: never used again; 0: free, or being written */
    uint64_t seen;  /* sequence of the last error record that is counted here: none counts twice */
    uint64_t count; /* errors; at most `over` of them had other templates */
    uint64_t over;
    uint64_t first_ms, first_unix_ms, last_ms, last_unix_ms;
    struct burst burst;
    uint64_t processes; /* a bit for each of 64 classes of pids: core/fingerprints.h counts by it */
    uint32_t breakers[FINGERPRINT_BREAKERS]; /* slots, those of the first errors */
    uint32_t breaker_count;                  /* how many of `breakers` are set; one more: there are others */
    uint8_t type;                            /* enum trip_error_type, of the first error */
    uint8_t reserved0;
    uint16_t names[FINGERPRINT_BREAKERS]; /* fingerprint_name_hash of each: a slot may get another */
    char text[FINGERPRINT_TEXT_MAX + 1];  /* the template */
};

/* ------------------------------------------------------------------------------------------------------- incidents */

#define INCIDENT_MEMBERS 12
#define INCIDENT_MOMENTS 40
#define INCIDENT_NAMES   464

/* Evidence that a member is the cause: X(SUFFIX, "name", words that follow "it"). */
#define INCIDENT_EVIDENCE(X)                                              \
    X(ALONE, "alone", "is the only one that failed")                      \
    X(FIRST, "first", "failed first")                                     \
    X(DEPENDED_ON, "depended_on", "is one that others of them depend on") \
    X(INDEPENDENT, "independent", "depends on none of them")              \
    X(TRACE, "trace", "had its errors first in traces that others' errors share")

#define INCIDENT_EVIDENCE_ENUM(suffix, name, words) EVIDENCE_##suffix,
enum incident_evidence { INCIDENT_EVIDENCE(INCIDENT_EVIDENCE_ENUM) EVIDENCE_COUNT };

/* The kinds of moments in a timeline: X(SUFFIX, "name"). The steps of a breaker's state are told by where they led; an
 * act is a step of a state that someone asked for, a mode is a change of the mode in force, a level one of a
 * degradation level, of the host or of a member's group. */
#define INCIDENT_MOMENT_KINDS(X)  \
    X(JOINED, "joined")           \
    X(ERROR_BURST, "error_burst") \
    X(OPENED, "opened")           \
    X(HALF_OPEN, "half_open")     \
    X(RAMPING, "ramping")         \
    X(CLOSED, "closed")           \
    X(ACT, "act")                 \
    X(MODE, "mode")               \
    X(ENDED, "ended")             \
    X(LEVEL, "level")

#define INCIDENT_MOMENT_ENUM(suffix, name) MOMENT_##suffix,
enum incident_moment_kind { INCIDENT_MOMENT_KINDS(INCIDENT_MOMENT_ENUM) MOMENT_COUNT };

#define INCIDENT_NOBODY 255       /* no member */
#define INCIDENT_NEVER  INT32_MIN /* a time of a member that has not come */

enum incident_member_flag {
    MEMBER_OPEN = 1,    /* open by its evidence */
    MEMBER_TRIED = 2,   /* half-open or ramping after that */
    MEMBER_BURST = 4,   /* its errors came in a burst */
    MEMBER_NAME_CUT = 8 /* `names` had no room for all of its name */
};

/* Times are milliseconds after the incident's start; a moment may be before it if it was told late. */
struct incident_member {
    uint32_t slot;
    int32_t onset_ms;             /* of its errors; 0 or more */
    int32_t opened_ms, closed_ms; /* first opened, last closed; INCIDENT_NEVER */
    uint32_t errors;
    uint16_t opens;
    uint16_t name;  /* where it begins in `names`; it ends with a NUL */
    uint8_t reason; /* enum trip_reason, of the first opening */
    uint8_t type;   /* enum trip_error_type, of the last error */
    uint8_t flags;  /* enum incident_member_flag */
    uint8_t pace;   /* tenths of a second between the errors with which it began; 255: longer */
};

struct incident_moment {
    int32_t at_ms;
    uint32_t uid;    /* if an operator did it */
    uint8_t kind;    /* enum incident_moment_kind */
    uint8_t member;  /* INCIDENT_NOBODY: of the incident as a whole */
    uint8_t from_to; /* enum trip_state, of a mode enum trip_mode, or levels: from (high 4 bits), to (low 4) */
    uint8_t by;      /* enum transition_by */
};

/* An incident: breakers that failed together, who led, and when it was over. core/incidents.h makes it. */
struct incident {
    uint64_t id; /* 1, 2, ...: never used again; 0: free, or being written */
    uint64_t start_ms, start_unix_ms;
    uint64_t last_ms;             /* when its breakers last failed, or recovered */
    uint64_t end_ms, end_unix_ms; /* 0: it goes on */
    uint64_t errors;              /* of its breakers since they failed */
    uint64_t fingerprint;         /* the one with the most errors; 0: none is known */
    uint64_t fingerprint_errors;  /* about so many: of a run before it began all count for the run's latest one */
    uint64_t deploy_unix_ms;      /* a deploy mark of the 10 minutes before the start; 0: there was none */
    uint32_t steps, acts;         /* of members: changes of state, and what was asked for */
    uint32_t pid, pid_errors;     /* the process with the most errors, and about how many */
    uint32_t lead_ms;             /* the candidate failed so much earlier than any other member; 0: it did not */
    uint16_t evidence;            /* bits 1 << enum incident_evidence */
    uint16_t confidence;          /* permille: so many of 1,000 such candidates are the cause */
    uint8_t candidate;            /* a member; INCIDENT_NOBODY */
    uint8_t member_count, moment_count;
    uint8_t displaced;     /* 1: it was ended because its place was needed */
    uint32_t members_more; /* how often a breaker failed that found no place */
    uint32_t moments_more; /* moments that found none; the last place is for the end */
    uint16_t names_used, reserved0;
    char fingerprint_text[FINGERPRINT_TEXT_MAX + 1];
    char deploy[32];
    uint64_t reserved1;
    struct incident_member members[INCIDENT_MEMBERS];
    struct incident_moment moments[INCIDENT_MOMENTS]; /* in the order in which they were told */
    char names[INCIDENT_NAMES];
};
_Static_assert(sizeof(struct incident) == 1536, "the size of an incident is part of the layout");

static inline const char *incident_member_name(const struct incident *incident, unsigned member)
{
    return &incident->names[incident->members[member].name];
}

/* The slot of the member that is held to be the cause, or else of the first one. */
static inline uint32_t incident_leader(const struct incident *incident)
{
    return incident->members[incident->candidate < incident->member_count ? incident->candidate : 0].slot;
}

/* ----------------------------------------------------------------------------------- what the engine of them knows */

#define INCIDENTS_OPEN       4
#define INCIDENTS_ACTIVITIES 76
#define INCIDENTS_IDS        64
#define INCIDENT_COUNTS      4
#define ACTIVITY_LINKS       3

/* Errors of another breaker had the same trace or correlation id. */
struct activity_link {
    uint32_t slot; /* of the other one */
    uint16_t together;
    uint16_t first; /* of these: the other one's error came later */
};

/* Is a breaker open by its evidence? */
enum activity_state { ACTIVITY_CLOSED, ACTIVITY_OPEN, ACTIVITY_TRIED /* half-open, or ramping */ };

/* The errors and steps of one breaker lately, in an incident or before one. */
struct activity {
    uint32_t slot;
    uint32_t name_hash; /* a slot may be given to another name; 0: the entry is free */
    uint64_t last_ms;   /* the latest error or step */
    uint64_t onset_ms;  /* the first error of the run that goes on, or went on last */
    uint64_t since_ms;  /* when it was seen first */
    uint32_t gap_ms;    /* between the latest two errors */
    uint32_t paced_ms;  /* its latest errors came at a pace that began so long before the onset */
    struct burst burst;
    uint64_t fingerprint; /* of the latest error that has one; 0: none has */
    uint32_t errors;      /* in the run */
    uint32_t pid;         /* of the latest error */
    uint16_t level_milli; /* thousandths of an error: what the run has above what is usual; 0: it is over */
    uint16_t episodes;    /* how often it has begun an incident */
    uint16_t with_ids;    /* errors of the run that had an id */
    uint8_t state;        /* enum activity_state */
    uint8_t type;         /* enum trip_error_type, of the latest error */
    struct activity_link links[ACTIVITY_LINKS];
};

/* An id that errors of late had. */
struct incidents_id {
    uint64_t hash; /* 0: free */
    uint32_t slot;
    uint32_t at_ms; /* its lowest bits */
};

/* Errors by fingerprint or process, the most frequent ones: Space-Saving, as above. */
struct incident_count {
    uint64_t key;
    uint32_t count, over;
};

struct incident_open {
    struct incident incident; /* id 0: free */
    struct incident_count fingerprints[INCIDENT_COUNTS], pids[INCIDENT_COUNTS];
};

struct incidents {
    uint64_t events, errors; /* their owner's: how far it has told */
    uint64_t next_id;        /* 0 at first, like all the rest */
    uint32_t ids_next;
    uint32_t reserved;
    struct incident_open open[INCIDENTS_OPEN];
    struct activity activities[INCIDENTS_ACTIVITIES];
    struct incidents_id ids[INCIDENTS_IDS];
};
_Static_assert(sizeof(struct incidents) <= 16384, "what the engine knows is committed as a whole");

/* ------------------------------------------------------------------------------------------- what tripd remembers */

#define INCIDENTS_KEPT 64 /* the last ones; an incident has its place by its id */

/* An operator said that something was deployed: fingerprints that are first seen after it are new. */
struct deploy_mark {
    uint64_t at_ms, at_unix_ms;
    uint32_t uid;
    uint32_t reserved0;
    char name[32];
};

/* How far tripd has analysed errors and events, and what it will need to go on. It reads both from their rings, fills
 * the image not in force with what it then knows, and moves `commits` (release): a worker that was killed in between
 * reads the same again. Fingerprints stand in their own places; one that is being stored is staged first, and an entry
 * knows the last record that it counted. */
struct chronicle_memory {
    uint64_t commits; /* its lowest bit says which image is in force */
    uint64_t staged;  /* place + 1 of the fingerprint that is being stored; 0: none is */
    struct fingerprint staged_entry;
    uint64_t deploys; /* marks so far; the last one is deploy_marks[deploys & 1], where there was one */
    struct deploy_mark deploy_marks[2];
    uint64_t started_ms, started_unix_ms; /* when tripd was started last */
    struct chronicle_image {
        struct incidents incidents;
        uint64_t unclassified;     /* errors without a message, or whose text was lost */
        uint64_t next_fingerprint; /* no id from here on was given to one */
    } images[2];
};

#endif
