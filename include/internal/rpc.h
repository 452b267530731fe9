/* The control socket's methods: one declaration for tripd's dispatch, tripctl's calls and the tests.
 *
 * MessagePack-RPC, one message a packet of SOCK_SEQPACKET:
 *   request       [0, id, method, params]      params, result: maps
 *   response      [1, id, error, result]       error: nil, or {"code": ..., "message": ...}; then result is nil
 *   notification  [2, method, params]          carried out like a request, without a response
 *
 * tripd notifies too, who asked for `trace`: [2, "trace", {"steps": [...], "lost": n}] about once a second and whenever
 * 64 steps are there. Each step is a line of a trace (tools/trace_step.h); `lost`, of outcomes and operators' acts that
 * came before them and found no room, is there when it is not 0. A `sync` is answered after all that was drained is
 * sent, so it also ends a trace.
 *
 * A method is tripctl's verb with `_` in place of space and `-`; a result equals what the verb's --json prints. What is
 * longer than a packet comes in pages: a result that has `next` goes on with the parameter `after` set to it.
 */
#ifndef TRIP_INTERNAL_RPC_H
#define TRIP_INTERNAL_RPC_H

#include "trip.h"

#define RPC_PACKET_MAX   65536 /* bytes */
#define RPC_METHOD_MAX   31    /* bytes in a method's name */
#define RPC_REASON_MAX   87    /* bytes in an operator's reason: it fits the transition ring */
#define RPC_PAGE         50    /* entries in a page: at 1,300 bytes each they do not fill a packet */
#define RPC_DURATION_MAX (UINT64_C(30) * 24 * 3600 * 1000) /* ms: the longest time that an operator may ask for */

#define RPC_VALUES_MAX 40   /* values in the parameters, keys included; every method has fewer */
#define RPC_SHORT_MAX  4096 /* bytes of a request from a user without the role control: only config_check needs more */

/* Quotas of a user over all connections that speak RPC. Of each user one request is carried out in an iteration of
 * tripd's loop; further ones wait for the next. */
#define RPC_CONNECTIONS_PER_USER 64
#define RPC_QUEUED_PER_USER      128 /* requests that wait for their turn, and responses that wait to be read */
#define RPC_TRACES_PER_USER      4
#define RPC_WATCHES_PER_USER     16
#define RPC_WATCH_QUEUED         16  /* waiting notifications of one watcher: the others wait in the ring of events */
#define RPC_TRACE_QUEUED         192 /* waiting notifications of one trace: fewer than a connection can queue */

/* X(ENUM_SUFFIX, "name on the wire", TYPE, most). TYPE: STRING, of `most` bytes; NUMBER, 0 to `most`. */
#define RPC_PARAMS(X)                                        \
    X(NAME, "name", STRING, TRIP_NAME_MAX)                   \
    X(FOR_MS, "for_ms", NUMBER, RPC_DURATION_MAX)            \
    X(TTL_MS, "ttl_ms", NUMBER, RPC_DURATION_MAX)            \
    X(BY_MS, "by_ms", NUMBER, RPC_DURATION_MAX)              \
    X(REASON, "reason", STRING, RPC_REASON_MAX)              \
    X(TEXT, "text", STRING, RPC_PACKET_MAX)                  \
    X(FORM, "form", STRING, 8)                               \
    X(ORIGIN, "origin", NUMBER, 1)                           \
    X(TYPE, "type", STRING, 31)                              \
    X(TRACE, "trace", STRING, TRIP_ERROR_ID_MAX)             \
    X(CORRELATION, "correlation", STRING, TRIP_ERROR_ID_MAX) \
    X(SESSION, "session", STRING, TRIP_ERROR_ID_MAX)         \
    X(SINCE, "since", NUMBER, INT64_MAX)                     \
    X(INCIDENT, "incident", NUMBER, INT64_MAX)               \
    X(KINDS, "kinds", STRING, 63)                            \
    X(PATTERN, "pattern", STRING, TRIP_NAME_MAX)             \
    X(LEVEL, "level", STRING, 31)                            \
    X(STATE, "state", STRING, 15)                            \
    X(AFTER, "after", NUMBER, INT64_MAX)                     \
    X(LIMIT, "limit", NUMBER, RPC_PAGE)

#define RPC_PARAM_INDEX(suffix, name, type, most) RPC_INDEX_##suffix,
enum rpc_param { RPC_PARAMS(RPC_PARAM_INDEX) RPC_PARAM_COUNT };
#define RPC_PARAM_BIT(suffix, name, type, most) RPC_##suffix = 1 << RPC_INDEX_##suffix,
enum { RPC_NOTHING = 0, RPC_PARAMS(RPC_PARAM_BIT) };

/* X(method, role it needs, parameters it must have, parameters it may have). `name` is a breaker's name or a pattern
 * of them; show takes a name alone. A verb that changes breakers does all of it at once: with `after` it only goes on
 * naming what it hit. Of levels `name` is a group's name, and without it the host is meant; of features it is a name,
 * for feature_list also a pattern. `level`: a level's name or number; `state`: on, off or 20%. `form`: yaml, to get the
 * config as {"yaml"}, in pages of bytes; `origin`: 1, to get with it where each setting was said. */
#define RPC_METHODS(X)                                                                         \
    X(list, OBSERVE, RPC_NOTHING, RPC_NAME | RPC_AFTER | RPC_LIMIT)                            \
    X(show, OBSERVE, RPC_NAME, RPC_NOTHING)                                                    \
    X(events, OBSERVE, RPC_NOTHING, RPC_NAME | RPC_AFTER | RPC_LIMIT)                          \
    X(clients, OBSERVE, RPC_NOTHING, RPC_AFTER | RPC_LIMIT)                                    \
    X(errors, OBSERVE, RPC_NOTHING,                                                            \
      RPC_NAME | RPC_TYPE | RPC_TRACE | RPC_CORRELATION | RPC_SESSION | RPC_AFTER | RPC_LIMIT) \
    X(analyze, OBSERVE, RPC_NOTHING, RPC_NAME | RPC_AFTER | RPC_LIMIT)                         \
    X(metrics, OBSERVE, RPC_NOTHING, RPC_NAME | RPC_AFTER | RPC_LIMIT)                         \
    X(fingerprints, OBSERVE, RPC_NOTHING, RPC_NAME | RPC_AFTER | RPC_LIMIT)                    \
    X(incidents, OBSERVE, RPC_NOTHING, RPC_AFTER | RPC_LIMIT)                                  \
    X(incidents_show, OBSERVE, RPC_INCIDENT, RPC_NOTHING)                                      \
    X(status, OBSERVE, RPC_NOTHING, RPC_NOTHING)                                               \
    X(sync, OBSERVE, RPC_NOTHING, RPC_NOTHING)                                                 \
    X(trace, OBSERVE, RPC_NOTHING, RPC_NAME)                                                   \
    X(watch, OBSERVE, RPC_NOTHING, RPC_SINCE | RPC_KINDS | RPC_PATTERN)                        \
    X(trip, CONTROL, RPC_NAME, RPC_FOR_MS | RPC_REASON | RPC_AFTER | RPC_LIMIT)                \
    X(force_open, CONTROL, RPC_NAME, RPC_TTL_MS | RPC_REASON | RPC_AFTER | RPC_LIMIT)          \
    X(disable, CONTROL, RPC_NAME, RPC_TTL_MS | RPC_REASON | RPC_AFTER | RPC_LIMIT)             \
    X(shadow, CONTROL, RPC_NAME, RPC_TTL_MS | RPC_REASON | RPC_AFTER | RPC_LIMIT)              \
    X(auto, CONTROL, RPC_NAME, RPC_REASON | RPC_AFTER | RPC_LIMIT)                             \
    X(reset, CONTROL, RPC_NAME, RPC_REASON | RPC_AFTER | RPC_LIMIT)                            \
    X(deploy_mark, CONTROL, RPC_NOTHING, RPC_NAME)                                             \
    X(config_check, CONTROL, RPC_TEXT, RPC_NOTHING) /* slow, for it looks up users */          \
    X(config_reload, CONTROL, RPC_NOTHING, RPC_NOTHING)                                        \
    X(config_show, OBSERVE, RPC_NOTHING, RPC_FORM | RPC_ORIGIN | RPC_AFTER | RPC_LIMIT)        \
    X(clock_show, OBSERVE, RPC_NOTHING, RPC_NOTHING)                                           \
    X(clock_advance, CONTROL, RPC_BY_MS, RPC_NOTHING)                                          \
    X(level_list, OBSERVE, RPC_NOTHING, RPC_NAME | RPC_AFTER | RPC_LIMIT)                      \
    X(level_set, CONTROL, RPC_LEVEL, RPC_NAME | RPC_TTL_MS | RPC_REASON)                       \
    X(level_auto, CONTROL, RPC_NOTHING, RPC_NAME | RPC_REASON)                                 \
    X(feature_list, OBSERVE, RPC_NOTHING, RPC_NAME | RPC_AFTER | RPC_LIMIT)                    \
    X(feature_set, CONTROL, RPC_NAME | RPC_STATE, RPC_TTL_MS | RPC_REASON)                     \
    X(feature_auto, CONTROL, RPC_NAME, RPC_REASON)

/* The codes of errors: X(ENUM_SUFFIX, "code"). */
#define RPC_CODES(X)                    \
    X(MALFORMED, "malformed")           \
    X(UNKNOWN_METHOD, "unknown_method") \
    X(INVALID, "invalid")               \
    X(REFUSED, "refused")               \
    X(NOT_FOUND, "not_found")           \
    X(UNSUPPORTED, "unsupported")       \
    X(FAILED, "failed")

#define RPC_ENUM_CODE(suffix, name) RPC_CODE_##suffix,
enum rpc_code { RPC_CODES(RPC_ENUM_CODE) RPC_CODE_COUNT };

#endif
