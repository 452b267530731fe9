/* A storm of errors from eight processes, while tripd's worker is killed with -9: what each process told is counted by
 * type to the last one, of the records the last are kept, and all of it, with what is made of it, stays below 1 MiB. A
 * breaker beside the storm goes on to trip; how long that takes is printed.
 *
 *   torture_errors [--errors N]     so many thousands in all
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "core/correlation.h"
#include "core/fingerprints.h"
#include "instance.h"
#include "internal/ticks.h"
#include "storm.h"
#include "trip.h"

#define CLIENTS     8
#define KILLS       3
#define PATIENCE_MS 60000
#define BUDGET      (1 << 20)
#define GROWTH      (UINT64_C(256) << 10) /* cursors of the clients' lanes, and the batch */

static const char config[] = "breakers: [{match: \"storm/*\", trip: {consecutive_failures: 0, failure_rate: 0%}}]\n";

struct arena {
    uint64_t told[TRIP_ERROR_TYPE_COUNT];
    unsigned ready, begin, ended, stop;
};
static struct arena *arena;
static bool failed;

static void check(const struct instance *instance, bool holds, const char *what)
{
    if (holds)
        return;
    printf("FAILED: %s\n", what);
    if (!failed)
        instance_print_log(instance);
    failed = true;
}

static bool wait_for(const unsigned *count, unsigned least)
{
    for (unsigned tries = 0; tries < PATIENCE_MS; tries++) {
        if (__atomic_load_n(count, __ATOMIC_ACQUIRE) >= least)
            return true;
        nap_us(1000);
    }
    return false;
}

/* ------------------------------------------------------------------------------------------- a process of the storm */

static void tell(trip_breaker *breaker, uint64_t i)
{
    const trip_error_type type = (trip_error_type)(i % 7);
    const trip_error bare = {.type = type}, whole = {.type = type,
                                                     .message = "no answer from 10.0.0.5:5432 in 1000 ms",
                                                     .correlation = "req-7"};
    trip_call call;
    if (i % 3 == 0) {
        trip_report_error(breaker, &whole);
    } else {
        trip_begin(breaker, &call);
        trip_end_error(&call, i % 3 == 1 ? &whole : &bare);
    }
    __atomic_fetch_add(&arena->told[type], 1, __ATOMIC_RELAXED);
}

static void storm(unsigned number, uint64_t errors)
{
    trip_client *client;
    trip_breaker *breaker;
    char name[32];
    snprintf(name, sizeof(name), "storm/%u", number % 2);
    if (trip_open(&client, NULL) < 0 || trip_breaker_get(client, name, &breaker) < 0)
        _exit(1);
    for (unsigned tries = 0; !all_shared(&breaker, 1) && tries < PATIENCE_MS / 10; tries++)
        nap_us(10000);
    __atomic_fetch_add(&arena->ready, 1, __ATOMIC_RELEASE);
    if (!wait_for(&arena->begin, 1))
        _exit(1);
    for (uint64_t i = 0; i < errors; i++)
        tell(breaker, i + number);
    __atomic_fetch_add(&arena->ended, 1, __ATOMIC_RELEASE);
    wait_for(&arena->stop, 1); /* its lane stays */
    _exit(0);
}

/* ------------------------------------------------------------------------------------------- what tripd has counted */

static uint64_t counted(const char *type)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < 2; i++) {
        char verb[32];
        snprintf(verb, sizeof(verb), "show storm/%u", i);
        json_t *show = instance_ask(verb);
        sum += (uint64_t)json_integer_value(json_object_get(json_object_get(show, "errors"), type));
        json_decref(show);
    }
    return sum;
}

static void check_counts(const struct instance *instance)
{
    for (unsigned type = 0; type < 7; type++) {
        const char *const name = trip_error_type_name((trip_error_type)type);
        const uint64_t told = __atomic_load_n(&arena->told[type], __ATOMIC_RELAXED);
        uint64_t found = 0;
        for (unsigned tries = 0; tries < PATIENCE_MS / 100 && (found = counted(name)) != told; tries++)
            nap_us(100000);
        printf("%s: %llu told, %llu counted\n", name, (unsigned long long)told, (unsigned long long)found);
        check(instance, found == told && told > 0, "each error is counted once");
    }
}

static uint64_t private_bytes(pid_t pid)
{
    char path[64], line[128];
    unsigned long long kib = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "RssAnon: %llu", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib * 1024;
}

/* Checks the memory that the segment takes for errors, and by how much tripd's own has grown in the storm. */
static void check_memory(const struct instance *instance, uint64_t before)
{
    const uint64_t after = private_bytes(instance_worker(instance)), grown = after > before ? after - before : 0;
    const uint64_t kept = correlation_defaults().max_errors * sizeof(struct error_record) +
                          ERROR_ROWS * sizeof(struct error_row) + sizeof(struct correlation_shown) +
                          correlation_defaults().fingerprints * (sizeof(struct fingerprint) + sizeof(uint32_t)) +
                          FINGERPRINT_MEMOS * sizeof(struct fingerprint_memo) +
                          INCIDENTS_KEPT * sizeof(struct incident) + sizeof(struct chronicle_memory);
    printf("%llu bytes are kept of errors and what is made of them; tripd has grown by %llu\n",
           (unsigned long long)kept, (unsigned long long)grown);
    check(instance, kept < BUDGET, "what is kept of errors, and made of them, stays below 1 MiB");
    check(instance, grown < GROWTH, "tripd itself does not grow with the storm");
}

static void check_records(const struct instance *instance)
{
    json_t *errors = instance_ask("errors");
    const size_t count = json_array_size(json_object_get(errors, "errors"));
    printf("%zu records\n", count);
    check(instance, count > 0 && count <= correlation_defaults().max_errors, "the last records are kept");
    json_decref(errors);
}

/* Returns the time until this process sees that the breaker beside the storm is open. */
static double trip_beside_ms(trip_client *client, unsigned number)
{
    trip_breaker *breaker;
    char name[32];
    snprintf(name, sizeof(name), "beside/%u", number);
    if (trip_breaker_get(client, name, &breaker) < 0)
        return -1;
    for (unsigned tries = 0; !all_shared(&breaker, 1) && tries < PATIENCE_MS / 10; tries++)
        nap_us(10000);
    const uint64_t begun = monotonic_ns();
    trip_record(breaker, TRIP_OK, 0);
    for (unsigned i = 0; i < 3; i++) /* 3 failures in 4 calls: no streak, and too few calls for the rate */
        trip_record(breaker, TRIP_FAILURE, 0);
    for (unsigned i = 0; i < 3; i++) {
        trip_record(breaker, TRIP_OK, 0);
        trip_record(breaker, TRIP_FAILURE, 0); /* the tenth call: 6 of 10 failed */
    }
    for (unsigned tries = 0; trip_allow(breaker) == TRIP_ALLOW; tries++) {
        if (tries == PATIENCE_MS * 10)
            return -1;
        nap_us(100);
    }
    return (double)(monotonic_ns() - begun) / 1e6;
}

static void trip_beside(const struct instance *instance, trip_client *client, unsigned number)
{
    const double ms = trip_beside_ms(client, number);
    printf("a breaker beside the storm opened in %.1f ms\n", ms);
    check(instance, ms >= 0, "a breaker beside the storm opens");
}

int main(int argc, char **argv)
{
    const uint64_t errors =
        (argc == 3 && strcmp(argv[1], "--errors") == 0 ? strtoull(argv[2], NULL, 10) : 10000) * 1000;
    struct instance instance;
    trip_client *client;
    int status, bad = 0;
    arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    instance_start(&instance, config);
    if (arena == MAP_FAILED || trip_open(&client, NULL) < 0)
        return 1;
    for (unsigned number = 0; number < CLIENTS; number++)
        if (child_fork() == 0)
            storm(number, errors / CLIENTS);
    check(&instance, wait_for(&arena->ready, CLIENTS), "all processes take part");
    __atomic_store_n(&arena->begin, 1, __ATOMIC_RELEASE);
    for (unsigned round = 0; round < KILLS; round++) {
        trip_beside(&instance, client, round);
        kill(instance_worker(&instance), SIGKILL);
        check(&instance, instance_wait_up(&instance, PATIENCE_MS), "tripd is up again");
    }
    trip_beside(&instance, client, KILLS);
    const uint64_t before = private_bytes(instance_worker(&instance));
    check(&instance, wait_for(&arena->ended, CLIENTS), "all errors are told");
    check_counts(&instance);
    check_records(&instance);
    check_memory(&instance, before);
    __atomic_store_n(&arena->stop, 1, __ATOMIC_RELEASE);
    for (unsigned number = 0; number < CLIENTS; number++)
        bad += wait(&status) < 0 || status != 0;
    check(&instance, bad == 0, "all processes ended well");
    trip_close(client);
    check(&instance, instance_stop(&instance) == 0, "tripd stops with status 0");
    return failed;
}
