/* Many threads in several processes walk chains of strategies, while the config is reloaded as often as tripd can. Each
 * walk must be, from its first strategy to its last, the list that one of the configs has for its type of error.
 *
 *   torture_fallback [--seconds N]
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "instance.h"
#include "internal/ticks.h"
#include "storm.h"
#include "trip.h"

#define PROCESSES   4
#define THREADS     4
#define PATIENCE_MS 60000
#define LIST        256 /* bytes of a list in words */

/* Configs, and the lists that they have. They differ in all that a walk reads: where lists begin, how long they are,
 * and where their texts lie. */
enum { NETWORK, TIMEOUT, TYPES };
static const trip_error_type types[TYPES] = {TRIP_ERROR_NETWORK, TRIP_ERROR_TIMEOUT};
static const struct {
    const char *fallback, *lists[TYPES];
} configs[] = {
    {"{network: [{cached: {}}, {queue: one}, {default: {value: [1]}}], timeout: [{reduced: [one]}]}",
     {"cached|queue one|default [1]|", "reduced one|"}},
    {"{timeout: [{alternative: {endpoints: [two-a, two-b, two-c]}}, {queue: two}], network: [{reduced: [two, 2]}]}",
     {"reduced two,2|", "alternative two-a|alternative two-b|alternative two-c|queue two|"}},
    {"{\"*\": [{default: {value: {three: [\"a text that is longer than those of the other two configs together\"]}}}]}",
     {"default {\"three\":[\"a text that is longer than those of the other two configs together\"]}|",
      "default {\"three\":[\"a text that is longer than those of the other two configs together\"]}|"}},
};
#define CONFIGS (sizeof(configs) / sizeof(configs[0]))

struct arena {
    unsigned ready, stop;
    uint64_t reloads; /* begun and ended: odd, one is under way */
    uint64_t walks, overlapped, of[CONFIGS], wrong;
    char example[LIST]; /* a wrong one */
};
static struct arena *arena;

/* ------------------------------------------------------------------------------------------------- those who walk */

static void walk(trip_breaker *breaker, trip_error_type type, char list[LIST])
{
    trip_fallback fallback = {0};
    size_t length = 0;
    list[0] = '\0';
    while (trip_fallback_next(breaker, type, &fallback) && length < LIST - 1) {
        length += (size_t)snprintf(list + length, LIST - length, "%s%s%s|", trip_strategy_name(fallback.strategy),
                                   fallback.size ? " " : "", fallback.text);
        nap_us(100); /* so that tripd reloads, also between two strategies */
    }
}

static void count(unsigned type, const char *list)
{
    for (unsigned config = 0; config < CONFIGS; config++)
        if (strcmp(configs[config].lists[type], list) == 0) {
            __atomic_fetch_add(&arena->of[config], 1, __ATOMIC_RELAXED);
            return;
        }
    if (__atomic_fetch_add(&arena->wrong, 1, __ATOMIC_RELAXED) == 0)
        snprintf(arena->example, sizeof(arena->example), "%s", list);
}

static void *walk_on(void *arg)
{
    for (unsigned i = 0; !__atomic_load_n(&arena->stop, __ATOMIC_RELAXED); i++) {
        char list[LIST];
        const uint64_t before = __atomic_load_n(&arena->reloads, __ATOMIC_SEQ_CST);
        walk(arg, types[i % TYPES], list);
        const uint64_t after = __atomic_load_n(&arena->reloads, __ATOMIC_SEQ_CST);
        count(i % TYPES, list);
        __atomic_fetch_add(&arena->walks, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&arena->overlapped, before != after || before % 2, __ATOMIC_RELAXED);
    }
    return NULL;
}

static _Noreturn void be_client(unsigned number)
{
    trip_client *client;
    trip_breaker *breaker;
    pthread_t threads[THREADS];
    char name[32];
    snprintf(name, sizeof(name), "db-%u", number % 2);
    if (trip_open(&client, NULL) < 0 || trip_breaker_get(client, name, &breaker) < 0)
        _exit(1);
    for (unsigned tries = 0; !all_shared(&breaker, 1) && tries < PATIENCE_MS / 10; tries++)
        nap_us(10000);
    __atomic_fetch_add(&arena->ready, all_shared(&breaker, 1), __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, walk_on, breaker) != 0)
            _exit(1);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    trip_close(client);
    _exit(0);
}

/* ---------------------------------------------------------------------------------------------------- the reloads */

static void write_yaml(char *text, size_t size, unsigned config)
{
    snprintf(text, size, "breakers: [{match: \"db-*\", fallback: %s}]\n", configs[config].fallback);
}

static bool reload(const struct instance *instance, unsigned config)
{
    char path[128], yaml[512];
    snprintf(path, sizeof(path), "%s/test.yaml", instance->folder);
    write_yaml(yaml, sizeof(yaml), config);
    FILE *file = fopen(path, "we");
    if (!file || fputs(yaml, file) < 0 || fclose(file) != 0)
        return false;
    __atomic_fetch_add(&arena->reloads, 1, __ATOMIC_SEQ_CST);
    json_t *answer = instance_ask("config reload");
    __atomic_fetch_add(&arena->reloads, 1, __ATOMIC_SEQ_CST);
    const bool reloaded = answer != NULL;
    json_decref(answer);
    return reloaded;
}

static bool check(bool holds, const char *what)
{
    if (!holds)
        printf("FAILED: %s\n", what);
    return holds;
}

/* Reloads until the time is over, but at least until each config was walked, and a walk overlapped a reload. */
static bool reload_on(const struct instance *instance, unsigned seconds)
{
    const uint64_t begun_ns = monotonic_ns(), enough_ns = begun_ns + seconds * UINT64_C(1000000000);
    const uint64_t patience_ns = enough_ns + PATIENCE_MS * UINT64_C(1000000);
    bool done = false, reloaded = true;
    for (unsigned i = 1; reloaded && !done && monotonic_ns() < patience_ns; i++) {
        reloaded = reload(instance, i % CONFIGS);
        done = monotonic_ns() >= enough_ns && __atomic_load_n(&arena->overlapped, __ATOMIC_RELAXED) > 0;
        for (unsigned config = 0; config < CONFIGS; config++)
            done &= __atomic_load_n(&arena->of[config], __ATOMIC_RELAXED) > 0;
    }
    return check(reloaded, "tripd reloads") && check(done, "each config is walked, also during a reload");
}

int main(int argc, char **argv)
{
    const unsigned seconds = argc == 3 && strcmp(argv[1], "--seconds") == 0 ? (unsigned)atoi(argv[2]) : 5;
    unsigned bad = 0;
    struct instance instance;
    char yaml[512];
    int status;
    arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (arena == MAP_FAILED)
        return 1;
    write_yaml(yaml, sizeof(yaml), 0);
    instance_start(&instance, yaml);
    for (unsigned number = 0; number < PROCESSES; number++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            be_client(number);
        }
    for (unsigned ms = 0; __atomic_load_n(&arena->ready, __ATOMIC_SEQ_CST) < PROCESSES && ms < PATIENCE_MS; ms++)
        nap_us(1000);
    bool well = check(arena->ready == PROCESSES, "all processes take part") && reload_on(&instance, seconds);
    __atomic_store_n(&arena->stop, 1, __ATOMIC_RELAXED);
    for (unsigned number = 0; number < PROCESSES; number++)
        bad += wait(&status) < 0 || status != 0;
    printf("%llu walks, %llu during a reload; %llu reloads\n", (unsigned long long)arena->walks,
           (unsigned long long)arena->overlapped, (unsigned long long)arena->reloads / 2);
    for (unsigned config = 0; config < CONFIGS; config++)
        printf("config %u: %llu walks\n", config, (unsigned long long)arena->of[config]);
    if (!check(arena->wrong == 0, "each walk is the list of one config"))
        printf("%llu are not, as \"%s\"\n", (unsigned long long)arena->wrong, arena->example);
    well &= check(bad == 0, "all processes ended well") && arena->wrong == 0;
    if (!well)
        instance_print_log(&instance);
    return check(instance_stop(&instance) == 0, "tripd stops with status 0") && well ? 0 : 1;
}
