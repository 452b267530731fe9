/* libtrip: circuit breakers that every process of a host shares.
 *
 * A breaker's state lives in shared memory that tripd owns. Asking it costs two loads; a success costs a few
 * stores to memory of the calling thread's own. Allow, record, begin and end do not block, but for a begin where
 * concurrency.wait is set and the caller did not say no_wait. No function installs a signal handler, logs, exits, or
 * touches a descriptor that it did not open; its own are never 0 to 2. None starts a thread but a hedged
 * trip_run_with.
 *
 * Conventions
 *   Errors      Functions return 0 or a negative errno. `ret_` parameters are written only on success. What returns
 *               neither (allow, record, begin, end, close ...) leaves the variable errno alone.
 *   Units       Times ending in _ns are nanoseconds, in _ms milliseconds; rates are permille (0 to 1000).
 *   Ownership   trip_open gives a client to be closed with trip_close. A breaker belongs to its client, is valid
 *               until trip_close, and is never freed alone; asking for a name twice gives the same pointer.
 *   Threads     Every function may be called from any thread at any time, but trip_close, which must be the
 *               last call that touches the client and its breakers.
 *   Cancelling  A thread may be cancelled (deferred) in the operation or the backoff of trip_run: the call ends as
 *               cancelled, holds nothing, and `release` is called. A hedged one is not cancelled before trip_run
 *               returns; an operation that ends a thread of libtrip's was cancelled.
 *   Exceptions  The same for a C++ exception that leaves an operation which is not hedged. A longjmp out of it harms
 *               nothing else, but its call stays out, with its ticket, until trip_cancel_all or the process's end.
 *   fork        A child may go on using client and breakers; it attaches by itself as a client of its own. A
 *               trip_call that the parent began is the parent's: trip_end on it in the child does nothing.
 *               Forked in a hedged operation, it has libtrip's thread alone: it is to exec or _exit there, ends
 *               (exit status 0) when the operation returns, and does not call `release`.
 *   dlopen      Once loaded, the library stays until the process ends: dlclose leaves its clients as they are, and the
 *               next trip_open of the same instance gives the same client.
 *   Signals     trip_allow is async-signal-safe. The others are not.
 *   No daemon   Everything works without tripd. Attached once, a client goes on with the shared state words while tripd
 *               is stopped, stalled or dead, and attaches to the next one by itself, unless that has another layout;
 *               never attached, its breakers are private to the process, with the default settings.
 */
#ifndef TRIP_H
#define TRIP_H

#ifndef TRIP_CDEF /* the preprocessor makes trip.cdef of what follows: for bindings that parse declarations alone */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) && !defined(TRIP_CDEF)
#pragma GCC visibility push(default)
#endif

#define TRIP_VERSION_MAJOR 0
#define TRIP_VERSION_MINOR 1
#define TRIP_VERSION_PATCH 0

#define TRIP_NAME_MAX          127 /* bytes in a breaker's name, without the terminating NUL */
#define TRIP_ERROR_MESSAGE_MAX 95  /* bytes kept of an error's message; longer ones are cut */
#define TRIP_ERROR_ID_MAX      63  /* bytes kept of a correlation, trace or session id: a UUID has 36 */
#define TRIP_ERROR_CONTEXT_MAX 160 /* bytes kept of all context pairs together, with a NUL behind each key and value \
                                    */
#define TRIP_ERROR_PAIRS_MAX 8     /* context pairs kept */
#define TRIP_ERROR_USER_MAX  16    /* how many error types are the user's own */

/* ------------------------------------------------------------------------------------------------ names and numbers */

/* One declaration, many products: X(ENUM_SUFFIX, "name shown to people and in JSON"). */
#define TRIP_STATES(X)        \
    X(CLOSED, "closed")       \
    X(OPEN, "open")           \
    X(HALF_OPEN, "half_open") \
    X(RAMPING, "ramping")

#define TRIP_MODES(X)             \
    X(AUTO, "auto")               \
    X(FORCED_OPEN, "forced_open") \
    X(DISABLED, "disabled")       \
    X(SHADOW, "shadow")

/* Admitted are ALLOW and PROBE; all others are denials. The last four are local: a limit that all processes share was
 * reached (bulkhead, rate), the call was shed (adaptive throttling), or its deadline had passed. */
#define TRIP_VERDICTS(X)                    \
    X(ALLOW, "allow")                       \
    X(PROBE, "probe")                       \
    X(DENY_OPEN, "deny_open")               \
    X(DENY_HALF_OPEN, "deny_half_open")     \
    X(DENY_FORCED, "deny_forced")           \
    X(DENY_RAMP, "deny_ramp")               \
    X(DENY_CONCURRENCY, "deny_concurrency") \
    X(DENY_RATE, "deny_rate")               \
    X(DENY_SHED, "deny_shed")               \
    X(DENY_DEADLINE, "deny_deadline")

/* calls = ok + failures; a timeout is a failure too. Ignored (the caller's own fault: a 4xx, bad input) and
 * cancelled calls are no evidence about the dependency. */
#define TRIP_OUTCOMES(X)  \
    X(OK, "ok")           \
    X(FAILURE, "failure") \
    X(TIMEOUT, "timeout") \
    X(IGNORED, "ignored") \
    X(CANCELLED, "cancelled")

#define TRIP_ERROR_TYPES(X)                       \
    X(UNKNOWN, "unknown")                         \
    X(NETWORK, "network")                         \
    X(TIMEOUT, "timeout")                         \
    X(SERVICE_UNAVAILABLE, "service_unavailable") \
    X(RATE_LIMITED, "rate_limited")               \
    X(RESOURCE_EXHAUSTED, "resource_exhausted")   \
    X(PROTOCOL, "protocol")                       \
    X(AUTHENTICATION, "authentication")           \
    X(INTERNAL, "internal")

/* Why a breaker last opened. NONE: it never did. */
#define TRIP_REASONS(X)             \
    X(NONE, "none")                 \
    X(CONSECUTIVE, "consecutive")   \
    X(FAILURES, "failures")         \
    X(FAILURE_RATE, "failure_rate") \
    X(SLOW_RATE, "slow_rate")       \
    X(IN_FLIGHT, "in_flight")       \
    X(PROBE_FAILED, "probe_failed") \
    X(MAX_WAIT, "max_wait")         \
    X(RULE, "rule")                 \
    X(OPERATOR, "operator")         \
    X(FLEET, "fleet")               \
    X(RELAPSE, "relapse")

/* SHARED: attached, tripd alive. DAEMON_AWAY: attached once, tripd's heartbeat is stale or it was stopped; the
 * shared state words go on. UNREPORTED: the state words are mapped, but this process has no lane (limits.max_lanes or
 * its user's quota is used up, it may make no file as large, a forked child lacks the role or does not reach the
 * socket): decisions, streaks and limits of the breakers that tripd knows are shared, all else that it reports is not
 * counted, and what it holds when it dies comes back when a lease ends. PRIVATE: never attached. trip_client_why says
 * more. */
#define TRIP_CLIENT_STATUSES(X)   \
    X(SHARED, "shared")           \
    X(DAEMON_AWAY, "daemon_away") \
    X(UNREPORTED, "unreported")   \
    X(PRIVATE, "private")

/* How important a call is: SHEDDABLE ones are turned away first, CRITICAL ones last. */
#define TRIP_PRIORITIES(X)  \
    X(NORMAL, "normal")     \
    X(CRITICAL, "critical") \
    X(SHEDDABLE, "sheddable")

/* What trip_retry_next answers: AGAIN, after a delay; all others end the retries. ATTEMPTS: all are used up. TIME: the
 * delay would end after retry.total, or the server asks for more than retry.max. NOT_RETRYABLE: this type of error is
 * not in retry.on. OPEN: the breaker is open or forced open, or half-open with probes of which every lease outlasts
 * the delay. BUDGET: the breaker's retry budget is dry. DEADLINE: the delay would end with the caller's deadline or
 * after it. LIMIT: trip_run's alone, for a retry whose admission a limit denied (bulkhead, rate) or that was shed; an
 * event loop reads the same in the verdict of its retry's trip_begin. */
#define TRIP_RETRIES(X)               \
    X(AGAIN, "again")                 \
    X(ATTEMPTS, "attempts")           \
    X(TIME, "time")                   \
    X(NOT_RETRYABLE, "not_retryable") \
    X(OPEN, "open")                   \
    X(BUDGET, "budget")               \
    X(DEADLINE, "deadline")           \
    X(LIMIT, "limit")

#define TRIP_ENUM_STATE(suffix, name)    TRIP_STATE_##suffix,
#define TRIP_ENUM_MODE(suffix, name)     TRIP_MODE_##suffix,
#define TRIP_ENUM_PLAIN(suffix, name)    TRIP_##suffix,
#define TRIP_ENUM_ERROR(suffix, name)    TRIP_ERROR_##suffix,
#define TRIP_ENUM_REASON(suffix, name)   TRIP_REASON_##suffix,
#define TRIP_ENUM_CLIENT(suffix, name)   TRIP_CLIENT_##suffix,
#define TRIP_ENUM_PRIORITY(suffix, name) TRIP_PRIORITY_##suffix,
#define TRIP_ENUM_RETRY(suffix, name)    TRIP_RETRY_##suffix,

typedef enum trip_state { TRIP_STATES(TRIP_ENUM_STATE) TRIP_STATE_COUNT } trip_state;
typedef enum trip_mode { TRIP_MODES(TRIP_ENUM_MODE) TRIP_MODE_COUNT } trip_mode;
typedef enum trip_verdict { TRIP_VERDICTS(TRIP_ENUM_PLAIN) TRIP_VERDICT_COUNT } trip_verdict;
typedef enum trip_outcome { TRIP_OUTCOMES(TRIP_ENUM_PLAIN) TRIP_OUTCOME_COUNT } trip_outcome;
typedef enum trip_reason { TRIP_REASONS(TRIP_ENUM_REASON) TRIP_REASON_COUNT } trip_reason;
typedef enum trip_client_state { TRIP_CLIENT_STATUSES(TRIP_ENUM_CLIENT) TRIP_CLIENT_COUNT } trip_client_state;

typedef enum trip_priority { TRIP_PRIORITIES(TRIP_ENUM_PRIORITY) TRIP_PRIORITY_COUNT } trip_priority;
typedef enum trip_retry_answer { TRIP_RETRIES(TRIP_ENUM_RETRY) TRIP_RETRY_COUNT } trip_retry_answer;

/* The user's own types are TRIP_ERROR_USER + 0 .. TRIP_ERROR_USER + 15, shown as "user_0" .. "user_15". */
typedef enum trip_error_type {
    TRIP_ERROR_TYPES(TRIP_ENUM_ERROR) TRIP_ERROR_USER,
    TRIP_ERROR_TYPE_COUNT = TRIP_ERROR_USER + TRIP_ERROR_USER_MAX
} trip_error_type;

/* ------------------------------------------------------------------------------------------------ what callers hold */

typedef struct trip_client trip_client;
typedef struct trip_breaker trip_breaker;

/* One admitted (or denied) call. Of fixed size, on the caller's stack or in its own structure; may be moved with
 * memcpy, and ended once, on any thread of the process that began it. The content is libtrip's. */
typedef struct trip_call {
    trip_breaker *breaker;
    uint64_t private_[9];
} trip_call;

/* The retries of one operation: of fixed size, used by one thread at a time. The content is libtrip's. */
typedef struct trip_retry {
    trip_breaker *breaker;
    uint64_t private_[7];
} trip_retry;

/* What else is known of an error, for people: {"table", "orders"}. Pairs with a NULL in them are left out. */
typedef struct trip_context {
    const char *key, *value;
} trip_context;

/* What went wrong. Strings are UTF-8, copied, and may be NULL; those that are longer than the sizes above are cut at
 * the end of a character and shown as cut. A `traceparent` header (W3C Trace Context) given as `trace` is taken apart
 * into trace id and span id. */
typedef struct trip_error {
    trip_error_type type;
    const char *message;
    const char *correlation;
    const char *trace;
    const char *session;
    const trip_context *context; /* `context_count` pairs */
    size_t context_count;
    uint64_t reserved[2]; /* 0 */
} trip_error;

/* A snapshot of one breaker. Rates are permille, -1 while fewer than minimum_calls calls are in the window. */
typedef struct trip_info {
    trip_state state;
    trip_mode mode;
    trip_reason reason;       /* of the last opening */
    trip_client_state client; /* where this answer comes from */
    uint64_t retry_after_ms;  /* until the next probe may be admitted; 0: now; UINT64_MAX: not by itself */
    uint32_t consecutive_failures;
    uint32_t permits_free; /* half-open: probes that would be granted now; 0 while a mode keeps the state as it is */
    uint64_t window_calls, window_failures, window_slow; /* slow: 0, and its rate -1, where calls are not timed */
    int32_t failure_rate_permille, slow_rate_permille;
    uint32_t calls_until_rate;                  /* calls missing to minimum_calls; 0: the rates count */
    uint32_t tickets, tickets_free;             /* of the bulkhead, by the limit in force; 0 tickets: there is none */
    uint64_t rate_wait_ms[TRIP_PRIORITY_COUNT]; /* until the rate admits the next call of that priority; 0: now */
    uint32_t admit_permille;                    /* adaptive throttling; 1000: nothing is shed */
    uint64_t reserved[8];
} trip_info;

/* --------------------------------------------------------------------------------------------- clients and breakers */

/* Opens a client of the instance (NULL: $TRIP_INSTANCE, else "default"). Succeeds without a daemon and takes 100 ms
 * at the most; attaching later happens by itself, in non-blocking steps at most every 100 ms.
 * -EINVAL: the instance's name is not one; -ENOMEM. Why there is nothing shared yet, or never will be (tripd refuses
 * this user, or is of another version), trip_client_why says. */
int trip_open(trip_client **ret_client, const char *instance);

/* The process's own client of $TRIP_INSTANCE: opened by the first who asks, the same for all, and never closed. For
 * libraries and plugins that have nobody who would close it. Errors as trip_open. */
int trip_default(trip_client **ret_client);

/* Detaches and frees; NULL is fine. Calls that are still in flight must not be ended afterwards. */
void trip_close(trip_client *client);

/* Gives the breaker of this name, which comes into being when first named. Takes 100 ms at the most, and only the
 * first time. -EINVAL: not 1 to 127 of letters, digits and . _ : / @ -; -ENOMEM. */
int trip_breaker_get(trip_client *client, const char *name, trip_breaker **ret_breaker);

/* -------------------------------------------------------------------------------------------------------- admission */

/* Would a call be admitted now? Takes nothing and changes nothing; in half-open it answers TRIP_PROBE while a permit
 * is free. Two loads while closed. Async-signal-safe. */
trip_verdict trip_allow(trip_breaker *breaker);

/* Asks for admission. If admitted, a permit may be held, and the clock runs where the settings need to know how long
 * calls take (man tripd.yaml: slow_rate), else for one call in 16: end the call with trip_end or
 * trip_end_error. If denied, ending does nothing. */
trip_verdict trip_begin(trip_breaker *breaker, trip_call *call);

/* What a call asks for beyond trip_begin. All zero is what trip_begin does; set what you need by name:
 *
 *     trip_begin_with(database, &call, &(trip_options){.within_ns = 2000000000});
 */
typedef struct trip_options {
    trip_priority priority;
    uint64_t within_ns; /* the call must be done so soon from now; 0: no deadline, 1: it has passed */
    bool no_wait; /* where concurrency.wait is set: denied at once instead, for event loops, which must not sleep */
    /* Of trip_run_with alone: the operation may be sent twice, in threads that libtrip starts (the only ones), where
     * the `hedge` settings say so. It may still run when trip_run_with has returned; `release` is called with its
     * argument when the last attempt is over, on whatever thread; NULL: the argument lives for ever. */
    bool idempotent;
    void (*release)(void *arg);
    uint64_t reserved[4]; /* 0 */
} trip_options;

/* trip_begin with options; NULL: without. Less important calls are turned away first when tickets or tokens run low
 * (priority.sheddable_below, priority.normal_below) or the dependency is overloaded (throttle); critical calls are
 * never shed. A call whose deadline has passed is not sent (TRIP_DENY_DEADLINE), and says nothing about the dependency.
 * Where concurrency.wait is set, trip_begin and this wait for a ticket, unless with no_wait, until the deadline at the
 * latest: the only wait there is in an admission. */
trip_verdict trip_begin_with(trip_breaker *breaker, trip_call *call, const trip_options *options);

/* For event loops: a number that moves when a ticket of the bulkhead is given back, by whatever process, so that a call
 * that was denied for TRIP_DENY_CONCURRENCY may find one. Take it, then ask with no_wait; if that is denied, compare it
 * at each tick of a timer, and ask again once it is another one (first take it anew: it says that somebody waits). It
 * may move for nothing, and another may be faster. A few loads and stores; nothing blocks. */
uint64_t trip_ticket_generation(trip_breaker *breaker);

/* What is left of an admitted call's time: for the time-out of whatever it does. UINT64_MAX: it has no deadline. */
uint64_t trip_call_remaining_ns(const trip_call *call);

/* --------------------------------------------------------------------------------------------------------- outcomes */

/* Reports the outcome of a call that was not admitted by trip_begin. latency_ns: how long it took, 0 if unknown; more
 * than slow_after is slow. Moves nothing while open; in half-open it counts as a probe's outcome: a caller that must
 * not over-probe uses begin and end. */
void trip_record(trip_breaker *breaker, trip_outcome outcome, uint64_t latency_ns);

/* Ends a call. A second end of the same call, and an end in a forked child, do nothing. An outcome that is none of the
 * enumeration is TRIP_CANCELLED. */
void trip_end(trip_call *call, trip_outcome outcome);

/* Ends a call that took latency_ns, of which the caller knows better: a time to the first byte, or without its own
 * queue. 0: as trip_end. */
void trip_end_after(trip_call *call, trip_outcome outcome, uint64_t latency_ns);

/* Ends a call with an error: as a timeout for TRIP_ERROR_TIMEOUT, else as a failure. NULL: of unknown type. */
void trip_end_error(trip_call *call, const trip_error *error);

/* Tells of an error that no call had: a health check, a queue that is full, a connection that broke while idle. It is
 * recorded, counted by its type and analysed, and is no evidence: the breaker's state does not move. Nothing blocks. */
void trip_report_error(trip_breaker *breaker, const trip_error *error);

/* For hosts whose threads may leave a call open: an exception, a longjmp, a request that is cut off. From now on this
 * thread's calls are noted, until `on` is false, and trip_cancel_all ends as TRIP_CANCELLED those that nobody has
 * ended: at a request's end, and before the thread's. Returns how many. A call that was moved to another thread is this
 * one's still, unless it is a hedged attempt of trip_run's. A call of this thread then takes some 150 ns
 * longer; those of other threads cost what they did. */
void trip_thread_track(bool on);
unsigned trip_cancel_all(void);

/* ---------------------------------------------------- retries: by the breaker's `retry` settings, which change live */

/* Begins an operation's retries, before its first attempt; nothing is counted yet. */
void trip_retry_start(trip_breaker *breaker, trip_retry *retry);
/* All attempts must be done so soon from now: no retry begins that could not, as trip_begin_with says. 0: no
 * deadline.
 */
void trip_retry_within(trip_retry *retry, uint64_t within_ns);

/* After a failed attempt: once more, and after how long? hint_ns: the server's Retry-After, 0 without one; a longer
 * delay than the backoff's is honoured, and one beyond retry.max ends the retries. *ret_delay_ns is written with
 * TRIP_RETRY_AGAIN only. Nothing blocks: an event loop sets a timer, and asks for the retry's admission when it is
 * over: the breaker and the limits may still deny it. The breaker's retry budget, one for all processes of the host
 * (without tripd: the process's own), is charged here, so ask once for each retry. */
trip_retry_answer trip_retry_next(trip_retry *retry, trip_error_type error, uint64_t hint_ns, uint64_t *ret_delay_ns);

/* For event loops and idempotent operations, by the `hedge` settings: after how long a second attempt may be sent while
 * the first is still out. False: hedging is off. Charge it with trip_hedge_take, then ask for its
 * admission: one that is not paid is not begun. */
bool trip_hedge_after(trip_breaker *breaker, uint64_t *ret_delay_ns);
/* False: the breaker's retry budget is dry, send none. */
bool trip_hedge_take(trip_breaker *breaker);

/* One attempt of trip_run's operation. */
typedef struct trip_attempt {
    unsigned number;         /* 1, 2, ... */
    uint64_t remaining_ns;   /* of the deadline; UINT64_MAX: none */
    trip_error error;        /* written by the operation when it fails; after TRIP_TIMEOUT the type is a timeout's */
    uint64_t retry_after_ns; /* likewise: the server's Retry-After; 0: none */
    uint64_t reserved[4];
} trip_attempt;

/* Does the work, and says how it ended; what is none of trip_outcome is TRIP_CANCELLED, as in trip_end. */
typedef trip_outcome trip_operation(void *arg, trip_attempt *attempt);

typedef struct trip_result {
    unsigned attempts;            /* that were sent */
    trip_outcome outcome;         /* of the last one; TRIP_CANCELLED if none was sent */
    trip_verdict verdict;         /* of the last admission */
    trip_error_type error;        /* of the last failure; UNKNOWN if there was none */
    trip_retry_answer stopped_by; /* why there was no further retry, also OPEN, LIMIT, DEADLINE by the `verdict` of a
                                   * retry that was not admitted; AGAIN: none was needed */
    uint64_t elapsed_ns;
    uint64_t reserved[4];
} trip_result;

/* For blocking code: admission, attempt, outcome, backoff (asleep), until the operation succeeds or is not to be tried
 * again. 0: its last outcome was ok or ignored; -EAGAIN: the first attempt was not admitted (ret_result->verdict);
 * -EIO: it failed; -ECANCELED: it said so. ret_result is written in every case, and may be NULL. */
int trip_run(trip_breaker *breaker, trip_operation *operation, void *arg, trip_result *ret_result);
/* The same with options; NULL: without. */
int trip_run_with(trip_breaker *breaker, const trip_options *options, trip_operation *operation, void *arg,
                  trip_result *ret_result);

/* ---------------------------------------------------------------------------------------------------- what is known */

/* State, mode, reason, rates and limits of a breaker, as this process sees them: a few loads, nothing blocks. 0,
 * always.
 */
int trip_breaker_info(trip_breaker *breaker, trip_info *ret_info);

trip_client_state trip_client_status(trip_client *client);
/* Why is the client not SHARED? Writes words for people, for a log or a health check, cut to `size` bytes with their
 * NUL: nobody listens at that path; tripd refuses this process, in tripd's own words; the layouts differ, with both
 * versions; tripd was stopped, is dead or stalled; this process has no descriptors left; it is still attaching. Returns
 * their length, as snprintf; 0 and "" when it is SHARED. May take as long as trip_open. */
int trip_client_why(trip_client *client, char *buffer, size_t size);

/* Of the library that is loaded, as "0.1.0": TRIP_VERSION_ is what the program was compiled with. */
const char *trip_version(void);

bool trip_admitted(trip_verdict verdict);

/* Names as shown in JSON; "invalid" for a value outside the enumeration. Static storage. */
const char *trip_verdict_name(trip_verdict verdict);
const char *trip_state_name(trip_state state);
const char *trip_mode_name(trip_mode mode);
const char *trip_outcome_name(trip_outcome outcome);
const char *trip_priority_name(trip_priority priority);
const char *trip_retry_answer_name(trip_retry_answer answer);
const char *trip_reason_name(trip_reason reason);
const char *trip_error_type_name(trip_error_type type);
const char *trip_client_state_name(trip_client_state state);

/* Maps errno (positive or negative) and HTTP status codes; what has no better place is TRIP_ERROR_UNKNOWN. A status
 * below 400 has no error: UNKNOWN. 4xx other than 401, 403, 407, 408, 429 is the caller's own fault: end such a call
 * with TRIP_IGNORED. */
trip_error_type trip_error_from_errno(int error);
trip_error_type trip_error_from_http(int status);

#if defined(__GNUC__) && !defined(TRIP_CDEF)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
