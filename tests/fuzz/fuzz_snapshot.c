/* A snapshot file: any bytes are refused with a sentence, or read. What is read and restored into an empty segment is
 * what stands in the snapshot that is written of it; and that one, read, restored and written, is the same to the byte.
 * A count that no data follows reserves no memory: libFuzzer ends a run at one large malloc. */
#include <assert.h>
#include <errno.h>

#include "fuzz.h"
#include "host_again.h"
#include "segment/saved.h"

#define MAX_BREAKERS 8
#define LEFT_MAX_MS  (UINT64_C(1) << 40) /* the most that is left of a time: beyond it, words saturate */

static struct host *host;
static struct host_first first;

struct file {
    char *bytes;
    size_t size;
};

static void at_exit(void)
{
    free(first.memory);
    host_stop(host);
}

static void begin(void)
{
    if (host) {
        host_again(host, &first);
        return;
    }
    host = host_start("breakers: [{match: \"*\"}]", MAX_BREAKERS);
    host_remember(host, &first);
    atexit(at_exit);
}

static struct saved read_again(const struct file *file)
{
    struct saved saved;
    const char *why = NULL;
    assert(saved_parse((const uint8_t *)file->bytes, file->size, &saved, &why) == 0);
    return saved;
}

/* Restores as a worker does after a reboot that took no time, and writes its snapshot. */
static struct file restored_and_written(const struct saved *saved)
{
    struct file file = {0};
    begin();
    const int error = breakers_restore(host->breakers, saved, saved->written_unix_ms);
    assert(error == 0 || error == -ENOSPC);
    FILE *const stream = open_memstream(&file.bytes, &file.size);
    assert(stream && saved_put(stream, host->segment, clock_now_ms(&host->clock), saved->written_unix_ms) == 0);
    fclose(stream);
    return file;
}

/* -------------------------------------------------------------------------------------------------------- compared */

static const struct saved_breaker *named(const struct saved *saved, const char *name)
{
    for (size_t i = 0; i < saved->breaker_count; i++)
        if (strcmp(saved->breakers[i].name, name) == 0)
            return &saved->breakers[i];
    return NULL;
}

static bool named_twice(const struct saved *saved, const struct saved_breaker *breaker)
{
    for (size_t i = 0; i < saved->breaker_count; i++)
        if (&saved->breakers[i] != breaker && strcmp(saved->breakers[i].name, breaker->name) == 0)
            return true;
    return false;
}

static bool holds(const struct saved_mode *mode, uint64_t now_unix_ms)
{
    return mode->set && (mode->until_unix_ms == 0 || mode->until_unix_ms > now_unix_ms);
}

/* Only such a breaker is written: another one comes back with its first call. */
static bool worth_saving(const struct saved_breaker *breaker, uint64_t now_unix_ms)
{
    static const struct breaker_totals none;
    bool mode = false;
    for (unsigned owner = 0; owner < MODE_OWNER_CONFIG; owner++)
        mode = mode || holds(&breaker->modes[owner], now_unix_ms);
    return mode || breaker->open_until_unix_ms || memcmp(&breaker->totals, &none, sizeof(none)) != 0;
}

static void check_mode(const struct saved_mode *mode, const struct saved_mode *again, uint64_t now_unix_ms)
{
    assert(again->set == holds(mode, now_unix_ms));
    if (!again->set)
        return;
    assert(again->mode == mode->mode && again->uid == mode->uid);
    assert(strncmp(again->reason, mode->reason, strlen(again->reason)) == 0);
    assert(again->until_unix_ms == mode->until_unix_ms ||
           (mode->until_unix_ms && mode->until_unix_ms - now_unix_ms > LEFT_MAX_MS));
}

/* Checks an open breaker: its remaining time remains, and without one it ends at once. */
static void check_open(const struct saved_breaker *breaker, const struct saved_breaker *again, uint64_t now_unix_ms)
{
    const uint64_t until = breaker->open_until_unix_ms;
    if (until == 0)
        assert(again->open_until_unix_ms == 0);
    else if (until <= now_unix_ms)
        assert(again->open_until_unix_ms == now_unix_ms + 1);
    else
        assert(again->open_until_unix_ms == until || until - now_unix_ms > LEFT_MAX_MS);
    assert(until == 0 || again->reason == breaker->reason);
}

static void check_breaker(const struct saved_breaker *breaker, const struct saved_breaker *again, uint64_t now_unix_ms)
{
    assert(memcmp(&again->totals, &breaker->totals, sizeof(again->totals)) == 0);
    assert(memcmp(again->totals.trips, breaker->totals.trips, sizeof(again->totals.trips)) == 0);
    assert(again->totals.opens == breaker->totals.opens);
    check_open(breaker, again, now_unix_ms);
    for (unsigned owner = 0; owner < MODE_OWNER_CONFIG; owner++)
        check_mode(&breaker->modes[owner], &again->modes[owner], now_unix_ms);
}

static void check_all(const struct saved *saved, const struct saved *again)
{
    assert(again->written_unix_ms == saved->written_unix_ms);
    assert(again->breaker_count <= saved->breaker_count && again->breaker_count <= MAX_BREAKERS);
    for (size_t i = 0; i < saved->breaker_count; i++) {
        const struct saved_breaker *const breaker = &saved->breakers[i];
        const struct saved_breaker *const found = named(again, breaker->name);
        assert(settings_name_valid(breaker->name, strlen(breaker->name)));
        assert(found || again->breaker_count == MAX_BREAKERS || !worth_saving(breaker, saved->written_unix_ms));
        if (found && !named_twice(saved, breaker))
            check_breaker(breaker, found, saved->written_unix_ms);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct saved saved, again;
    const char *why = NULL;
    const int error = saved_parse(data, size, &saved, &why);
    if (error) {
        assert(error == -EBADMSG && why && why[0]);
        return 0;
    }
    const struct file file = restored_and_written(&saved);
    again = read_again(&file);
    check_all(&saved, &again);
    const struct file second = restored_and_written(&again);
    assert(second.size == file.size && memcmp(second.bytes, file.bytes, file.size) == 0);
    free(file.bytes);
    free(second.bytes);
    saved_clear(&saved);
    saved_clear(&again);
    return 0;
}
