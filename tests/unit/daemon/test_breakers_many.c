/* Tables that are full: 65,535 breakers, and 2,047 lanes with a ticket each; what they take of memory, and bounds that
 * move while they are there. Printed: what a breaker takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "../../support/breakers_host.h"

#define LANES 2047

static uint64_t blocks_of(int fd)
{
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

/* Returns the anonymous memory of this process: shared memory is counted as its files' memory. */
static uint64_t resident_anonymous(void)
{
    uint64_t kib = 0, found;
    char line[256];
    FILE *const smaps = fopen("/proc/self/smaps_rollup", "re");
    assert_non_null(smaps);
    while (fgets(line, sizeof(line), smaps))
        if (sscanf(line, "Anonymous: %" SCNu64 " kB", &found) == 1)
            kib = found;
    fclose(smaps);
    return kib * 1024;
}

static uint64_t memory_of(const struct host *host)
{
    return blocks_of(host->segment->fd) + blocks_of(host->commons->fd) + resident_anonymous();
}

static int resolve(struct host *host, uint32_t number, uint32_t *ret_slot)
{
    char name[32];
    snprintf(name, sizeof(name), "service-%u", number);
    return breakers_resolve(host->breakers, 0, name, ret_slot);
}

static void test_65535_breakers_take_at_most_8_kib_each(void **state)
{
    (void)state;
    struct host *const host = host_start("breakers: [{match: \"*\"}]", 65535);
    const uint64_t before = memory_of(host);
    uint32_t slot;
    for (uint32_t i = 0; i < 65535; i++) {
        assert_int_equal(resolve(host, i, &slot), 0);
        assert_int_equal(slot, i);
    }
    assert_int_equal(resolve(host, 65535, &slot), -ENOSPC);
    breakers_drain_all(host->breakers);
    const uint64_t each = (memory_of(host) - before) / 65535;
    print_message("%" PRIu64 " bytes a breaker\n", each);
    assert_in_range(each, 4096, 8192);
    for (uint32_t i = 0; i < 65535; i += 1000) {
        assert_int_equal(resolve(host, i, &slot), 0);
        assert_int_equal(slot, i);
        assert_int_equal(host_state(host, slot), WORD_CLOSED);
    }
    struct client client; /* the last one counts as any */
    client_start(host, &client, 101);
    client_reports(host, &client, client_meter(host, &client, 65534), 65534, "FFFFF");
    breakers_rung(host->breakers);
    assert_int_equal(host_state(host, 65534), WORD_OPEN);
    host_kill(host, &client, 1);
    assert_int_equal(host->segment->used_count, 65535);
    assert_int_equal(host_state(host, 65534), WORD_OPEN);
    host_kill_both(host, &client, 1);
    assert_int_equal(host_state(host, 65534), WORD_OPEN);
    assert_int_equal(host->commons->slots, 65535);
    client_free(&client);
    host_stop(host);
}

static void test_few_breakers_take_no_memory_of_the_places_for_more(void **state)
{
    (void)state;
    struct host *const host = host_start("breakers: [{match: \"*\"}]", 65535);
    uint32_t slot;
    assert_int_equal(resolve(host, 1, &slot), 0);
    breakers_drain_all(host->breakers);
    assert_in_range(blocks_of(host->segment->fd), 0, 4876 << 10);
    assert_in_range(blocks_of(host->commons->fd), 0, 64 << 10);
    host_stop(host);
}

static void test_the_bound_moves_and_present_lanes_stay(void **state)
{
    (void)state;
    struct host *const host = host_start("breakers: [{match: \"*\", trip: {consecutive_failures: 1}}]", 100);
    struct client client;
    uint32_t slot;
    client_start(host, &client, 101);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(resolve(host, i, &slot), 0);
    assert_int_equal(resolve(host, 100, &slot), -ENOSPC);
    segment_bounds(host->segment, 300, 4);
    for (uint32_t i = 100; i < 300; i++)
        assert_int_equal(resolve(host, i, &slot), 0);
    assert_int_equal(resolve(host, 300, &slot), -ENOSPC);
    segment_bounds(host->segment, 10, 4);
    assert_int_equal(resolve(host, 300, &slot), -ENOSPC);
    client_report(host, &client, client_meter(host, &client, 299), 299, TRIP_FAILURE);
    breakers_rung(host->breakers);
    assert_int_equal(host_state(host, 299), WORD_OPEN);
    assert_int_equal(host->segment->used_count, 300);
    host_kill(host, &client, 1);
    assert_int_equal(host->segment->used_count, 300);
    client_free(&client);
    host_stop(host);
}

static void more_descriptors(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < 3 * LANES)
        skip();
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Half of the lanes hold one of each of two breakers. */
static uint32_t breaker_of(uint32_t lane)
{
    return lane % 2;
}

static unsigned tickets_out(const struct host *host)
{
    return ticket_count(commons_tickets(host->commons, 0), 0, TICKETS_MAX) +
           ticket_count(commons_tickets(host->commons, 1), 0, TICKETS_MAX);
}

static void take_ticket(struct host *host, struct client *client)
{
    const uint32_t slot = breaker_of(client->number);
    struct ticket ticket;
    writer_total(&lane_meter_at(client->writer.memory, client_meter(host, client, slot))->started, 1);
    assert_int_equal(ticket_take(commons_tickets(host->commons, slot), TICKETS_MAX, 0, client->number, 0, &ticket), 0);
}

static void test_2047_lanes_hold_a_ticket_each_until_they_die(void **state)
{
    (void)state;
    more_descriptors();
    struct host *const host = host_start("breakers: [{match: \"*\", concurrency: {max: 1024}}]", 2);
    struct client *const clients = calloc(LANES + 1, sizeof(*clients));
    uint32_t slot;
    assert_non_null(clients);
    lanes_reconfigure(host->lanes, LANES, UINT64_MAX);
    assert_int_equal(resolve(host, 0, &slot), 0);
    assert_int_equal(resolve(host, 1, &slot), 0);
    for (uint32_t i = 0; i < LANES; i++) {
        client_start(host, &clients[i], 1000 + i);
        assert_int_equal(clients[i].number, i + 1);
        take_ticket(host, &clients[i]);
    }
    assert_int_equal(lanes_count(host->lanes), 2047);
    assert_int_equal(tickets_out(host), 2047);
    for (unsigned look = 0; look < 3; look++)
        host_advance(host, 1000);
    assert_int_equal(tickets_out(host), 2047); /* each is some lane's call */

    const char *why = NULL;
    struct lane *refused;
    writer_make(&clients[LANES].writer, 9999);
    const struct lane_offer offer = {
        .fd = writer_send(&clients[LANES].writer), .uid = getuid(), .pid = getpid(), .lane_id = 9999};
    assert_int_equal(lanes_attach(host->lanes, &offer, &refused, &why), -EMFILE);
    lanes_reconfigure(host->lanes, 10, UINT64_MAX); /* those that are there stay */
    assert_int_equal(lanes_count(host->lanes), 2047);
    client_die(host, &clients[2046]);
    assert_int_equal(lanes_highest(host->lanes), 2046);
    assert_int_equal(lanes_attach(host->lanes, &offer, &refused, &why), -EMFILE);
    lanes_reconfigure(host->lanes, 2048, UINT64_MAX);
    assert_int_equal(lanes_attach(host->lanes, &offer, &refused, &why), 0);
    assert_int_equal(lane_number(refused), 2047);
    assert_int_equal(tickets_out(host), 2046);

    for (uint32_t i = 0; i < 2046; i++)
        client_die(host, &clients[i]);
    assert_int_equal(tickets_out(host), 0);
    for (uint32_t i = 0; i <= LANES; i++)
        client_free(&clients[i]);
    free(clients);
    host_stop(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_65535_breakers_take_at_most_8_kib_each),
        cmocka_unit_test(test_few_breakers_take_no_memory_of_the_places_for_more),
        cmocka_unit_test(test_the_bound_moves_and_present_lanes_stay),
        cmocka_unit_test(test_2047_lanes_hold_a_ticket_each_until_they_die),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
