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

/* Stores one mark in its lane. False: that lane is not there (at adoption), and the mark goes to the pending table. */
typedef bool segment_store_mark_fn(void *context, const struct journal_mark *mark);

#define SECTION_POINTER(suffix, pointer, type, entries, memory) type *pointer;

struct segment {
    struct segment_header *header;
    SEGMENT_SECTIONS(SECTION_POINTER)
    uint32_t slots; /* breakers that have memory, all those in use among them */
    size_t size;
    int fd;           /* read-write, tripd's own */
    int read_only_fd; /* the same file opened again, read-only: the descriptor that clients are sent */
    char path[256];
    const struct clock *wall; /* the clock of wall time, counted from 1970, of segment_create_private; else NULL */
    /* For the files of daemon/segment/ alone: */
    uint64_t *used; /* a bit for each slot in use; the index of names says the same in the segment */
    uint32_t used_count;
    uint32_t take_next;    /* where the search for a free slot begins, so that a forgotten one rests longest */
    uint32_t latency_next; /* latency groups that are given to slots */
    uint32_t transaction;  /* slot + 1 of the transaction that was begun; 0: none */
    segment_store_mark_fn *store_mark;
    void *store_context;
};

struct segment_options {
    const char *path; /* from paths_segment() */
    uint32_t max_breakers, max_lanes;
    const struct clock *clock; /* the clock of a new segment; segment_create fills in created_mono_ns */
};

/* Makes a new segment under a temporary name, fills it, and renames it into place. Memory for everything but later
 * slots is reserved, so that a full /dev/shm is -ENOSPC here and never a SIGBUS later. The rename unlinks an old
 * segment of that name; nothing is truncated. Mode 0644 (read-only for others), owner: tripd's user. -EPERM: the name
 * is another user's. */
int segment_create(const struct segment_options *options, struct clock *clock, struct segment **ret_segment);

/* Makes a segment in memory that no other process sees. Its clock is a test clock, which gives its wall time too. */
int segment_create_private(const struct segment_options *options, struct segment **ret_segment);
/* Returns the wall time for entries in the segment, ms since 1970. */
uint64_t segment_wall_ms(const struct segment *segment);

enum segment_found {
    SEGMENT_NONE,         /* no file */
    SEGMENT_READY,        /* *ret_segment is set */
    SEGMENT_INCOMPATIBLE, /* of another version, digest or shape, or of another boot: to be replaced; *ret_why says why
                           */
    SEGMENT_FOREIGN,      /* another user's, or not readable: never touch it; *ret_why says why */
};
/* Maps the segment that is there, after checking every field of its header against the file's size. Its bounds stay
 * until segment_bounds. The clock is set from the header; options->clock NULL: any kind of clock will do. */
enum segment_found segment_adopt(const struct segment_options *options, struct clock *clock,
                                 struct segment **ret_segment, const char **ret_why);
/* For a worker that was forked from the keeper: takes over what earlier workers changed and the keeper does not follow,
 * and finishes what the last worker left half done. It uses the descriptor, so the name may be gone. */
void segment_inherit(struct segment *segment, struct clock *clock);
struct segment *segment_unmap(struct segment *segment);
/* Sets how many breakers and lanes there may be from now on. Those that are there stay. */
void segment_bounds(struct segment *segment, uint32_t max_breakers, uint32_t max_lanes);

/* -------------------------------------------------------------------------------------------------- names and slots */
/* Finds a name's slot. -ENOENT: no breaker has this name. */
int segment_find(const struct segment *segment, const char *name, uint32_t *ret_slot);
/* Returns how many slots should have memory for the next name. Slots that were never used come first, so that a free
 * one rests for long. */
uint32_t segment_slots_wanted(const struct segment *segment);
/* Reserves memory for the slots [0, slots). -ENOSPC, -ENOMEM: nothing has changed. */
int segment_reserve(struct segment *segment, uint32_t slots);
/* Takes a free slot for a new name: moves its incarnation on, empties detail and core, unsets the policy. Clients see
 * the name only after segment_name_publish, once policy and state word are set. -ENOSPC: there are max_breakers;
 * -ENOMEM: all slots with memory are in use. The header's `overflow` counts both. */
int segment_take(struct segment *segment, const char *name, uint64_t now_ms, uint32_t *ret_slot);
void segment_name_publish(struct segment *segment, uint32_t slot);
/* Takes the name out of the index and moves the incarnation on, so that clients' handles turn stale; the slot is free
 * then, and shows no reporters. The mirror keeps its epoch. */
void segment_forget(struct segment *segment, uint32_t slot);
/* For adoption: the slots that the index names are in use. Takes out entries that a kill left twice, or that no tripd
 * wrote. */
void segment_names_restore(struct segment *segment);
bool segment_used(const struct segment *segment, uint32_t slot);
bool segment_full(const struct segment *segment); /* would segment_take find no slot? */
const char *segment_name(const struct segment *segment, uint32_t slot);
/* The same of any slot; "": nobody has it. */
const char *segment_name_of(const struct segment *segment, uint32_t slot);
uint32_t segment_incarnation(const struct segment *segment, uint32_t slot);

/* -------------------------------------------------------------- policy: settings and modes as clients judge by them */
struct segment_policy {
    uint32_t threshold;
    bool watched;
    uint64_t slow_after_ns;
    uint32_t permits;
    uint64_t max_wait_ms;
    uint64_t longest_ms;
    uint64_t fallback; /* fallback_word() */
};
/* Publishes all settings but modes. The judge goes to the place of generation + 1. Returns that generation, to which
 * the caller moves the state word by CAS. generation: the state word's now. */
uint32_t segment_policy_publish(struct segment *segment, uint32_t slot, const struct segment_policy *policy,
                                trip_mode mode, uint32_t generation);
void segment_next_open_publish(struct segment *segment, uint32_t slot, uint64_t next_open_ms, uint64_t longest_ms);
void segment_ramp_end_publish(struct segment *segment, uint32_t slot, uint32_t epoch, uint64_t end_ms);
/* Shows people the free permits. due_ms: if none is free, when the next one comes free; 0: not known. */
void segment_permits_free_publish(struct segment *segment, uint32_t slot, uint32_t permits_free, uint64_t due_ms);
/* Sets one owner's mode, or clears it (mode TRIP_MODE_COUNT), and recomputes `admission`. until_ms 0: no TTL. */
void segment_mode_publish(struct segment *segment, uint32_t slot, enum mode_owner owner, trip_mode mode,
                          uint64_t until_ms, uint32_t uid, const char *reason, uint64_t now_ms);
/* Returns the mode in force now, and when it ends (0: never). Recomputes `admission` if a TTL has passed. */
trip_mode segment_mode_now(struct segment *segment, uint32_t slot, uint64_t now_ms, uint64_t *ret_until_ms);

/* Publishes limits and retries. Of `wanted` only `limits`, `tickets_wait` and the words after `tickets_highest` count.
 * Words that stay the same are not written. */
void segment_limits_publish(struct segment *segment, uint32_t slot, const struct policy_slot *wanted);
/* Publishes that no ticket is out above this one any more. */
void segment_tickets_highest_publish(struct segment *segment, uint32_t slot, uint64_t highest);
/* Shows people the limits; writes only if they changed. */
void segment_limits_show(struct segment *segment, uint32_t slot, const struct limits_shown *shown);
/* Shows people who reports; writes only if that changed. */
void segment_reporters_show(struct segment *segment, uint32_t slot, const struct reporters_shown *shown);

/* ------------------------------------------------------------------------- details (each one sequence-locked write) */
/* Notes the step that tripd is about to take. If tripd is killed after the step, the next worker knows whose it was. 0:
 * none. */
void segment_detail_intended(struct segment *segment, uint32_t slot, uint64_t word);
void segment_detail_state(struct segment *segment, uint32_t slot, trip_reason reason, uint64_t now_ms,
                          uint64_t until_ms);
/* The condition that held when the breaker relapsed; TRIP_REASON_NONE for any other opening. */
void segment_detail_condition(struct segment *segment, uint32_t slot, trip_reason condition);
void segment_detail_actor(struct segment *segment, uint32_t slot, enum transition_by by, uint32_t uid,
                          const char *note);
/* Shows the latest error. `sequence` is filled in: the details name the record that was appended last. */
void segment_detail_error(struct segment *segment, uint32_t slot, const struct error_record *record);
void segment_detail_used(struct segment *segment, uint32_t slot, uint64_t now_ms);
void segment_detail_made_by(struct segment *segment, uint32_t slot, uid_t uid);
void segment_detail_hidden(struct segment *segment, uint32_t slot, uint64_t since_ms); /* 0: it is not */
void segment_detail_match(struct segment *segment, uint32_t slot, const char *match);

/* ------------------------------------------------------------------------------------------------- calls by latency */

/* Adds calls of one latency group. A group that gets no memory is not shown: the caller need not know. */
void segment_latency_add(struct segment *segment, uint32_t slot, uint32_t group, const uint32_t calls[LATENCY_GROUP]);
void segment_latency_put(struct segment *segment, uint32_t slot, uint32_t bucket, uint64_t calls);
void segment_latency_read(const struct segment *segment, uint32_t slot, uint64_t ret_counts[LATENCY_BUCKETS]);
/* For slots.c and segment.c: a slot gets another name; a worker finds out which groups belong to which slots. */
void segment_latency_clear(struct segment *segment, uint32_t slot);
void segment_latency_restore(struct segment *segment);

void segment_mirror(struct segment *segment, uint32_t slot, uint64_t word);

/* ------------------------------------------------------------------------------------- one commons succeeds another */

/* See internal/succession.h. First tripd notes which breakers have moved; once the new words are filled, the new
 * commons comes into force, and admission words carry its number. A worker that dies in between leaves all of this to
 * the next worker, which begins again. */
void segment_commons_begin(struct segment *segment);
void segment_commons_publish(struct segment *segment, uint64_t commons_id);

/* ----------------------------------------------------------- the transition ring; fills in sequence, times and name,
 * but not that of a level or a feature */
void segment_transition(struct segment *segment, const struct transition *what, uint64_t now_ms);
/* Completes the entry that a dead worker had begun. */
void segment_transitions_restore(struct segment *segment);
/* Reads the first transition or act at or after `index`; the next one is at or after its sequence. False: there is
 * none. */
bool segment_event(const struct segment *segment, uint64_t index, struct transition *ret_event);

/* -------------------------------------------- core images, and the one transaction (internal/layout.h: the journal) */
/* Was no call of this breaker ever counted, and did it never open? */
bool segment_never_called(const struct segment *segment, uint32_t slot);
const struct core_state *segment_core(const struct segment *segment, uint32_t slot); /* the image in force */
/* Begins a transaction, of which there is only one at a time. Returns the other image, equal to the one in force. */
struct core_state *segment_begin(struct segment *segment, uint32_t slot);
/* Empties the image in a transaction of its own. */
void segment_core_clear(struct segment *segment, uint32_t slot);
/* Adds a mark to the transaction. False: JOURNAL_MARKS are there; commit, and begin another transaction. */
bool segment_mark(struct segment *segment, const struct journal_mark *mark);
/* Registers, once and before the first mark, the function that stores this journal's marks in their lanes. */
void segment_store_marks_by(struct segment *segment, segment_store_mark_fn *store, void *context);
/* Commits image and marks: after this returns both are in force. */
void segment_commit(struct segment *segment);
/* For adoption: carries out a transaction that a dead worker committed, and drops one that it did not commit. */
void segment_recover(struct segment *segment);
/* Stores the pending marks of a lane that came back, and forgets them. */
void segment_pending_store(struct segment *segment, uid_t uid, uint64_t lane_id);

/* ------------------------------------------------------------------------------------- errors, for people: errors.c */
/* Reserves memory for the records, and publishes how errors are analysed from now on. Another window begins with empty
 * rows. -ENOSPC: nothing has changed. */
/* Publishes the book of fallback chains, and returns its generation: a new one if it differs from the book in force; 0
 * while there was no chain yet. book: its own generation is 0; NULL: an empty one. */
uint64_t segment_fallbacks_publish(struct segment *segment, const struct fallback_book *book);

int segment_correlation_publish(struct segment *segment, const struct correlation_settings *settings);
/* Appends a record; fills in its sequence, wall time and name. */
void segment_error(struct segment *segment, const struct error_record *what);
/* Counts n errors of this type that came at at_ns: for the host, and for the breaker with its group. */
void segment_errors_count(struct segment *segment, uint32_t slot, trip_error_type type, uint64_t at_ns, uint64_t n,
                          uint64_t now_ns);
/* Reads the first record whose sequence is more than `after`. False: there is none. */
bool segment_error_after(const struct segment *segment, uint64_t after, struct error_record *ret_record);
/* Reads the record with this sequence. False: it is overwritten, or there was none (0). */
bool segment_error_find(const struct segment *segment, uint64_t sequence, struct error_record *ret_record);
void segment_errors_untexted(struct segment *segment, uint64_t n);

/* ------------------------------------------ fingerprints and incidents: chronicle.c, internal/layout_chronicle.h */
/* Returns the image in force. */
const struct chronicle_image *segment_chronicle(const struct segment *segment);
/* Makes the image not in force equal to it, and returns it, to be changed. */
struct chronicle_image *segment_chronicle_next(struct segment *segment);
/* Puts that image in force. */
void segment_chronicle_commit(struct segment *segment);
/* Gives so many fingerprints memory; those beyond are forgotten. -ENOSPC, -ENOMEM. */
int segment_fingerprints_reserve(struct segment *segment, uint32_t places);
/* Stores a fingerprint, whole wherever a worker is killed. */
void segment_fingerprint(struct segment *segment, uint32_t place, const struct fingerprint *entry);
/* Shows an incident, in the place that its id has. */
void segment_incident(struct segment *segment, const struct incident *incident);
/* Takes over incidents of a snapshot, into a segment that was just made. */
void segment_incidents_put(struct segment *segment, const struct incident *incidents, size_t count);
/* Sets a deploy mark. */
void segment_deploy(struct segment *segment, const char *name, uint32_t uid, uint64_t now_ms);
/* Notes that tripd was started, and not only its worker. */
void segment_chronicle_started(struct segment *segment, uint64_t now_ms);
/* Stores the fingerprint that a worker was storing when it was killed. */
void segment_chronicle_restore(struct segment *segment);

/* -------------------------------------------------------- totals of breakers that are forgotten, by group: groups.c */
/* Adds what the breaker counted to its group, and empties its totals: before segment_forget. A breaker that never had a
 * call has nothing to add. */
void segment_group_take_over(struct segment *segment, uint32_t slot, uint64_t now_ns);
/* Before the first segment_group_put of a restore, which a worker that was killed may have begun. */
void segment_groups_clear(struct segment *segment);
/* Adds what a snapshot has of a group; "": of breakers without one. */
void segment_group_put(struct segment *segment, const char *name, const struct breaker_totals *totals);
/* Returns the image in force; at < header->groups. */
const struct group_image *segment_group(const struct segment *segment, uint32_t at);
/* For segment_recover: finishes what a worker that was killed had begun. */
void segment_groups_restore(struct segment *segment);

/* ---------------------------------------------------------------------------------------- of tripd itself, for people
 */
/* Notes that `up_ns` have passed since the last heartbeat, `busy_ns` of them not asleep. */
void segment_host_beat(struct segment *segment, uint64_t up_ns, uint64_t busy_ns, uint64_t resident,
                       uint64_t lane_memory);
void segment_host_untold(struct segment *segment, uint64_t calls);
void segment_host_lag(struct segment *segment, uint64_t lag_ns, uint64_t events);

/* ----------------------------------------------------------------------------------- attached processes, for people */
void segment_client_set(struct segment *segment, uint32_t lane, const struct client_slot *client);
void segment_client_clear(struct segment *segment, uint32_t lane);

/* ------------------------------------------------------------------------------------------------- modes by pattern */

/* Sets the mode of all breakers that match the pattern, now and later; replaces the pattern if it is there already. A
 * mode that ran out gives up its place, and so does an `auto` with no older pattern below it. 0 or -ENOSPC. */
int segment_pattern_set(struct segment *segment, const char *pattern, trip_mode mode, uint64_t until_ms, uint32_t uid,
                        const char *reason, uint64_t now_ms);
/* Returns the pattern that binds this name now. NULL: none does. */
const struct pattern_slot *segment_pattern_for(const struct segment *segment, const char *name, uint64_t now_ms);

/* --------------------------------------------------------------- levels and features: levels.c, layout_levels.h */
/* Returns the image in force. */
const struct levels_image *segment_levels(const struct segment *segment);
/* Makes the image not in force equal to it, and returns it, to be changed. */
struct levels_image *segment_levels_next(struct segment *segment);
/* Puts that image in force. */
void segment_levels_commit(struct segment *segment);
/* Notes in the image in force that the level in this place was told, as it is now. */
void segment_level_told(struct segment *segment, uint32_t place);
/* Publishes the word of a feature, and notes in the image in force that it was told. */
void segment_feature_publish(struct segment *segment, uint32_t place);

/* ----------------------------------------------------------------------------------------------------------- header */
void segment_round(struct segment *segment);     /* moves on: clients announce again which meters move */
void segment_heartbeat(struct segment *segment); /* real CLOCK_MONOTONIC, state RUNNING */
/* Publishes how clients read the TSC from now on. Writes nothing if it stays. */
void segment_tsc_publish(struct segment *segment, const struct tsc_base *base);
void segment_stopped(struct segment *segment); /* state STOPPED: tripd stopped cleanly */
void segment_started(struct segment *segment, pid_t keeper, pid_t worker);
void segment_test_now(struct segment *segment, uint64_t now_ns);
void segment_counts(struct segment *segment, uint32_t breakers, uint32_t lanes);
void segment_refused(struct segment *segment);                 /* counts one more refused attach */
void segment_refused_lane(struct segment *segment, int error); /* -EMFILE: max_lanes; -EDQUOT: its user's memory */
void segment_configured(struct segment *segment);              /* notes that a config came into force now */
/* False: someone unlinked or replaced the file (logind's RemoveIPC). Clients go on by descriptor, but tools no longer
 * find it. */
bool segment_still_named(const struct segment *segment);

#endif
