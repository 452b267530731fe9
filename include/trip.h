/* libtrip: circuit breakers that every process of a host shares.
 *
 * A breaker's state lives in shared memory that tripd owns. Asking a breaker costs two loads; a success costs a few
 * stores to the calling thread's own memory. Allow, record, begin and end do not block, except that a begin waits for a
 * ticket where concurrency.wait is set and the caller did not say no_wait. No function installs a signal handler, logs,
 * exits, or touches a descriptor that libtrip did not open; libtrip's descriptors are never 0 to 2. Only a hedged
 * trip_run_with starts threads.
 *
 * Conventions
 *   Errors      A function that can fail returns 0 or a negative errno; its comment lists the errors. `ret_` parameters
 *               are written only on success, unless the comment says otherwise. Functions that return no error (allow,
 *               record, begin, end, close ...) leave the variable errno alone.
 *   Units       Times ending in _ns are nanoseconds, in _ms milliseconds; rates are permille (0 to 1000).
 *   Ownership   The caller closes the client that trip_open returned with trip_close. A breaker belongs to its client,
 *               is valid until trip_close, and is never freed alone; asking for a name twice gives the same pointer.
 *   Threads     Any thread may call any function at any time, except that trip_close must be the last call that
 *               touches the client and its breakers.
 *   Cancelling  A thread may be cancelled (deferred) in the operation or the backoff of trip_run: the call ends as
 *               cancelled, holds nothing, and `release` is called. A hedged trip_run_with defers the cancellation until
 *               it returns. If an operation ends the thread that libtrip runs it in, its call ends as cancelled.
 *   Exceptions  A C++ exception that leaves an operation which is not hedged has the same effect. A longjmp out of an
 *               operation leaves its call in flight, with its ticket, until trip_cancel_all or the process's end.
 *   fork        A child may go on using client and breakers; it attaches by itself as a client of its own. A
 *               trip_call that the parent began is the parent's: trip_end on it in the child does nothing.
 *               A child forked in a hedged operation has only the thread that libtrip started: it should exec or _exit
 *               there. It ends with exit status 0 when the operation returns, and does not call `release`.
 *   dlopen      The library stays loaded until the process ends: dlclose leaves its clients as they are, and the next
 *               trip_open of the same instance returns the same client.
 *   Signals     trip_allow and trip_feature_enabled are async-signal-safe. The other functions are not.
 *   No daemon   Everything works without tripd. A client that attached once goes on with the shared state words while
 *               tripd is stopped, stalled or dead, and attaches to the next tripd by itself, unless that tripd has
 *               another layout. The breakers of a client that never attached are private to the process and have the
 *               default settings.
 */
#ifndef TRIP_H
#define TRIP_H

#ifndef TRIP_CDEF /* the build preprocesses this header to trip.cdef, for bindings that parse declarations alone */
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
#define TRIP_ERROR_CONTEXT_MAX 160 /* bytes kept of all context pairs, with the NUL after each key and value */
#define TRIP_ERROR_PAIRS_MAX   8   /* context pairs kept */
#define TRIP_ERROR_USER_MAX    16  /* error types that the user may define */

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

/* ALLOW and PROBE admit the call; all others deny it. The last four come from a limit, not from the breaker's state:
 * all tickets of the bulkhead are out, the rate is used up, throttling shed the call, or the call's deadline had
 * passed. */
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

/* calls = ok + failures; a timeout counts as a failure. An ignored call (the caller's own fault: a 4xx, bad input) and
 * a cancelled call are no evidence about the dependency. */
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

/* Why a breaker last opened. NONE: it never opened. */
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

/* SHARED: the client is attached and tripd is alive. DAEMON_AWAY: the client attached once, but tripd was stopped or
 * its heartbeat is stale; processes go on with the shared state words. UNREPORTED: the state words are mapped, but this
 * process has no lane (limits.max_lanes or its user's quota is used up, its file size limit is too small, or a forked
 * child lacks the role or does not reach the socket). It shares decisions, streaks and limits of the breakers that
 * tripd knows; tripd does not count its other reports, and gets back the permits and tickets of a dead process only
 * when their leases end. PRIVATE: the client never attached. trip_client_why says more. */
#define TRIP_CLIENT_STATUSES(X)   \
    X(SHARED, "shared")           \
    X(DAEMON_AWAY, "daemon_away") \
    X(UNREPORTED, "unreported")   \
    X(PRIVATE, "private")

/* How important a call is: libtrip denies SHEDDABLE calls first and CRITICAL calls last. */
#define TRIP_PRIORITIES(X)  \
    X(NORMAL, "normal")     \
    X(CRITICAL, "critical") \
    X(SHEDDABLE, "sheddable")

/* The answers of trip_retry_next. AGAIN: retry after the delay; all other answers end the retries. ATTEMPTS: all
 * attempts are used up. TIME: the delay would end after retry.total, or the server asks for more than retry.max.
 * NOT_RETRYABLE: retry.on does not list this type of error. OPEN: the breaker is open or forced open, or it is
 * half-open and every probe's lease outlasts the delay. BUDGET: the breaker's retry budget is empty. DEADLINE: the
 * delay would not end before the caller's deadline. LIMIT: only trip_run gives it, when a limit (bulkhead, rate) denied
 * the retry or throttling shed it; an event loop reads the same in the verdict of its retry's trip_begin. */
#define TRIP_RETRIES(X)               \
    X(AGAIN, "again")                 \
    X(ATTEMPTS, "attempts")           \
    X(TIME, "time")                   \
    X(NOT_RETRYABLE, "not_retryable") \
    X(OPEN, "open")                   \
    X(BUDGET, "budget")               \
    X(DEADLINE, "deadline")           \
    X(LIMIT, "limit")

/* What answers instead of the dependency (trip_fallback_next). NONE: nothing does, or the dependency itself has. */
#define TRIP_STRATEGIES(X)        \
    X(NONE, "none")               \
    X(CACHED, "cached")           \
    X(ALTERNATIVE, "alternative") \
    X(REDUCED, "reduced")         \
    X(DEFAULT, "default")         \
    X(QUEUE, "queue")

/* Why a strategy did not answer. NO_STRATEGY: there is none, or none further. CACHE_MISS, EXPIRED: the cache has no
 * answer, or one that is too old. ALTERNATIVE_FAILED: every endpoint that was alive failed, or none was alive.
 * FEATURE_REDUCED: the answer is of a feature that is left out. NO_DEFAULT: the caller cannot use the value.
 * QUEUE_FULL. STORE_AWAY: what keeps the cache and the queue does not run. NOT_OFFERED: the caller gave no function for
 * it. */
#define TRIP_UNANSWERED(X)                      \
    X(NO_STRATEGY, "no_strategy")               \
    X(CACHE_MISS, "cache_miss")                 \
    X(EXPIRED, "expired")                       \
    X(ALTERNATIVE_FAILED, "alternative_failed") \
    X(FEATURE_REDUCED, "feature_reduced")       \
    X(NO_DEFAULT, "no_default")                 \
    X(QUEUE_FULL, "queue_full")                 \
    X(STORE_AWAY, "store_away")                 \
    X(NOT_OFFERED, "not_offered")

#define TRIP_ENUM_STATE(suffix, name)    TRIP_STATE_##suffix,
#define TRIP_ENUM_MODE(suffix, name)     TRIP_MODE_##suffix,
#define TRIP_ENUM_PLAIN(suffix, name)    TRIP_##suffix,
#define TRIP_ENUM_ERROR(suffix, name)    TRIP_ERROR_##suffix,
#define TRIP_ENUM_REASON(suffix, name)   TRIP_REASON_##suffix,
#define TRIP_ENUM_CLIENT(suffix, name)   TRIP_CLIENT_##suffix,
#define TRIP_ENUM_PRIORITY(suffix, name) TRIP_PRIORITY_##suffix,
#define TRIP_ENUM_RETRY(suffix, name)    TRIP_RETRY_##suffix,
#define TRIP_ENUM_STRATEGY(suffix, name) TRIP_STRATEGY_##suffix,

typedef enum trip_state { TRIP_STATES(TRIP_ENUM_STATE) TRIP_STATE_COUNT } trip_state;
typedef enum trip_mode { TRIP_MODES(TRIP_ENUM_MODE) TRIP_MODE_COUNT } trip_mode;
typedef enum trip_verdict { TRIP_VERDICTS(TRIP_ENUM_PLAIN) TRIP_VERDICT_COUNT } trip_verdict;
typedef enum trip_outcome { TRIP_OUTCOMES(TRIP_ENUM_PLAIN) TRIP_OUTCOME_COUNT } trip_outcome;
typedef enum trip_reason { TRIP_REASONS(TRIP_ENUM_REASON) TRIP_REASON_COUNT } trip_reason;
typedef enum trip_client_state { TRIP_CLIENT_STATUSES(TRIP_ENUM_CLIENT) TRIP_CLIENT_COUNT } trip_client_state;

typedef enum trip_priority { TRIP_PRIORITIES(TRIP_ENUM_PRIORITY) TRIP_PRIORITY_COUNT } trip_priority;
typedef enum trip_strategy { TRIP_STRATEGIES(TRIP_ENUM_STRATEGY) TRIP_STRATEGY_COUNT } trip_strategy;
typedef enum trip_unanswered { TRIP_UNANSWERED(TRIP_ENUM_PLAIN) TRIP_UNANSWERED_COUNT } trip_unanswered;
typedef enum trip_retry_answer { TRIP_RETRIES(TRIP_ENUM_RETRY) TRIP_RETRY_COUNT } trip_retry_answer;

/* Users define their own types as TRIP_ERROR_USER + 0 .. TRIP_ERROR_USER + 15, shown as "user_0" .. "user_15". */
typedef enum trip_error_type {
    TRIP_ERROR_TYPES(TRIP_ENUM_ERROR) TRIP_ERROR_USER,
    TRIP_ERROR_TYPE_COUNT = TRIP_ERROR_USER + TRIP_ERROR_USER_MAX
} trip_error_type;

/* ------------------------------------------------------------------------------------------------ what callers hold */

typedef struct trip_client trip_client;
typedef struct trip_breaker trip_breaker;
typedef struct trip_feature trip_feature;

/* One admitted (or denied) call. It has a fixed size; the caller keeps it on the stack or in a structure, may move it
 * with memcpy, and ends it once, on any thread of the process that began it. Only libtrip reads the content. */
typedef struct trip_call {
    trip_breaker *breaker;
    uint64_t private_[9];
} trip_call;

/* The retries of one operation. It has a fixed size, and one thread at a time uses it. Only libtrip reads the content.
 */
typedef struct trip_retry {
    trip_breaker *breaker;
    uint64_t private_[7];
} trip_retry;

/* One more fact about an error, for people: {"table", "orders"}. libtrip leaves out a pair that has a NULL in it. */
typedef struct trip_context {
    const char *key, *value;
} trip_context;

/* What went wrong. Strings are UTF-8 and may be NULL. libtrip copies them, and cuts a string that is longer than the
 * sizes above at the end of a character; tools show it as cut. If `trace` is a `traceparent` header (W3C Trace
 * Context), tripd splits it into trace id and span id. */
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
    trip_client_state client; /* as trip_client_status, but of this breaker */
    uint64_t retry_after_ms;  /* until the next probe may be admitted; 0: now; UINT64_MAX: forced open without a TTL */
    uint32_t consecutive_failures;
    uint32_t permits_free; /* half-open: probes that would be granted now; 0 while a mode keeps the state as it is */
    uint64_t window_calls, window_failures, window_slow; /* slow: 0, and its rate -1, where calls are not timed */
    int32_t failure_rate_permille, slow_rate_permille;
    uint32_t calls_until_rate;                  /* calls missing to minimum_calls; 0: the rates count */
    uint32_t tickets, tickets_free;             /* of the bulkhead, by the limit in force; 0 tickets: no bulkhead */
    uint64_t rate_wait_ms[TRIP_PRIORITY_COUNT]; /* until the rate admits the next call of that priority; 0: now */
    uint32_t admit_permille;                    /* adaptive throttling; 1000: nothing is shed */
    uint64_t reserved[8];
} trip_info;

/* --------------------------------------------------------------------------------------------- clients and breakers */

/* Opens a client of the instance (NULL: $TRIP_INSTANCE, else "default"). It succeeds without tripd and takes at most
 * 100 ms; the client then attaches by itself, in non-blocking steps, at most one every 100 ms. trip_client_why says why
 * a client is not attached (tripd is not running, refuses this user, or has another version).
 *
 * Returns 0, or
 *   -EINVAL   `instance` is not a valid instance name
 *   -ENOMEM   there is no memory for the client */
int trip_open(trip_client **ret_client, const char *instance);

/* Gives the process's own client of $TRIP_INSTANCE, for libraries and plugins that cannot tell when to close a client.
 * The first caller opens it, all callers get the same one, and nobody closes it. Returns what trip_open returns:
 * 0, -EINVAL or -ENOMEM. */
int trip_default(trip_client **ret_client);

/* Detaches the client and frees it and its breakers; NULL is fine. The caller must not end calls in flight afterwards.
 */
void trip_close(trip_client *client);

/* Gives the breaker of this name, and creates it if it does not exist. The first call for a name takes at most 100 ms;
 * later calls do not block.
 *
 * Returns 0, or
 *   -EINVAL   `name` is not 1 to 127 letters, digits and . _ : / @ -
 *   -ENOMEM   there is no memory for the breaker */
int trip_breaker_get(trip_client *client, const char *name, trip_breaker **ret_breaker);

/* -------------------------------------------------------------------------------------------------------- admission */

/* Returns the verdict that the breaker's state would give a call now. It takes no permit and changes nothing; while
 * half-open it returns TRIP_PROBE as long as a permit is free. It costs two loads while the breaker is closed, and is
 * async-signal-safe. */
trip_verdict trip_allow(trip_breaker *breaker);

/* Asks for admission and returns the verdict. An admitted call may hold a permit or a ticket: end it with trip_end,
 * trip_end_after or trip_end_error. Ending a denied call does nothing. libtrip times each call where the settings need
 * latencies (man tripd.yaml: slow_rate), else one call in 16. */
trip_verdict trip_begin(trip_breaker *breaker, trip_call *call);

/* Options of a call. With all of them zero, trip_begin_with does what trip_begin does; set what you need by name:
 *
 *     trip_begin_with(database, &call, &(trip_options){.within_ns = 2000000000});
 */
typedef struct trip_options {
    trip_priority priority;
    uint64_t within_ns; /* time from now to the call's deadline; 0: no deadline, 1: it has passed */
    bool no_wait;       /* for event loops: deny at once where concurrency.wait would let the call wait for a ticket */
    /* For trip_run_with alone: libtrip may run the operation twice at once, in threads that it starts, where the
     * `hedge` settings say so. An attempt may still run when trip_run_with has returned. The thread that ends the last
     * attempt calls `release` with the operation's argument; NULL: nobody frees the argument. */
    bool idempotent;
    void (*release)(void *arg);
    /* For trip_run and trip_run_with alone: what the caller can do instead, where the breaker's `fallback` settings ask
     * for it. NULL: nothing. */
    const struct trip_fallbacks *fallbacks;
    uint64_t reserved[3]; /* 0 */
} trip_options;

/* Does what trip_begin does, with options (NULL: none), and returns the verdict. Less important calls are denied first
 * when tickets or tokens run low (priority.sheddable_below, priority.normal_below) or the dependency is overloaded
 * (throttle); throttling never sheds critical calls. A call whose deadline has passed is denied (TRIP_DENY_DEADLINE),
 * which is no evidence about the dependency. Where concurrency.wait is set, trip_begin and trip_begin_with wait for a
 * ticket, until the deadline at the latest and not at all with no_wait; an admission waits for nothing else. */
trip_verdict trip_begin_with(trip_breaker *breaker, trip_call *call, const trip_options *options);

/* For event loops: returns a number that changes when any process gives back a ticket of the bulkhead. Read it, then
 * call trip_begin_with with no_wait. If the verdict is TRIP_DENY_CONCURRENCY, compare the number at each tick of a
 * timer; once it has changed, read it anew and ask again. Reading also announces that this process waits for a ticket.
 * The number may change without a free ticket, and another caller may take the ticket first. It does not block. */
uint64_t trip_ticket_generation(trip_breaker *breaker);

/* Returns the time until an admitted call's deadline, for the time-out of its request; UINT64_MAX: no deadline. */
uint64_t trip_call_remaining_ns(const trip_call *call);

/* Returns a descriptor that becomes readable when the breaker opens while this call is out, where `trip.cut_short` is
 * set. A caller polls it beside its socket, and then gives the call up: it ends it with TRIP_CANCELLED, which is no
 * evidence and gives back what the call holds, instead of sitting out a time-out at a dependency that everyone knows to
 * be down.
 *
 *     struct pollfd fds[] = {{.fd = upstream, .events = POLLIN}, {.fd = trip_call_fd(&call), .events = POLLIN}};
 *     poll(fds, 2, 1000);
 *     if (fds[1].revents)
 *         trip_end(&call, TRIP_CANCELLED);
 *
 * It stays readable until the breaker admits calls again by itself (closed or ramping), or by its mode; modes disabled
 * and shadow never make it readable, forced_open does. All calls of a breaker in this process have the same descriptor.
 * Do not read it, and do not close it: it belongs to the client and stays the same until trip_close. A forked child has
 * one of its own. tripd makes it readable, so that no call is cut short while tripd is away. It costs what a state
 * costs to read; but the first call for a breaker, and the first after tripd was away, asks tripd and takes at most 100
 * ms.
 *
 * Returns the descriptor, or
 *   -EAGAIN   nothing cuts this call short: it is a probe, or the setting is off, or tripd is away or does not count
 *             this process. poll ignores a negative descriptor
 *   -EDQUOT   this user's processes have as many of these descriptors as tripd gives a user, 4,096 at most
 *   -EMFILE   tripd or this process has no descriptor left (-ENFILE: the system has none); a breaker needs two here
 *   -ENOMEM   there is no memory
 *   -EINVAL   the call was denied or has ended, or the parent of this process began it */
int trip_call_fd(const trip_call *call);

/* --------------------------------------------------------------------------------------------------------- outcomes */

/* Reports the outcome of a call for which trip_begin was not asked. latency_ns: how long the call took, 0 if unknown; a
 * call that took longer than slow_after is slow. The outcome changes no state while the breaker is open. While it is
 * half-open the outcome counts as a probe's, without a permit: callers that must not exceed the permits use trip_begin
 * and trip_end. */
void trip_record(trip_breaker *breaker, trip_outcome outcome, uint64_t latency_ns);

/* Ends a call. A second end of the same call does nothing, nor does an end in a forked child. A value that is not in
 * the enumeration counts as TRIP_CANCELLED. */
void trip_end(trip_call *call, trip_outcome outcome);

/* Ends a call with the caller's own measurement: a time to the first byte, or a time without the caller's queue.
 * latency_ns 0: as trip_end. */
void trip_end_after(trip_call *call, trip_outcome outcome, uint64_t latency_ns);

/* Ends a call with an error: TRIP_ERROR_TIMEOUT ends it as a timeout, any other type as a failure. NULL: the type is
 * TRIP_ERROR_UNKNOWN. */
void trip_end_error(trip_call *call, const trip_error *error);

/* Reports an error outside of any call: a failed health check, a full queue, a connection that broke while idle. tripd
 * records the error, counts it by type and analyses it, but the breaker's state does not move. It does not block. */
void trip_report_error(trip_breaker *breaker, const trip_error *error);

/* For hosts whose threads may leave a call open (an exception, a longjmp, a request that is cut off): `on` makes
 * libtrip track the calls that this thread begins from now on. A tracked call takes some 150 ns longer; calls of other
 * threads cost the same as before. */
void trip_thread_track(bool on);

/* Ends, as TRIP_CANCELLED, the tracked calls that this thread began and nobody has ended, and returns their number.
 * Call it at a request's end, and before the thread ends. A call that was moved to another thread still belongs to the
 * thread that began it, unless it is a hedged attempt of trip_run_with. */
unsigned trip_cancel_all(void);

/* ---------------------------------------------------- retries: by the breaker's `retry` settings, which change live */

/* Initialises an operation's retries, before its first attempt. It charges nothing. */
void trip_retry_start(trip_breaker *breaker, trip_retry *retry);

/* Sets the deadline of all attempts together, within_ns from now: trip_retry_next grants no retry whose delay would not
 * end before it. 0: no deadline. */
void trip_retry_within(trip_retry *retry, uint64_t within_ns);

/* Call it after a failed attempt: returns TRIP_RETRY_AGAIN and writes the delay before the next attempt, or returns why
 * the retries end and writes nothing. hint_ns: the server's Retry-After, 0 without one; libtrip waits that long if it
 * is longer than the backoff's delay, and ends the retries if it is longer than retry.max. It does not block: an event
 * loop sets a timer, and asks for the retry's admission when the timer ends; the breaker and the limits may still deny
 * it. Each granted retry charges the breaker's retry budget, which all processes of the host share (without tripd the
 * process has its own), so ask once for each retry. */
trip_retry_answer trip_retry_next(trip_retry *retry, trip_error_type error, uint64_t hint_ns, uint64_t *ret_delay_ns);

/* For event loops with idempotent operations: writes after how long a second attempt may be sent while the first is
 * still in flight, and returns true. False: the `hedge` settings allow none. Before the second attempt call
 * trip_hedge_take, then ask for its admission. */
bool trip_hedge_after(trip_breaker *breaker, uint64_t *ret_delay_ns);

/* Charges the second attempt to the breaker's retry budget and returns true. False: the budget is empty, and the second
 * attempt must not be sent. */
bool trip_hedge_take(trip_breaker *breaker);

/* ------------------------------------------------- fallbacks: by the breaker's `fallback` settings, which change live
 */

/* A strategy that may answer instead of the dependency. Begin with one that is all zeros. Its texts last until
 * trip_close: each reload that changes a chain costs a process that walks chains a copy of them, some 25 KiB and their
 * texts. */
typedef struct trip_fallback {
    trip_strategy strategy;
    unsigned dead;    /* endpoints that were left out before this strategy, for their breakers deny */
    const char *text; /* alternative: the endpoint; reduced: the features to leave out, with commas between; default:
                       * the value, as JSON; queue: its name. NUL-terminated */
    size_t size;      /* of the text, in bytes */
    uint64_t ttl_ns;  /* cached: how old an answer may be */
    trip_breaker *breaker; /* alternative: the endpoint's own, to begin the call with */
    bool begun;            /* libtrip's, as what follows */
    uint64_t state[4];     /* where the walk is */
} trip_fallback;

/* Gives the next strategy of the breaker's chain for this type of error, and returns true. False: no further one is
 * there, and its strategy is NONE. An alternative comes once for each of its endpoints whose own breaker admits calls.
 * It does not block, but for a first look at an endpoint's breaker (trip_breaker_get). For a denied call the type is
 * that of trip_error_from_denial.
 *
 *     trip_fallback fallback = {0};
 *     while (trip_fallback_next(database, TRIP_ERROR_TIMEOUT, &fallback))
 *         if (fallback.strategy == TRIP_STRATEGY_DEFAULT)
 *             return answer(fallback.text, fallback.size);
 *     return unavailable();
 *
 * A walk goes on with the settings with which it began, also if these change meanwhile. Without tripd it goes by the
 * settings as last known; a breaker that is private to the process has no chain. */
bool trip_fallback_next(trip_breaker *breaker, trip_error_type type, trip_fallback *fallback);

/* Returns the type of error in whose place a denial stands: while the breaker denies, that of its last error; for a
 * deadline that passed a timeout; for a limit, and where nothing else is known, that the service is unavailable. */
trip_error_type trip_error_from_denial(trip_breaker *breaker, trip_verdict verdict);

/* One attempt of trip_run's operation. */
typedef struct trip_attempt {
    unsigned number;         /* 1, 2, ... */
    uint64_t remaining_ns;   /* until the deadline; UINT64_MAX: no deadline */
    trip_error error;        /* written by the operation when it fails; after TRIP_TIMEOUT the type is a timeout's */
    uint64_t retry_after_ns; /* written by the operation when it fails: the server's Retry-After; 0: none */
    int cancel_fd;           /* as trip_call_fd; -1: nothing cuts this attempt short. When it becomes readable, the
                              * operation gives up and returns TRIP_CANCELLED */
    uint64_t reserved[3];
} trip_attempt;

/* The caller's operation: makes one attempt and returns its outcome, as for trip_end. */
typedef trip_outcome trip_operation(void *arg, trip_attempt *attempt);

/* What a caller of trip_run_with can do instead of the operation; NULL where it cannot. Each function gets the
 * operation's argument, in the caller's thread. */
typedef struct trip_fallbacks {
    /* Makes one attempt at another endpoint, and returns its outcome as the operation does. It is a call of the
     * endpoint's own breaker, with what is left of the deadline. */
    trip_outcome (*fetch)(void *arg, const char *endpoint, trip_attempt *attempt);
    /* Answers without these features, whose names have commas between them. False: the answer is one of them. */
    bool (*reduce)(void *arg, const char *features);
    /* Answers with this value, which is JSON of `size` bytes. False: it cannot be used here. */
    bool (*use)(void *arg, const char *value, size_t size);
    uint64_t reserved[4]; /* 0 */
} trip_fallbacks;

#define TRIP_TRIED_MAX 16

typedef struct trip_result {
    unsigned attempts;            /* attempts that were sent */
    trip_outcome outcome;         /* of the last attempt; TRIP_CANCELLED if none was sent */
    trip_verdict verdict;         /* of the last admission */
    trip_error_type error;        /* of the last failure; UNKNOWN if there was none */
    trip_retry_answer stopped_by; /* why there was no further retry; OPEN, LIMIT or DEADLINE also if the retry was
                                   * denied by `verdict`; AGAIN: no retry was needed */
    uint64_t elapsed_ns;
    trip_strategy strategy; /* which one answered; NONE: the dependency did, or nobody */
    unsigned tried_count;   /* strategies that did not answer; of these the first TRIP_TRIED_MAX */
    uint64_t age_ns;        /* how old the answer is; 0 unless it is cached */
    struct {
        trip_strategy strategy; /* NONE: there was none, or none further */
        trip_unanswered why;
    } tried[TRIP_TRIED_MAX];
    uint64_t reserved[2];
} trip_result;

/* For blocking code: asks for admission, runs the operation, reports its outcome and sleeps for the backoff, until the
 * operation succeeds or may not be retried. ret_result may be NULL, and is written also when an error is returned.
 *
 * If the operation was denied, failed, or was cut short, and the caller gave `fallbacks`, the breaker's chain of
 * strategies is tried in its order until one answers: for a denial as trip_error_from_denial says. A hedged attempt may
 * still run meanwhile, with the same argument.
 *
 * Returns 0 if the last outcome was ok or ignored, or a strategy answered, or
 *   -EAGAIN      the first attempt was denied: ret_result->verdict says by what
 *   -EIO         the last attempt failed
 *   -ECANCELED   the last attempt returned TRIP_CANCELLED */
int trip_run(trip_breaker *breaker, trip_operation *operation, void *arg, trip_result *ret_result);

/* Does what trip_run does, with options (NULL: none). Returns what trip_run returns. */
int trip_run_with(trip_breaker *breaker, const trip_options *options, trip_operation *operation, void *arg,
                  trip_result *ret_result);

/* --------------------------------------------------------------------------------------------------------- features */

/* A feature is a part of a program that a host can do without for a while: recommendations, a preview, a costly search.
 * Degradation levels switch it off, as tripd's config says (`features:`), or an operator does.
 *
 *     trip_feature_get(client, "recommendations", &feature);      once
 *     if (trip_feature_enabled(feature))                          at each request
 *
 * A feature belongs to its client, is valid until trip_close, and is never freed alone; asking for a name twice gives
 * the same pointer. A name that the config does not have is on, and follows the config once it has it. Without tripd a
 * feature stays as it was last known; a client that never attached has all of them on.
 *
 * Returns 0, or
 *   -EINVAL   `name` is not 1 to 127 letters, digits and . _ : / @ -
 *   -ENOMEM   there is no memory for the feature
 * It does not block. */
int trip_feature_get(trip_client *client, const char *name, trip_feature **ret_feature);

/* Returns whether the feature is on for any key at all. It costs a load, and is async-signal-safe. It does not look for
 * another tripd, as trip_allow does not: where a program calls nothing else of libtrip, one of the functions below, or
 * trip_client_status, does. */
bool trip_feature_enabled(const trip_feature *feature);

/* Returns whether the feature is on for this key: a user, a session. The same key gets the same answer in every process
 * of every host as long as the percentage stays, and whoever it is on for at 20 % it is on for at 50 %. libtrip(3) has
 * the hash. key NULL: as "". It does not block. */
bool trip_feature_enabled_for(const trip_feature *feature, const char *key);

/* Returns for how many permille of the keys the feature is on: 0 to 1000. It does not block. */
unsigned trip_feature_permille(const trip_feature *feature);

/* ---------------------------------------------------------------------------------------------------- what is known */

/* Writes state, mode, reason, rates and limits of a breaker as this process sees them. It does not block, and always
 * returns 0. */
int trip_breaker_info(trip_breaker *breaker, trip_info *ret_info);

/* Returns whether the client shares its breakers with other processes. It does not block. */
trip_client_state trip_client_status(trip_client *client);

/* For event loops: returns a descriptor that becomes readable when a breaker that this process uses has moved, so that
 * a server can take a peer out of its rotation before a call finds out. Poll it (poll, epoll, select), and then call
 * trip_client_next until it returns 0; do not read it, and do not close it. It belongs to the client and stays the same
 * until trip_close. A forked child calls trip_client_fd again and gets one of its own.
 *
 *     struct pollfd fd = {.fd = trip_client_fd(client), .events = POLLIN};
 *     while (poll(&fd, 1, -1) > 0)
 *         while (trip_client_next(client, &breaker, &state) > 0)
 *             printf("%s\n", trip_state_name(state));
 *
 * It may become readable though nothing has moved: when a breaker was asked for, and while tripd is away once a second,
 * so that trip_client_next attaches this process to the next tripd. It takes at most 100 ms.
 *
 * Returns the descriptor, or
 *   -EMFILE   this process has no descriptor left (-ENFILE: the system has none); the client needs three
 *   -ENOMEM   there is no memory
 *   -EBUSY    another thread held the client for 100 ms: try again */
int trip_client_fd(trip_client *client);

/* Says which breaker has moved since the last time that this said it; a breaker that moved and moved back meanwhile is
 * not said. At first each breaker counts as closed. It does not block; one thread at a time should call it, for each
 * move is said once.
 *
 * Returns 1 with *ret_breaker and *ret_state; 0: there is no more. */
int trip_client_next(trip_client *client, trip_breaker **ret_breaker, trip_state *ret_state);

/* Writes why the client is not SHARED, for a log or a health check: nobody listens at the socket's path; tripd refuses
 * this process, with tripd's reason; the layouts differ, with both versions; tripd was stopped, is dead or stalled;
 * this process has no descriptors left; the client is still attaching. The text is cut to `size` bytes with its NUL.
 * Returns the length of the whole text, as snprintf does; 0 and "" if the client is SHARED. It may take as long as
 * trip_open. */
int trip_client_why(trip_client *client, char *buffer, size_t size);

/* Returns the version of the loaded library, as "0.1.0"; the macros TRIP_VERSION_* are the header's. */
const char *trip_version(void);

/* Returns true for TRIP_ALLOW and TRIP_PROBE, false for all denials. */
bool trip_admitted(trip_verdict verdict);

/* Return the name that JSON shows, or "invalid" for a value outside the enumeration. The caller does not free it. */
const char *trip_verdict_name(trip_verdict verdict);
const char *trip_state_name(trip_state state);
const char *trip_mode_name(trip_mode mode);
const char *trip_outcome_name(trip_outcome outcome);
const char *trip_priority_name(trip_priority priority);
const char *trip_strategy_name(trip_strategy strategy);
const char *trip_unanswered_name(trip_unanswered why);
const char *trip_retry_answer_name(trip_retry_answer answer);
const char *trip_reason_name(trip_reason reason);
const char *trip_error_type_name(trip_error_type type);
const char *trip_client_state_name(trip_client_state state);

/* Return the error type of an errno (positive or negative) or of an HTTP status; TRIP_ERROR_UNKNOWN if no type fits, or
 * if the status is below 400. A 4xx other than 401, 403, 407, 408 and 429 is the caller's own fault: end such a call
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
