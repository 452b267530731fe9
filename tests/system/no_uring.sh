#!/usr/bin/env bash
# Where io_uring is forbidden, or not there, tripd says so and goes on with epoll and a helper thread for the doorbell.
set -euo pipefail
source "$(dirname "$0")/common.bash"

declare -A why=([EPERM]='io_uring is forbidden here' [ENOSYS]='this kernel has no io_uring, or a seccomp filter hides it')
for error in EPERM ENOSYS; do
    : >"$log"
    start "$TRIP_BUILD_DIR/tests/support/no_uring" "$error" "$TRIPD"
    logged "event loop: epoll.*${why[$error]}" || fail "the fallback was not explained"
    worker=$(worker)
    [ "$(ls "/proc/$worker/task" | wc -l)" -eq 3 ] || # with the loop and the one that closes
        fail "the doorbell's thread is missing"

    # Clients are heard: failures ring the doorbell, which wakes tripd to judge their rate.
    attached "$error"
    shares "$error" "rate/$error"
    says "$error" ok record ok 6
    says "$error" ok record failure 4
    says "$error" ok record ok 1
    says "$error" ok record failure 4
    await "tripd opens the breaker" would_show open state show "rate/$error"
    shows failure_rate reason show "rate/$error"
    says "$error" deny_open allow

    kill -9 "$worker"
    await "the next worker is ready" logged_times 2 'is ready'
    await "the client is attached to it" would_say "$error" shared status
    stop
done
