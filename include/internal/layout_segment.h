/* The state segment: tripd alone writes it, clients map it read-only. */
#ifndef TRIP_INTERNAL_LAYOUT_SEGMENT_H
#define TRIP_INTERNAL_LAYOUT_SEGMENT_H

#include "internal/fallback_book.h"
#include "internal/latency.h"
#include "internal/layout_base.h"
#include "internal/layout_chronicle.h"
#include "internal/layout_levels.h"

#define SEGMENT_MAGIC UINT64_C(0x3167657364706972) /* "ripdseg1", little endian */

/* The sections, in the order in which they follow each other: X(SUFFIX, pointer to it in tripd's struct segment, type
 * of an entry, entries, how many of these have memory: enum section_memory). */
#define SEGMENT_SECTIONS(X)                                                                                      \
    X(POLICY, policies, struct policy_slot, BREAKERS_MAX, SLOTS)                                                 \
    X(MIRROR, mirror, uint64_t, BREAKERS_MAX, SLOTS) /* the state word as tripd last saw or wrote it */          \
    X(DETAIL, details, struct detail_slot, BREAKERS_MAX, SLOTS)                                                  \
    X(CORE, cores, struct core_slot, BREAKERS_MAX, SLOTS) /* window, totals, probe counts, in two images */      \
    X(NAMES, names, uint64_t, NAMES_PLACES, ALL)          /* an open-addressing index: internal/names.h */       \
    X(TRANSITIONS, transitions, struct transition, TRANSITION_RING, ALL)                                         \
    X(ACTS, acts, struct transition, ACTS_RING, ALL) /* those that were no step of a client or of tripd */       \
    X(JOURNAL, journal, struct journal, 1, ALL)                                                                  \
    X(PENDING, pending, struct journal_mark, PENDING_MARKS, ALL)  /* their lane was not there at adoption */     \
    X(CLIENTS, clients, struct client_slot, LANES_MAX + 1, ALL)   /* one a lane: for people */                   \
    X(PATTERNS, patterns, struct pattern_slot, PATTERNS_MAX, ALL) /* modes that bind breakers yet to come */     \
    X(LIMITS, limits, struct limits_shown, BREAKERS_MAX, SLOTS)   /* for people */                               \
    X(RESTS, rests, struct breaker_rest, BREAKERS_MAX, SLOTS)                                                    \
    X(LATENCY, latency, struct latency_group, LATENCY_GROUPS_MAX, LATENCY_GROUPS)                                \
    X(ERRORS, errors, struct error_record, ERROR_RECORDS_MAX, ERROR_RECORDS)                                     \
    X(ERROR_ROWS, error_rows, struct error_row, ERROR_ROWS, ALL)                                                 \
    X(CORRELATION, correlation, struct correlation_shown, 1, ALL)                                                \
    X(GROUPS, groups, struct group_slot, GROUPS_MAX, GROUPS) /* totals of breakers that are forgotten */         \
    X(HOST, host, struct host_metrics, 1, ALL)                                                                   \
    X(FINGERPRINTS, fingerprints, struct fingerprint, FINGERPRINTS_MAX, FINGERPRINTS)                            \
    X(INCIDENTS, incidents, struct incident, INCIDENTS_KEPT, ALL)                                                \
    X(CHRONICLE, chronicle, struct chronicle_memory, 1, ALL) /* how far errors and events are analysed */        \
    X(REPORTERS, reporters, struct reporters_shown, BREAKERS_MAX, SLOTS)                                         \
    X(FALLBACKS, fallbacks, struct fallback_memory, 1, ALL) /* what answers instead: internal/fallback_book.h */ \
    X(FEATURE_WORDS, feature_words, uint64_t, FEATURE_PLACES, ALL) /* clients read these at each call */         \
    X(LEVELS, levels, struct levels_memory, 1, ALL)

#define SECTION_ENUM(suffix, pointer, type, entries, memory) SECTION_##suffix,
enum segment_section { SEGMENT_SECTIONS(SECTION_ENUM) SECTION_COUNT };

/* How many entries of a section have memory: all of them, or the first ones, as many as a field of segment_header says.
 */
enum section_memory {
    MEMORY_ALL,
    MEMORY_SLOTS, /* of the sections with one entry a breaker */
    MEMORY_LATENCY_GROUPS,
    MEMORY_ERROR_RECORDS,
    MEMORY_GROUPS,
    MEMORY_FINGERPRINTS
};

#define SECTION_MEMORY(suffix, pointer, type, entries, memory) MEMORY_##memory,
static inline enum section_memory section_memory(unsigned section)
{
    static const uint8_t memory[SECTION_COUNT] = {SEGMENT_SECTIONS(SECTION_MEMORY)};
    return (enum section_memory)memory[section];
}

#define SECTION_PLACES 32 /* places in the header: room for the sections of later issues */

struct section {
    uint64_t offset; /* from the segment's start; a multiple of LAYOUT_PAGE */
    uint32_t stride; /* bytes from one entry to the next */
    uint32_t count;
};

enum daemon_state { DAEMON_NONE, DAEMON_RUNNING, DAEMON_STOPPED };
enum clock_kind { CLOCK_KIND_REAL, CLOCK_KIND_TEST };

/* At `cycles` of the TSC CLOCK_MONOTONIC was `ns`; a cycle is `ns_q32` nanoseconds, 32.32 fixed point. ns_q32 0: the
 * TSC is not trusted. */
struct tsc_base {
    uint64_t cycles, ns, ns_q32;
};

/* In force is bases[sequence & 1]. tripd writes the other one, then moves `sequence`: a reader that finds the same
 * `sequence` before and after has read a whole base. 0: the TSC was never trusted. */
struct tsc_line {
    uint64_t sequence __attribute__((aligned(LAYOUT_LINE)));
    struct tsc_base bases[2];
};

/* Times: `_mono_ns` CLOCK_MONOTONIC of the boot `boot_id`; `_ms` in state words, policies and details are
 * milliseconds since the segment's creation on the instance's clock (real or test); `_unix_ms` wall time. */
struct segment_header {
    /* Written once at creation; `version` last, with release: 0 means wait. */
    uint64_t magic;
    uint32_t version;
    uint32_t header_size;
    uint64_t digest;
    uint64_t size;
    uint64_t created_mono_ns;
    uint64_t created_unix_ms;
    uint8_t boot_id[16];

    uint64_t segment_id; /* random; names this segment for ever */
    uint32_t owner_uid;
    uint32_t clock_kind; /* enum clock_kind */
    uint64_t reserved0[6];

    struct section sections[SECTION_PLACES];

    /* tripd, once a second, and at stop. */
    uint64_t heartbeat_mono_ns __attribute__((aligned(LAYOUT_LINE))); /* real time, also under a test clock */
    uint32_t daemon_state;                                            /* enum daemon_state; STOPPED: cleanly */
    uint32_t starts;                                                  /* workers started since creation */
    uint32_t keeper_pid;                                              /* as tripd sees them: for people only */
    uint32_t worker_pid;
    uint64_t commons_id;     /* which commons the words are in; clients on another one re-attach */
    uint64_t commons_number; /* 1, 2, ...: how many there have been */
    /* Breakers' slots that have memory, here and in the commons in force. Slots behind them were never used: whoever
     * reads one makes tmpfs allocate it, which may be a SIGBUS. tripd stores this after the memory is there. */
    uint32_t slots;
    /* The same when the commons in force was made: so many have memory in the commons before it. */
    uint32_t slots_before;
    /* Moves at each heartbeat, from 1 on; clients read it at each call: announce.h. */
    uint32_t round;
    uint32_t latency_groups;          /* latency groups that have memory: later ones must not be read, like slots */
    uint32_t max_breakers, max_lanes; /* the config's bounds in force; there may be more from before */

    /* tripd, when the test clock moves: published last, after all timers that it made due. */
    uint64_t test_now_ns __attribute__((aligned(LAYOUT_LINE))); /* since creation */
    /* tripd, when a config is read: places of the ring of error records that have memory, and are used. */
    uint32_t error_records;
    uint32_t groups; /* entries of the section of groups that are in use, and have memory */
    /* tripd, when a config is read: fingerprints that have memory, and are used. */
    uint32_t fingerprints;

    /* tripd, now and then. */
    uint64_t transition_next __attribute__((aligned(LAYOUT_LINE))); /* index of the next entry of the ring */
    uint64_t overflow;                                              /* names that did not fit the table */
    uint32_t breakers;                                              /* slots in use */
    uint32_t lanes;                                                 /* lanes attached */
    uint64_t config_unix_ms;                                        /* when the config in force was loaded */
    uint64_t refused;                                               /* attaches refused, since creation */
    uint64_t refused_lanes;                                         /* of these: max_lanes were attached */
    uint64_t refused_memory;                                        /* lane_memory_per_user was used up */
    uint64_t acts_next;                                             /* entries that the ring of acts has had */

    /* tripd, once a second: clients read it at each look at the clock. */
    struct tsc_line tsc;
};

/* Returns how many entries of a section have memory: whoever reads one beyond makes tmpfs allocate it, which may be a
 * SIGBUS. */
static inline uint32_t section_entries(const struct segment_header *header, unsigned section)
{
    switch (section_memory(section)) {
    case MEMORY_SLOTS:
        return header->slots;
    case MEMORY_LATENCY_GROUPS:
        return header->latency_groups;
    case MEMORY_ERROR_RECORDS:
        return header->error_records;
    case MEMORY_FINGERPRINTS:
        return header->fingerprints;
    case MEMORY_GROUPS:
        return header->groups;
    default:
        return header->sections[section].count;
    }
}

/* The owners of modes, strongest first. When the TTL of a mode ends, the mode of the next owner holds. */
#define MODE_OWNERS(X)      \
    X(OPERATOR, "operator") \
    X(FLEET, "fleet")       \
    X(RULE, "rule")         \
    X(CONFIG, "config")

#define MODE_OWNER_ENUM(suffix, name) MODE_OWNER_##suffix,
enum mode_owner { MODE_OWNERS(MODE_OWNER_ENUM) MODE_OWNER_COUNT };

/* What clients judge by. Line 0 is read at each call, and written only when a setting, a mode, or the next open time
 * changes. tripd alone writes. Words are decoded in policy.h. */
struct policy_slot {
    uint64_t admission;     /* the mode in force, the slot's incarnation, the commons in force: policy.h */
    uint64_t judge[2];      /* by the parity of the state word's generation: threshold, mode, flags: policy.h */
    uint64_t slow_after_ns; /* a call that takes strictly longer is slow; 0: none is */
    uint64_t next_open_ms;  /* how long the next opening lasts, growth and jitter applied */
    uint64_t longest_ms; /* the longest open time or max_wait that may be running: a deadline further away is damage */
    uint64_t half_open;  /* permits 8, max_wait in ms 32: policy.h */
    uint64_t limits; /* which limits there are, and whether calls are timed: enum policy_limit; no limit: the line below
                      * is not read */

    uint64_t modes[MODE_OWNER_COUNT]; /* mode and TTL by owner: policy.h; read while the mode in force has a TTL */
    uint64_t ramp_end;                /* epoch and end, policy.h: published before the CAS to ramping */
    uint64_t permits_free;            /* half-open: armed and not taken when tripd last looked: for people */
    uint64_t fallback;                /* its chain in the book of fallbacks: fallback_word(); 0: it has none */
    uint64_t tickets_wait;            /* how long an admission may wait for a ticket, ns; read when no ticket is free */

    /* Limits: read at admission where there are some; each word is whole for itself. */
    uint64_t tickets_highest; /* no ticket from here on is taken: ticket_word.h. Stored before `tickets` */
    uint64_t tickets;         /* calls in flight at once over all processes; moves where it is adaptive */
    uint64_t reserves;        /* tickets that each priority has to leave: policy.h */
    uint64_t rate_step;       /* struct rate_share of bucket_word.h */
    uint64_t rate_shares[TRIP_PRIORITY_COUNT]; /* by priority; a critical call's share is the whole */
    uint64_t admit_permille;                   /* adaptive throttling; 1000: all */

    /* Retries: read when a call failed and the program wants to retry. */
    uint64_t retry; /* attempts, backoff, jitter: policy.h */
    uint64_t retry_base_ns, retry_max_ns;
    uint64_t retry_total_ns; /* 0: no limit */
    uint64_t retry_on;       /* a bit an error type */
    uint64_t budget_floor;   /* tokens a second, without a deposit */
    uint64_t budget_cap;     /* in thousandths of a token */
    uint64_t hedge_ns;       /* when a second attempt may start; 0: hedging is off */
};

#define DETAIL_TEXT_MAX 96

/* Cold: for people. tripd alone writes, under `sequence` (odd while it writes): copy, then compare. */
struct detail_slot {
    uint64_t sequence;
    char name[TRIP_NAME_MAX + 1];
    uint64_t created_unix_ms;
    uint64_t used_ms;       /* when a call was last seen */
    uint64_t hidden_ms;     /* since when lists leave it out because it has no calls; 0: it is not hidden */
    uint64_t since_unix_ms; /* of the last change of state */
    uint64_t since_ms;
    uint64_t until_ms; /* open: when the next probe may come */
    /* The word by which tripd is about to open it, noted before the step: any other opening is a client's. */
    uint64_t intended;
    uint8_t reason;     /* enum trip_reason, of the last opening */
    uint8_t error_type; /* enum trip_error_type, of the last failure told */
    uint8_t mode_by_config;
    uint8_t by;             /* enum transition_by: who opened the breaker last, or has closed it since */
    uint32_t uid;           /* if an operator did */
    char note[88];          /* an operator's reason */
    uint64_t error_unix_ms; /* 0: none yet */
    char error_message[TRIP_ERROR_MESSAGE_MAX + 1];
    uint64_t error_sequence; /* sequence of its record, which may be overwritten; 0: no error yet */
    struct {
        uint64_t since_unix_ms; /* 0: not set */
        uint64_t until_unix_ms; /* 0: no TTL */
        uint32_t uid;           /* the user who set it */
        uint32_t mode;
        char reason[DETAIL_TEXT_MAX];
    } modes[MODE_OWNER_COUNT];
    uint64_t permit_due_ms; /* half-open, every permit is out: when the next one comes free; 0: not known */
    uint32_t made_by;       /* uid of the process that asked for the name first */
    uint8_t condition;      /* enum trip_reason: if the last opening was a relapse, which condition held; else NONE */
    uint8_t reserved0[3];
    char settings_match[TRIP_NAME_MAX + 1]; /* the pattern whose settings are in force */
    uint32_t latency[LATENCY_GROUPS];       /* number + 1 of the group of its calls by latency; 0: it has none */
    uint32_t reserved1;
};

#define LATENCY_GROUPS_MAX (BREAKERS_MAX * LATENCY_GROUPS)

/* A breaker's calls by latency, for one group of buckets (internal/latency.h). A group belongs to its slot for ever.
 * tripd alone writes: each word by itself, and zeros under the detail's sequence when the slot gets another name. */
struct latency_group {
    uint64_t calls[LATENCY_GROUP];
};

/* Denied calls are counted by verdict. The first BREAKER_DENIALS verdicts are the breaker's own; the others come from
 * limits, for calls that the breaker admits. */
#define DENIALS         (TRIP_VERDICT_COUNT - TRIP_DENY_OPEN)
#define BREAKER_DENIALS (TRIP_DENY_CONCURRENCY - TRIP_DENY_OPEN)

static inline unsigned denial_of(trip_verdict verdict)
{
    return (unsigned)verdict - TRIP_DENY_OPEN;
}

static inline uint64_t denied_by_breaker(const uint64_t denied[DENIALS])
{
    uint64_t sum = 0;
    for (unsigned denial = 0; denial < BREAKER_DENIALS; denial++)
        sum += denied[denial];
    return sum;
}

/* Sums of a breaker that stand for themselves: X(name). The struct below, the snapshot and what is read from it are
 * made of this list.
 *
 * retries, retries_refused   calls that the retry budget paid for, and those that it did not
 * detected, detect_ns        openings from closed or ramping that failed or slow calls led to; the time to the opening
 *                            from the first of these calls that the window then held, or of the streak
 * recovered, recover_ns      times closed again; the time since it had opened first */
#define BREAKER_SUMS(X) \
    X(calls)            \
    X(ok)               \
    X(failures)         \
    X(timeouts)         \
    X(slow)             \
    X(ignored)          \
    X(cancelled)        \
    X(late)             \
    X(retries)          \
    X(retries_refused)  \
    X(opens)            \
    X(probes_ok)        \
    X(probes_failures)  \
    X(probes_slow)      \
    X(detected)         \
    X(detect_ns)        \
    X(recovered)        \
    X(recover_ns)

/* What was counted since the breaker came into being. Every word only grows, so that those of several breakers add up.
 */
#define BREAKER_SUM_MEMBER(name) uint64_t name;
struct breaker_totals {
    BREAKER_SUMS(BREAKER_SUM_MEMBER)
    uint64_t denied[DENIALS];               /* by verdict */
    uint64_t errors[TRIP_ERROR_TYPE_COUNT]; /* by type: of failed calls, and reported outside of calls */
    uint64_t trips[TRIP_REASON_COUNT];      /* openings by reason */
    uint64_t state_ns[TRIP_STATE_COUNT];    /* spent in each state, up to the last change of state */
};

/* The part of an image that clients and tools read: totals, window, probe counts. Behind it stands the rest of struct
 * core_state (daemon/core/breaker.h), CORE_IMAGE_SIZE at most in all. A transaction replaces the image as a whole. */
struct core_head {
    struct breaker_totals totals;
    uint64_t window_calls, window_failures, window_slow; /* as of the last commit */
    uint64_t minimum_calls;
    uint64_t in_flight;
    uint64_t state;                                /* enum trip_state: which totals.state_ns does not have yet */
    uint64_t state_since_ns;                       /* on the instance's clock */
    uint64_t last_detect_ns, last_recover_ns;      /* 0: none yet */
    uint64_t probe_ok, probe_failures, probe_slow; /* since it became half-open */
    uint64_t probes_needed; /* until half-open ends: successes, or for a verdict by rate any outcomes */
};

#define CORE_IMAGE_SIZE 1984

/* `commits` selects the image in force (its lowest bit) and moves by one at each commit: a reader copies image
 * commits & 1 and starts again, five times at most, if `commits` moved meanwhile. */
struct core_slot {
    uint64_t commits __attribute__((aligned(LAYOUT_LINE)));
    struct {
        struct core_head head;
        uint8_t rest[CORE_IMAGE_SIZE - sizeof(struct core_head)];
    } images[2] __attribute__((aligned(LAYOUT_LINE)));
};

/* Since when a breaker rests: internal/succession.h. tripd writes it when it makes another commons; `since` first. */
struct breaker_rest {
    uint64_t word;  /* the mirror, as it was when this word was first found */
    uint64_t since; /* number of the commons made at that time; 0: none was made since the breaker is there */
};

#define GROUPS_MAX 1024

/* What breakers counted whose slots were given to other names, by group: their name up to its last `/`. The first entry
 * is that of breakers without a group, and of groups that found no place. tripd alone writes. To move a breaker's
 * totals it fills the image not in force, `from` with it, and moves `commits` (release); then it empties the breaker,
 * and then `from`. A reader that adds up breakers and groups leaves out the breaker that `from` names: both have its
 * totals. */
struct group_slot {
    uint64_t commits; /* its lowest bit says which image is in force */
    struct group_image {
        uint64_t from; /* slot + 1 (32), incarnation (32); 0: nobody's totals are being moved */
        struct breaker_totals totals;
    } images[2];
    char name[TRIP_NAME_MAX + 1]; /* written before the entry is in use */
};

/* What tripd measured of itself since the segment was made. tripd alone writes these words, each by itself: the times
 * and the memory at heartbeats, the others as it counts. */
struct host_metrics {
    uint64_t up_ns, busy_ns; /* how long workers ran, and were not asleep in their loop */
    uint64_t resident;       /* bytes of the worker's memory; 0: not known */
    uint64_t lane_memory;    /* bytes of the lanes, with what the worker keeps of them */
    /* Failed and slow calls, at least so many, that were counted without their event: its ring was full, or its process
     * was killed before it. */
    uint64_t untold;
    uint64_t lag[LATENCY_BUCKETS]; /* events by how long they waited until tripd took them */
};

#define TRANSITION_RING 4096
#define ACTS_RING       1024

/* Who took the step of a transition. */
#define ACTORS(X)       \
    X(DAEMON, "tripd")  \
    X(CLIENT, "client") \
    MODE_OWNERS(X)

#define ACTOR_ENUM(suffix, name) BY_##suffix,
enum transition_by { ACTORS(ACTOR_ENUM) BY_COUNT };

/* A transition changes a breaker's state or its mode in force, begins or ends an incident, or changes a degradation
 * level or a feature. */
enum transition_of { OF_STATE, OF_MODE, OF_INCIDENT, OF_LEVEL, OF_FEATURE, OF_COUNT };

/* An event of an incident tells that it began or that it ended: X(ENUM_SUFFIX, "name"). */
#define INCIDENT_STEPS(X) \
    X(BEGAN, "began")     \
    X(ENDED, "ended")

#define INCIDENT_STEP_ENUM(suffix, name) INCIDENT_##suffix,
enum incident_step { INCIDENT_STEPS(INCIDENT_STEP_ENUM) INCIDENT_STEP_COUNT };

/* A change of a breaker's state or mode, an incident that began or ended, a change of a level or a feature. `sequence`
 * is index + 1, written last: while it differs from what the place says, the entry is being written. An act is copied
 * into a ring of its own, with its sequence, before it enters the ring of all: events.h. */
struct transition {
    uint64_t sequence;
    uint64_t at_ms;
    uint64_t at_unix_ms;
    uint32_t breaker; /* of an incident: the one that led, as far as was known; of a level or a feature: UINT32_MAX */
    uint8_t from, to; /* enum trip_state, enum trip_mode, a level in force, or (`to`) enum incident_step */
    uint8_t reason;   /* enum trip_reason */
    uint8_t by;       /* enum transition_by */
    uint32_t uid;     /* if an operator did */
    /* The epoch after a change of state; the id of an incident; for a level or a feature, the number of tripd's commit
     * that changed it. */
    uint32_t epoch;
    uint16_t of;       /* enum transition_of */
    uint8_t condition; /* enum trip_reason: for a relapse, the condition that held; else NONE */
    uint8_t set;       /* of a level: the one that was set, to which `to` goes down */
    union {
        /* The entry stands for so many steps, which came too fast to be told one by one; 0: for one. */
        uint32_t steps;
        struct {
            uint16_t from_permille, to_permille; /* of a feature */
        };
    };
    uint64_t until_unix_ms;       /* when the TTL of what was set ends; 0: it has none */
    char name[TRIP_NAME_MAX + 1]; /* of a level: the group, "" for the host's */
    char note[88];                /* an operator's reason */
};

/* ------------------------------------------------------------------------------ the journal of the one transaction */
/* A drain changes one breaker's image and the marks ("counted up to here") in the lanes that it read. Wherever tripd
 * dies, both changes hold or neither does: (1) tripd writes the new image to the place not in force, and the new marks
 * into the journal; (2) it commits with state = slot + 1 (release); (3) it moves `commits` and stores the marks in
 * their lanes; (4) it sets state = 0. A tripd that adopts the segment and finds state != 0 does (3) and (4) again,
 * which changes nothing if they were done. */
#define JOURNAL_MARKS 256

/* How much of a meter tripd has counted: the totals of its client lines, and the evidence of one epoch. */
struct meter_marks {
    uint64_t ok, failures, slow; /* evidence words, epoch and count, as counted */
    uint64_t total_ok, total_failures, total_timeouts, total_slow, ignored, cancelled, late;
    uint64_t retries;
    uint64_t denied[DENIALS];
    uint32_t errors[TRIP_ERROR_TYPE_COUNT]; /* by type, modular */
    uint32_t retries_refused;               /* modular */
};

/* A breaker's state has moved: from one word to another. */
struct step_mark {
    uint64_t from, to;
    uint64_t at_ms;
    uint32_t slot;
    uint32_t uid;      /* if an operator did */
    uint8_t reason;    /* enum trip_reason */
    uint8_t condition; /* enum trip_reason: for a relapse */
    uint8_t by;        /* enum transition_by */
    uint8_t reserved0;
    char note[88]; /* an operator's reason */
    uint32_t reserved1;
};

enum journal_kind {
    JOURNAL_METER,  /* .marks: those of the meter at `place` of a lane */
    JOURNAL_STEP,   /* .step */
    JOURNAL_PERMIT, /* .permit: its answer, at `place`, is counted */
    JOURNAL_CALL,   /* .call: the word of the stalled call at `place` of a lane is counted */
};

struct journal_mark {
    uint64_t lane_id; /* from the lane's header; 0: the entry is unused, or of no lane */
    uint32_t lane;
    uint32_t place;
    uint32_t uid; /* the lane's user: two users' lanes may have the same id */
    uint32_t kind;
    union {
        struct meter_marks marks;
        struct step_mark step;
        struct {
            uint64_t word;
            uint32_t slot;
            uint32_t reserved;
        } permit;
        uint64_t call;
    };
};

struct journal {
    uint64_t state;   /* 0: idle; slot + 1: committed, to be carried out */
    uint64_t commits; /* what the slot's `commits` becomes */
    uint64_t mark_count;
    uint64_t pending_next; /* the pending mark that gives way when the table is full */
    uint64_t reserved[4];
    struct journal_mark marks[JOURNAL_MARKS];
};

#define PENDING_MARKS 1024

/* An attached process, at the place of its lane's number. tripd alone writes; lane_id is set to 0 first and to its
 * value last. */
struct client_slot {
    uint64_t lane_id; /* 0: nobody */
    uint64_t attached_unix_ms;
    uint32_t pid, uid; /* as tripd saw them at attach: for people only */
    uint32_t detached; /* 1: it hung up, and its process lives */
    uint32_t meters;   /* in use, as of the last look */
    char program[24];
    uint64_t lost; /* outcomes that found no meter, as the process counts them: admitted, but not counted */
};

/* ---------------------------------------------------------------------------------------------- errors, for people */
/* Only the counts in core_head.totals are exact; the rest is best effort. Together less than 1 MiB at the defaults. */
#define ERROR_RECORDS_MAX 16384u /* places; correlation.max_errors of them are used, and have memory */
#define ERROR_ROWS        2048u
#define ERROR_ROW_BUCKETS 10 /* how finely a window is cut: it slides by one sub-bucket */

/* Bits that say which strings of a record were cut because they were longer than their places. */
enum error_cut {
    ERROR_CUT_MESSAGE = 1,
    ERROR_CUT_CORRELATION = 2,
    ERROR_CUT_TRACE = 4,
    ERROR_CUT_SESSION = 8,
    ERROR_CUT_CONTEXT = 16
};

/* Context pairs of an error: key, NUL, value, NUL, one pair after the other. */
#define ERROR_SPAN_MAX 16 /* hexadecimal digits of a span id: W3C Trace Context */

/* An error as a client told it. `sequence` is index + 1, written last: while it differs from what the place says, the
 * record is being written. The strings may be any bytes: whoever shows them makes them printable. */
struct error_record {
    uint64_t sequence;
    uint64_t at_ms;
    uint64_t at_unix_ms;
    uint64_t latency_ns; /* 0: not known */
    uint32_t breaker;
    uint32_t pid, uid; /* of the process that told it */
    uint32_t times;    /* the record stands for so many errors, of which nothing else is known */
    uint32_t reserved0;
    uint8_t type;    /* enum trip_error_type */
    uint8_t outside; /* 1: trip_report_error told it, outside of a call */
    uint8_t cut;     /* enum error_cut, bits */
    uint8_t pairs;   /* in `context` */
    char name[TRIP_NAME_MAX + 1];
    char message[TRIP_ERROR_MESSAGE_MAX + 1];
    char correlation[TRIP_ERROR_ID_MAX + 1];
    char trace[TRIP_ERROR_ID_MAX + 1];
    char session[TRIP_ERROR_ID_MAX + 1];
    char span[ERROR_SPAN_MAX + 8]; /* from a trace id in the form of `traceparent` */
    char context[TRIP_ERROR_CONTEXT_MAX];
};

/* Recent errors of one entity and type: error_rows.h. tripd alone writes, under `sequence` (odd while it writes). */
struct error_row {
    uint64_t key; /* 0: never used */
    uint64_t latest_ns;
    uint32_t sequence;
    uint32_t bucket;                    /* number of the newest sub-bucket */
    uint32_t counts[ERROR_ROW_BUCKETS]; /* by sub-bucket number, modulo ERROR_ROW_BUCKETS */
};

/* The settings by which errors are analysed, and counts of errors that were left out. tripd alone writes; each word is
 * whole by itself. */
struct correlation_shown {
    uint64_t window_ns, high_error_rate, pattern_share; /* core/correlation.h */
    uint64_t next;                                      /* index of the next record */
    uint64_t untexted;                                  /* errors whose text was overwritten before tripd took it */
    uint64_t uncounted; /* errors that found no row, and are missing in the analyses of their breakers and groups */
    uint64_t reserved[2];
};

#define LIMITS_HOLDERS 8

/* A breaker's limits, as tripd shows them at each heartbeat while there are some. tripd alone writes, under `sequence`,
 * as in detail_slot. */
struct limits_shown {
    uint64_t sequence;
    uint64_t tickets_taken;
    uint64_t budget;    /* in thousandths of a token */
    uint64_t rate_free; /* calls that could come at once */
    struct {
        uint32_t lane, tickets; /* lane 0: the list ends; TICKET_LEASE: all processes without a lane */
    } holders[LIMITS_HOLDERS];  /* the lanes that hold the most tickets */
    uint64_t tickets_max;       /* as configured; an adaptive limit in force may be less */
    uint64_t rate_limit, rate_per_ms;
};

#define REPORTERS_LISTED 8

/* What the process of one lane has reported to a breaker, as far as tripd has counted it. */
struct reporting_lane {
    uint32_t lane;
    uint32_t reserved0;
    uint64_t calls, failures, slow;
};

/* Which processes report to a breaker, for people, as of the last heartbeat at which tripd had counted some of their
 * calls, or one had gone. tripd alone writes, under `sequence`, as in detail_slot. */
struct reporters_shown {
    uint64_t sequence;
    uint64_t count;                                /* lanes that have reported a call */
    struct reporting_lane lanes[REPORTERS_LISTED]; /* those with the most calls, in order; lane 0: the list ends */
};

#define PATTERNS_MAX 256

/* A mode that an operator set by pattern. tripd alone writes; serial is set to 0 first and to its value last. Of the
 * patterns that match a name the one with the highest serial binds it, also if the breaker comes later, until its TTL
 * ends. */
struct pattern_slot {
    uint64_t serial; /* 0: free */
    uint64_t set_unix_ms;
    uint64_t until_ms; /* 0: no TTL */
    uint32_t uid;
    uint32_t mode; /* enum trip_mode */
    char pattern[TRIP_NAME_MAX + 1];
    char reason[DETAIL_TEXT_MAX];
};

/* The book in force is books[commits & 1], and its generation is `commits`; the other one is that of the load before,
 * to which a policy slot may still refer. A reader copies the book of the generation that it wants, and takes the copy
 * if `commits` is that generation or the next one afterwards. tripd alone writes, once a load of the config. */
struct fallback_memory {
    uint64_t commits __attribute__((aligned(LAYOUT_LINE)));
    struct fallback_book books[2];
};

#endif
