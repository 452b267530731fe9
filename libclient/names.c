/* Names of what the enumerations hold, and errors by number. */
#include <errno.h>

#include "internal/error_names.h"

#define NAME_OF(suffix, name) name,

#define NAME_FUNCTION(function, type, X)                                                      \
    const char *function(type value)                                                          \
    {                                                                                         \
        static const char *const names[] = {X(NAME_OF)};                                      \
        return (unsigned)value < sizeof(names) / sizeof(names[0]) ? names[value] : "invalid"; \
    }

NAME_FUNCTION(trip_verdict_name, trip_verdict, TRIP_VERDICTS)
NAME_FUNCTION(trip_state_name, trip_state, TRIP_STATES)
NAME_FUNCTION(trip_mode_name, trip_mode, TRIP_MODES)
NAME_FUNCTION(trip_outcome_name, trip_outcome, TRIP_OUTCOMES)
NAME_FUNCTION(trip_reason_name, trip_reason, TRIP_REASONS)
NAME_FUNCTION(trip_priority_name, trip_priority, TRIP_PRIORITIES)
NAME_FUNCTION(trip_strategy_name, trip_strategy, TRIP_STRATEGIES)
NAME_FUNCTION(trip_unanswered_name, trip_unanswered, TRIP_UNANSWERED)
NAME_FUNCTION(trip_retry_answer_name, trip_retry_answer, TRIP_RETRIES)
NAME_FUNCTION(trip_client_state_name, trip_client_state, TRIP_CLIENT_STATUSES)

const char *trip_error_type_name(trip_error_type type)
{
    static const char *const names[] = {ERROR_NAMES};
    _Static_assert(sizeof(names) / sizeof(names[0]) == TRIP_ERROR_TYPE_COUNT, "a name for each type of error");
    return (unsigned)type < TRIP_ERROR_TYPE_COUNT ? names[type] : "invalid";
}

#define TEXT_OF(number)             #number
#define DOTTED(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *trip_version(void)
{
    return DOTTED(TRIP_VERSION_MAJOR, TRIP_VERSION_MINOR, TRIP_VERSION_PATCH);
}

trip_error_type trip_error_from_errno(int error)
{
    switch (error < 0 ? -(unsigned)error : (unsigned)error) {
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case ENETRESET:
    case ENOTCONN:
    case EPIPE:
    case EADDRNOTAVAIL:
    case ESHUTDOWN:
        return TRIP_ERROR_NETWORK;
    case ETIMEDOUT:
    case ETIME:
        return TRIP_ERROR_TIMEOUT;
    case EAGAIN:
    case EBUSY:
        return TRIP_ERROR_SERVICE_UNAVAILABLE;
    case ENOMEM:
    case ENOBUFS:
    case EMFILE:
    case ENFILE:
    case ENOSPC:
    case EDQUOT:
        return TRIP_ERROR_RESOURCE_EXHAUSTED;
    case EPROTO:
    case EBADMSG:
    case EPROTONOSUPPORT:
    case EPROTOTYPE:
    case EMSGSIZE:
    case EILSEQ:
        return TRIP_ERROR_PROTOCOL;
    case EACCES:
    case EPERM:
    case EKEYREJECTED:
    case EKEYEXPIRED:
        return TRIP_ERROR_AUTHENTICATION;
    default:
        return TRIP_ERROR_UNKNOWN;
    }
}

trip_error_type trip_error_from_http(int status)
{
    switch (status) {
    case 401:
    case 403:
    case 407:
        return TRIP_ERROR_AUTHENTICATION;
    case 408:
    case 504:
        return TRIP_ERROR_TIMEOUT;
    case 429:
        return TRIP_ERROR_RATE_LIMITED;
    case 502:
        return TRIP_ERROR_NETWORK;
    case 503:
        return TRIP_ERROR_SERVICE_UNAVAILABLE;
    case 507:
        return TRIP_ERROR_RESOURCE_EXHAUSTED;
    case 505:
        return TRIP_ERROR_PROTOCOL;
    default:
        return status >= 500 && status < 600 ? TRIP_ERROR_INTERNAL : TRIP_ERROR_UNKNOWN;
    }
}
