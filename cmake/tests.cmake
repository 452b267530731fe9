# Tests are one line each. A test that cannot run here says why and exits 77, which ctest shows as skipped.
# A time-out is there for what hangs, far beyond what a busy machine needs.
# Labels: unit, concurrent (also run under ThreadSanitizer), system, torture, model, fuzz, slow, builds. They run in
# that order, so that what fails fast does; under a sanitizer each gets three times its time.

# trip_unit_test(test_breaker LIBS trip_core)
# A cmocka program made of SOURCES (test_breaker.c unless told). LABELS are added to `unit`.
function(trip_unit_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;LIBS;LABELS")
    if(NOT arg_SOURCES)
        set(arg_SOURCES ${name}.c)
    endif()
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE ${arg_LIBS} PkgConfig::cmocka Threads::Threads)
    add_test(NAME ${name} COMMAND ${name})
    trip_test_properties(${name} "unit;${arg_LABELS}" "${arg_TIMEOUT}" 300 FALSE)
endfunction()

# trip_script_test(second_daemon COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/second_daemon.sh)
# A system test: a script or program that starts real processes, which it finds through the environment below.
# LABELS stand in place of `system`; SERIAL is for what must not run beside others.
function(trip_script_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "SERIAL" "TIMEOUT" "COMMAND;LABELS")
    if(NOT arg_LABELS)
        set(arg_LABELS system)
    endif()
    add_test(NAME ${name} COMMAND ${arg_COMMAND})
    trip_test_properties(${name} "${arg_LABELS}" "${arg_TIMEOUT}" 600 ${arg_SERIAL})
endfunction()

function(trip_test_properties name labels timeout default_timeout serial)
    if(NOT timeout)
        set(timeout ${default_timeout})
    endif()
    if(TRIP_SANITIZE)
        math(EXPR timeout "${timeout} * 3")
    endif()
    set(cost 100) # ctest runs the costliest first
    if("unit" IN_LIST labels)
        set(cost 1000)
    elseif(labels MATCHES "torture|slow|model|fuzz")
        set(cost 10)
    elseif("builds" IN_LIST labels)
        set(cost 1)
    endif()
    set_tests_properties(${name} PROPERTIES LABELS "${labels}" COST ${cost} TIMEOUT ${timeout} SKIP_RETURN_CODE 77
        RUN_SERIAL ${serial} ENVIRONMENT "${TRIP_TEST_ENVIRONMENT}")
endfunction()

set(TRIP_TEST_ENVIRONMENT
    "TRIP_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
    "TRIP_BUILD_DIR=${PROJECT_BINARY_DIR}"
    "TRIPD=${PROJECT_BINARY_DIR}/daemon/tripd"
    "TRIPCTL=${PROJECT_BINARY_DIR}/tools/tripctl"
    "TRIPTOP=${PROJECT_BINARY_DIR}/tools/triptop"
    "TRIP_BENCH=${PROJECT_BINARY_DIR}/tools/trip-bench"
    "ASAN_OPTIONS=detect_leaks=1:abort_on_error=0"
    "UBSAN_OPTIONS=print_stacktrace=1"
    "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")
