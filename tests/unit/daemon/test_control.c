/* The control socket, over real sockets and the real loop: roles, quotas, checks, methods. What operators change is
 * noted by fakes of breakers.h: the engine has its own tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "../../support/segment_dir.h"
#include "internal/policy.h"
#include "internal/state_word.h"
#include "internal/ticks.h"
#include "net/control.h"
#include "protocol/rpc.h"

#define BREAKERS   130
#define OBSERVER   1001 /* has no role but observe */
#define CONTROLLER 1002 /* user:1002 */
#define MEMBER     1003 /* of group:2000 */

/* --------------------------------------------------------------------------------------------- fakes of the engine */

/* The loop's thread writes, the test reads after the answer has come. */
static struct {
    int drains, trips, resets, modes, patterns, next_error;
    const char *frozen; /* a pattern of breakers that cannot be tripped */
    uint32_t slot;
    uint64_t ms;
    trip_mode mode;
    uint32_t uid;
    char reason[128], pattern[128];
    struct segment *segment;
    uint64_t outcomes; /* found by the next drain, each in a millisecond of its own */
    uint64_t events;   /* that come into the ring with the next drain */
    uint64_t at_ms;
    struct tracer tracer;
} engine;

static void note_actor(const struct breakers_actor *actor)
{
    assert(actor->by == BY_OPERATOR);
    engine.uid = actor->uid;
    snprintf(engine.reason, sizeof(engine.reason), "%s", actor->reason ? actor->reason : "(none)");
}

static void happens(void); /* an event, of which the control socket is told */

void breakers_drain_all(struct breakers *breakers)
{
    (void)breakers;
    engine.drains++;
    for (; engine.events; engine.events--)
        happens();
    for (; engine.outcomes; engine.outcomes--) {
        const struct traced step = {.op = TRACED_RECORD, .at_ms = ++engine.at_ms, .outcome = TRIP_OK, .n = 2};
        tracer_step(&engine.tracer, engine.outcomes % 2 ? "mail" : "db", &step);
    }
}

void breakers_trace_from(struct breakers *breakers, struct tracer_subscriber *subscriber)
{
    const struct traced step = {.op = TRACED_TRIP, .span_ms = 5};
    (void)breakers;
    tracer_step_to(subscriber, "db", &step);
}

bool breakers_keeps_state(const struct breakers *breakers, uint32_t slot)
{
    (void)breakers;
    return engine.frozen && settings_pattern_matches(engine.frozen, segment_name(engine.segment, slot));
}

int breakers_trip(struct breakers *breakers, uint32_t slot, uint64_t for_ms, const struct breakers_actor *actor)
{
    if (breakers_keeps_state(breakers, slot))
        return -EBUSY;
    engine.trips++;
    engine.slot = slot;
    engine.ms = for_ms;
    note_actor(actor);
    return engine.next_error;
}

int breakers_reset(struct breakers *breakers, uint32_t slot, const struct breakers_actor *actor)
{
    (void)breakers;
    engine.resets++;
    engine.slot = slot;
    note_actor(actor);
    return engine.next_error;
}

int breakers_mode(struct breakers *breakers, uint32_t slot, enum mode_owner owner, trip_mode mode, uint64_t ttl_ms,
                  const struct breakers_actor *actor)
{
    (void)breakers;
    assert(owner == MODE_OWNER_OPERATOR);
    engine.modes++;
    engine.slot = slot;
    engine.mode = mode;
    engine.ms = ttl_ms;
    note_actor(actor);
    return engine.next_error;
}

int breakers_mode_pattern(struct breakers *breakers, const char *pattern, trip_mode mode, uint64_t ttl_ms,
                          const struct breakers_actor *actor)
{
    (void)breakers;
    engine.patterns++;
    engine.mode = mode;
    engine.ms = ttl_ms;
    snprintf(engine.pattern, sizeof(engine.pattern), "%s", pattern);
    note_actor(actor);
    return engine.next_error;
}

void breakers_matching(struct breakers *breakers, const char *pattern, void (*each)(void *context, uint32_t slot),
                       void *context)
{
    (void)breakers;
    for (uint32_t slot = 0; slot < engine.segment->slots; slot++)
        if (segment_used(engine.segment, slot) && settings_pattern_matches(pattern, segment_name(engine.segment, slot)))
            each(context, slot);
}

/* ------------------------------------------------------------------------------------------------------ the server */

static const char config_text[] = "access: {observe: [any], control: [\"user:1002\", \"group:2000\"]}\n"
                                  "breakers:\n"
                                  "  - match: \"payments/*\"\n"
                                  "    open: {for: 2s}\n"
                                  "features: {search: {off_from: 1}, payments/express: {off_from: 2, percent: 25%}}\n";

struct server {
    struct segment_dir dir;
    struct segment *segment;
    struct config *config;
    struct degradation *degradation;
    struct loop *loop;
    struct control *control;
    struct loop_timer *reload;
    struct peer peer; /* whoever connects next */
    int listener, stop;
    char path[96];
    pthread_t thread;
    const char *reload_problems, *reload_notes;
    uint64_t advanced_ns;
    bool real_clock;
    int holds, held; /* a reload waits as long as `holds` */
};

static struct server server;

static void happens(void)
{
    const struct transition event = {.by = BY_CLIENT, .from = TRIP_STATE_CLOSED, .to = TRIP_STATE_OPEN};
    segment_transition(server.segment, &event, 1000);
    control_event(server.control);
}

static void reload_done(void *context, struct loop_timer *timer)
{
    struct server *self = context;
    (void)timer;
    control_reloaded(self->control, self->reload_problems ? -EINVAL : 0,
                     self->reload_problems ? self->reload_problems : self->reload_notes);
}

static int fake_reload(void *context)
{
    struct server *self = context;
    __atomic_store_n(&self->held, 1, __ATOMIC_RELEASE); /* pairs with the test's acquire */
    while (__atomic_load_n(&self->holds, __ATOMIC_ACQUIRE))
        poll(NULL, 0, 1);
    loop_timer_arm(self->reload, 1);
    return 0;
}

static int fake_advance(void *context, uint64_t ns)
{
    struct server *self = context;
    if (self->real_clock)
        return -EOPNOTSUPP;
    self->advanced_ns += ns;
    self->dir.clock.test_now_ns += ns;
    return 0;
}

static void first_packet(void *context, struct loop_connection *connection, struct loop_message *message)
{
    struct server *self = context;
    control_connected(self->control, connection, &self->peer, message);
}

static void hung_up_early(void *context, struct loop_connection *connection, int error)
{
    (void)context;
    (void)connection;
    (void)error;
}

static void accepted(void *context, struct loop_connection *connection)
{
    loop_connection_start(connection, first_packet, hung_up_early, context);
}

static void stopped(void *context, struct loop_watch *watch)
{
    (void)watch;
    loop_stop(context);
}

static const struct refusals refusals = {{{.uid = 33, .pid = 7, .error = -EACCES, .why = "no \x1b role", .count = 5}}};

static void *run(void *context)
{
    struct server *self = context;
    struct loop_listener *listener;
    struct loop_watch *watch;
    const char *why;
    /* A loop belongs to the thread that made it. */
    assert(loop_new(&self->loop, LOOP_AUTO, &why) == 0);
    const struct control_options options = {.loop = self->loop,
                                            .degradation = self->degradation,
                                            .segment = self->segment,
                                            .clock = &self->dir.clock,
                                            .tracer = &engine.tracer,
                                            .refusals = &refusals,
                                            .config = self->config,
                                            .reload = fake_reload,
                                            .advance = fake_advance,
                                            .context = self};
    assert(control_new(&options, &self->control) == 0);
    assert(loop_timer_new(self->loop, reload_done, self, &self->reload) == 0);
    assert(loop_listen(self->loop, self->listener, accepted, self, &listener) == 0);
    assert(loop_watch_add(self->loop, self->stop, stopped, self->loop, &watch) == 0);
    assert(loop_run(self->loop) == 0);
    self->control = control_free(self->control);
    loop_timer_free(self->reload);
    self->loop = loop_free(self->loop);
    return NULL;
}

static uint32_t add(const char *name)
{
    uint32_t slot;
    const struct segment_policy policy = {.threshold = 5, .permits = 1, .max_wait_ms = 10000, .longest_ms = 330000};
    assert_int_equal(segment_take(server.segment, name, 0, &slot), 0);
    segment_policy_publish(server.segment, slot, &policy, TRIP_MODE_AUTO, 0);
    segment_mirror(server.segment, slot, word_closed(1, 2, 1));
    segment_name_publish(server.segment, slot);
    return slot;
}

static int set_up(void **state)
{
    char *problems = NULL;
    server = (struct server){.peer = {.uid = CONTROLLER, .groups = {1000}, .group_count = 1}};
    segment_dir_make(&server.dir);
    server.segment = segment_dir_create(&server.dir, BREAKERS, 70);
    assert_int_equal(segment_reserve(server.segment, BREAKERS), 0);
    memset(&engine, 0, sizeof(engine));
    engine.segment = server.segment;
    assert_int_equal(config_parse(config_text, strlen(config_text), "test", &server.config, &problems), 0);
    const struct degradation_options degradation = {
        .segment = server.segment, .clock = &server.dir.clock, .config = server.config};
    assert_int_equal(degradation_new(&degradation, &server.degradation), 0);
    server.segment->header->transition_next = 0; /* without what the config changed */

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(server.path, sizeof(server.path), "%s/control.sock", server.dir.dir);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", server.path);
    server.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server.listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server.listener, 128), 0);
    server.stop = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(pthread_create(&server.thread, NULL, run, &server), 0);
    *state = &server;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    const uint64_t one = 1;
    assert_int_equal(write(server.stop, &one, sizeof(one)), sizeof(one));
    pthread_join(server.thread, NULL);
    close(server.stop);
    close(server.listener);
    degradation_free(server.degradation);
    config_free(server.config);
    segment_unmap(server.segment);
    segment_dir_remove(&server.dir);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------ the caller */

static int call_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = 5};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", server.path);
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    return fd;
}

static void receive_any(int fd, struct rpc_message *ret_message)
{
    static uint8_t packet[RPC_PACKET_MAX];
    const char *why = "";
    const ssize_t size = recv(fd, packet, sizeof(packet), 0);
    assert_true(size > 0);
    assert_int_equal(rpc_read(packet, (size_t)size, ret_message, &why), 0);
}

static void receive(int fd, struct rpc_message *ret_message)
{
    receive_any(fd, ret_message);
    assert_int_equal(ret_message->kind, RPC_RESPONSE);
}

static void send_request(int fd, uint32_t id, const char *method, const json_t *params)
{
    static uint8_t packet[RPC_PACKET_MAX];
    size_t size;
    assert_int_equal(rpc_write_request(packet, id, method, params, &size), 0);
    assert_int_equal(send(fd, packet, size, MSG_NOSIGNAL), size);
}

/* params: taken. */
static struct rpc_message call(int fd, const char *method, json_t *params)
{
    static uint32_t id = 100;
    struct rpc_message message;
    assert_non_null(params);
    send_request(fd, ++id, method, params);
    json_decref(params);
    receive(fd, &message);
    assert_int_equal(message.id, id);
    return message;
}

static json_t *result(int fd, const char *method, json_t *params)
{
    struct rpc_message message = call(fd, method, params);
    if (message.error)
        print_error("%s\n", json_string_value(json_object_get(message.error, "message")));
    assert_null(message.error);
    json_t *answer = json_incref(message.result);
    rpc_message_clear(&message);
    return answer;
}

static void assert_refused(int fd, const char *method, json_t *params, const char *code, const char *text)
{
    struct rpc_message message = call(fd, method, params);
    assert_null(message.result);
    assert_string_equal(json_string_value(json_object_get(message.error, "code")), code);
    assert_string_equal(json_string_value(json_object_get(message.error, "message")), text);
    rpc_message_clear(&message);
}

static void assert_json(json_t *actual, const char *expected)
{
    char *text = json_dumps(actual, JSON_COMPACT | JSON_REAL_PRECISION(6));
    assert_string_equal(text, expected);
    free(text);
    json_decref(actual);
}

static void become(uid_t uid, gid_t group)
{
    server.peer = (struct peer){.uid = uid, .groups = {1000, group}, .group_count = 2};
}

/* ----------------------------------------------------------------------------------------------------------- tests */

static void test_sync_drains_all_and_answers_with_the_time(void **state)
{
    (void)state;
    server.dir.clock.test_now_ns = 5000000000;
    const int fd = call_connect();
    assert_json(result(fd, "sync", json_object()), "{\"now_ms\":5000}");
    assert_int_equal(engine.drains, 1);
    assert_json(result(fd, "sync", json_object()), "{\"now_ms\":5000}");
    assert_int_equal(engine.drains, 2);
    close(fd);
}

static void test_status_lists_the_roles_of_the_user_who_asks(void **state)
{
    (void)state;
    become(OBSERVER, OBSERVER);
    const int fd = call_connect();
    json_t *const status = result(fd, "status", json_object());
    assert_json(json_incref(json_object_get(status, "roles")), "[\"observe\"]");
    json_decref(status);
    close(fd);
}

static void test_a_refusal_names_the_role_and_how_to_get_it(void **state)
{
    (void)state;
    add("db");
    become(OBSERVER, OBSERVER);
    const int fd = call_connect();
    assert_refused(fd, "trip", json_pack("{s:s}", "name", "db"), "refused",
                   "trip needs the role control, which uid 1001 does not have: add its user or one of its groups to "
                   "access.control in tripd's config file, then reload it");
    assert_int_equal(engine.trips, 0);
    assert_json(result(fd, "sync", json_object()), "{\"now_ms\":0}");
    close(fd);
}

static void test_every_method_that_changes_something_needs_control(void **state)
{
    (void)state;
    static const char *const methods[] = {"trip",  "force_open",   "disable",       "shadow",       "auto",
                                          "reset", "config_check", "config_reload", "clock_advance"};
    add("db");
    become(OBSERVER, OBSERVER);
    const int fd = call_connect();
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        struct rpc_message message = call(fd, methods[i], json_object());
        assert_string_equal(json_string_value(json_object_get(message.error, "code")), "refused");
        rpc_message_clear(&message);
    }
    close(fd);
}

static void test_a_group_gives_its_members_the_role(void **state)
{
    (void)state;
    add("db");
    become(MEMBER, 2000);
    const int fd = call_connect();
    json_decref(result(fd, "trip", json_pack("{s:s}", "name", "db")));
    assert_int_equal(engine.trips, 1);
    assert_int_equal(engine.uid, MEMBER);
    close(fd);
}

static void test_roles_follow_the_config(void **state)
{
    (void)state;
    static const char nobody[] = "access: {observe: [\"user:7\"], report: [\"user:7\"], control: [\"user:7\"]}\n";
    char *problems = NULL;
    struct config *stricter;
    assert_int_equal(config_parse(nobody, strlen(nobody), "test", &stricter, &problems), 0);
    const int fd = call_connect();
    json_decref(result(fd, "sync", json_object()));
    control_reconfigure(server.control, stricter); /* the loop waits: nothing is asked of it now */
    assert_refused(fd, "sync", json_object(), "refused",
                   "sync needs the role observe, which uid 1002 does not have: add its user or one of its groups to "
                   "access.observe in tripd's config file, then reload it");
    control_reconfigure(server.control, server.config);
    config_free(stricter);
    close(fd);
}

static void test_parameters_are_checked_before_anything_is_done(void **state)
{
    (void)state;
    add("db");
    const int fd = call_connect();
    assert_refused(fd, "trip", json_object(), "invalid", "trip needs the parameter name");
    assert_refused(fd, "trip", json_pack("{s:s, s:i}", "name", "db", "ttl_ms", 5), "invalid",
                   "trip has no parameter ttl_ms; it takes name, for_ms, reason, after, limit");
    assert_refused(fd, "sync", json_pack("{s:i}", "now", 1), "invalid", "sync has no parameter now; it takes nothing");
    assert_refused(fd, "trip", json_pack("{s:s, s:s}", "name", "db", "for_ms", "5s"), "invalid",
                   "the parameter for_ms is no whole number from 0 to 2592000000");
    assert_refused(fd, "trip", json_pack("{s:s, s:i}", "name", "db", "for_ms", -1), "invalid",
                   "the parameter for_ms is no whole number from 0 to 2592000000");
    assert_refused(fd, "trip", json_pack("{s:s, s:I}", "name", "db", "for_ms", (json_int_t)2592000001), "invalid",
                   "the parameter for_ms is no whole number from 0 to 2592000000");
    assert_refused(fd, "trip", json_pack("{s:i}", "name", 5), "invalid",
                   "the parameter name is no string of 127 bytes at most");
    assert_refused(fd, "trip", json_pack("{s:s, s:s}", "name", "db", "reason", "a\nb"), "invalid",
                   "the parameter reason has a control character");
    assert_refused(fd, "trip", json_pack("{s:s}", "name", "d b"), "invalid",
                   "\"d b\" is neither a name nor a pattern: 1 to 127 of letters, digits and . _ : / @ -, with * and ? "
                   "in a pattern");
    assert_refused(fd, "untrip", json_object(), "unknown_method",
                   "tripd has no method untrip: its version is another than yours");
    assert_int_equal(engine.trips, 0);
    close(fd);
}

static void test_a_malformed_packet_is_answered_and_changes_nothing(void **state)
{
    (void)state;
    static const uint8_t bomb[] = {0xdd, 0xff, 0xff, 0xff, 0xff};
    struct rpc_message message;
    const int fd = call_connect();
    assert_int_equal(send(fd, bomb, sizeof(bomb), 0), sizeof(bomb));
    receive(fd, &message);
    assert_int_equal(message.id, 0);
    assert_string_equal(json_string_value(json_object_get(message.error, "code")), "malformed");
    assert_string_equal(json_string_value(json_object_get(message.error, "message")),
                        "not a MessagePack-RPC message: [0, id, method, params], [1, id, error, result] or [2, method, "
                        "params]");
    rpc_message_clear(&message);
    json_decref(result(fd, "sync", json_object()));
    close(fd);
}

static void test_a_notification_is_carried_out_and_not_answered(void **state)
{
    (void)state;
    static const uint8_t notification[] = {0x93, 0x02, 0xa4, 's', 'y', 'n', 'c', 0x80};
    const int fd = call_connect();
    assert_int_equal(send(fd, notification, sizeof(notification), 0), sizeof(notification));
    assert_json(result(fd, "clock_show", json_object()), "{\"clock\":\"test\",\"now_ms\":0}");
    assert_int_equal(engine.drains, 1);
    close(fd);
}

static void test_a_response_is_refused(void **state)
{
    (void)state;
    static const uint8_t response[] = {0x94, 0x01, 0x07, 0xc0, 0x80};
    struct rpc_message message;
    const int fd = call_connect();
    assert_int_equal(send(fd, response, sizeof(response), 0), sizeof(response));
    receive(fd, &message);
    assert_int_equal(message.id, 7);
    assert_string_equal(json_string_value(json_object_get(message.error, "message")),
                        "tripd asks nothing, so there is nothing to answer");
    rpc_message_clear(&message);
    close(fd);
}

static void test_trip_by_name(void **state)
{
    (void)state;
    add("db");
    const uint32_t slot = add("payments/a");
    const int fd = call_connect();
    assert_json(
        result(fd, "trip", json_pack("{s:s, s:i, s:s}", "name", "payments/a", "for_ms", 30000, "reason", "drill")),
        "{\"count\":1,\"breakers\":[\"payments/a\"],\"skipped\":[]}");
    assert_int_equal(engine.trips, 1);
    assert_int_equal(engine.slot, slot);
    assert_int_equal(engine.ms, 30000);
    assert_int_equal(engine.uid, CONTROLLER);
    assert_string_equal(engine.reason, "drill");
    close(fd);
}

static void test_trip_and_reset_by_pattern_hit_what_matches(void **state)
{
    (void)state;
    add("db");
    add("payments/a");
    add("payments/b");
    const int fd = call_connect();
    assert_json(result(fd, "trip", json_pack("{s:s}", "name", "payments/*")),
                "{\"count\":2,\"breakers\":[\"payments/a\",\"payments/b\"],\"skipped\":[]}");
    assert_int_equal(engine.trips, 2);
    assert_string_equal(engine.reason, "(none)");
    assert_json(result(fd, "reset", json_pack("{s:s}", "name", "?b")),
                "{\"count\":1,\"breakers\":[\"db\"],\"skipped\":[],\"held\":[]}");
    assert_int_equal(engine.resets, 1);
    close(fd);
}

static void test_reset_tells_which_modes_go_on_to_decide(void **state)
{
    (void)state;
    const uint32_t slot = add("db");
    segment_mode_publish(server.segment, slot, MODE_OWNER_OPERATOR, TRIP_MODE_FORCED_OPEN, 0, 12, "move", 0);
    const int fd = call_connect();
    assert_json(
        result(fd, "reset", json_pack("{s:s}", "name", "db")),
        "{\"count\":1,\"breakers\":[\"db\"],\"skipped\":[],\"held\":[{\"breaker\":\"db\",\"mode\":\"forced_open\","
        "\"mode_owner\":\"operator\",\"mode_uid\":12}]}");
    close(fd);
}

static void test_a_pattern_skips_what_cannot_be_tripped(void **state)
{
    (void)state;
    add("g/a");
    add("g/b");
    add("g/c");
    engine.frozen = "g/b";
    const int fd = call_connect();
    assert_json(result(fd, "trip", json_pack("{s:s}", "name", "g/*")),
                "{\"count\":2,\"breakers\":[\"g/a\",\"g/c\"],\"skipped\":[\"g/b\"]}");
    assert_int_equal(engine.trips, 2);
    assert_refused(fd, "trip", json_pack("{s:s}", "name", "g/b"), "refused",
                   "trip: the mode of g/b keeps its state as it is; `tripctl auto g/b` first");
    engine.frozen = "g/*";
    assert_refused(fd, "trip", json_pack("{s:s}", "name", "g/?"), "refused",
                   "trip: the mode of each breaker that matches g/? keeps its state as it is; `tripctl auto g/?` "
                   "first");
    assert_int_equal(engine.trips, 2);
    close(fd);
}

static void add_many(int count)
{
    char name[16];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "b%03d", i);
        add(name);
    }
}

static void test_a_pattern_s_breakers_come_in_pages_and_are_changed_once(void **state)
{
    static const char *const methods[] = {"trip", "reset", "shadow"};
    static const json_int_t next[] = {50, 100, 0};
    static const size_t sizes[] = {50, 50, 20};
    (void)state;
    add_many(120);
    engine.frozen = "b11?";
    const int fd = call_connect();
    for (int method = 0; method < 3; method++)
        for (int page = 0; page < 3; page++) {
            json_t *hits =
                result(fd, methods[method], json_pack("{s:s, s:I}", "name", "b*", "after", page ? next[page - 1] : 0));
            const json_t *skipped = json_object_get(hits, "skipped");
            assert_int_equal(json_integer_value(json_object_get(hits, "count")), method == 0 ? 110 : 120);
            assert_int_equal(json_array_size(json_object_get(hits, "breakers")) + json_array_size(skipped),
                             sizes[page]);
            assert_int_equal(json_array_size(skipped), method == 0 && page == 2 ? 10 : 0);
            assert_int_equal(json_integer_value(json_object_get(hits, "next")), next[page]);
            json_decref(hits);
        }
    assert_int_equal(engine.trips, 110);
    assert_int_equal(engine.resets, 120);
    assert_int_equal(engine.patterns, 1);
    close(fd);
}

static void test_a_missing_name_is_not_found(void **state)
{
    (void)state;
    add("db");
    const int fd = call_connect();
    static const char no_name[] = "no breaker is named dbx; one comes into being when a client first names it";
    assert_refused(fd, "trip", json_pack("{s:s}", "name", "dbx"), "not_found", no_name);
    assert_refused(fd, "reset", json_pack("{s:s}", "name", "dbx*"), "not_found", "no breaker matches dbx*");
    assert_refused(fd, "disable", json_pack("{s:s}", "name", "dbx"), "not_found", no_name);
    assert_refused(fd, "show", json_pack("{s:s}", "name", "dbx"), "not_found", no_name);
    assert_int_equal(engine.trips + engine.resets + engine.modes + engine.patterns, 0);
    close(fd);
}

static void test_modes_by_name_and_by_pattern(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        trip_mode mode;
    } verbs[] = {{"force_open", TRIP_MODE_FORCED_OPEN},
                 {"disable", TRIP_MODE_DISABLED},
                 {"shadow", TRIP_MODE_SHADOW},
                 {"auto", TRIP_MODE_AUTO}};
    const uint32_t slot = add("db");
    const int fd = call_connect();
    for (int i = 0; i < 4; i++) {
        json_t *params = json_pack("{s:s, s:s}", "name", "db", "reason", "why");
        if (verbs[i].mode != TRIP_MODE_AUTO)
            json_object_set_new(params, "ttl_ms", json_integer(60000));
        assert_json(result(fd, verbs[i].method, params), "{\"count\":1,\"breakers\":[\"db\"],\"skipped\":[]}");
        assert_int_equal(engine.modes, i + 1);
        assert_int_equal(engine.slot, slot);
        assert_int_equal(engine.mode, verbs[i].mode);
        assert_int_equal(engine.ms, verbs[i].mode == TRIP_MODE_AUTO ? 0 : 60000);

        assert_json(result(fd, verbs[i].method, json_pack("{s:s}", "name", "none/*")),
                    "{\"count\":0,\"breakers\":[],\"skipped\":[]}");
        assert_int_equal(engine.patterns, i + 1);
        assert_string_equal(engine.pattern, "none/*");
    }
    close(fd);
}

static json_t *levels_of(int fd)
{
    json_t *const result_ = result(fd, "level_list", json_object()), *const levels = json_incref(
                                                                         json_object_get(result_, "levels"));
    json_decref(result_);
    return levels;
}

static void test_levels_are_set_by_name_and_by_number_for_host_and_groups(void **state)
{
    (void)state;
    const int fd = call_connect();
    json_t *answer =
        result(fd, "level_set",
               json_pack("{s:s, s:s, s:I}", "level", "degraded", "reason", "slow", "ttl_ms", (json_int_t)60000));
    assert_int_equal(json_integer_value(json_object_get(answer, "number")), 1);
    assert_int_equal(json_integer_value(json_object_get(answer, "features_off")), 1);
    assert_int_equal(json_integer_value(json_object_get(answer, "ttl_ms")), 60000);
    assert_int_equal(json_integer_value(json_object_get(answer, "uid")), CONTROLLER);
    assert_string_equal(json_string_value(json_object_get(answer, "reason")), "slow");
    json_decref(answer);
    answer = result(fd, "level_set", json_pack("{s:s, s:s}", "name", "payments", "level", "3"));
    assert_string_equal(json_string_value(json_object_get(answer, "level")), "emergency");
    assert_int_equal(json_integer_value(json_object_get(answer, "features_off")), 2);
    json_decref(answer);
    answer = levels_of(fd);
    assert_int_equal(json_array_size(answer), 2);
    assert_true(json_is_null(json_object_get(json_array_get(answer, 0), "group")));
    json_decref(answer);
    answer = result(fd, "level_auto", json_object());
    assert_string_equal(json_string_value(json_object_get(answer, "level")), "degraded");
    assert_int_equal(json_integer_value(json_object_get(answer, "next_step_ms")), 30000);
    json_decref(answer);
    answer = result(fd, "level_list", json_pack("{s:s}", "name", "mail"));
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(json_object_get(answer, "levels"), 0), "level")), "degraded");
    json_decref(answer);
    close(fd);
}

static void test_what_is_no_level_no_group_and_no_feature_is_refused(void **state)
{
    (void)state;
    const int fd = call_connect();
    assert_refused(fd, "level_set", json_pack("{s:s}", "level", "4"), "invalid",
                   "\"4\" is no level: normal, degraded, minimal, emergency are, or a number from 0 to 3");
    assert_refused(fd, "level_set", json_pack("{s:s}", "level", "01"), "invalid",
                   "\"01\" is no level: normal, degraded, minimal, emergency are, or a number from 0 to 3");
    assert_refused(
        fd, "level_set", json_pack("{s:s, s:s}", "level", "1", "name", "pay*"), "invalid",
        "\"pay*\" is no group: a group is a name as payments, of 1 to 127 of letters, digits and . _ : / @ -; "
        "without one the host is meant");
    assert_refused(fd, "level_set", json_object(), "invalid", "level_set needs the parameter level");
    assert_refused(fd, "feature_set", json_pack("{s:s, s:s}", "name", "search", "state", "half"), "invalid",
                   "\"half\" is no state of a feature: on, off, or for how many of the keys it is on, as 20%");
    assert_refused(fd, "feature_set", json_pack("{s:s, s:s}", "name", "search", "state", "101%"), "invalid",
                   "\"101%\" is no state of a feature: on, off, or for how many of the keys it is on, as 20%");
    assert_refused(
        fd, "feature_set", json_pack("{s:s, s:s}", "name", "serch", "state", "off"), "not_found",
        "no feature is named serch in tripd's config, so it is on; `tripctl feature list` shows those that are");
    assert_refused(
        fd, "feature_auto", json_pack("{s:s}", "name", "serch"), "not_found",
        "no feature is named serch in tripd's config, so it is on; `tripctl feature list` shows those that are");
    close(fd);
}

static void test_a_65th_group_finds_no_place_for_its_level(void **state)
{
    (void)state;
    const int fd = call_connect();
    char name[16];
    for (unsigned i = 0; i < 64; i++) {
        snprintf(name, sizeof(name), "group%u", i);
        json_decref(result(fd, "level_set", json_pack("{s:s, s:s}", "name", name, "level", "1")));
    }
    assert_refused(
        fd, "level_set", json_pack("{s:s, s:s}", "name", "one-more", "level", "1"), "failed",
        "level set one-more: 64 groups have a level, and there is no place for more: set it for the host or for "
        "an outer group, or end one with `tripctl level auto`");
    json_t *page = result(fd, "level_list", json_object());
    assert_int_equal(json_array_size(json_object_get(page, "levels")), 50);
    const json_int_t next = json_integer_value(json_object_get(page, "next"));
    json_decref(page);
    page = result(fd, "level_list", json_pack("{s:I}", "after", next));
    assert_int_equal(json_array_size(json_object_get(page, "levels")), 15);
    assert_null(json_object_get(page, "next"));
    json_decref(page);
    close(fd);
}

static void test_features_are_listed_by_pattern_and_set_by_hand(void **state)
{
    (void)state;
    const int fd = call_connect();
    json_t *answer = result(fd, "feature_set", json_pack("{s:s, s:s}", "name", "search", "state", "12.5%"));
    assert_string_equal(json_string_value(json_object_get(answer, "state")), "12.5%");
    assert_string_equal(json_string_value(json_object_get(answer, "decides")), "operator");
    json_decref(answer);
    answer = result(fd, "feature_list", json_pack("{s:s}", "name", "payments/*"));
    assert_int_equal(json_array_size(json_object_get(answer, "features")), 1);
    assert_json(answer, "{\"features\":[{\"feature\":\"payments/express\",\"group\":\"payments\",\"state\":\"25%\","
                        "\"percent\":25,\"decides\":\"config\",\"level\":\"normal\",\"off_from\":\"minimal\","
                        "\"configured_percent\":25,\"by\":null,\"uid\":null,\"reason\":null,\"since_unix_ms\":null,"
                        "\"ttl_ms\":null}]}");
    answer = result(fd, "feature_auto", json_pack("{s:s}", "name", "search"));
    assert_string_equal(json_string_value(json_object_get(answer, "state")), "on");
    json_decref(answer);
    close(fd);
}

static void test_a_step_that_the_simulation_refuses_is_reported(void **state)
{
    (void)state;
    add("db");
    const int fd = call_connect();
    engine.next_error = -ENOSPC;
    assert_refused(
        fd, "disable", json_pack("{s:s}", "name", "d*"), "failed",
        "disable d*: 256 patterns hold a mode, and there is no place for more: name the breakers one by one, "
        "or wait until a TTL ends");
    engine.next_error = -ENOENT; /* forgotten in between */
    assert_refused(fd, "trip", json_pack("{s:s}", "name", "db"), "not_found",
                   "no breaker is named db; one comes into being when a client first names it");
    close(fd);
}

static void test_list_comes_in_pages(void **state)
{
    (void)state;
    add_many(120);
    assert_int_equal(segment_pattern_set(server.segment, "b0*", TRIP_MODE_SHADOW, 0, 0, "trial", 0), 0);
    const int fd = call_connect();
    json_int_t after = 0;
    size_t sizes[3], patterns = 0;
    for (int page = 0; page < 3; page++) {
        json_t *list = result(fd, "list", json_pack("{s:I}", "after", after));
        sizes[page] = json_array_size(json_object_get(list, "breakers"));
        patterns += json_array_size(json_object_get(list, "patterns"));
        after = json_integer_value(json_object_get(list, "next"));
        assert_int_equal(after, page < 2 ? 50 * (page + 1) : 0);
        json_decref(list);
    }
    assert_int_equal(sizes[0], 50);
    assert_int_equal(sizes[1], 50);
    assert_int_equal(sizes[2], 20);
    assert_int_equal(patterns, 1);

    json_t *some = result(fd, "list", json_pack("{s:s, s:i}", "name", "b01?", "limit", 3));
    assert_int_equal(json_array_size(json_object_get(some, "breakers")), 3);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(json_object_get(some, "breakers"), 0), "breaker")), "b010");
    assert_int_equal(json_integer_value(json_object_get(some, "next")), 13);
    json_decref(some);
    close(fd);
}

static void test_show_tells_of_one_breaker(void **state)
{
    (void)state;
    add("db");
    const int fd = call_connect();
    json_t *show = result(fd, "show", json_pack("{s:s}", "name", "db"));
    assert_string_equal(json_string_value(json_object_get(show, "state")), "closed");
    assert_int_equal(json_integer_value(json_object_get(show, "consecutive_failures")), 2);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(show, "settings"), "consecutive_failures")), 5);
    assert_int_equal(engine.drains, 1);
    json_decref(show);
    close(fd);
}

static void test_events_come_in_pages_and_by_name(void **state)
{
    (void)state;
    const uint32_t db = add("db"), cache = add("cache");
    for (uint32_t i = 0; i < 60; i++) {
        const struct transition transition = {.breaker = i % 2 ? db : cache, .to = TRIP_STATE_OPEN, .by = BY_CLIENT};
        segment_transition(server.segment, &transition, i);
    }
    const int fd = call_connect();
    json_t *first = result(fd, "events", json_object());
    assert_int_equal(json_array_size(json_object_get(first, "events")), 50);
    assert_int_equal(json_integer_value(json_object_get(first, "next")), 50);
    json_t *rest = result(fd, "events", json_pack("{s:i}", "after", 50));
    assert_int_equal(json_array_size(json_object_get(rest, "events")), 10);
    assert_null(json_object_get(rest, "next"));
    json_t *event = json_array_get(json_object_get(rest, "events"), 9);
    assert_int_equal(json_integer_value(json_object_get(event, "sequence")), 60);
    assert_int_equal(json_integer_value(json_object_get(event, "t_ms")), 59);
    assert_string_equal(json_string_value(json_object_get(event, "breaker")), "db");
    json_t *named = result(fd, "events", json_pack("{s:s}", "name", "cache"));
    assert_int_equal(json_array_size(json_object_get(named, "events")), 30);
    json_decref(first);
    json_decref(rest);
    json_decref(named);
    close(fd);
}

static void test_clients_come_in_pages(void **state)
{
    (void)state;
    for (uint32_t lane = 1; lane <= 60; lane++) {
        const struct client_slot client = {.lane_id = 1000 + lane, .pid = lane, .program = "worker"};
        segment_client_set(server.segment, lane, &client);
    }
    const int fd = call_connect();
    json_t *first = result(fd, "clients", json_object());
    assert_int_equal(json_array_size(json_object_get(first, "clients")), 50);
    assert_int_equal(json_integer_value(json_object_get(first, "next")), 51);
    json_t *rest = result(fd, "clients", json_pack("{s:i}", "after", 51));
    assert_int_equal(json_array_size(json_object_get(rest, "clients")), 10);
    assert_null(json_object_get(rest, "next"));
    json_decref(first);
    json_decref(rest);
    close(fd);
}

static void test_status_tells_of_tripd_and_its_loop(void **state)
{
    (void)state;
    add("db");
    const int fd = call_connect();
    json_t *status = result(fd, "status", json_object());
    assert_string_equal(json_string_value(json_object_get(status, "daemon")), "running");
    assert_string_equal(json_string_value(json_object_get(status, "clock")), "test");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(status, "breakers"), "closed")), 1);
    assert_true(json_is_integer(json_object_get(status, "wakeups")));
    assert_true(json_is_null(json_object_get(status, "config_file")));
    const json_t *refused = json_object_get(json_object_get(status, "clients"), "refusals");
    assert_int_equal(json_array_size(refused), 1);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(refused, 0), "uid")), 33);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(refused, 0), "count")), 5);
    assert_string_equal(json_string_value(json_object_get(json_array_get(refused, 0), "why")), "no ? role");
    const char *backend = json_string_value(json_object_get(status, "loop"));
    assert_true(strcmp(backend, "io_uring") == 0 || strcmp(backend, "epoll") == 0);
    json_decref(status);
    close(fd);
}

static void test_the_config_is_shown_as_json_and_as_yaml(void **state)
{
    (void)state;
    const int fd = call_connect();
    json_t *config = result(fd, "config_show", json_object());
    json_t *entry = json_array_get(json_object_get(config, "breakers"), 0);
    assert_string_equal(json_string_value(json_object_get(entry, "match")), "payments/*");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(entry, "open"), "for_ms")), 2000);
    json_t *second = result(fd, "config_show", json_pack("{s:i, s:i}", "after", 1, "limit", 2));
    assert_int_equal(json_array_size(json_object_get(second, "features")), 1);
    assert_int_equal(json_array_size(json_object_get(second, "breakers")), 1);
    assert_int_equal(json_integer_value(json_object_get(second, "next")), 3);

    json_t *yaml = result(fd, "config_show", json_pack("{s:s}", "form", "yaml"));
    const char *text = json_string_value(json_object_get(yaml, "yaml"));
    struct config *again;
    char *problems = NULL;
    assert_int_equal(config_parse(text, strlen(text), "shown", &again, &problems), 0);
    assert_int_equal(again->breakers[0].open.span, 2000000000);
    config_free(again);
    json_t *origins = result(fd, "config_show", json_pack("{s:i}", "origin", 1));
    json_t *origin = json_object_get(json_array_get(json_object_get(origins, "breakers"), 0), "origin");
    assert_json(json_incref(origin), "{\"file\":\"test\",\"line\":3}");
    assert_json(json_incref(json_object_get(json_object_get(origins, "origins"), "files")), "[\"test\"]");
    json_decref(origins);
    assert_refused(fd, "config_show", json_pack("{s:s}", "form", "xml"), "invalid",
                   "config_show has no form \"xml\": yaml, or none");
    json_decref(config);
    json_decref(second);
    json_decref(yaml);
    close(fd);
}

/* Returns a config whose five entries have fallbacks nearly as long as they may be, mostly of quotes: as JSON within
 * JSON these take four times the room. */
static struct config *with_long_fallbacks(void)
{
    struct config *config = NULL;
    char value[2001] = "", *text = NULL, *problems = NULL;
    size_t length = 0;
    memset(value, '"', 2000);
    FILE *file = open_memstream(&text, &length);
    assert_non_null(file);
    fputs("breakers:\n", file);
    for (unsigned i = 0; i < 5; i++) {
        fprintf(file, "- match: d%u\n  fallback:\n    network: [{queue: q%u}]\n", i, i);
        for (unsigned type = 0; type < 7; type++)
            fprintf(file, "    user_%u: [{default: {value: '%s%u'}}]\n", type, value, type);
    }
    fclose(file);
    assert_int_equal(config_parse(text, length, "test", &config, &problems), 0);
    free(text);
    return config;
}

static void test_long_fallbacks_are_shown_in_more_pages(void **state)
{
    (void)state;
    add("d3");
    const int fd = call_connect();
    json_decref(result(fd, "sync", json_object()));
    struct config *config = with_long_fallbacks();
    control_reconfigure(server.control, config); /* the loop waits: nothing is asked of it now */
    size_t entries = 0, pages = 0;
    for (json_int_t after = 0; pages == 0 || after > 0; pages++) {
        json_t *page = result(fd, "config_show", json_pack("{s:I}", "after", after));
        entries += json_array_size(json_object_get(page, "breakers"));
        after = json_integer_value(json_object_get(page, "next"));
        json_decref(page);
    }
    assert_int_equal(entries, 6);
    assert_in_range(pages, 3, 6);
    json_t *show = result(fd, "show", json_pack("{s:s}", "name", "d3"));
    const json_t *fallback = json_object_get(json_object_get(show, "config"), "fallback");
    assert_int_equal(json_object_size(fallback), 8);
    json_decref(show);
    control_reconfigure(server.control, server.config);
    config_free(config);
    close(fd);
}

static void test_a_config_is_checked_without_being_loaded(void **state)
{
    (void)state;
    const int fd = call_connect();
    assert_json(result(fd, "config_check", json_pack("{s:s}", "text", "limits: {max_lanes: 8}\n")),
                "{\"ok\":true,\"problems\":[],\"notes\":[]}");
    json_t *check = result(fd, "config_check", json_pack("{s:s}", "text", "\nlimits: {max_lines: 8}\n"));
    assert_true(json_is_false(json_object_get(check, "ok")));
    json_t *problem = json_array_get(json_object_get(check, "problems"), 0);
    assert_string_equal(json_string_value(json_object_get(problem, "file")), "config");
    assert_int_equal(json_integer_value(json_object_get(problem, "line")), 2);
    json_decref(check);
    close(fd);
}

static void test_a_reload_that_fails_tells_the_problems(void **state)
{
    (void)state;
    const int fd = call_connect();
    assert_json(result(fd, "config_reload", json_object()), "{\"reloaded\":true,\"notes\":[]}");
    server.reload_notes = "x.yaml:7: three\n";
    assert_json(result(fd, "config_reload", json_object()), "{\"reloaded\":true,\"notes\":[\"x.yaml:7: three\"]}");
    server.reload_notes = NULL;
    server.reload_problems = "x.yaml:3: one\nx.yaml:4: two\n";
    struct rpc_message message = call(fd, "config_reload", json_object());
    assert_string_equal(json_string_value(json_object_get(message.error, "message")),
                        "the config in force stays: the file has problems");
    assert_json(json_incref(json_object_get(message.error, "problems")), "[\"x.yaml:3: one\",\"x.yaml:4: two\"]");
    rpc_message_clear(&message);
    close(fd);
}

static void test_the_test_clock_is_moved(void **state)
{
    (void)state;
    const int fd = call_connect();
    assert_json(result(fd, "clock_advance", json_pack("{s:i}", "by_ms", 30000)),
                "{\"clock\":\"test\",\"now_ms\":30000}");
    assert_int_equal(server.advanced_ns, 30000000000);
    server.real_clock = true;
    assert_refused(fd, "clock_advance", json_pack("{s:i}", "by_ms", 1), "unsupported",
                   "tripd's clock is the real one: start it with --test-clock");
    close(fd);
}

static void test_a_user_has_64_connections_at_most(void **state)
{
    (void)state;
    int fds[64];
    for (int i = 0; i < 64; i++) {
        fds[i] = call_connect();
        json_decref(result(fds[i], "clock_show", json_object()));
    }
    struct rpc_message message;
    uint8_t byte;
    const int one_more = call_connect();
    json_t *nothing = json_object();
    send_request(one_more, 5, "clock_show", nothing);
    receive(one_more, &message);
    assert_int_equal(message.id, 0);
    assert_string_equal(json_string_value(json_object_get(message.error, "message")),
                        "uid 1002 has 64 control connections open, and may have no more: end some of its tripctl "
                        "processes");
    rpc_message_clear(&message);
    assert_int_equal(recv(one_more, &byte, 1, 0), 0);
    close(one_more);

    become(OBSERVER, OBSERVER); /* another user's are counted apart */
    const int other = call_connect();
    json_decref(result(other, "clock_show", json_object()));
    close(other);
    become(CONTROLLER, 1000);
    close(fds[0]); /* and a place that is given back is free */
    for (int tries = 0; tries < 60000; tries++) {
        const int again = call_connect();
        send_request(again, 6, "clock_show", nothing);
        receive(again, &message);
        const bool served = message.result != NULL;
        rpc_message_clear(&message);
        close(again);
        if (served)
            break;
        assert_true(tries < 59999);
        poll(NULL, 0, 1);
    }
    json_decref(nothing);
    for (int i = 1; i < 64; i++)
        close(fds[i]);
}

static void test_a_client_that_asks_and_does_not_read_is_hung_up_on(void **state)
{
    (void)state;
    const int fd = call_connect();
    json_t *params = json_object();
    static uint8_t packet[RPC_PACKET_MAX];
    size_t size;
    assert_int_equal(rpc_write_request(packet, 1, "config_show", params, &size), 0);
    json_decref(params);
    int asked = 0;
    while (asked < 100000 && send(fd, packet, size, MSG_NOSIGNAL) > 0)
        asked++;
    assert_true(asked >= RPC_QUEUED_PER_USER);
    assert_true(asked < 100000);
    assert_true(errno == EPIPE || errno == ECONNRESET);
    close(fd);
    const int other = call_connect(); /* tripd goes on */
    json_decref(result(other, "sync", json_object()));
    close(other);
}

/* ----------------------------------------------------------------------------------------------------------- turns */

static int call_connect_as(uid_t uid)
{
    become(uid, uid);
    const int fd = call_connect();
    json_decref(result(fd, "clock_show", json_object()));
    return fd;
}

static void send_sync(int fd, uint32_t id)
{
    json_t *nothing = json_object();
    send_request(fd, id, "sync", nothing);
    json_decref(nothing);
}

static void assert_answered(int fd, uint32_t id)
{
    struct rpc_message message;
    receive(fd, &message);
    assert_int_equal(message.id, id);
    assert_non_null(message.result);
    rpc_message_clear(&message);
}

static void test_each_user_has_one_request_a_turn_and_a_turn_drains_once(void **state)
{
    (void)state;
    const int first = call_connect_as(OBSERVER), second = call_connect_as(OBSERVER), other = call_connect_as(MEMBER);
    const int controller = call_connect_as(CONTROLLER);
    json_t *nothing = json_object();
    __atomic_store_n(&server.holds, 1, __ATOMIC_RELEASE); /* pairs with the loads of fake_reload */
    send_request(controller, 1, "config_reload", nothing);
    while (!__atomic_load_n(&server.held, __ATOMIC_ACQUIRE))
        poll(NULL, 0, 1);
    send_sync(first, 2);
    send_sync(first, 3);
    send_sync(second, 4);
    send_sync(other, 5);
    send_sync(other, 6);
    __atomic_store_n(&server.holds, 0, __ATOMIC_RELEASE);
    assert_answered(controller, 1);
    assert_answered(first, 2);
    assert_answered(first, 3);
    assert_answered(second, 4);
    assert_answered(other, 5);
    assert_answered(other, 6);
    assert_int_equal(engine.drains, 3); /* turns that the first user's three requests take */
    json_decref(nothing);
    close(first);
    close(second);
    close(other);
    close(controller);
}

static void test_requests_before_the_hang_up_are_carried_out(void **state)
{
    (void)state;
    static const uint8_t reset[] = {0x93, 0x02, 0xa5, 'r', 'e', 's',  'e', 't', 0x81,
                                    0xa4, 'n',  'a',  'm', 'e', 0xa2, 'd', 'b'};
    add("db");
    const int fd = call_connect(), other = call_connect();
    for (int i = 0; i < 3; i++)
        assert_int_equal(send(fd, reset, sizeof(reset), 0), sizeof(reset));
    close(fd);
    for (int tries = 0; tries < 60000; tries++) {
        json_decref(result(other, "sync", json_object()));
        if (engine.resets == 3)
            break;
        poll(NULL, 0, 1);
    }
    assert_int_equal(engine.resets, 3);
    close(other);
}

static void test_parameters_are_few_and_short_without_the_role_control(void **state)
{
    (void)state;
    static char text[5000];
    memset(text, 'x', sizeof(text) - 1);
    become(OBSERVER, OBSERVER);
    int fd = call_connect();
    assert_refused(
        fd, "config_check", json_pack("{s:s}", "text", text), "refused",
        "config_check needs the role control, which uid 1001 does not have: add its user or one of its groups "
        "to access.control in tripd's config file, then reload it");
    assert_refused(fd, "list", json_pack("{s:s}", "name", text), "malformed",
                   "a request of more than 4096 bytes is for the role control alone");
    json_t *many = json_object();
    for (int i = 0; i < 21; i++) {
        char name[16];
        snprintf(name, sizeof(name), "p%d", i);
        json_object_set_new(many, name, json_integer(i));
    }
    assert_refused(fd, "nonsense", json_incref(many), "unknown_method",
                   "tripd has no method nonsense: its version is another than yours");
    assert_refused(fd, "list", many, "malformed", "the message has too many values");
    close(fd);
    become(CONTROLLER, 1000);
    fd = call_connect();
    json_decref(result(fd, "config_check", json_pack("{s:s}", "text", text)));
    close(fd);
}

/* ---------------------------------------------------------------------------------------------------------- traces */

static struct rpc_message notified(int fd)
{
    struct rpc_message message;
    receive_any(fd, &message);
    assert_int_equal(message.kind, RPC_NOTIFICATION);
    assert_string_equal(message.method, "trace");
    return message;
}

static void test_a_trace_is_sent_before_the_sync_that_ends_it_is_answered(void **state)
{
    (void)state;
    struct rpc_message message;
    const int fd = call_connect();
    assert_json(result(fd, "trace", json_pack("{s:s}", "name", "d*")), "{\"now_ms\":0}");
    engine.outcomes = 2;
    json_t *nothing = json_object();
    send_request(fd, 9, "sync", nothing);
    json_decref(nothing);
    message = notified(fd);
    assert_json(json_incref(message.params),
                "{\"steps\":[{\"t_ms\":0,\"op\":\"trip\",\"breaker\":\"db\",\"for_ms\":5},"
                "{\"t_ms\":1,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":2}]}");
    rpc_message_clear(&message);
    receive(fd, &message);
    assert_int_equal(message.id, 9);
    rpc_message_clear(&message);
    close(fd);
}

static void test_an_observer_may_trace_and_has_four_traces_at_most(void **state)
{
    (void)state;
    int fds[4];
    become(OBSERVER, OBSERVER);
    for (int i = 0; i < 4; i++) {
        fds[i] = call_connect();
        json_decref(result(fds[i], "trace", json_object()));
    }
    assert_refused(fds[0], "trace", json_object(), "refused", "this connection traces already");
    const int one_more = call_connect();
    assert_refused(one_more, "trace", json_object(), "refused",
                   "your user has 4 traces running, and may have no more: end one of them");
    assert_refused(one_more, "trace", json_pack("{s:s}", "name", "d b"), "invalid",
                   "\"d b\" is neither a name nor a pattern: 1 to 127 of letters, digits and . _ : / @ -, with * and ? "
                   "in a pattern");
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    for (int tries = 0;; tries++) { /* who hangs up traces no more */
        struct rpc_message message = call(one_more, "trace", json_object());
        const bool traces = message.result != NULL;
        rpc_message_clear(&message);
        if (traces)
            break;
        assert_true(tries < 60000);
        poll(NULL, 0, 1);
    }
    close(one_more);
}

/* Adds up, from all notifications before the answer to a `sync`, the outcomes that came and those that were lost. */
static void sync_trace(int fd, uint64_t *came, uint64_t *lost)
{
    struct rpc_message message;
    json_t *step, *nothing = json_object();
    send_request(fd, 9, "sync", nothing);
    json_decref(nothing);
    for (receive_any(fd, &message); message.kind == RPC_NOTIFICATION; receive_any(fd, &message)) {
        size_t i;
        json_array_foreach(json_object_get(message.params, "steps"), i, step) *came +=
            (uint64_t)json_integer_value(json_object_get(step, "n"));
        *lost += (uint64_t)json_integer_value(json_object_get(message.params, "lost"));
        rpc_message_clear(&message);
    }
    assert_int_equal(message.id, 9);
    rpc_message_clear(&message);
}

/* Far more than socket and queue hold, before anything is read: the rest is counted, and tripd answers others. */
static void test_a_trace_that_is_not_read_loses_what_it_counts(void **state)
{
    (void)state;
    uint64_t came = 0, lost = 0;
    const int fd = call_connect(), other = call_connect();
    json_decref(result(fd, "trace", json_object()));
    engine.outcomes = 100000;
    json_decref(result(other, "sync", json_object()));
    sync_trace(fd, &came, &lost);
    sync_trace(fd, &came, &lost); /* there is room again, and what was lost last is said */
    assert_in_range(came, 2 * 64 * RPC_TRACE_QUEUED, 199998);
    assert_int_equal(came + lost, 200000);
    close(fd);
    close(other);
}

/* -------------------------------------------------------------------------------------------------------- watchers */

static void events_happen(int fd, uint64_t n)
{
    engine.events = n;
    json_decref(result(fd, "sync", json_object()));
}

/* Receives notifications until one ends with this event, each of whose events follows the one before; *sequence: of the
 * last one before them. Returns how many were lost. */
static uint64_t receive_events(int fd, uint64_t *sequence, uint64_t last)
{
    uint64_t lost = 0;
    while (*sequence < last) {
        struct rpc_message message;
        size_t i;
        json_t *event;
        receive_any(fd, &message);
        assert_string_equal(message.method, "watch");
        json_array_foreach(json_object_get(message.params, "events"), i, event)
        {
            const uint64_t gap = (uint64_t)json_integer_value(json_object_get(event, "lost"));
            assert_int_equal(json_integer_value(json_object_get(event, "sequence")), *sequence + gap + 1);
            *sequence += gap + 1;
            lost += gap;
        }
        rpc_message_clear(&message);
    }
    return lost;
}

static void test_a_watcher_is_told_of_events_from_where_it_was(void **state)
{
    (void)state;
    const int other = call_connect(), now = call_connect(), since = call_connect();
    uint64_t seen_now = 3, seen_since = 1;
    add("db");
    events_happen(other, 3);
    assert_json(result(now, "watch", json_object()), "{\"now_ms\":0,\"sequence\":3}");
    assert_json(result(since, "watch", json_pack("{s:i}", "since", 1)), "{\"now_ms\":0,\"sequence\":3}");
    assert_int_equal(receive_events(since, &seen_since, 3), 0);
    events_happen(other, 2);
    assert_int_equal(receive_events(now, &seen_now, 5), 0);
    assert_int_equal(receive_events(since, &seen_since, 5), 0);
    close(other);
    close(now);
    close(since);
}

/* The ring holds 4,096 events, and a watcher's queue 16 packets of 48. */
static void test_a_watcher_that_does_not_read_loses_what_the_ring_loses_and_holds_nobody_up(void **state)
{
    (void)state;
    const int other = call_connect(), slow = call_connect(), quick = call_connect();
    uint64_t seen_slow = 0, seen_quick = 0;
    add("db");
    json_decref(result(slow, "watch", json_object()));
    json_decref(result(quick, "watch", json_object()));
    for (uint64_t sent = 1000; sent <= 20000; sent += 1000) {
        events_happen(other, 1000);
        assert_int_equal(receive_events(quick, &seen_quick, sent), 0);
    }
    const uint64_t lost = receive_events(slow, &seen_slow, 20000);
    print_message("%llu of 20000 lost\n", (unsigned long long)lost);
    assert_in_range(lost, 1, 20000 - 4096);
    close(other);
    close(slow);
    close(quick);
}

static void test_a_user_has_sixteen_watchers_at_most(void **state)
{
    (void)state;
    int fds[17];
    for (int i = 0; i < 17; i++)
        fds[i] = call_connect();
    for (int i = 0; i < 16; i++)
        json_decref(result(fds[i], "watch", json_object()));
    assert_refused(fds[0], "watch", json_object(), "refused", "this connection watches already");
    assert_refused(fds[16], "watch", json_object(), "refused",
                   "your user has 16 watchers, and may have no more: end one of them");
    assert_refused(fds[16], "watch", json_pack("{s:s}", "kinds", "moves"), "invalid",
                   "\"moves\" are no kinds of events: transition, mode, act, incident, level and feature are");
    for (int i = 0; i < 17; i++)
        close(fds[i]);
}

#define WATCHERS 1000

/* By 63 users. */
static void test_a_thousand_watchers_are_told_of_each_event(void **state)
{
    (void)state;
    static int fds[WATCHERS];
    struct rlimit descriptors;
    getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
    if (descriptors.rlim_max < 3 * WATCHERS)
        skip(); /* each has two ends here */
    add("db");
    for (int i = 0; i < WATCHERS; i++) {
        become(CONTROLLER + (uid_t)i / 16, 1000);
        fds[i] = call_connect();
        json_decref(result(fds[i], "watch", json_object()));
    }
    become(CONTROLLER + WATCHERS, 1000);
    const int other = call_connect();
    const uint64_t begin_ns = monotonic_ns();
    events_happen(other, 1);
    for (int i = 0; i < WATCHERS; i++) {
        uint64_t seen = 0;
        assert_int_equal(receive_events(fds[i], &seen, 1), 0);
    }
    print_message("told %d in %.1f ms\n", WATCHERS, (double)(monotonic_ns() - begin_ns) / 1e6);
    for (int i = 0; i < WATCHERS; i++)
        close(fds[i]);
    close(other);
}

/* Its request is carried out when it has hung up already. */
static void test_who_asks_to_watch_or_trace_and_hangs_up_harms_nobody(void **state)
{
    (void)state;
    json_t *nothing = json_object();
    const int other = call_connect();
    for (int i = 0; i < 200; i++) {
        const int fd = call_connect();
        send_request(fd, 1, i % 2 ? "watch" : "trace", nothing);
        close(fd);
        events_happen(other, 1);
    }
    json_decref(nothing);
    close(other);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sync_drains_all_and_answers_with_the_time),
        TEST(test_status_lists_the_roles_of_the_user_who_asks),
        TEST(test_a_refusal_names_the_role_and_how_to_get_it),
        TEST(test_every_method_that_changes_something_needs_control),
        TEST(test_a_group_gives_its_members_the_role),
        TEST(test_roles_follow_the_config),
        TEST(test_parameters_are_checked_before_anything_is_done),
        TEST(test_a_malformed_packet_is_answered_and_changes_nothing),
        TEST(test_a_notification_is_carried_out_and_not_answered),
        TEST(test_a_response_is_refused),
        TEST(test_trip_by_name),
        TEST(test_trip_and_reset_by_pattern_hit_what_matches),
        TEST(test_reset_tells_which_modes_go_on_to_decide),
        TEST(test_a_pattern_skips_what_cannot_be_tripped),
        TEST(test_a_pattern_s_breakers_come_in_pages_and_are_changed_once),
        TEST(test_a_missing_name_is_not_found),
        TEST(test_modes_by_name_and_by_pattern),
        TEST(test_a_step_that_the_simulation_refuses_is_reported),
        TEST(test_levels_are_set_by_name_and_by_number_for_host_and_groups),
        TEST(test_what_is_no_level_no_group_and_no_feature_is_refused),
        TEST(test_a_65th_group_finds_no_place_for_its_level),
        TEST(test_features_are_listed_by_pattern_and_set_by_hand),
        TEST(test_list_comes_in_pages),
        TEST(test_show_tells_of_one_breaker),
        TEST(test_events_come_in_pages_and_by_name),
        TEST(test_clients_come_in_pages),
        TEST(test_status_tells_of_tripd_and_its_loop),
        TEST(test_the_config_is_shown_as_json_and_as_yaml),
        TEST(test_long_fallbacks_are_shown_in_more_pages),
        TEST(test_a_config_is_checked_without_being_loaded),
        TEST(test_a_reload_that_fails_tells_the_problems),
        TEST(test_the_test_clock_is_moved),
        TEST(test_a_user_has_64_connections_at_most),
        TEST(test_a_client_that_asks_and_does_not_read_is_hung_up_on),
        TEST(test_each_user_has_one_request_a_turn_and_a_turn_drains_once),
        TEST(test_requests_before_the_hang_up_are_carried_out),
        TEST(test_parameters_are_few_and_short_without_the_role_control),
        TEST(test_a_trace_is_sent_before_the_sync_that_ends_it_is_answered),
        TEST(test_an_observer_may_trace_and_has_four_traces_at_most),
        TEST(test_a_trace_that_is_not_read_loses_what_it_counts),
        TEST(test_a_watcher_is_told_of_events_from_where_it_was),
        TEST(test_a_watcher_that_does_not_read_loses_what_the_ring_loses_and_holds_nobody_up),
        TEST(test_a_user_has_sixteen_watchers_at_most),
        TEST(test_a_thousand_watchers_are_told_of_each_event),
        TEST(test_who_asks_to_watch_or_trace_and_hangs_up_harms_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
