/* A fake tripd with a test clock, and a client of it in this process. */
#ifndef TRIP_TESTS_CLIENT_FIXTURE_H
#define TRIP_TESTS_CLIENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_daemon.h"
#include "trip.h"

struct fixture {
    struct fake_daemon fake;
    trip_client *client;
    trip_breaker *breaker; /* "db" */
    uint32_t slot;
};

/* Polls until `condition`, a minute at most. */
#define WAIT_FOR(condition)                                \
    ({                                                     \
        const struct timespec nap_ = {.tv_nsec = 2000000}; \
        unsigned tries_ = 0;                               \
        while (!(condition) && tries_++ < 30000)           \
            nanosleep(&nap_, NULL);                        \
        (condition);                                       \
    })

/* Waits for tripd's answers, which may come after trip_open and trip_breaker_get on a busy machine. */
static inline bool fixture_shared(const struct fixture *fixture)
{
    trip_info info;
    return trip_breaker_info(fixture->breaker, &info) == 0 && info.client == TRIP_CLIENT_SHARED;
}

static inline int fixture_setup(void **state)
{
    struct fixture *const fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    fake_start(&fixture->fake, true);
    fake_clock(&fixture->fake, 1000);
    if (trip_open(&fixture->client, NULL) < 0 || trip_breaker_get(fixture->client, "db", &fixture->breaker) < 0)
        return -1;
    fixture->slot = fake_breaker(&fixture->fake, "db");
    return WAIT_FOR(fixture_shared(fixture)) ? 0 : -1;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *const fixture = *state;
    trip_close(fixture->client);
    fake_stop(&fixture->fake);
    free(fixture);
    return 0;
}

static inline uint64_t fixture_word(const struct fixture *fixture)
{
    return fake_word(&fixture->fake, fixture->slot);
}

static inline void fixture_set(struct fixture *fixture, uint64_t word)
{
    fake_set_word(&fixture->fake, fixture->slot, word);
}

static inline struct fake_counts fixture_counts(struct fixture *fixture)
{
    return fake_counts_all(&fixture->fake, fixture->slot, word_epoch(fixture_word(fixture)));
}

static inline void record_n(trip_breaker *breaker, trip_outcome outcome, unsigned n)
{
    while (n--)
        trip_record(breaker, outcome, 0);
}

/* Runs in a child of a fork, which asserts nothing: its exit status is the answer. */
static inline int in_child(int (*body)(void *context), void *context)
{
    const pid_t pid = fork();
    if (pid == 0)
        _exit(body(context));
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

#endif
