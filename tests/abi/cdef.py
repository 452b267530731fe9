#!/usr/bin/python3
"""A program without a preprocessor uses libtrip by its declarations alone.

    tests/abi/cdef.py trip.cdef libtrip.so
"""
import os
import sys

try:
    import cffi
except ImportError:
    print("skipped: no cffi for Python; tools/setup installs it")
    sys.exit(1 if "CI" in os.environ else 77)

os.environ["TRIP_RUNTIME_DIR"] = "/nonexistent"
ffi = cffi.FFI()
ffi.cdef(open(sys.argv[1]).read())
trip = ffi.dlopen(sys.argv[2])
client, breaker, call = ffi.new("trip_client **"), ffi.new("trip_breaker **"), ffi.new("trip_call *")
assert trip.trip_open(client, b"cdef") == 0
assert trip.trip_breaker_get(client[0], b"db", breaker) == 0
for _ in range(5):
    assert trip.trip_begin(breaker[0], call) == trip.TRIP_ALLOW
    trip.trip_end(call, trip.TRIP_FAILURE)
assert trip.trip_begin_with(breaker[0], call, ffi.new("trip_options *")) == trip.TRIP_DENY_OPEN
assert ffi.string(trip.trip_verdict_name(trip.TRIP_DENY_OPEN)) == b"deny_open"
assert ffi.sizeof("trip_call") == 80
trip.trip_close(client[0])
