/* The layout of everything that tripd, libtrip and the tools share. Header-only, not installed.
 *
 *   state segment   named POSIX shm, written by tripd alone, clients map it read-only
 *   commons         sealed memfd, one CAS-able 64-bit word at a time, written by everyone
 *   lane            sealed memfd of one client process; the lines marked "tripd" are tripd's, the rest the client's
 *
 * Rules that hold everywhere:
 *   - A field is a naturally aligned 8-byte (or smaller) scalar, written and read whole.
 *   - Who may write a line stands above it. No line has two kinds of writers, but for the CAS-able words.
 *   - Sections of the segment are found by the offset, stride and count that its header states, never by constants: a
 *     later version adds sections behind, and an older reader goes on.
 *   - A reader copies, then validates the copy, and uses nothing from shared memory twice.
 *
 * Any change here moves layout_digest(), whose value stands in a golden file in tests/abi; a client with another digest
 * is refused at attach with both named.
 */
#ifndef TRIP_INTERNAL_LAYOUT_H
#define TRIP_INTERNAL_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "internal/ticket_word.h"
#include "trip.h"

#ifndef LAYOUT_VERSION /* a test builds a tripd and a libtrip of the next one */
#define LAYOUT_VERSION 1u
#endif
#define LAYOUT_LINE 64
#define LAYOUT_PAGE 4096

/* Tables have places for so many, whatever the config says; a place has memory from when it is first used. */
#define BREAKERS_MAX 65535u
#define LANES_MAX    4095u /* 12 bits of lane in permits and in `probing` */

/* ---------------------------------------------------------------------------------------------- state segment */

#define SEGMENT_MAGIC UINT64_C(0x3167657364706972) /* "ripdseg1", little endian */

enum segment_section {
    SECTION_POLICY,      /* struct policy_slot, one a breaker */
    SECTION_MIRROR,      /* uint64_t, the state word as tripd last saw or wrote it, one a breaker */
    SECTION_DETAIL,      /* struct detail_slot, one a breaker */
    SECTION_CORE,        /* struct core_slot, one a breaker: window, totals, probe counts, in two images */
    SECTION_NAMES,       /* uint64_t, open-addressing index of names; a power of two */
    SECTION_TRANSITIONS, /* struct transition, the last 4,096 */
    SECTION_ACTS,        /* struct transition, the last 1,024 that were no step of a client or of tripd */
    SECTION_JOURNAL,     /* struct journal, one */
    SECTION_PENDING,     /* struct journal_mark, marks whose lane was not there at adoption */
    SECTION_CLIENTS,     /* struct client_slot, one a lane: for people */
    SECTION_PATTERNS,    /* struct pattern_slot: modes that bind breakers yet to come */
    SECTION_LIMITS,      /* struct limits_shown, one a breaker: for people */
    SECTION_RESTS,       /* struct breaker_rest, one a breaker */
    SECTION_COUNT
};
/* Those with one entry a breaker, of which segment_header.slots have memory. */
static inline _Bool section_of_breakers(unsigned section)
{
    return section <= SECTION_CORE || section == SECTION_LIMITS || section == SECTION_RESTS;
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
    /* Breakers' slots that have memory, here and in the commons in force. Those behind were never used: whoever reads
     * one has tmpfs allocate it, which may be a SIGBUS. Stored after the memory is there. */
    uint32_t slots;
    uint32_t slots_before; /* when the commons in force was made: so many have memory in the one before */
    uint32_t round;        /* moves at each heartbeat, from 1 on. Read at each call: announce.h */
    uint32_t reserved2;
    uint32_t max_breakers, max_lanes; /* the config's bounds in force: what was there before may be more */

    /* tripd, when the test clock moves: published last, after all timers that it made due. */
    uint64_t test_now_ns __attribute__((aligned(LAYOUT_LINE))); /* since creation */

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

/* Room for a policy's modes, strongest first; at a TTL's end the next that is set holds. */
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
    uint64_t reserved;
    uint64_t tickets_wait; /* how long an admission may wait for a ticket, ns: read when there is none */

    /* Limits: read at admission where there are some; each word is whole for itself. */
    uint64_t tickets_highest; /* none is out from here on: ticket_word.h. Stored before `tickets` */
    uint64_t tickets;         /* calls in flight at once over all processes; moves where it is adaptive */
    uint64_t reserves;        /* what is left to whom: policy.h */
    uint64_t rate_step;       /* struct rate_share of bucket_word.h */
    uint64_t rate_shares[TRIP_PRIORITY_COUNT]; /* by who asks; the critical one's is the whole */
    uint64_t admit_permille;                   /* adaptive throttling; 1000: all */

    /* Retries: read when a call failed and its caller asks. */
    uint64_t retry; /* attempts, backoff, jitter: policy.h */
    uint64_t retry_base_ns, retry_max_ns;
    uint64_t retry_total_ns; /* 0: no limit */
    uint64_t retry_on;       /* a bit an error type */
    uint64_t budget_floor;   /* tokens a second, without a deposit */
    uint64_t budget_cap;     /* in thousandths of a token */
    uint64_t hedge_ns;       /* when a second attempt may start; 0: never */
};

#define DETAIL_TEXT_MAX 96

/* Cold: for people. tripd alone writes, under `sequence` (odd while it writes): copy, then compare. */
struct detail_slot {
    uint64_t sequence;
    char name[TRIP_NAME_MAX + 1];
    uint64_t created_unix_ms;
    uint64_t used_ms;       /* last time a call was seen */
    uint64_t hidden_ms;     /* since when lists leave it out, for want of calls; 0: they do not */
    uint64_t since_unix_ms; /* of the last change of state */
    uint64_t since_ms;
    uint64_t until_ms;  /* open: when the next probe may come */
    uint64_t intended;  /* the word by which tripd opens it, noted before the step: no other opening is tripd's */
    uint8_t reason;     /* enum trip_reason, of the last opening */
    uint8_t error_type; /* enum trip_error_type, of the last failure told */
    uint8_t mode_by_config;
    uint8_t by;             /* enum transition_by: who opened it last, or has closed it since */
    uint32_t uid;           /* of an operator */
    char note[88];          /* an operator's reason */
    uint64_t error_unix_ms; /* 0: none yet */
    char error_message[TRIP_ERROR_MESSAGE_MAX + 1];
    struct {
        uint64_t since_unix_ms; /* 0: not set */
        uint64_t until_unix_ms; /* 0: no TTL */
        uint32_t uid;           /* who */
        uint32_t mode;
        char reason[DETAIL_TEXT_MAX];
    } modes[MODE_OWNER_COUNT];
    uint64_t permit_due_ms; /* half-open, every permit is out: when the next one comes free; 0: not known */
    uint32_t made_by;       /* uid of the process that asked for the name first */
    uint8_t condition;      /* enum trip_reason: if the last opening was a relapse, which condition held; else NONE */
    uint8_t reserved0[3];
    char settings_match[TRIP_NAME_MAX + 1]; /* the pattern whose settings are in force */
    uint64_t latency[LAYOUT_LINE / 2];      /* calls by latency bucket: lane.h */
};

/* Why a call was rejected though the breaker admitted it: X(ENUM_SUFFIX, "name in JSON"). */
#define LIMITED_KINDS(X)          \
    X(CONCURRENCY, "concurrency") \
    X(RATE, "rate")               \
    X(SHED, "shed")               \
    X(DEADLINE, "deadline")

#define LIMITED_ENUM(suffix, name) LIMITED_##suffix,
enum limited { LIMITED_KINDS(LIMITED_ENUM) LIMITED_COUNT };

/* Outcomes since the breaker came into being. */
struct breaker_totals {
    uint64_t calls, ok, failures, timeouts, slow, ignored, cancelled, late, denied;
    uint64_t retries;                /* calls that the retry budget paid for */
    uint64_t limited[LIMITED_COUNT]; /* rejected here, before the dependency was asked */
};

/* What a transaction replaces as a whole: totals, window, probe counts. The bulk behind `totals` and `sums` is
 * struct core_state of daemon/core/breaker.h, of CORE_IMAGE_SIZE at most; clients and tools read only this head. */
struct core_head {
    struct breaker_totals totals;
    uint64_t window_calls, window_failures, window_slow; /* as of the last commit */
    uint64_t minimum_calls;
    uint64_t in_flight;
    uint64_t opens;                    /* times opened */
    uint64_t open_ms;                  /* time spent open, ended openings only */
    uint64_t trips[TRIP_REASON_COUNT]; /* openings by reason */
    uint64_t probe_ok, probe_failures, probe_slow;
    uint64_t probes_needed; /* good ones, or with a rate's verdict any, until half-open ends */
};

#define CORE_IMAGE_SIZE 1536

/* `commits` selects the image in force (its lowest bit) and moves by one at each commit: a reader copies image
 * commits & 1 and starts again, five times at most, if `commits` moved meanwhile. */
struct core_slot {
    uint64_t commits __attribute__((aligned(LAYOUT_LINE)));
    struct {
        struct core_head head;
        uint8_t rest[CORE_IMAGE_SIZE - sizeof(struct core_head)];
    } images[2] __attribute__((aligned(LAYOUT_LINE)));
};

/* Since when a breaker rests: internal/succession.h. tripd writes it when it makes another commons, `since` first. */
struct breaker_rest {
    uint64_t word;  /* the mirror, as it was then for the first time */
    uint64_t since; /* number of the commons that was made then; 0: none was while this breaker was there */
};

#define TRANSITION_RING 4096
#define ACTS_RING       1024

/* Whose step it was. */
#define ACTORS(X)       \
    X(DAEMON, "tripd")  \
    X(CLIENT, "client") \
    MODE_OWNERS(X)

#define ACTOR_ENUM(suffix, name) BY_##suffix,
enum transition_by { ACTORS(ACTOR_ENUM) BY_COUNT };

/* Of what: a breaker's state, or the mode in force of it. */
enum transition_of { OF_STATE, OF_MODE };

/* `sequence` is index + 1, written last: an entry whose sequence is not what its place says is being written. Acts are
 * copied into a ring of their own, with their sequence, before they are in the ring of all: events.h. */
struct transition {
    uint64_t sequence;
    uint64_t at_ms;
    uint64_t at_unix_ms;
    uint32_t breaker;
    uint8_t from, to;  /* enum trip_state, or enum trip_mode */
    uint8_t reason;    /* enum trip_reason */
    uint8_t by;        /* enum transition_by */
    uint32_t uid;      /* of an operator */
    uint32_t epoch;    /* of a state: after it */
    uint16_t of;       /* enum transition_of */
    uint8_t condition; /* enum trip_reason: of a relapse, which condition held; else NONE */
    uint8_t reserved0;
    uint32_t steps;         /* it stands for so many, that came too fast to be told one by one; 0: for itself */
    uint64_t until_unix_ms; /* of a mode: when it ends by itself; 0: not */
    char name[TRIP_NAME_MAX + 1];
    char note[88]; /* an operator's reason */
};

/* ------------------------------------------------------------------------------- the journal of the one transaction
 *
 * A drain changes one breaker's image and the marks ("counted up to here") in the lanes it drew from. Both or neither,
 * wherever tripd dies: (1) the new image is written to the place not in force, the new marks into the journal;
 * (2) state = slot + 1 with release: the commit; (3) `commits` moves, the marks are stored in their lanes; (4) state
 * = 0. Adoption finds state != 0 and does (3) and (4) again, which changes nothing if they were done. */
#define JOURNAL_MARKS 256

/* What of a meter is counted: totals as of its client lines, evidence of one epoch. */
struct meter_marks {
    uint64_t ok, failures, slow; /* evidence words, epoch and count, as counted */
    uint64_t total_ok, total_failures, total_timeouts, total_slow, ignored, cancelled, late, denied;
    uint64_t retries;
    uint64_t limited[LIMITED_COUNT];
};

/* A breaker's state has moved: from one word to another. */
struct step_mark {
    uint64_t from, to;
    uint64_t at_ms;
    uint32_t slot;
    uint32_t uid;      /* of an operator */
    uint8_t reason;    /* enum trip_reason */
    uint8_t condition; /* enum trip_reason: of a relapse */
    uint8_t by;        /* enum transition_by */
    uint8_t reserved0;
    char note[88]; /* an operator's reason */
    uint32_t reserved1;
};

enum journal_kind {
    JOURNAL_METER,  /* .marks: of the meter at `place` of a lane */
    JOURNAL_STEP,   /* .step */
    JOURNAL_PERMIT, /* .permit: its answer, at `place`, is counted */
    JOURNAL_CALL,   /* .call: the word of the stalled call at `place` of a lane is counted */
};

struct journal_mark {
    uint64_t lane_id; /* of the lane's header; 0: it is of no lane, or unused */
    uint32_t lane;
    uint32_t place;
    uint32_t uid; /* of the lane's process: an id is a lane's of this user */
    uint32_t kind;
    union {
        struct meter_marks marks;
        struct step_mark step;
        struct {
            uint64_t word;
            uint32_t slot;
        } permit;
        uint64_t call;
    };
};

struct journal {
    uint64_t state;   /* 0: idle; slot + 1: committed, to be carried out */
    uint64_t commits; /* what the slot's `commits` becomes */
    uint64_t mark_count;
    uint64_t pending_next; /* which of the pending marks gives way when there are too many */
    uint64_t reserved[4];
    struct journal_mark marks[JOURNAL_MARKS];
};

#define PENDING_MARKS 1024

/* An attached process, at the place of its lane's number. tripd alone writes; lane_id first 0, last set. */
struct client_slot {
    uint64_t lane_id; /* 0: nobody */
    uint64_t attached_unix_ms;
    uint32_t pid, uid; /* as tripd saw them at attach: for people only */
    uint32_t detached; /* 1: hung up, its process lives */
    uint32_t meters;   /* in use, as of the last look */
    char program[24];
    uint64_t reserved0;
};

#define LIMITS_HOLDERS 8

/* A breaker's limits as tripd last looked, at each heartbeat while there are some. tripd alone writes, under
 * `sequence`, as in detail_slot. */
struct limits_shown {
    uint64_t sequence;
    uint64_t tickets_taken;
    uint64_t budget;          /* in thousandths of a token */
    uint64_t retries_refused; /* since the commons was made */
    uint64_t rate_free;       /* calls that could come at once */
    struct {
        uint32_t lane, tickets; /* lane 0: no more; TICKET_LEASE: all who have no lane */
    } holders[LIMITS_HOLDERS];  /* who holds most */
    uint64_t tickets_max;       /* as configured: the limit in force is less where it is adaptive */
    uint64_t rate_limit, rate_per_ms;
};

#define PATTERNS_MAX 256

/* A mode that an operator set by pattern. tripd alone writes; serial first 0, last set. The highest serial whose
 * pattern matches a name binds it, also if the breaker comes later, until its TTL's end. */
struct pattern_slot {
    uint64_t serial; /* 0: free */
    uint64_t set_unix_ms;
    uint64_t until_ms; /* 0: no TTL */
    uint32_t uid;
    uint32_t mode; /* enum trip_mode */
    char pattern[TRIP_NAME_MAX + 1];
    char reason[DETAIL_TEXT_MAX];
};

/* ----------------------------------------------------------------------------------------------------- commons */

/* What is where: commons_plan.h. */
#define COMMONS_LANES_MAX   4096
#define PERMITS_PER_BREAKER 64

enum commons_section {
    COMMONS_WORDS,   /* struct state_line, one a breaker */
    COMMONS_PERMITS, /* uint64_t[PERMITS_PER_BREAKER], one a breaker */
    COMMONS_LIMITS,  /* struct limit_lines, one a breaker */
    COMMONS_TICKETS, /* uint64_t[TICKET_WORDS], one a breaker: ticket_word.h */
    COMMONS_SECTION_COUNT
};

/* Everyone writes it: nobody believes it. */
struct commons_header {
    uint32_t doorbell __attribute__((aligned(LAYOUT_LINE))); /* doorbell.h */

    /* A bit a lane, bit n of the whole for lane n: something was told (or dropped, for want of room) since tripd last
     * looked. Set by the client after its event and a full fence, before the bell, if it rings: bell.h. */
    uint64_t dirty[COMMONS_LANES_MAX / 64] __attribute__((aligned(LAYOUT_LINE)));
};

/* A line of its own: written only when the breaker's state or streak changes, and for failures. A client that tells of
 * a call that failed or was slow while the breaker was closed adds 1 to `told`, and wakes tripd if that reaches
 * `ring_at`: bell.h. */
struct state_line {
    uint64_t word;    /* state_word.h */
    uint64_t told;    /* everyone: modular */
    uint64_t ring_at; /* tripd */
    uint64_t reserved[5];
};

/* What limits share: a line for each word that is written at each call, so that those who use one do not wait for those
 * who use another. */
struct limit_lines {
    uint64_t rate __attribute__((aligned(LAYOUT_LINE))); /* bucket_word.h */

    uint64_t budget __attribute__((aligned(LAYOUT_LINE))); /* bucket_word.h */
    uint64_t retries_refused;                              /* for people */

    /* Who waits for a ticket sets `waiting` and sleeps on `turn`; who gives one back and finds it set clears it, moves
     * `turn` on and wakes those who sleep longest: waiters.h. */
    uint32_t turn __attribute__((aligned(LAYOUT_LINE)));
    uint32_t waiting;
};

/* -------------------------------------------------------------------------------------------------------- lane
 *
 *   header | resolved breakers | section heads | in-flight table | sections' rings | meters
 *
 * Every lane is laid out for the most there can be, and is mostly holes: a page gets its memory when its client needs
 * it. The client makes the memory of what it marks as used present before it marks it (docs/decisions/lane-size.md).
 */
#define LANE_MAGIC         UINT64_C(0x31656e616c706972) /* "riplane1" */
#define LANE_BREAKERS      65536                        /* slots that a lane has a bit for */
#define LANE_SECTIONS      257    /* 0 is shared by the threads that found no section of their own */
#define LANE_METERS        131072 /* one a breaker for section 0, and LANE_THREAD_METERS: events have 17 bits for one */
#define LANE_THREAD_METERS 65536  /* most meters of the sections that threads have for themselves */
#define LANE_EVENTS        512    /* a section's ring; a power of two */
#define LANE_ERRORS        16     /* a section's ring of error records; a power of two */
#define LANE_CALLS         1024   /* in-flight table of a lane */
#define LATENCY_BUCKETS    32

struct lane_header {
    /* client, once, before the attach */
    uint64_t magic;
    uint32_t version;
    uint32_t pid; /* as the client sees it: for people only */
    uint64_t digest;
    uint64_t lane_id; /* random: among the lanes of its user, names this one for ever */
    char program[24];

    /* client, when it takes a meter: meters [0, meters_used) may be looked at, later ones are holes */
    uint32_t meters_used __attribute__((aligned(LAYOUT_LINE)));
    uint32_t sections_used; /* likewise for sections, 1 at least */
    uint64_t lost;          /* outcomes that found no meter: admitted, not counted */
    uint64_t segment_id;    /* whose slots its meters count for; once, before the attach */
    uint32_t announced;     /* client 1, tripd 0: there is something in `moved`, below */
    uint32_t calls_used;    /* 1: the in-flight table may be looked at, else it is a hole */

    /* tripd: `granted` once the lane outlives its worker. Number (12 bits, 1 to max_lanes) and, as in admission words,
     * the commons in which the number is this lane's; 0: none yet */
    uint64_t granted __attribute__((aligned(LAYOUT_LINE)));
    uint32_t detached; /* 1: tripd will not look at this lane again */

    /* A bit for each 32 meters: the client announced one of them, and tripd has not taken that. announce.h */
    uint64_t moved[LANE_METERS / 32 / 64] __attribute__((aligned(LAYOUT_LINE)));
};

struct lane_section {
    /* client */
    uint64_t head __attribute__((aligned(LAYOUT_LINE))); /* events appended */
    uint64_t errors;                                     /* error records written */
    /* tripd */
    uint64_t tail __attribute__((aligned(LAYOUT_LINE))); /* events consumed */
};

/* One breaker as one section sees it. Evidence words are epoch 20 | count 44: a client that finds another epoch in the
 * state word overwrites them with count 1, and never moves them back. Totals only grow. Section 0's are changed with
 * atomics, the others by plain single-writer stores (release, paired with tripd's acquire). One outcome bumps `slow`
 * before `ok` or `failures`, those before its event; of the totals the call itself first. Once `marks` equal the
 * counters the client may give the meter to another breaker: what it counts from then on is that one's. */
struct meter {
    /* client: what a counted success touches, together with its latency bucket */
    uint64_t owner __attribute__((aligned(LAYOUT_LINE))); /* breaker + 1 (32), incarnation (16), section (16); last */
    uint64_t ok;                                          /* evidence */
    uint64_t total_ok;
    /* Calls begun and ended: in flight is the difference over all meters. A call that takes a ticket is begun before,
     * and ended after it was given back: no more tickets are the lane's than calls. */
    uint64_t started, finished;
    uint64_t failures, slow; /* evidence */
    uint32_t rung;      /* client's own note: tripd was woken for an event of this owner's, and so knows the meter */
    uint32_t announced; /* client: the segment's round when it announced the meter last */
    /* client */
    uint64_t total_failures, total_timeouts, total_slow, ignored, cancelled, late, denied;
    uint64_t retries; /* paid from the budget */
    /* client: local rejections */
    uint64_t limited[LIMITED_COUNT] __attribute__((aligned(LAYOUT_LINE)));
    /* tripd */
    struct meter_marks marks __attribute__((aligned(LAYOUT_LINE)));
    /* client: calls by latency: bucket i holds latencies below 64 us * 2^(i/2), the last one all above */
    uint32_t latency[LATENCY_BUCKETS] __attribute__((aligned(LAYOUT_LINE)));
};

/* What is told. The counters are bumped before the event is appended, and the event carries them, so that tripd knows
 * the order, and how many were dropped when the ring was full. `stamp` is the low 32 bits of index + 1, written last. A
 * section's own thread writes the event, then `head`; in section 0 a thread first takes its place by a CAS of `head`,
 * never further than `tail` + LANE_EVENTS. */
struct lane_event {
    uint64_t ticks;    /* when */
    uint64_t ok;       /* the meter's evidence: epoch 20 | count 44, of this event's epoch */
    uint32_t failures; /* low 32 bits of the evidence counts, this event included */
    uint32_t slow;
    uint32_t what; /* meter 17, outcome 3, slow 1, error type 5, error record 6 (0: none; else place + 1) */
    uint32_t stamp;
};

#define LANE_ERROR_WRITING UINT64_MAX

struct lane_error {
    uint64_t stamp; /* index + 1, written last; LANE_ERROR_WRITING until then; 0: never written */
    char message[TRIP_ERROR_MESSAGE_MAX + 1];
    char correlation[TRIP_ERROR_ID_MAX + 1];
    char trace[TRIP_ERROR_ID_MAX + 1];
    char session[TRIP_ERROR_ID_MAX + 1];
    uint8_t reserved[24];
};

/* A call in flight on a breaker whose policy watches them (stall_after). `state`: meter + 1 (32), serial (24),
 * status (8). The client takes a free place (serial + 1), writes `ticks`, then status RUNNING. All other steps are
 * CASes:
 *
 *   call ends      RUNNING  -> FREE      its outcome is evidence, as any
 *                  STALLING -> RETURNED  tripd is counting it as a failure: the outcome enters totals only
 *                  STALLED  -> FREE      tripd has counted it: likewise
 *   tripd          RUNNING  -> STALLING  older than stall_after: it will be counted
 *                  then, with the commit that counts it: STALLING -> STALLED, RETURNED -> FREE
 *
 * A tripd that finds STALLING or RETURNED after it carried the journal out counts it: its predecessor did not. */
enum lane_call_status {
    LANE_CALL_FREE,
    LANE_CALL_TAKEN,
    LANE_CALL_RUNNING,
    LANE_CALL_STALLING,
    LANE_CALL_STALLED,
    LANE_CALL_RETURNED
};

struct lane_call {
    uint64_t state;
    uint64_t ticks;
};

/* Where things are in a lane. What a section has for itself stands together, in pages that no other one touches. */
#define LANE_ALIGN(x)        (((x) + LAYOUT_PAGE - 1) / LAYOUT_PAGE * LAYOUT_PAGE)
#define LANE_RESOLVED_OFFSET 768
#define LANE_HEADS_OFFSET    (LANE_RESOLVED_OFFSET + LANE_BREAKERS / 8)
#define LANE_FIRST_PAGES     LANE_ALIGN(LANE_HEADS_OFFSET + sizeof(struct lane_section)) /* never a hole */
#define LANE_CALLS_OFFSET    LANE_ALIGN(LANE_HEADS_OFFSET + LANE_SECTIONS * sizeof(struct lane_section))
#define LANE_RINGS_OFFSET    LANE_ALIGN(LANE_CALLS_OFFSET + LANE_CALLS * sizeof(struct lane_call))
#define LANE_RINGS_SIZE      LANE_ALIGN(LANE_EVENTS * sizeof(struct lane_event) + LANE_ERRORS * sizeof(struct lane_error))
#define LANE_METERS_OFFSET   (LANE_RINGS_OFFSET + LANE_SECTIONS * LANE_RINGS_SIZE)
#define LANE_SIZE            (LANE_METERS_OFFSET + LANE_METERS * sizeof(struct meter))

static inline size_t lane_rings_offset(uint32_t section)
{
    return LANE_RINGS_OFFSET + (size_t)section * LANE_RINGS_SIZE;
}

static inline size_t lane_head_offset(uint32_t section)
{
    return LANE_HEADS_OFFSET + (size_t)section * sizeof(struct lane_section);
}

static inline size_t lane_meter_offset(uint32_t meter)
{
    return LANE_METERS_OFFSET + (size_t)meter * sizeof(struct meter);
}

static inline struct lane_section *lane_section_at(void *lane, uint32_t section)
{
    return (struct lane_section *)((uint8_t *)lane + lane_head_offset(section));
}

static inline struct meter *lane_meter_at(void *lane, uint32_t meter)
{
    return (struct meter *)((uint8_t *)lane + lane_meter_offset(meter));
}

static inline struct lane_event *lane_event_at(void *lane, uint32_t section, uint64_t index)
{
    return (struct lane_event *)((uint8_t *)lane + lane_rings_offset(section)) + index % LANE_EVENTS;
}

static inline struct lane_error *lane_error_at(void *lane, uint32_t section, uint64_t index)
{
    return (struct lane_error *)((uint8_t *)lane + lane_rings_offset(section) +
                                 LANE_EVENTS * sizeof(struct lane_event)) +
           index % LANE_ERRORS;
}

static inline struct lane_call *lane_call_at(void *lane, uint32_t index)
{
    return (struct lane_call *)((uint8_t *)lane + LANE_CALLS_OFFSET) + index;
}

/* A bit a breaker: this process has, or had, a handle that is bound to the slot. The client sets it before it binds
 * one, and never clears it. tripd reads it before it gives a slot with limits or a mode to another name. */
static inline uint64_t *lane_resolved_at(void *lane, uint32_t breaker)
{
    return (uint64_t *)((uint8_t *)lane + LANE_RESOLVED_OFFSET) + breaker % LANE_BREAKERS / 64;
}

static inline uint32_t lane_event_what(uint32_t meter, trip_outcome outcome, _Bool slow, uint32_t type, uint32_t error)
{
    return meter % LANE_METERS | ((uint32_t)outcome & 7) << 17 | (uint32_t)slow << 20 | (type & 31) << 21 |
           (error & 63) << 26;
}

static inline uint32_t lane_event_meter(uint32_t what)
{
    return what % LANE_METERS;
}

/* The event is hostile: the outcome may be none of those that there are. */
static inline uint32_t lane_event_outcome(uint32_t what)
{
    return what >> 17 & 7;
}

static inline _Bool lane_event_slow(uint32_t what)
{
    return what >> 20 & 1;
}

static inline trip_error_type lane_event_error_type(uint32_t what)
{
    const uint32_t type = what >> 21 & 31;
    return type < TRIP_ERROR_TYPE_COUNT ? (trip_error_type)type : TRIP_ERROR_UNKNOWN;
}

static inline uint64_t meter_owner(uint32_t breaker, uint32_t incarnation, uint32_t section)
{
    return ((uint64_t)breaker + 1) | (uint64_t)(incarnation & 0xffff) << 32 | (uint64_t)section << 48;
}

static inline uint64_t lane_call_state(uint32_t meter, uint32_t serial, enum lane_call_status status)
{
    return ((uint64_t)meter + 1) | (uint64_t)(serial & 0xffffff) << 32 | (uint64_t)status << 56;
}

static inline enum lane_call_status lane_call_status(uint64_t state)
{
    return (enum lane_call_status)(state >> 56);
}

static inline uint64_t lane_call_with_status(uint64_t state, enum lane_call_status status)
{
    return (state & ~(UINT64_C(0xff) << 56)) | (uint64_t)status << 56;
}

static inline uint32_t latency_bucket(uint64_t ns)
{
    const uint64_t units = ns >> 16; /* 65,536 ns */
    if (units == 0)
        return 0;
    const uint32_t octave = 63u - (uint32_t)__builtin_clzll(units);
    /* The half octave begins at sqrt(2), here 1.5 as one bit tells it. */
    const uint32_t half = octave == 0 ? (uint32_t)(ns >> 15 & 1) : (uint32_t)(units >> (octave - 1) & 1);
    const uint32_t bucket = 1 + octave * 2 + half;
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* Latencies of a bucket are below; the last one's have no such end. */
static inline uint64_t latency_bucket_end_ns(uint32_t bucket)
{
    return (bucket % 2 ? UINT64_C(98304) : UINT64_C(65536)) << bucket / 2;
}

static inline uint64_t latency_bucket_begin_ns(uint32_t bucket)
{
    return bucket == 0 ? 0 : latency_bucket_end_ns(bucket - 1);
}

/* ------------------------------------------------------------------------------------------------------- checks */

#define LAYOUT_AT(type, field, at) _Static_assert(offsetof(struct type, field) == (at), #type "." #field " moved")
#define LAYOUT_SIZE(type, size)    _Static_assert(sizeof(struct type) == (size), #type " changed its size")

LAYOUT_AT(segment_header, version, 8);
LAYOUT_AT(segment_header, sections, 128);
LAYOUT_AT(segment_header, heartbeat_mono_ns, 640);
LAYOUT_AT(segment_header, slots, 680);
LAYOUT_AT(segment_header, test_now_ns, 704);
LAYOUT_AT(segment_header, transition_next, 768);
LAYOUT_AT(segment_header, tsc, 832);
LAYOUT_SIZE(segment_header, 896);
LAYOUT_SIZE(tsc_line, 64);
LAYOUT_AT(policy_slot, modes, 64);
LAYOUT_AT(policy_slot, tickets_wait, 120);
LAYOUT_AT(policy_slot, tickets_highest, 128);
LAYOUT_AT(policy_slot, retry, 192);
LAYOUT_SIZE(policy_slot, 256);
LAYOUT_SIZE(core_slot, 64 + 2 * CORE_IMAGE_SIZE);
LAYOUT_SIZE(transition, 272);
LAYOUT_SIZE(meter_marks, 128);
LAYOUT_SIZE(step_mark, 128);
LAYOUT_SIZE(journal_mark, 152);
LAYOUT_SIZE(client_slot, 64);
LAYOUT_SIZE(pattern_slot, 256);
LAYOUT_AT(commons_header, dirty, 64);
LAYOUT_SIZE(state_line, 64);
LAYOUT_AT(state_line, ring_at, 16);
LAYOUT_SIZE(limit_lines, 192);
LAYOUT_SIZE(limits_shown, 128);
LAYOUT_SIZE(lane_header, 704);
_Static_assert(sizeof(struct lane_header) <= LANE_RESOLVED_OFFSET, "lane_header outgrew its place");
LAYOUT_SIZE(lane_section, 128);
LAYOUT_SIZE(meter, 448);
LAYOUT_AT(meter, marks, 192);
LAYOUT_AT(meter, latency, 320);
LAYOUT_SIZE(lane_event, 32);
LAYOUT_SIZE(lane_error, 320);
LAYOUT_SIZE(lane_call, 16);
_Static_assert(TRIP_ERROR_TYPE_COUNT <= 32 && LANE_METERS <= 1 << 17, "an event has no room for a type or a meter");
_Static_assert(LANE_RINGS_SIZE % LAYOUT_PAGE == 0, "sections share pages");

/* FNV-1a over what the static asserts above and the constants say: equal only for equal layouts. */
static inline uint64_t layout_digest(void)
{
    const uint64_t facts[] = {
        LAYOUT_VERSION,
        SECTION_COUNT,
        COMMONS_SECTION_COUNT,
        CORE_IMAGE_SIZE,
        TRANSITION_RING,
        ACTS_RING,
        JOURNAL_MARKS,
        PENDING_MARKS,
        PERMITS_PER_BREAKER,
        BREAKERS_MAX,
        LANES_MAX,
        COMMONS_LANES_MAX,
        LANE_SECTIONS,
        LANE_METERS,
        LANE_BREAKERS,
        LANE_EVENTS,
        LANE_ERRORS,
        LANE_CALLS,
        LATENCY_BUCKETS,
        TRIP_NAME_MAX,
        TRIP_ERROR_MESSAGE_MAX,
        TRIP_ERROR_ID_MAX,
        TRIP_REASON_COUNT,
        TRIP_OUTCOME_COUNT,
        TRIP_ERROR_TYPE_COUNT,
        sizeof(struct segment_header),
        offsetof(struct segment_header, heartbeat_mono_ns),
        offsetof(struct segment_header, commons_id),
        offsetof(struct segment_header, round),
        offsetof(struct segment_header, slots),
        offsetof(struct segment_header, max_breakers),
        sizeof(struct breaker_rest),
        offsetof(struct segment_header, test_now_ns),
        offsetof(struct segment_header, tsc),
        sizeof(struct policy_slot),
        offsetof(struct policy_slot, judge),
        offsetof(struct policy_slot, next_open_ms),
        offsetof(struct policy_slot, half_open),
        offsetof(struct policy_slot, modes),
        offsetof(struct policy_slot, ramp_end),
        offsetof(struct policy_slot, tickets_wait),
        offsetof(struct policy_slot, tickets_highest),
        offsetof(struct policy_slot, rate_shares),
        offsetof(struct policy_slot, retry),
        sizeof(struct detail_slot),
        offsetof(struct detail_slot, modes),
        offsetof(struct detail_slot, latency),
        sizeof(struct core_head),
        sizeof(struct core_slot),
        sizeof(struct transition),
        sizeof(struct journal),
        sizeof(struct journal_mark),
        offsetof(struct journal_mark, kind),
        sizeof(struct client_slot),
        sizeof(struct pattern_slot),
        PATTERNS_MAX,
        sizeof(struct commons_header),
        offsetof(struct commons_header, doorbell),
        offsetof(struct commons_header, dirty),
        sizeof(struct state_line),
        offsetof(struct state_line, told),
        offsetof(struct state_line, ring_at),
        sizeof(struct limit_lines),
        sizeof(struct limits_shown),
        TICKETS_MAX,
        TICKET_LEASE,
        LEASE_UNIT_MS,
        LIMITED_COUNT,
        sizeof(struct lane_header),
        offsetof(struct lane_header, meters_used),
        offsetof(struct lane_header, segment_id),
        offsetof(struct lane_header, announced),
        offsetof(struct lane_header, granted),
        offsetof(struct lane_header, moved),
        sizeof(struct lane_section),
        offsetof(struct lane_section, tail),
        sizeof(struct meter),
        offsetof(struct meter, rung),
        offsetof(struct meter, limited),
        offsetof(struct meter, marks),
        offsetof(struct meter, latency),
        sizeof(struct lane_event),
        offsetof(struct lane_event, what),
        sizeof(struct lane_error),
        sizeof(struct lane_call),
    };
    uint64_t digest = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
        for (unsigned byte = 0; byte < 8; byte++)
            digest = (digest ^ (facts[i] >> (8 * byte) & 0xff)) * UINT64_C(0x100000001b3);
    return digest;
}

#endif
