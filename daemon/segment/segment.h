/* The state segment: made, adopted, and written here and nowhere else. Clients and tools map it read-only.
 *
 * Everything a worker must not lose is in it, in an order that a kill between any two stores leaves whole (see
 * internal/layout.h). Its tables have places for BREAKERS_MAX breakers and LANES_MAX lanes, and it is sparse: a
 * breaker's slot gets memory before it is first used, and those below `slots` have some.
 */
#ifndef TRIPD_SEGMENT_H
#define TRIPD_SEGMENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "clock.h"
#include "core/breaker.h"
#include "core/correlation.h"
#include "internal/layout.h"

/* Writes one mark to its lane; returns false if that lane is not there (at adoption): the mark goes to the pending
 * table. */
typedef bool segment_store_mark_fn(void *context, const struct journal_mark *mark);

#define SECTION_POINTER(suffix, pointer, type, entries, memory) type *pointer;

struct segment {
    struct segment_header *header;
    SEGMENT_SECTIONS(SECTION_POINTER)
    uint32_t slots; /* of breakers: those that have memory, all that are in use among them */
    size_t size;
    int fd;           /* read-write, tripd's own */
    int read_only_fd; /* another description, opened read-only: what clients are sent */
    char path[256];
    const struct clock *wall; /* wall time is this clock's, counted from 1970: of segment_create_private; else NULL */
    /* segment*.c alone: */
    uint64_t *used; /* a bit a slot; in the segment the index of names says it */
    uint32_t used_count;
    uint32_t take_next;    /* where to look for a free slot: in turn, so that a forgotten one rests longest */
    uint32_t latency_next; /* latency groups that are a slot's */
    uint32_t transaction;  /* slot + 1 of the one that was begun; 0: none */
    segment_store_mark_fn *store_mark;
    void *store_context;
};

struct segment_options {
    const char *path; /* paths_segment() */
    uint32_t max_breakers, max_lanes;
    const struct clock *clock; /* of a new segment; created_mono_ns is filled in by segment_create */
};

/* Makes a new segment under a temporary name, fills it, and renames it into place; what is there from the start, and
 * the first slots, are reserved, so that a full /dev/shm is -ENOSPC here and never a SIGBUS later. An old segment of
 * that name is unlinked by the rename, never truncated. Mode 0644 (RO for all), owner: tripd's user. -EPERM: the name
 * is another user's. */
int segment_create(const struct segment_options *options, struct clock *clock, struct segment **ret_segment);

/* Makes a segment in memory that no other process sees. It is of a test clock, which stands in for wall time too. */
int segment_create_private(const struct segment_options *options, struct segment **ret_segment);
/* Wall time of what is noted in the segment, ms since 1970. */
uint64_t segment_wall_ms(const struct segment *segment);

enum segment_found {
    SEGMENT_NONE,         /* no file */
    SEGMENT_READY,        /* *ret_segment is set */
    SEGMENT_INCOMPATIBLE, /* other version, digest or shape, another boot's: to be replaced, *ret_why says so */
    SEGMENT_FOREIGN,      /* owned by another user, or cannot be looked at: never touch it, *ret_why says why */
};
/* Maps what is there and checks every field of the header against the file's size before it is used. Its bounds stay as
 * they are until segment_bounds. The clock is set from the header; options->clock NULL: any kind of clock will do. */
enum segment_found segment_adopt(const struct segment_options *options, struct clock *clock,
                                 struct segment **ret_segment, const char **ret_why);
/* In a worker, forked from the keeper that made or adopted it: brings up to date what earlier workers changed and the
 * keeper does not follow, and finishes what the last one left half done. By descriptor, so also when the name is gone.
 */
void segment_inherit(struct segment *segment, struct clock *clock);
struct segment *segment_unmap(struct segment *segment);
/* How many breakers and lanes there may be from now on; those that are there stay. */
void segment_bounds(struct segment *segment, uint32_t max_breakers, uint32_t max_lanes);

/* -------------------------------------------------------------------------------------------------- names and slots */
/* -ENOENT. */
int segment_find(const struct segment *segment, const char *name, uint32_t *ret_slot);
/* The least that `slots` should be for the next name: a free slot rests as long as may be, so those that were never
 * used come first. */
uint32_t segment_slots_wanted(const struct segment *segment);
/* Memory for the slots [0, slots). -ENOSPC, -ENOMEM: as before. */
int segment_reserve(struct segment *segment, uint32_t slots);
/* A free slot for a new name: incarnation moved on, detail and core empty, policy unset; the name becomes visible to
 * clients only with segment_name_publish (after policy and state word are set). -ENOSPC: there are max_breakers;
 * -ENOMEM: those that have memory are in use. Both are counted in header.overflow. */
int segment_take(struct segment *segment, const char *name, uint64_t now_ms, uint32_t *ret_slot);
void segment_name_publish(struct segment *segment, uint32_t slot);
/* Out of the index, incarnation moved on (handles of clients turn stale), slot free. The mirror keeps its epoch. */
void segment_forget(struct segment *segment, uint32_t slot);
/* Adoption: slots in use are those that the index names; what a kill left twice, or no tripd wrote, is taken out. */
void segment_names_restore(struct segment *segment);
bool segment_used(const struct segment *segment, uint32_t slot);
bool segment_full(const struct segment *segment); /* segment_take would find no slot */
const char *segment_name(const struct segment *segment, uint32_t slot);
uint32_t segment_incarnation(const struct segment *segment, uint32_t slot);

/* -------------------------------------------------------------- policy: settings and modes as clients judge by them */
struct segment_policy {
    uint32_t threshold;
    bool watched;
    uint64_t slow_after_ns;
    uint32_t permits;
    uint64_t max_wait_ms;
    uint64_t longest_ms;
};
/* Writes everything but modes; the judge goes to the place of generation + 1. Returns the new generation: the caller
 * moves the state word to it by CAS. Generation of the word now: `generation`. */
uint32_t segment_policy_publish(struct segment *segment, uint32_t slot, const struct segment_policy *policy,
                                trip_mode mode, uint32_t generation);
void segment_next_open_publish(struct segment *segment, uint32_t slot, uint64_t next_open_ms, uint64_t longest_ms);
void segment_ramp_end_publish(struct segment *segment, uint32_t slot, uint32_t epoch, uint64_t end_ms);
/* For people. due_ms: when the next one comes free, where none is; 0: not known. */
void segment_permits_free_publish(struct segment *segment, uint32_t slot, uint32_t permits_free, uint64_t due_ms);
/* Sets (mode TRIP_MODE_COUNT: clears) one owner's mode and recomputes `admission`. until_ms 0: no TTL. */
void segment_mode_publish(struct segment *segment, uint32_t slot, enum mode_owner owner, trip_mode mode,
                          uint64_t until_ms, uint32_t uid, const char *reason, uint64_t now_ms);
/* The mode in force now, and when it ends (0: never). Recomputes `admission` if a TTL has passed. */
trip_mode segment_mode_now(struct segment *segment, uint32_t slot, uint64_t now_ms, uint64_t *ret_until_ms);

/* Limits and retries. Of `wanted` only `limits`, `tickets_wait` and what follows `tickets_highest` counts; nothing is
 * written that stays. */
void segment_limits_publish(struct segment *segment, uint32_t slot, const struct policy_slot *wanted);
/* None is out beyond it any more. */
void segment_tickets_highest_publish(struct segment *segment, uint32_t slot, uint64_t highest);
/* For people: written if it is not what they are shown already. */
void segment_limits_show(struct segment *segment, uint32_t slot, const struct limits_shown *shown);

/* ------------------------------------------------------------------------- details (each one sequence-locked write) */
/* Before the step: should tripd be killed after it, the next worker knows whose it was. 0: none is taken. */
void segment_detail_intended(struct segment *segment, uint32_t slot, uint64_t word);
void segment_detail_state(struct segment *segment, uint32_t slot, trip_reason reason, uint64_t now_ms,
                          uint64_t until_ms);
/* The condition that held when the breaker relapsed; TRIP_REASON_NONE for any other opening. */
void segment_detail_condition(struct segment *segment, uint32_t slot, trip_reason condition);
void segment_detail_actor(struct segment *segment, uint32_t slot, enum transition_by by, uint32_t uid,
                          const char *note);
/* The latest error. `sequence` is not the caller's: the details name the record that was appended last. */
void segment_detail_error(struct segment *segment, uint32_t slot, const struct error_record *record);
void segment_detail_used(struct segment *segment, uint32_t slot, uint64_t now_ms);
void segment_detail_made_by(struct segment *segment, uint32_t slot, uid_t uid);
void segment_detail_hidden(struct segment *segment, uint32_t slot, uint64_t since_ms); /* 0: it is not */
void segment_detail_match(struct segment *segment, uint32_t slot, const char *match);

/* ------------------------------------------------------------------------------------------------- calls by latency */

/* Adds calls of one latency group. A group that gets no memory is not shown: the caller need not know. */
void segment_latency_add(struct segment *segment, uint32_t slot, uint32_t group, const uint32_t calls[LATENCY_GROUP]);
void segment_latency_put(struct segment *segment, uint32_t slot, uint32_t bucket, uint64_t calls); /* in their place */
void segment_latency_read(const struct segment *segment, uint32_t slot, uint64_t ret_counts[LATENCY_BUCKETS]);
/* For slots.c and segment.c: a slot gets another name; a worker finds which groups are whose. */
void segment_latency_clear(struct segment *segment, uint32_t slot);
void segment_latency_restore(struct segment *segment);

void segment_mirror(struct segment *segment, uint32_t slot, uint64_t word);

/* ------------------------------------------------------------------------------------- one commons succeeds another */

/* See internal/succession.h. First tripd notes which breakers have moved; once the new words are filled, the new
 * commons comes into force, and admission words carry its number. A worker that dies in between leaves all of this to
 * the next worker, which begins again. */
void segment_commons_begin(struct segment *segment);
void segment_commons_publish(struct segment *segment, uint64_t commons_id);

/* ----------------------------------------------------------- the transition ring; fills in sequence, times and name */
void segment_transition(struct segment *segment, const struct transition *what, uint64_t now_ms);
/* Completes what a worker that died had begun. */
void segment_transitions_restore(struct segment *segment);
/* The first that is there at or after `index`: the next one is at or after its sequence. False: there is none. */
bool segment_event(const struct segment *segment, uint64_t index, struct transition *ret_event);

/* -------------------------------------------- core images, and the one transaction (internal/layout.h: the journal) */
/* Was no call of this breaker ever counted, and has it never opened? */
bool segment_never_called(const struct segment *segment, uint32_t slot);
const struct core_state *segment_core(const struct segment *segment, uint32_t slot); /* the image in force */
/* Begins: the other image, made equal to the one in force (what is in use of it). Only one transaction at a time. */
struct core_state *segment_begin(struct segment *segment, uint32_t slot);
/* Empties the image, in a transaction of its own. */
void segment_core_clear(struct segment *segment, uint32_t slot);
/* Adds a mark; false when JOURNAL_MARKS are there: commit, and begin another one. */
bool segment_mark(struct segment *segment, const struct journal_mark *mark);
/* Says, once, who writes the marks of this journal to their lanes: before the first transaction with a mark. */
void segment_store_marks_by(struct segment *segment, segment_store_mark_fn *store, void *context);
/* Commits image and marks: after this returns both are in force. */
void segment_commit(struct segment *segment);
/* Adoption: carries out a committed transaction that a dead worker left; drops one that was not committed. */
void segment_recover(struct segment *segment);
/* A lane came back: its pending marks are stored and forgotten. */
void segment_pending_store(struct segment *segment, uid_t uid, uint64_t lane_id);

/* ------------------------------------------------------------------------------------- errors, for people: errors.c */
/* Memory for the records, and how errors are analysed from now on; another window begins with empty rows. -ENOSPC: as
 * before. */
int segment_correlation_publish(struct segment *segment, const struct correlation_settings *settings);
/* Appends a record, whose sequence, wall time and name are filled in. */
void segment_error(struct segment *segment, const struct error_record *what);
/* n errors of this type came at at_ns: they are counted for the host and for the breaker with its group. */
void segment_errors_count(struct segment *segment, uint32_t slot, trip_error_type type, uint64_t at_ns, uint64_t n,
                          uint64_t now_ns);
/* The first record whose sequence is more than `after`. False: there is none. */
bool segment_error_after(const struct segment *segment, uint64_t after, struct error_record *ret_record);
/* The one with this sequence. False: it is overwritten, or there was none (0). */
bool segment_error_find(const struct segment *segment, uint64_t sequence, struct error_record *ret_record);
void segment_errors_untexted(struct segment *segment, uint64_t n);

/* ----------------------------------------------------------------------------------- attached processes, for people */
void segment_client_set(struct segment *segment, uint32_t lane, const struct client_slot *client);
void segment_client_clear(struct segment *segment, uint32_t lane);

/* ------------------------------------------------------------------------------------------------- modes by pattern */

/* Sets the mode of all breakers that match the pattern, now and later; replaces the pattern if it is there already. A
 * mode that ran out gives up its place, and so does an `auto` with no older pattern below it. 0 or -ENOSPC. */
int segment_pattern_set(struct segment *segment, const char *pattern, trip_mode mode, uint64_t until_ms, uint32_t uid,
                        const char *reason, uint64_t now_ms);
/* The one that binds this name now; NULL if none does. */
const struct pattern_slot *segment_pattern_for(const struct segment *segment, const char *name, uint64_t now_ms);

/* ----------------------------------------------------------------------------------------------------------- header */
void segment_round(struct segment *segment);     /* moves on: clients announce anew which meters move */
void segment_heartbeat(struct segment *segment); /* real CLOCK_MONOTONIC, state RUNNING */
/* How clients read the TSC from now on; writes nothing if it stays. */
void segment_tsc_publish(struct segment *segment, const struct tsc_base *base);
void segment_stopped(struct segment *segment); /* state STOPPED: cleanly */
void segment_started(struct segment *segment, pid_t keeper, pid_t worker);
void segment_test_now(struct segment *segment, uint64_t now_ns);
void segment_counts(struct segment *segment, uint32_t breakers, uint32_t lanes);
void segment_refused(struct segment *segment);                 /* one more attach */
void segment_refused_lane(struct segment *segment, int error); /* -EMFILE: max_lanes; -EDQUOT: its user's memory */
void segment_configured(struct segment *segment);              /* a config came into force now */
/* False: someone unlinked or replaced it (logind's RemoveIPC): clients by descriptor go on, tools no longer find it. */
bool segment_still_named(const struct segment *segment);

#endif
