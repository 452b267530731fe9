#!/usr/bin/env bash
# Where io_uring is forbidden tripd says so and goes on with epoll and a helper thread for the doorbell.
set -euo pipefail
source "$(dirname "$0")/common.bash"

start "$TRIP_BUILD_DIR/tests/support/no_uring" "$TRIPD"
logged 'event loop: epoll.*io_uring is forbidden here' || fail "the fallback was not explained"
worker=$(worker)
[ "$(ls "/proc/$worker/task" | wc -l)" -eq 2 ] || fail "the doorbell's thread is missing"
kill -9 "$worker"
await "the next worker is ready" logged_times 2 'is ready'
stop
