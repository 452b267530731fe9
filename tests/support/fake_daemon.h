/* A tripd for tests of libtrip: segment and commons made by tripd's own modules, the socket answered by a thread, and
 * nothing judged: state words, permits and modes are what the test puts there. Lives in one folder, found by libtrip
 * through TRIP_RUNTIME_DIR. */
#ifndef TRIP_TESTS_FAKE_DAEMON_H
#define TRIP_TESTS_FAKE_DAEMON_H

#include <pthread.h>
#include <stdbool.h>

#include "folder.h"
#include "internal/permit_word.h"
#include "internal/wire.h"
#include "segment/commons.h"
#include "segment/segment.h"

#define FAKE_OPENINGS    8
#define FAKE_CONNECTIONS 32
#define FAKE_BREAKERS    64

struct fake_connection {
    int fd; /* -1: free */
    pid_t pid;
    uint32_t lane; /* number; 0: none */
};

struct fake_lane {
    struct lane_header *memory; /* NULL: none. By number, stays when its connection hangs up */
    uint64_t lane_id;
    int fd;
    pid_t pid;
};

struct fake_daemon {
    char dir[FOLDER_ROOM], socket[96];
    struct clock clock;
    struct segment *segment;
    struct commons *commons;
    int commons_fd, listener, poke[2];
    pthread_t thread;
    pthread_mutex_t lock; /* of what is below */
    struct fake_connection connections[FAKE_CONNECTIONS];
    struct fake_lane lanes[FAKE_CONNECTIONS];
    bool stop;
    bool away; /* its heart does not beat */
    /* what the test wants, and what happened */
    bool silent;           /* answers nothing */
    int refuse_hello;      /* -errno; 0: welcome */
    int refuse_lane;       /* -errno; 0: attached */
    uint64_t taken_id;     /* the lane of this id is refused: somebody else has it */
    bool full;             /* no breaker fits */
    bool mute_resolve;     /* does not answer RESOLVE */
    bool mute_openings;    /* nor OPENINGS */
    int forged_segment_fd; /* in place of the real ones; -1: none */
    int forged_commons_fd;
    int64_t size_error;       /* added to both sizes in WELCOME */
    uint64_t clock_offset_ns; /* added to the clock in WELCOME: as if tripd were in another time namespace */
    uint64_t time_namespace;
    unsigned hellos, attaches, resolves;
    unsigned opening_count; /* told by clients that came back */
    struct wire_opening openings[FAKE_OPENINGS];
};

/* test_clock: time stands still but for fake_clock. */
void fake_start(struct fake_daemon *fake, bool test_clock);
void fake_stop(struct fake_daemon *fake);

/* As a worker that died: all connections are gone, lanes stay. */
void fake_hang_up(struct fake_daemon *fake);
/* As a keeper that died: a new commons, filled from the mirror, epochs moved on by 2^18, no lanes. What clients did to
 * the words is not mirrored, what the test did is. */
void fake_lose_commons(struct fake_daemon *fake);
/* Both died and the segment was removed: another one, another commons, no lanes, no breakers. */
void fake_new_segment(struct fake_daemon *fake);
/* Away: its heart has not beaten for 6 s, and does not; back: it beats. */
void fake_away(struct fake_daemon *fake);
void fake_back(struct fake_daemon *fake);
void fake_clock(struct fake_daemon *fake, uint64_t ms);

/* What a breaker is made with: threshold 5, open for 30 s, one permit, 10 s of max_wait, slow after 60 s; calls
 * are timed. */
struct fake_policy {
    uint32_t threshold;
    bool watched;
    uint64_t slow_after_ns, open_ms, longest_ms, max_wait_ms;
    uint32_t permits;
};
extern const struct fake_policy fake_policy_default;

/* The slot, made if need be, closed, of epoch 1. */
uint32_t fake_breaker(struct fake_daemon *fake, const char *name);
/* Other settings: another generation. */
void fake_settings(struct fake_daemon *fake, uint32_t slot, const struct fake_policy *policy);
void fake_mode(struct fake_daemon *fake, uint32_t slot, trip_mode mode, uint64_t until_ms);
uint64_t fake_word(const struct fake_daemon *fake, uint32_t slot);
void fake_set_word(struct fake_daemon *fake, uint32_t slot, uint64_t word);
uint64_t fake_permit(const struct fake_daemon *fake, uint32_t slot, uint32_t index);
void fake_arm(struct fake_daemon *fake, uint32_t slot, uint32_t index);

/* Sums over all meters that this breaker has in a lane. */
struct fake_counts {
    uint64_t total_ok, total_failures, total_timeouts, total_slow, ignored, cancelled, late, denied, retries,
        retries_refused, started, finished;
    uint64_t ok, failures, slow; /* evidence of `epoch` */
    uint32_t meters;
};
struct fake_counts fake_counts(struct fake_daemon *fake, uint32_t lane, uint32_t slot, uint32_t epoch);
/* The same over all lanes. */
struct fake_counts fake_counts_all(struct fake_daemon *fake, uint32_t slot, uint32_t epoch);
struct lane_header *fake_lane(struct fake_daemon *fake, uint32_t lane);
/* The lane of this process; 0: none. */
uint32_t fake_lane_of(struct fake_daemon *fake, pid_t pid);
unsigned fake_seen(struct fake_daemon *fake, const unsigned *counter);

#endif
