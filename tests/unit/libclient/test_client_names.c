/* Names for people and JSON, and errors by number. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trip.h"

static void test_each_value_has_the_name_of_the_contract(void **state)
{
    (void)state;
    assert_string_equal(trip_verdict_name(TRIP_ALLOW), "allow");
    assert_string_equal(trip_verdict_name(TRIP_PROBE), "probe");
    assert_string_equal(trip_verdict_name(TRIP_DENY_HALF_OPEN), "deny_half_open");
    assert_string_equal(trip_verdict_name(TRIP_DENY_DEADLINE), "deny_deadline");
    assert_string_equal(trip_state_name(TRIP_STATE_HALF_OPEN), "half_open");
    assert_string_equal(trip_mode_name(TRIP_MODE_FORCED_OPEN), "forced_open");
    assert_string_equal(trip_outcome_name(TRIP_TIMEOUT), "timeout");
    assert_string_equal(trip_reason_name(TRIP_REASON_PROBE_FAILED), "probe_failed");
    assert_string_equal(trip_client_state_name(TRIP_CLIENT_DAEMON_AWAY), "daemon_away");
    assert_string_equal(trip_error_type_name(TRIP_ERROR_RATE_LIMITED), "rate_limited");
    assert_string_equal(trip_error_type_name(TRIP_ERROR_USER), "user_0");
    assert_string_equal(trip_error_type_name((trip_error_type)(TRIP_ERROR_USER + 15)), "user_15");
}

static void test_values_outside_their_enumeration_are_invalid(void **state)
{
    (void)state;
    assert_string_equal(trip_verdict_name((trip_verdict)99), "invalid");
    assert_string_equal(trip_state_name((trip_state)-1), "invalid");
    assert_string_equal(trip_mode_name(TRIP_MODE_COUNT), "invalid");
    assert_string_equal(trip_outcome_name(TRIP_OUTCOME_COUNT), "invalid");
    assert_string_equal(trip_reason_name(TRIP_REASON_COUNT), "invalid");
    assert_string_equal(trip_client_state_name(TRIP_CLIENT_COUNT), "invalid");
    assert_string_equal(trip_error_type_name(TRIP_ERROR_TYPE_COUNT), "invalid");
}

static void test_only_allow_and_probe_are_admissions(void **state)
{
    (void)state;
    for (int verdict = 0; verdict < TRIP_VERDICT_COUNT; verdict++)
        assert_int_equal(trip_admitted((trip_verdict)verdict), verdict < 2);
}

static void test_errno_is_mapped_with_either_sign(void **state)
{
    (void)state;
    assert_int_equal(trip_error_from_errno(ECONNREFUSED), TRIP_ERROR_NETWORK);
    assert_int_equal(trip_error_from_errno(-ECONNRESET), TRIP_ERROR_NETWORK);
    assert_int_equal(trip_error_from_errno(-ETIMEDOUT), TRIP_ERROR_TIMEOUT);
    assert_int_equal(trip_error_from_errno(ENOMEM), TRIP_ERROR_RESOURCE_EXHAUSTED);
    assert_int_equal(trip_error_from_errno(EACCES), TRIP_ERROR_AUTHENTICATION);
    assert_int_equal(trip_error_from_errno(EBADMSG), TRIP_ERROR_PROTOCOL);
    assert_int_equal(trip_error_from_errno(0), TRIP_ERROR_UNKNOWN);
    assert_int_equal(trip_error_from_errno(ENOTTY), TRIP_ERROR_UNKNOWN);
    assert_int_equal(trip_error_from_errno(INT32_MIN), TRIP_ERROR_UNKNOWN);
}

static void test_http_status_is_mapped(void **state)
{
    (void)state;
    assert_int_equal(trip_error_from_http(200), TRIP_ERROR_UNKNOWN);
    assert_int_equal(trip_error_from_http(401), TRIP_ERROR_AUTHENTICATION);
    assert_int_equal(trip_error_from_http(404), TRIP_ERROR_UNKNOWN);
    assert_int_equal(trip_error_from_http(408), TRIP_ERROR_TIMEOUT);
    assert_int_equal(trip_error_from_http(429), TRIP_ERROR_RATE_LIMITED);
    assert_int_equal(trip_error_from_http(500), TRIP_ERROR_INTERNAL);
    assert_int_equal(trip_error_from_http(503), TRIP_ERROR_SERVICE_UNAVAILABLE);
    assert_int_equal(trip_error_from_http(504), TRIP_ERROR_TIMEOUT);
    assert_int_equal(trip_error_from_http(600), TRIP_ERROR_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_value_has_the_name_of_the_contract),
        cmocka_unit_test(test_values_outside_their_enumeration_are_invalid),
        cmocka_unit_test(test_only_allow_and_probe_are_admissions),
        cmocka_unit_test(test_errno_is_mapped_with_either_sign),
        cmocka_unit_test(test_http_status_is_mapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
