/* What tripd makes of the rings of errors and events: fingerprints, incidents, and events that tell of them; each once,
 * wherever a worker is killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../../support/breakers_host.h"
#include "../../support/store_kill.h"
#include "chronicle/chronicle.h"
#include "protocol/report_incidents.h"
#include "segment/saved.h"
#include "segment/saved_incidents.h"

#define BREAKERS 16
#define CONFIG   "correlation: {max_errors: 16, fingerprints: 32, cascade_window: 5s, quiet: 60s}"
#define MINUTE   60000

static struct segment_dir dir;
static struct segment *segment;
static struct config *config;
static struct chronicle *chronicle;
static uint64_t now_ms;

/* ------------------------------------------------------------------------------------------------------- the world */

static struct {
    unsigned began, ended;
} heard;

static void changed(void *context, const struct incident *incident)
{
    assert_ptr_equal(context, &heard);
    if (incident->end_ms)
        heard.ended++;
    else
        heard.began++;
}

static void open_chronicle(void)
{
    const struct chronicle_options options = {
        .segment = segment, .config = config, .changed = changed, .context = &heard};
    assert_int_equal(chronicle_new(&options, &chronicle), 0);
}

static void set_time(uint64_t ms)
{
    now_ms = ms;
    dir.clock.test_now_ns = ms * 1000000;
    segment_test_now(segment, dir.clock.test_now_ns);
}

static void make_segment(void)
{
    segment = segment_dir_create(&dir, BREAKERS, 4);
    segment->wall = &dir.clock; /* so that wall times are literal */
    assert_int_equal(segment_correlation_publish(segment, &config->correlation), 0);
    set_time(0);
}

static int set_up(void **state)
{
    (void)state;
    heard.began = heard.ended = 0;
    config = host_config(CONFIG);
    segment_dir_make(&dir);
    make_segment();
    open_chronicle();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    chronicle = chronicle_free(chronicle);
    segment_unmap(segment);
    segment_dir_remove(&dir);
    config_free(config);
    return 0;
}

static uint32_t breaker(const char *name)
{
    uint32_t slot;
    if (segment_find(segment, name, &slot) < 0) {
        assert_int_equal(segment_take(segment, name, now_ms, &slot), 0);
        segment_name_publish(segment, slot);
    }
    return slot;
}

static void tell_errors(const char *name, const char *message, uint32_t times)
{
    struct error_record record = {
        .at_ms = now_ms, .breaker = breaker(name), .pid = 7, .times = times, .type = TRIP_ERROR_TIMEOUT};
    memcpy(record.message, message, strlen(message));
    segment_error(segment, &record);
}

static void tell_error(const char *name, const char *message)
{
    tell_errors(name, message, 1);
}

static void tell_step(const char *name, trip_state from, trip_state to)
{
    const struct transition step = {.breaker = breaker(name),
                                    .from = (uint8_t)from,
                                    .to = (uint8_t)to,
                                    .reason = to == TRIP_STATE_OPEN ? TRIP_REASON_CONSECUTIVE : TRIP_REASON_NONE,
                                    .by = BY_CLIENT};
    segment_transition(segment, &step, now_ms);
}

static void three_open(void)
{
    tell_step("db", TRIP_STATE_CLOSED, TRIP_STATE_OPEN);
    tell_step("api", TRIP_STATE_CLOSED, TRIP_STATE_OPEN);
    tell_step("mail", TRIP_STATE_CLOSED, TRIP_STATE_OPEN);
}

static void three_close(void)
{
    tell_step("db", TRIP_STATE_OPEN, TRIP_STATE_CLOSED);
    tell_step("api", TRIP_STATE_OPEN, TRIP_STATE_CLOSED);
    tell_step("mail", TRIP_STATE_OPEN, TRIP_STATE_CLOSED);
}

static void look(void)
{
    while (chronicle_look(chronicle, now_ms * 1000000))
        ;
}

/* The worker dies, and the next one takes over. */
static void next_worker(void)
{
    chronicle = chronicle_free(chronicle);
    segment_inherit(segment, &dir.clock);
    open_chronicle();
}

/* Makes it so that the last commit has not come about: the image before it is whole still. */
static void take_back_commit(void)
{
    segment->chronicle->commits--;
}

static const struct fingerprint *fingerprint(uint32_t place)
{
    return &segment->fingerprints[place];
}

static const struct fingerprint *fingerprint_of(const char *text)
{
    for (uint32_t place = 0; place < segment->header->fingerprints; place++)
        if (fingerprint(place)->id && strcmp(fingerprint(place)->text, text) == 0)
            return fingerprint(place);
    return NULL;
}

static const struct incident *incident(uint64_t id)
{
    const struct incident *const kept = &segment->incidents[id % INCIDENTS_KEPT];
    assert_int_equal(kept->id, id);
    return kept;
}

static unsigned incidents_kept(void)
{
    unsigned count = 0;
    for (unsigned place = 0; place < INCIDENTS_KEPT; place++)
        count += segment->incidents[place].id != 0;
    return count;
}

/* How many events of this step and incident stand in the ring. id 0: of any. */
static unsigned told(enum incident_step step, uint64_t id)
{
    struct transition event;
    unsigned count = 0;
    for (uint64_t index = 0; segment_event(segment, index, &event); index = event.sequence)
        count += event.of == OF_INCIDENT && event.to == step && (id == 0 || event.epoch == id);
    return count;
}

static uint64_t unclassified(void)
{
    return chronicle_show(segment->chronicle).unclassified;
}

static bool is_new(const struct fingerprint *entry)
{
    const struct report_names names = {.name = NULL};
    const struct chronicle_shown shown = chronicle_show(segment->chronicle);
    const struct report_since since = report_since(&shown, now_ms * 1000000);
    struct fingerprint unnamed = *entry;
    unnamed.breaker_count = 0;
    json_t *const report = report_fingerprint(&unnamed, &names, &since);
    const bool result = json_is_true(json_object_get(report, "new"));
    json_decref(report);
    return result;
}

/* ---------------------------------------------------------------------------------------------------- fingerprints */

static const char *named_now(void *context, uint32_t slot)
{
    (void)slot;
    return context;
}

/* Is the fingerprint said to be of one breaker, of that name, while its slot has it? */
static bool is_of(const struct fingerprint *entry, char *name)
{
    const struct report_names names = {.name = named_now, .context = name};
    const struct report_since since = {0};
    json_t *const report = report_fingerprint(entry, &names, &since);
    const json_t *const breakers = json_object_get(report, "breakers");
    const char *const said = json_string_value(json_array_get(breakers, 0));
    const bool result = json_array_size(breakers) == 1 && strcmp(said, name) == 0;
    assert_int_equal(report_fingerprint_wanted(entry, &names, name), result);
    json_decref(report);
    return result;
}

static void test_a_fingerprint_is_not_said_to_be_of_the_breaker_that_got_the_slot_later(void **state)
{
    (void)state;
    tell_error("db", "connection refused");
    look();
    assert_true(is_of(fingerprint_of("connection refused"), "db"));
    assert_false(is_of(fingerprint_of("connection refused"), "mail"));
}

static void test_errors_with_one_template_are_one_fingerprint(void **state)
{
    (void)state;
    set_time(5000);
    tell_error("db", "no answer in 1503 ms");
    set_time(6000);
    tell_errors("api", "no answer in 20 ms", 3);
    tell_error("api", "connection refused");
    look();
    const struct fingerprint *const entry = fingerprint_of("no answer in <n> ms");
    assert_non_null(entry);
    assert_int_equal(entry->count, 4);
    assert_int_equal(entry->id, 1);
    assert_int_equal(entry->seen, 2);
    assert_int_equal(entry->first_ms, 5000);
    assert_int_equal(entry->first_unix_ms, 5000);
    assert_int_equal(entry->last_ms, 6000);
    assert_int_equal(entry->breaker_count, 2);
    assert_int_equal(fingerprint_of("connection refused")->count, 1);
    assert_int_equal(unclassified(), 0);
    assert_int_equal(incidents_kept(), 0);
}

static void test_an_error_that_the_next_worker_reads_again_counts_once(void **state)
{
    (void)state;
    tell_errors("db", "connection refused", 2);
    tell_error("db", "no answer in 20 ms");
    look();
    for (unsigned i = 0; i < 3; i++) {
        take_back_commit();
        assert_int_equal(segment_chronicle(segment)->incidents.errors, 0);
        next_worker();
        look();
        assert_int_equal(segment_chronicle(segment)->incidents.errors, 2);
        assert_int_equal(fingerprint_of("connection refused")->count, 2);
        assert_int_equal(fingerprint_of("no answer in <n> ms")->count, 1);
    }
    tell_error("db", "connection refused");
    look();
    assert_int_equal(fingerprint_of("connection refused")->count, 3);
}

/* A test watches each word that a kill may leave half written, or those that readers see or no commit covers. Those of
 * the image that is not in force are many, and do not matter. */
enum watched { WATCH_ALL, WATCH_SHOWN };

static void watch(void *memory, size_t size)
{
    assert_int_equal((uintptr_t)memory % LAYOUT_PAGE, 0);
    store_kill_add(memory, (size + LAYOUT_PAGE - 1) / LAYOUT_PAGE * LAYOUT_PAGE);
}

/* Sees to it that the next commit is of the second image: the first one shares a page with words that others read. */
static void take_second_image(void)
{
    if (segment->chronicle->commits % 2 == 0)
        return;
    tell_step("quiet", TRIP_STATE_RAMPING, TRIP_STATE_CLOSED);
    look();
}

/* Reads in a worker that is killed before its n-th store. False: it came to its end. */
static bool killed_at(enum watched watched, uint64_t store)
{
    store_kill.region_count = 0;
    if (watched == WATCH_ALL) {
        watch(segment->header, segment->size);
    } else {
        watch(segment->header, sizeof(*segment->header));
        watch(segment->transitions, TRANSITION_RING * sizeof(struct transition));
        watch(segment->fingerprints, segment->header->fingerprints * sizeof(struct fingerprint));
        watch(segment->incidents, INCIDENTS_KEPT * sizeof(struct incident));
        watch(segment->chronicle, offsetof(struct chronicle_memory, images));
    }
    return store_kill_run(store, look);
}

#define FEWER_STORES 97

static void need_kills(void)
{
    if (!STORE_KILL_WORKS) {
        print_message("no kill at a store on this architecture\n");
        skip();
    }
}

/* Checks that a reader finds the first fingerprint with `before` errors, with `after`, or not at all. */
static void assert_whole(uint64_t before, uint64_t after)
{
    struct fingerprint entry;
    if (words_take(&entry, fingerprint(0), sizeof(entry)) == 0)
        return;
    assert_int_equal(entry.id, 1);
    assert_true(entry.count == before || entry.count == after);
    assert_int_equal(entry.seen, entry.count / 2);
    assert_string_equal(entry.text, "no answer in <n> ms");
}

struct kills {
    unsigned staged, counted; /* while the fingerprint was stored; between that and the commit */
};

/* Tells of two errors more, and kills the worker that counts them. `before`: what was counted already. */
static bool count_killed_at(enum watched watched, uint64_t store, uint64_t before, struct kills *kills)
{
    take_second_image();
    set_time(now_ms + MINUTE);
    tell_errors("db", "no answer in 20 ms", 2);
    const bool killed = killed_at(watched, store);
    assert_whole(before, before + 2);
    kills->staged += segment->chronicle->staged != 0;
    next_worker();
    assert_int_equal(segment->chronicle->staged, 0);
    kills->counted += segment_chronicle(segment)->incidents.errors == before / 2 && fingerprint(0)->count == before + 2;
    look();
    assert_int_equal(fingerprint(0)->count, before + 2);
    assert_int_equal(fingerprint(0)->seen, before / 2 + 1);
    assert_int_equal(fingerprint(0)->id, 1);
    assert_int_equal(fingerprint(1)->id, 0);
    assert_int_equal(unclassified(), 0);
    return killed;
}

static void test_an_error_counts_once_wherever_the_worker_that_counts_it_is_killed(void **state)
{
    struct kills kills = {0};
    uint64_t before = 0;
    bool killed = true;
    (void)state;
    need_kills();
    for (uint64_t store = 0; killed; store++, before += 2)
        killed = count_killed_at(WATCH_SHOWN, store, before, &kills);
    assert_true(kills.staged >= 20 && kills.counted >= 2);
    killed = true;
    for (uint64_t store = 0; killed; store += FEWER_STORES, before += 2)
        killed = count_killed_at(WATCH_ALL, store, before, &kills);
}

static void test_errors_without_a_message_are_unclassified(void **state)
{
    (void)state;
    tell_errors("db", "", 5);
    tell_error("db", "connection refused");
    tell_error("db", "");
    look();
    assert_int_equal(unclassified(), 6);
    take_back_commit();
    next_worker();
    look();
    assert_int_equal(unclassified(), 6);
    assert_int_equal(fingerprint(0)->count, 1);
}

/* Such a message has nothing that a template could be made of. */
static void test_an_error_whose_message_is_blank_is_unclassified(void **state)
{
    (void)state;
    tell_error("db", "  ");
    look();
    assert_int_equal(fingerprint(0)->id, 0);
    assert_int_equal(unclassified(), 1);
}

static void test_records_that_were_overwritten_unread_are_unclassified(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++)
        tell_error("db", "connection refused");
    look();
    assert_int_equal(fingerprint(0)->count, 16);
    assert_int_equal(unclassified(), 4);
    assert_int_equal(segment_chronicle(segment)->incidents.errors, 20);
}

/* The next worker drains the lanes before it reads on, and may so overwrite what the last one had counted. */
static void test_records_that_were_counted_and_then_overwritten_are_not_unclassified(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        tell_error("db", "connection refused");
    look();
    take_back_commit();
    next_worker();
    for (unsigned i = 0; i < 12; i++)
        tell_error("db", "connection refused");
    look();
    assert_int_equal(fingerprint(0)->count, 22);
    assert_int_equal(unclassified(), 0);
}

static void test_a_look_reads_256_events_and_says_that_there_are_more(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 300; i++)
        tell_step("db", TRIP_STATE_OPEN, TRIP_STATE_HALF_OPEN);
    assert_true(chronicle_look(chronicle, now_ms * 1000000));
    assert_int_equal(segment_chronicle(segment)->incidents.events, 256);
    assert_false(chronicle_look(chronicle, now_ms * 1000000));
    assert_int_equal(segment_chronicle(segment)->incidents.events, 300);
}

static void test_half_the_ring_unread_is_not_yet_behind_and_one_more_is(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        tell_error("db", "connection refused");
    assert_false(chronicle_behind(chronicle));
    tell_error("db", "connection refused");
    assert_true(chronicle_behind(chronicle));
    look();
    assert_false(chronicle_behind(chronicle));
    for (unsigned i = 0; i < 2048; i++)
        tell_step("db", TRIP_STATE_OPEN, TRIP_STATE_HALF_OPEN);
    assert_false(chronicle_behind(chronicle));
    tell_step("db", TRIP_STATE_OPEN, TRIP_STATE_HALF_OPEN);
    assert_true(chronicle_behind(chronicle));
    look();
    assert_false(chronicle_behind(chronicle));
}

/* ---------------------------------------------------------------------------------------------------------- reload */

/* Tells of errors with templates of their own: the first one once, the second one twice, and so on. */
static void tell_templates(unsigned count)
{
    char message[] = "aa failed";
    for (unsigned i = 0; i < count; i++) {
        message[0] = message[1] = (char)('a' + i);
        tell_errors("db", message, i + 1);
        look();
    }
}

static void reload(const char *text)
{
    struct config *const before = config;
    config = host_config(text);
    chronicle_reconfigure(chronicle, config);
    config_free(before);
}

static void test_a_reload_to_fewer_fingerprints_keeps_those_that_have_a_place(void **state)
{
    (void)state;
    tell_templates(20);
    assert_int_equal(fingerprint_of("tt failed")->count, 20);
    reload("correlation: {fingerprints: 16}");
    assert_int_equal(segment->header->fingerprints, 16);
    assert_int_equal(fingerprint(15)->count, 16);
    assert_int_equal(fingerprint(16)->id, 0);
    assert_int_equal(fingerprint(19)->id, 0);
    tell_error("db", "pp failed");
    tell_error("db", "new ones fail");
    look();
    assert_int_equal(fingerprint_of("pp failed")->count, 17);
    assert_null(fingerprint_of("aa failed")); /* it was the least frequent one */
    assert_int_equal(fingerprint_of("new ones fail")->count, 2);
    assert_int_equal(fingerprint_of("new ones fail")->over, 1);
    next_worker();
    assert_int_equal(segment->header->fingerprints, 16);
    assert_int_equal(fingerprint_of("pp failed")->count, 17);
}

/* internal/layout_chronicle.h: an id is never used again. */
static void test_ids_of_fingerprints_that_a_reload_forgot_are_not_used_again(void **state)
{
    (void)state;
    tell_templates(20);
    assert_int_equal(fingerprint_of("tt failed")->id, 20);
    reload("correlation: {fingerprints: 16}");
    tell_error("db", "new ones fail");
    look();
    assert_int_equal(fingerprint_of("new ones fail")->id, 21);
}

static void test_a_reload_to_more_fingerprints_gives_them_places(void **state)
{
    (void)state;
    tell_templates(3);
    reload("correlation: {fingerprints: 64}");
    assert_int_equal(segment->header->fingerprints, 64);
    tell_error("db", "cc failed");
    tell_error("db", "dd failed");
    look();
    assert_int_equal(fingerprint_of("cc failed")->count, 4);
    assert_int_equal(fingerprint_of("dd failed")->id, 4);
}

/* --------------------------------------------------------------------------------------------------------- deploys */

static void test_errors_that_come_first_after_a_deploy_mark_are_new(void **state)
{
    (void)state;
    segment_chronicle_started(segment, 1000);
    set_time(2000);
    tell_error("db", "connection refused");
    look();
    assert_true(is_new(fingerprint_of("connection refused"))); /* since the start */
    set_time(3000);
    segment_deploy(segment, "v1.2", 1000, now_ms);
    assert_false(is_new(fingerprint_of("connection refused")));
    set_time(4000);
    tell_error("db", "connection refused");
    tell_error("db", "no answer in 20 ms");
    look();
    assert_false(is_new(fingerprint_of("connection refused")));
    assert_true(is_new(fingerprint_of("no answer in <n> ms")));
    const struct chronicle_shown shown = chronicle_show(segment->chronicle);
    assert_int_equal(shown.deploys, 1);
    assert_string_equal(shown.deploy.name, "v1.2");
    assert_int_equal(shown.deploy.at_unix_ms, 3000);
    assert_int_equal(shown.deploy.uid, 1000);
    set_time(5000);
    segment_deploy(segment, "", 0, now_ms);
    assert_false(is_new(fingerprint_of("no answer in <n> ms")));
    assert_string_equal(chronicle_show(segment->chronicle).deploy.name, "");
}

static void mark(void)
{
    segment_deploy(segment, "v2", 2, now_ms);
}

static void test_a_deploy_mark_is_the_last_one_or_the_one_before_wherever_the_worker_is_killed(void **state)
{
    bool killed = true;
    (void)state;
    need_kills();
    segment_deploy(segment, "v1", 1, 1000);
    set_time(2000);
    for (uint64_t store = 0; killed; store++) {
        store_kill.region_count = 0;
        watch(segment->header, segment->size);
        killed = store_kill_run(store, mark);
        const struct chronicle_shown shown = chronicle_show(segment->chronicle);
        assert_true(killed || shown.deploys == 2);
        assert_int_equal(shown.deploy.uid, shown.deploys);
        assert_int_equal(shown.deploy.at_ms, shown.deploys * 1000);
        assert_string_equal(shown.deploy.name, shown.deploys == 1 ? "v1" : "v2");
    }
}

static void test_an_incident_knows_the_deploy_before_it(void **state)
{
    (void)state;
    set_time(MINUTE);
    segment_deploy(segment, "v1.2", 0, now_ms);
    set_time(2 * MINUTE);
    tell_step("db", TRIP_STATE_CLOSED, TRIP_STATE_OPEN);
    look();
    assert_string_equal(incident(1)->deploy, "v1.2");
    assert_int_equal(incident(1)->deploy_unix_ms, MINUTE);
}

/* ------------------------------------------------------------------------------------------------------- incidents */

static void test_breakers_that_open_together_are_one_incident_that_is_told_as_it_begins_and_ends(void **state)
{
    struct transition event;
    (void)state;
    set_time(10000);
    three_open();
    look();
    assert_int_equal(incidents_kept(), 1);
    assert_int_equal(incident(1)->member_count, 3);
    assert_int_equal(incident(1)->start_ms, 10000);
    assert_int_equal(incident(1)->start_unix_ms, 10000);
    assert_int_equal(incident(1)->end_ms, 0);
    assert_string_equal(incident_member_name(incident(1), 0), "db");
    assert_int_equal(heard.began, 1);
    assert_true(segment_event(segment, 3, &event));
    assert_int_equal(event.of, OF_INCIDENT);
    assert_int_equal(event.to, INCIDENT_BEGAN);
    assert_int_equal(event.epoch, 1);
    assert_int_equal(event.by, BY_DAEMON);
    assert_string_equal(event.name, "db");
    assert_int_equal(event.at_ms, 10000);
    set_time(20000);
    three_close();
    look();
    assert_int_equal(told(INCIDENT_ENDED, 0), 0);
    set_time(20000 + MINUTE);
    look();
    assert_int_equal(incident(1)->end_ms, 20000);
    assert_int_equal(incident(1)->end_unix_ms, 20000);
    assert_int_equal(incident(1)->moments[incident(1)->moment_count - 1].kind, MOMENT_ENDED);
    assert_int_equal(told(INCIDENT_BEGAN, 0), 1);
    assert_int_equal(told(INCIDENT_ENDED, 1), 1);
    assert_int_equal(heard.began, 1);
    assert_int_equal(heard.ended, 1);
    look(); /* its own events are none of a breaker */
    assert_int_equal(incidents_kept(), 1);
    assert_int_equal(segment->header->transition_next, 8);
}

static void test_an_incident_that_grows_is_shown_as_it_is_and_told_no_more(void **state)
{
    (void)state;
    tell_step("db", TRIP_STATE_CLOSED, TRIP_STATE_OPEN);
    look();
    assert_int_equal(incident(1)->member_count, 1);
    tell_step("api", TRIP_STATE_CLOSED, TRIP_STATE_OPEN);
    tell_errors("db", "connection refused", 4);
    look();
    assert_int_equal(incident(1)->member_count, 2);
    assert_int_equal(incident(1)->errors, 4);
    assert_string_equal(incident(1)->fingerprint_text, "connection refused");
    assert_int_equal(told(INCIDENT_BEGAN, 0), 1);
}

static void test_an_incident_knows_what_the_errors_said_that_led_to_it(void **state)
{
    (void)state;
    tell_errors("db", "connection refused", 4);
    look();
    assert_int_equal(incidents_kept(), 0);
    tell_step("db", TRIP_STATE_CLOSED, TRIP_STATE_OPEN);
    look();
    assert_int_equal(incident(1)->errors, 4);
    assert_int_equal(incident(1)->fingerprint, 1);
    assert_string_equal(incident(1)->fingerprint_text, "connection refused");
    assert_int_equal(incident(1)->pid, 7);
}

static void test_a_look_that_finds_nothing_new_commits_nothing(void **state)
{
    (void)state;
    three_open();
    look();
    look(); /* reads the event that the last look appended */
    const uint64_t commits = segment->chronicle->commits;
    set_time(100);
    look();
    assert_int_equal(segment->chronicle->commits, commits);
}

static void test_an_incident_that_was_told_and_not_committed_is_told_once(void **state)
{
    (void)state;
    three_open();
    look();
    take_back_commit();
    next_worker();
    look();
    assert_int_equal(told(INCIDENT_BEGAN, 1), 1);
    assert_int_equal(told(INCIDENT_BEGAN, 0), 1);
    assert_int_equal(incidents_kept(), 1);
    assert_int_equal(incident(1)->member_count, 3);
    set_time(1000);
    three_close();
    set_time(1000 + MINUTE);
    look();
    take_back_commit();
    next_worker();
    look();
    assert_int_equal(told(INCIDENT_ENDED, 1), 1);
    assert_int_equal(told(INCIDENT_BEGAN, 0), 1);
    assert_int_equal(incident(1)->end_ms, 1000);
}

/* The entry that a kill left half-written is written again. */
static void test_an_incident_that_was_stored_and_not_told_is_told_by_the_next_worker(void **state)
{
    (void)state;
    three_open();
    look();
    take_back_commit();
    segment->header->transition_next = 3;
    segment->transitions[3] = (struct transition){0};
    segment->incidents[1].id = 0;
    next_worker();
    look();
    assert_int_equal(incident(1)->member_count, 3);
    assert_int_equal(told(INCIDENT_BEGAN, 1), 1);
    assert_int_equal(segment->header->transition_next, 4);
}

struct sightings {
    unsigned stored, told; /* stored and not told; told and not committed */
};

/* Looks in a worker that is killed, and then in the next one. Adds to what the kills left. */
static bool look_killed_at(enum watched watched, uint64_t store, enum incident_step step, uint64_t id,
                           struct sightings *sightings)
{
    const uint64_t commits = segment->chronicle->commits;
    const bool killed = killed_at(watched, store);
    next_worker();
    const struct incident *const entry = &segment->incidents[id % INCIDENTS_KEPT];
    const bool stored = entry->id == id && (entry->end_ms != 0) == (step == INCIDENT_ENDED);
    const bool was_told = told(step, id) > 0, committed = segment->chronicle->commits != commits;
    assert_true(stored || !was_told || entry->id == 0); /* it died while it showed what had been told */
    assert_true(was_told || !committed);
    sightings->stored += stored && !was_told;
    sightings->told += was_told && !committed;
    look();
    return killed;
}

/* Three breakers fail and recover; the worker is killed as that begins, and as it ends. */
static bool incident_killed_at(enum watched watched, uint64_t store, uint64_t id, struct sightings sightings[2])
{
    set_time(id * 20 * MINUTE);
    take_second_image();
    three_open();
    const bool killed = look_killed_at(watched, store, INCIDENT_BEGAN, id, &sightings[INCIDENT_BEGAN]);
    assert_int_equal(told(INCIDENT_BEGAN, id), 1);
    assert_int_equal(incident(id)->member_count, 3);
    assert_int_equal(incident(id)->end_ms, 0);
    set_time(now_ms + 1000);
    three_close();
    look();
    set_time(now_ms + MINUTE);
    take_second_image();
    const bool killed_at_end = look_killed_at(watched, store, INCIDENT_ENDED, id, &sightings[INCIDENT_ENDED]);
    assert_int_equal(told(INCIDENT_ENDED, id), 1);
    assert_int_equal(told(INCIDENT_BEGAN, 0), id);
    assert_int_equal(told(INCIDENT_ENDED, 0), id);
    assert_int_equal(incident(id)->end_ms, id * 20 * MINUTE + 1000);
    return killed || killed_at_end;
}

static void test_an_incident_is_told_once_wherever_the_worker_is_killed(void **state)
{
    struct sightings sightings[2] = {0};
    uint64_t id = 1;
    (void)state;
    need_kills();
    for (uint64_t store = 0; incident_killed_at(WATCH_SHOWN, store, id, sightings); store += 4)
        id++;
    assert_true(sightings[INCIDENT_BEGAN].stored >= 3 && sightings[INCIDENT_BEGAN].told >= 3);
    assert_true(sightings[INCIDENT_ENDED].stored >= 3);
    id++;
    for (uint64_t store = 0; incident_killed_at(WATCH_ALL, store, id, sightings); store += FEWER_STORES)
        id++;
}

/* ---------------------------------------------------------------------------------------------------- the snapshot */

#define STEADY "open: {for: 30s, multiplier: 1.0, max: 30s, jitter: 0%}"
#define HOSTED "breakers: [{match: \"*\", " STEADY "}]"

static char folder[FOLDER_ROOM];
static struct host *host;

static void host_begin(void)
{
    host = host_start(HOSTED, 8);
    segment = host->segment;
    config = host->config;
    open_chronicle();
}

static void host_end(void)
{
    chronicle = chronicle_free(chronicle);
    host_stop(host);
}

static int set_up_host(void **state)
{
    (void)state;
    heard.began = heard.ended = 0;
    folder_make(folder, FOLDER_IN_TMP);
    host_begin();
    return 0;
}

static int tear_down_host(void **state)
{
    (void)state;
    folder_remove(folder);
    host_end();
    return 0;
}

static void host_look(void)
{
    while (chronicle_look(chronicle, host->clock.test_now_ns))
        ;
}

/* Opens the breaker as a client's failures do. */
static uint32_t fails(const char *name)
{
    struct client client;
    const uint32_t slot = host_breaker(host, name);
    client_start(host, &client, 101);
    client_reports(host, &client, client_meter(host, &client, slot), slot, "FFFFF");
    breakers_drain_all(host->breakers);
    assert_int_equal(host_state(host, slot), WORD_OPEN);
    client_free(&client);
    return slot;
}

static void save(void)
{
    assert_int_equal(saved_write(folder, host->segment, clock_now_ms(&host->clock)), 0);
}

/* As tripd begins after a reboot: breakers first, then incidents. */
static void reboot(void)
{
    struct saved saved;
    const char *why = "";
    host_end();
    host_begin();
    if (saved_read(folder, &saved, &why) != 0)
        fail_msg("%s", why);
    assert_int_equal(breakers_restore(host->breakers, &saved, saved.written_unix_ms + 1000), 0);
    segment_incidents_put(host->segment, saved.incidents, saved.incident_count);
    saved_clear(&saved);
    next_worker();
}

static void test_incidents_come_back_after_a_reboot_ended_and_their_ids_go_on(void **state)
{
    (void)state;
    host_advance(host, 5000);
    const uint32_t slot = fails("db");
    host_look();
    const struct incident before = *incident(1);
    assert_int_equal(before.end_ms, 0);
    save();
    reboot();
    assert_int_equal(incidents_kept(), 1);
    assert_int_equal(incident(1)->start_unix_ms, before.start_unix_ms);
    assert_int_equal(incident(1)->end_unix_ms, before.start_unix_ms + (before.last_ms - before.start_ms));
    assert_true(incident(1)->end_ms != 0);
    assert_string_equal(incident_member_name(incident(1), 0), "db");
    /* The breaker is open as before: that begins no incident. */
    assert_int_equal(host_state(host, slot), WORD_OPEN);
    host_look();
    assert_int_equal(told(INCIDENT_BEGAN, 0), 0);
    assert_int_equal(told(INCIDENT_ENDED, 0), 0);
    assert_int_equal(incidents_kept(), 1);
    /* Another one that opens later does. */
    host_advance(host, 10000);
    fails("api");
    host_look();
    assert_int_equal(incident(2)->member_count, 1);
    assert_string_equal(incident_member_name(incident(2), 0), "api");
    assert_int_equal(told(INCIDENT_BEGAN, 2), 1);
    assert_int_equal(incidents_kept(), 2);
}

static void test_an_incident_that_had_ended_comes_back_with_its_own_end(void **state)
{
    (void)state;
    const uint32_t slot = fails("db");
    host_look();
    breakers_reset(host->breakers, slot, &(struct breakers_actor){.by = BY_OPERATOR});
    host_look();
    host_advance(host, 10 * MINUTE);
    host_look();
    const struct incident before = *incident(1);
    assert_true(before.end_ms != 0);
    save();
    reboot();
    assert_int_equal(incident(1)->end_unix_ms, before.end_unix_ms);
    assert_int_equal(incident(1)->moment_count, before.moment_count);
    save();
    reboot(); /* and after one more */
    assert_int_equal(incident(1)->end_unix_ms, before.end_unix_ms);
}

static struct incident some_incident(uint64_t id)
{
    return (struct incident){
        .id = id, .start_ms = 1000, .start_unix_ms = 1700000000000, .last_ms = 4000, .candidate = INCIDENT_NOBODY};
}

static void test_a_saved_incident_that_went_on_ends_when_its_breakers_last_failed(void **state)
{
    (void)state;
    const struct incident saved = some_incident(3);
    struct incident read;
    json_t *const map = saved_incident_pack(&saved);
    assert_int_equal(json_integer_value(json_object_get(map, "incident")), 3);
    assert_true(saved_incident_unpack(map, &read));
    json_decref(map);
    assert_int_equal(read.id, 3);
    assert_int_equal(read.start_unix_ms, 1700000000000);
    assert_int_equal(read.end_unix_ms, 1700000003000);
    assert_int_equal(read.end_ms - read.start_ms, 3000); /* no more is known on the clock of this boot */
}

static bool is_read_with(const char *key, json_t *value)
{
    const struct incident saved = some_incident(3);
    struct incident read = {.id = 99};
    json_t *const map = saved_incident_pack(&saved);
    if (value)
        json_object_set_new(map, key, value);
    else
        json_object_del(map, key);
    const bool result = saved_incident_unpack(map, &read);
    json_decref(map);
    if (!result)
        assert_int_equal(read.id, 99);
    return result;
}

static void test_a_saved_incident_of_another_layout_or_damaged_is_not_read(void **state)
{
    static char digits[2 * sizeof(struct incident) + 1];
    (void)state;
    const json_int_t layout = (json_int_t)(layout_digest() & INT64_MAX);
    memset(digits, '1', sizeof(digits) - 1);
    assert_true(is_read_with("bytes", json_string(digits)));
    assert_false(is_read_with("layout", json_integer(layout ^ 1)));
    assert_false(is_read_with("layout", json_string("v1")));
    assert_false(is_read_with("layout", NULL));
    assert_false(is_read_with("bytes", NULL));
    assert_false(is_read_with("bytes", json_string("")));
    assert_false(is_read_with("bytes", json_string(digits + 2)));
    digits[1000] = 'g';
    assert_false(is_read_with("bytes", json_string(digits)));
    memset(digits, '0', 16); /* the id */
    digits[1000] = '1';
    assert_false(is_read_with("bytes", json_string(digits)));
}

/* Damages the digits of one incident in the snapshot's file. */
static void damage_snapshot(uint64_t id)
{
    static char data[1 << 20];
    char path[96], digits[17];
    snprintf(path, sizeof(path), "%s/snapshot", folder);
    snprintf(digits, sizeof(digits), "%02x00000000000000", (unsigned)id);
    FILE *const file = fopen(path, "r+");
    assert_non_null(file);
    const size_t size = fread(data, 1, sizeof(data), file);
    char *const at = memmem(data, size, digits, 16);
    assert_non_null(at);
    at[100] = '?';
    rewind(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

static void test_a_damaged_incident_is_left_out_and_all_else_of_the_snapshot_stays(void **state)
{
    (void)state;
    const struct incident incidents[] = {some_incident(0xa1), some_incident(0xa2), some_incident(0xa3)};
    const uint32_t slot = fails("db");
    segment_incidents_put(host->segment, incidents, 3);
    save();
    damage_snapshot(0xa2);
    reboot();
    assert_int_equal(incidents_kept(), 2);
    assert_int_equal(incident(0xa1)->start_unix_ms, 1700000000000);
    assert_int_equal(incident(0xa3)->start_unix_ms, 1700000000000);
    assert_int_equal(host_state(host, slot), WORD_OPEN);
    assert_int_equal(segment_chronicle(host->segment)->incidents.next_id, 0xa4);
}

int main(void)
{
#define TEST(name)        cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
#define TEST_HOSTED(name) cmocka_unit_test_setup_teardown(test_##name, set_up_host, tear_down_host)
    const struct CMUnitTest tests[] = {
        TEST(a_fingerprint_is_not_said_to_be_of_the_breaker_that_got_the_slot_later),
        TEST(errors_with_one_template_are_one_fingerprint),
        TEST(an_error_that_the_next_worker_reads_again_counts_once),
        TEST(an_error_counts_once_wherever_the_worker_that_counts_it_is_killed),
        TEST(errors_without_a_message_are_unclassified),
        TEST(an_error_whose_message_is_blank_is_unclassified),
        TEST(records_that_were_overwritten_unread_are_unclassified),
        TEST(records_that_were_counted_and_then_overwritten_are_not_unclassified),
        TEST(a_look_reads_256_events_and_says_that_there_are_more),
        TEST(half_the_ring_unread_is_not_yet_behind_and_one_more_is),
        TEST(a_reload_to_fewer_fingerprints_keeps_those_that_have_a_place),
        TEST(ids_of_fingerprints_that_a_reload_forgot_are_not_used_again),
        TEST(a_reload_to_more_fingerprints_gives_them_places),
        TEST(errors_that_come_first_after_a_deploy_mark_are_new),
        TEST(a_deploy_mark_is_the_last_one_or_the_one_before_wherever_the_worker_is_killed),
        TEST(an_incident_knows_the_deploy_before_it),
        TEST(breakers_that_open_together_are_one_incident_that_is_told_as_it_begins_and_ends),
        TEST(an_incident_that_grows_is_shown_as_it_is_and_told_no_more),
        TEST(an_incident_knows_what_the_errors_said_that_led_to_it),
        TEST(a_look_that_finds_nothing_new_commits_nothing),
        TEST(an_incident_that_was_told_and_not_committed_is_told_once),
        TEST(an_incident_that_was_stored_and_not_told_is_told_by_the_next_worker),
        TEST(an_incident_is_told_once_wherever_the_worker_is_killed),
        TEST_HOSTED(incidents_come_back_after_a_reboot_ended_and_their_ids_go_on),
        TEST_HOSTED(an_incident_that_had_ended_comes_back_with_its_own_end),
        TEST(a_saved_incident_that_went_on_ends_when_its_breakers_last_failed),
        TEST(a_saved_incident_of_another_layout_or_damaged_is_not_read),
        TEST_HOSTED(a_damaged_incident_is_left_out_and_all_else_of_the_snapshot_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
