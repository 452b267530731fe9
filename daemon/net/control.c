#include "net/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/refusals.h"
#include "internal/printable.h"
#include "internal/ticks.h"
#include "log.h"
#include "net/control_methods.h"
#include "protocol/report.h"
#include "protocol/rpc.h"

/* A user with connections, and the user's requests in the order in which they came. */
struct asker {
    uid_t uid;
    uint32_t connections;
    size_t waiting;
    struct request *first, **last;
    struct asker *next, **previous;
};

struct request {
    struct control_connection *connection;
    struct request *next;
    bool too_long; /* only its beginning stands here */
    size_t size;
    uint8_t data[];
};

struct control_connection {
    struct control *control;
    struct loop_connection *socket; /* NULL: it hung up, after it had asked */
    struct asker *asker;
    size_t waiting; /* requests that wait */
    enum { ANSWERED, AWAITS_RELOAD, AWAITS_ASIDE } awaits;
    uint32_t awaited_id;
    bool notified; /* no one waits for the answer */
    struct aside *aside;
    struct peer peer;
    struct tracer_subscriber *trace; /* NULL: it asked for no trace */
    struct watch *watch;             /* NULL: it watches nothing */
    struct control_connection *next, **previous;
};

struct control {
    struct control_options options;
    struct control_connection *connections;
    struct asker *askers;
    struct loop_timer *next; /* armed while requests wait */
    struct loop_timer *tell; /* armed while events may wait for those who watch */
    uint32_t watchers;
    bool drained; /* reports were counted in this iteration of the loop */
    struct refusals refusals;
    uint8_t packet[RPC_PACKET_MAX]; /* the response that is being sent */
};

struct method {
    const char *name;
    enum config_role role;
    unsigned must, may; /* bits of the parameters that it must have, and may have */
    control_method_fn *run;
};

#define METHOD(method, role, must, may) {#method, CONFIG_##role, must, (must) | (may), control_##method},
static const struct method methods[] = {RPC_METHODS(METHOD)};

enum param_type { PARAM_STRING, PARAM_NUMBER };
#define PARAM(suffix, name, type, most) {name, PARAM_##type, most},
static const struct {
    const char *name;
    enum param_type type;
    uint64_t most;
} params[] = {RPC_PARAMS(PARAM)};

/* ------------------------------------------------------------------------------------- checks before a method runs */

static const struct method *method_find(const char *name)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (strcmp(methods[i].name, name) == 0)
            return &methods[i];
    return NULL;
}

/* Lists parameters by name: "name, for_ms, reason". */
static json_t *params_named(unsigned which)
{
    char names[128] = "nothing";
    size_t length = 0;
    for (unsigned i = 0; i < RPC_PARAM_COUNT; i++)
        if (which & 1u << i)
            length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s", length > 0 ? ", " : "",
                                       params[i].name);
    return json_string(names);
}

static unsigned param_find(const char *name)
{
    unsigned i = 0;
    while (i < RPC_PARAM_COUNT && strcmp(params[i].name, name) != 0)
        i++;
    return i;
}

/* Checks a parameter. NULL: it is valid. */
static json_t *param_check(unsigned param, const json_t *value, struct control_request *request)
{
    const uint64_t most = params[param].most;
    if (params[param].type == PARAM_STRING) {
        if (!json_is_string(value) || json_string_length(value) > most)
            return rpc_error(RPC_CODE_INVALID, "the parameter %s is no string of %llu bytes at most",
                             params[param].name, (unsigned long long)most);
        if (param != RPC_INDEX_TEXT && !printable_all(json_string_value(value), json_string_length(value)))
            return rpc_error(RPC_CODE_INVALID, "the parameter %s has a control character", params[param].name);
        request->params[param].text = json_string_value(value);
    } else {
        if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > most)
            return rpc_error(RPC_CODE_INVALID, "the parameter %s is no whole number from 0 to %llu", params[param].name,
                             (unsigned long long)most);
        request->params[param].number = (uint64_t)json_integer_value(value);
    }
    request->given |= 1u << param;
    return NULL;
}

static json_t *params_check(const struct method *method, json_t *given, struct control_request *request)
{
    const char *name;
    json_t *value, *error;
    json_object_foreach(given, name, value)
    {
        const unsigned param = param_find(name);
        if (param == RPC_PARAM_COUNT || !(method->may & 1u << param)) {
            json_t *takes = params_named(method->may);
            error = rpc_error(RPC_CODE_INVALID, "%s has no parameter %.64s; it takes %s", method->name, name,
                              json_string_value(takes));
            json_decref(takes);
            return error;
        }
        error = param_check(param, value, request);
        if (error)
            return error;
    }
    if ((request->given & method->must) == method->must)
        return NULL;
    json_t *missing = params_named(method->must & ~request->given);
    error = rpc_error(RPC_CODE_INVALID, "%s needs the parameter %s", method->name, json_string_value(missing));
    json_decref(missing);
    return error;
}

static bool has_role(const struct control_connection *connection, enum config_role role)
{
    const struct peer *peer = &connection->peer;
    return config_allows(connection->control->options.config, role, peer->uid, peer->groups, peer->group_count);
}

json_t *control_roles(const struct control_connection *connection)
{
    json_t *const roles = json_array();
    for (unsigned role = 0; role < CONFIG_ROLE_COUNT; role++)
        if (has_role(connection, (enum config_role)role))
            json_array_append_new(roles, json_string(config_role_name((enum config_role)role)));
    return roles;
}

static json_t *role_check(const struct control_connection *connection, const struct method *method)
{
    if (has_role(connection, method->role))
        return NULL;
    const char *role = config_role_name(method->role);
    return rpc_error(RPC_CODE_REFUSED,
                     "%s needs the role %s, which uid %u does not have: add its user or one of its groups to "
                     "access.%s in tripd's config file, then reload it",
                     method->name, role, (unsigned)connection->peer.uid, role);
}

/* ------------------------------------------------------------------------------------------------ one packet's way */

static void hang_up(struct control_connection *connection)
{
    tracer_unsubscribe(connection->control->options.tracer, connection->trace);
    connection->trace = NULL;
    connection->control->watchers -= connection->watch != NULL;
    free(connection->watch);
    connection->watch = NULL;
    loop_connection_close(connection->socket);
    connection->socket = NULL;
}

static void asker_leave(struct asker *asker)
{
    if (--asker->connections > 0)
        return;
    *asker->previous = asker->next;
    if (asker->next)
        asker->next->previous = asker->previous;
    free(asker);
}

static void forget_requests(struct control_connection *connection)
{
    struct asker *asker = connection->asker;
    struct request **place = &asker->first;
    while (*place) {
        struct request *request = *place;
        if (request->connection == connection) {
            *place = request->next;
            asker->waiting--;
            free(request);
        } else {
            place = &request->next;
        }
    }
    asker->last = place;
}

static void disconnect(struct control_connection *connection)
{
    *connection->previous = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    hang_up(connection);
    connection->aside = aside_stop(connection->aside);
    forget_requests(connection);
    asker_leave(connection->asker);
    free(connection);
}

static json_t *carry_out(struct control_connection *connection, const struct method *method,
                         const struct rpc_call *call, json_t **ret_error)
{
    struct control_request request = {.connection = connection, .uid = connection->peer.uid};
    const char *why = "tripd has no memory left";
    json_t *given, *result = NULL;
    if (rpc_read_params(call, &given, &why) < 0) {
        *ret_error = rpc_error(RPC_CODE_MALFORMED, "%s", why);
        return NULL;
    }
    *ret_error = params_check(method, given, &request);
    if (!*ret_error)
        result = method->run(&connection->control->options, &request, ret_error);
    json_decref(given);
    return result;
}

/* Judges a request. Method and role come first, for they cost nothing. */
static json_t *judge(struct control_connection *connection, const struct rpc_call *call, bool too_long,
                     json_t **ret_error)
{
    const struct method *method = method_find(call->method);
    if (call->kind == RPC_RESPONSE)
        *ret_error = rpc_error(RPC_CODE_MALFORMED, "tripd asks nothing, so there is nothing to answer");
    else if (!method)
        *ret_error = rpc_error(RPC_CODE_UNKNOWN_METHOD, "tripd has no method %s: its version is another than yours",
                               call->method);
    else if (!(*ret_error = role_check(connection, method)) && too_long)
        *ret_error = rpc_error(RPC_CODE_MALFORMED, "a request of more than %d bytes is for the role control alone",
                               RPC_SHORT_MAX);
    return *ret_error ? NULL : carry_out(connection, method, call, ret_error);
}

/* Sends a response; takes error and result. -errno: the peer cannot be answered. */
static int respond(struct control *control, struct loop_connection *socket, uint32_t id, json_t *error, json_t *result)
{
    size_t size;
    if (!error && !result)
        error = rpc_error(RPC_CODE_FAILED, "tripd has no memory left");
    int sent = rpc_write_response(control->packet, id, error, result, &size);
    json_decref(error);
    json_decref(result);
    if (sent < 0) {
        error = rpc_error(RPC_CODE_FAILED, "the answer outgrew a packet");
        sent = rpc_write_response(control->packet, id, error, NULL, &size);
        json_decref(error);
    }
    return sent < 0 ? sent : loop_connection_send(socket, control->packet, size, NULL, 0);
}

/* Answers a request. 0, or -errno when the connection cannot go on. */
static int answer(struct control_connection *connection, const struct request *request)
{
    struct rpc_call call;
    const char *why = "tripd has no memory left";
    json_t *error = NULL, *result = NULL;

    if (rpc_read_call(request->data, request->size, &call, &why) < 0) {
        call = (struct rpc_call){.kind = RPC_REQUEST};
        error = rpc_error(RPC_CODE_MALFORMED, "%s", why);
    } else {
        const bool free_before = connection->awaits == ANSWERED;
        result = judge(connection, &call, request->too_long, &error);
        if (free_before && connection->awaits != ANSWERED && !error) {
            connection->awaited_id = call.id;
            connection->notified = call.kind == RPC_NOTIFICATION;
            return 0;
        }
        if (free_before) /* it was refused */
            connection->awaits = ANSWERED;
    }
    if (call.kind != RPC_NOTIFICATION && connection->socket)
        return respond(connection->control, connection->socket, call.id, error, result);
    json_decref(error);
    json_decref(result);
    return 0;
}

/* ------------------------------------------------------------------------------------------ answers that come later */

static void answer_awaited(struct control_connection *connection, json_t *error, json_t *result)
{
    connection->awaits = ANSWERED;
    if (connection->socket && !connection->notified) {
        if (respond(connection->control, connection->socket, connection->awaited_id, error, result) < 0)
            disconnect(connection);
        return;
    }
    json_decref(error);
    json_decref(result);
}

static void aside_done(void *context, int error, const char *data, size_t size)
{
    struct control_connection *connection = context;
    json_t *result = error == 0 ? json_loadb(data, size, 0, NULL) : NULL;
    connection->aside = NULL;
    answer_awaited(connection, result ? NULL : rpc_error(RPC_CODE_FAILED, "%s", strerror(error < 0 ? -error : ENOMEM)),
                   result);
}

int control_await_aside(struct control_connection *connection, aside_work_fn *work, void *context)
{
    if (connection->awaits != ANSWERED)
        return -EALREADY;
    const int error =
        aside_start(connection->control->options.loop, work, context, aside_done, connection, &connection->aside);
    if (error == 0)
        connection->awaits = AWAITS_ASIDE;
    return error;
}

int control_await_reload(struct control_connection *connection)
{
    if (connection->awaits != ANSWERED)
        return -EALREADY;
    connection->awaits = AWAITS_RELOAD;
    return 0;
}

static void tell_reloaded(struct control_connection *connection, int error, const char *said)
{
    if (error == 0) {
        log_notice("config reload by uid %u", (unsigned)connection->peer.uid);
        answer_awaited(connection, NULL, json_pack("{s:b, s:o}", "reloaded", 1, "notes", report_lines(said)));
        return;
    }
    json_t *refused =
        rpc_error(RPC_CODE_FAILED, "the config in force stays: %s", said ? "the file has problems" : strerror(-error));
    if (said)
        json_object_set_new(refused, "problems", report_lines(said));
    answer_awaited(connection, refused, NULL);
}

void control_reloaded(struct control *control, int error, const char *said)
{
    struct control_connection *next;
    for (struct control_connection *each = control->connections; each; each = next) {
        next = each->next;
        if (each->awaits == AWAITS_RELOAD)
            tell_reloaded(each, error, said);
    }
}

/* -------------------------------------------------------------------------------------------- whose request is next */

static struct request *take_first(struct asker *asker)
{
    struct request *request = asker->first;
    asker->first = request->next;
    if (!asker->first)
        asker->last = &asker->first;
    asker->waiting--;
    request->connection->waiting--;
    return request;
}

static void serve_one(struct asker *asker)
{
    struct request *request = take_first(asker);
    struct control_connection *connection = request->connection;
    const int error = answer(connection, request);
    free(request);
    if (error < 0 || (!connection->socket && connection->waiting == 0))
        disconnect(connection);
}

/* Carries out the first waiting request of each user. They all came before it, so that one drain serves all. */
static void carry_out_next(void *context, struct loop_timer *timer)
{
    struct control *control = context;
    struct asker *next;
    bool more = false;
    control->drained = false;
    for (struct asker *asker = control->askers; asker; asker = next) {
        next = asker->next;
        more |= asker->waiting > 1;
        if (asker->waiting > 0)
            serve_one(asker);
    }
    if (more)
        loop_timer_arm(timer, monotonic_ns());
}

void control_drain(struct control_connection *connection)
{
    struct control *control = connection->control;
    if (control->drained)
        return;
    control->drained = true;
    breakers_drain_all(control->options.breakers);
    if (control->options.drained)
        control->options.drained(control->options.context);
}

/* Counts the responses that wait until the user reads them. A connection that traces has a limit of its own, and one
 * that watches has room for its notifications beside. */
static size_t unread_of(const struct control_connection *connection)
{
    if (!connection->socket || connection->trace)
        return 0;
    const size_t queued = loop_connection_queued(connection->socket), room = connection->watch ? RPC_WATCH_QUEUED : 0;
    return queued > room ? queued - room : 0;
}

/* Counts waiting requests, and responses that the user has not read, over all its connections. */
static size_t queued_of(const struct control *control, const struct asker *asker)
{
    size_t queued = asker->waiting;
    for (const struct control_connection *each = control->connections; each; each = each->next)
        queued += each->asker == asker ? unread_of(each) : 0;
    return queued;
}

static bool may_be_long(const struct control_connection *connection)
{
    const struct peer *peer = &connection->peer;
    return config_allows(connection->control->options.config, CONFIG_CONTROL, peer->uid, peer->groups,
                         peer->group_count);
}

static int enqueue(struct control_connection *connection, const struct loop_message *packet)
{
    struct asker *asker = connection->asker;
    const bool too_long = packet->size > RPC_SHORT_MAX && !may_be_long(connection);
    const size_t size = too_long ? RPC_SHORT_MAX : packet->size;
    struct request *request = malloc(sizeof(*request) + size);
    if (!request)
        return -ENOMEM;
    *request = (struct request){.connection = connection, .too_long = too_long, .size = size};
    memcpy(request->data, packet->data, size);
    *asker->last = request;
    asker->last = &request->next;
    asker->waiting++;
    connection->waiting++;
    loop_timer_arm(connection->control->next, monotonic_ns());
    return 0;
}

static void received(void *context, struct loop_connection *socket, struct loop_message *packet)
{
    (void)socket;
    struct control_connection *connection = context;
    struct control *control = connection->control;
    const uid_t uid = connection->peer.uid;
    if (queued_of(control, connection->asker) < RPC_QUEUED_PER_USER) {
        if (enqueue(connection, packet) < 0)
            disconnect(connection);
        return;
    }
    if (refusals_tell(&control->refusals, uid, -ENOBUFS, monotonic_ns()))
        log_warning("uid %u asks and does not read: %d requests and answers wait for it, one of its connections is "
                    "closed",
                    (unsigned)uid, RPC_QUEUED_PER_USER);
    disconnect(connection);
}

/* Ends the connection; what it asked for before is still carried out. */
static void hung_up(void *context, struct loop_connection *socket, int error)
{
    (void)socket;
    (void)error;
    struct control_connection *connection = context;
    if (connection->waiting > 0)
        hang_up(connection);
    else
        disconnect(connection);
}

/* ---------------------------------------------------------------------------------------------------------- traces */

static bool send_batch(void *context, const struct tracer_batch *batch)
{
    const struct control_connection *connection = context;
    uint8_t *packet = connection->control->packet;
    size_t size;
    if (loop_connection_queued(connection->socket) >= RPC_TRACE_QUEUED)
        return false;
    json_t *report = report_trace(batch);
    const bool sent = report && rpc_write_notification(packet, "trace", report, &size) == 0 &&
                      loop_connection_send(connection->socket, packet, size, NULL, 0) == 0;
    json_decref(report);
    return sent;
}

/* Counts the user's connections: those that have not hung up, or those that trace. */
static size_t connections_of(const struct control *control, uid_t uid, bool traces)
{
    size_t count = 0;
    for (const struct control_connection *each = control->connections; each; each = each->next)
        count += each->peer.uid == uid && (traces ? each->trace != NULL : each->socket != NULL);
    return count;
}

int control_subscribe(struct control_connection *connection, const char *pattern)
{
    const struct control_options *options = &connection->control->options;
    if (!connection->socket)
        return -ENOTCONN;
    if (connection->trace)
        return -EALREADY;
    if (connections_of(connection->control, connection->peer.uid, true) >= RPC_TRACES_PER_USER)
        return -EUSERS;
    const int error = tracer_subscribe(options->tracer, pattern, clock_now_ms(options->clock), send_batch, connection,
                                       &connection->trace);
    if (error == 0)
        breakers_trace_from(options->breakers, connection->trace);
    return error;
}

/* --------------------------------------------------------------------------------------------------------- watchers */

/* Sends what the watcher has not been told of, while there is room. True: more waits, and there is room. */
static bool tell(struct control_connection *connection)
{
    struct control *control = connection->control;
    const struct segment *segment = control->options.segment;
    const struct watch before = *connection->watch;
    size_t size;
    if (!watch_behind(&before, segment) || loop_connection_queued(connection->socket) >= RPC_WATCH_QUEUED)
        return false;
    json_t *const events = watch_read(connection->watch, segment);
    if (!events)
        return watch_behind(connection->watch, segment);
    const bool sent = rpc_write_notification(control->packet, "watch", events, &size) == 0 &&
                      loop_connection_send(connection->socket, control->packet, size, NULL, 0) == 0;
    json_decref(events);
    if (!sent) /* for want of memory, or the peer is gone: its end comes as an event of its own */
        *connection->watch = before;
    return sent && watch_behind(connection->watch, segment);
}

/* Each watcher gets one packet in an iteration of the loop. */
static void tell_watchers(void *context, struct loop_timer *timer)
{
    struct control *control = context;
    bool more = false;
    for (struct control_connection *each = control->connections; each; each = each->next)
        if (each->watch && each->socket)
            more |= tell(each);
    if (more)
        loop_timer_arm(timer, monotonic_ns());
}

void control_event(struct control *control)
{
    if (control->watchers)
        loop_timer_arm(control->tell, monotonic_ns());
}

static void has_room(void *context)
{
    control_event(context);
}

static size_t watches_of(const struct control *control, uid_t uid)
{
    size_t count = 0;
    for (const struct control_connection *each = control->connections; each; each = each->next)
        count += each->peer.uid == uid && each->watch;
    return count;
}

int control_watch_from(struct control_connection *connection, const struct watch *watch)
{
    struct control *const control = connection->control;
    if (!connection->socket)
        return -ENOTCONN;
    if (connection->watch)
        return -EALREADY;
    if (watches_of(control, connection->peer.uid) >= RPC_WATCHES_PER_USER)
        return -EUSERS;
    connection->watch = malloc(sizeof(*watch));
    if (!connection->watch)
        return -ENOMEM;
    *connection->watch = *watch;
    control->watchers++;
    loop_connection_on_room(connection->socket, has_room, control);
    control_event(control);
    return 0;
}

/* ----------------------------------------------------------------------------------------------------- connections */

static struct asker *asker_of(struct control *control, uid_t uid)
{
    struct asker *asker = control->askers;
    while (asker && asker->uid != uid)
        asker = asker->next;
    if (asker || !(asker = malloc(sizeof(*asker))))
        return asker;
    *asker = (struct asker){.uid = uid, .last = &asker->first, .next = control->askers, .previous = &control->askers};
    if (asker->next)
        asker->next->previous = &asker->next;
    control->askers = asker;
    return asker;
}

static int connection_new(struct control *control, struct loop_connection *socket, const struct peer *peer,
                          struct control_connection **ret_connection)
{
    struct control_connection *connection = malloc(sizeof(*connection));
    struct asker *asker = connection ? asker_of(control, peer->uid) : NULL;
    if (!asker) {
        free(connection);
        return -ENOMEM;
    }
    asker->connections++;
    *connection = (struct control_connection){.control = control,
                                              .socket = socket,
                                              .asker = asker,
                                              .peer = *peer,
                                              .next = control->connections,
                                              .previous = &control->connections};
    if (connection->next)
        connection->next->previous = &connection->next;
    control->connections = connection;
    *ret_connection = connection;
    return 0;
}

void control_connected(struct control *control, struct loop_connection *socket, const struct peer *peer,
                       struct loop_message *first)
{
    struct control_connection *connection;
    if (connections_of(control, peer->uid, false) >= RPC_CONNECTIONS_PER_USER) {
        respond(control, socket, 0,
                rpc_error(RPC_CODE_REFUSED,
                          "uid %u has %d control connections open, and may have no more: end some of "
                          "its tripctl processes",
                          (unsigned)peer->uid, RPC_CONNECTIONS_PER_USER),
                NULL);
        loop_connection_close(socket);
        return;
    }
    if (connection_new(control, socket, peer, &connection) < 0) {
        loop_connection_close(socket);
        return;
    }
    loop_connection_start(socket, received, hung_up, connection);
    received(connection, socket, first);
}

int control_new(const struct control_options *options, struct control **ret_control)
{
    struct control *control = calloc(1, sizeof(*control));
    if (!control)
        return -ENOMEM;
    control->options = *options;
    int error = loop_timer_new(options->loop, carry_out_next, control, &control->next);
    if (error == 0)
        error = loop_timer_new(options->loop, tell_watchers, control, &control->tell);
    if (error < 0) {
        loop_timer_free(control->next);
        free(control);
        return error;
    }
    *ret_control = control;
    return 0;
}

struct control *control_free(struct control *control)
{
    if (!control)
        return NULL;
    while (control->connections)
        disconnect(control->connections);
    loop_timer_free(control->next);
    loop_timer_free(control->tell);
    free(control);
    return NULL;
}

void control_reconfigure(struct control *control, const struct config *config)
{
    control->options.config = config;
}
