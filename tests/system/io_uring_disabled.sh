#!/usr/bin/env bash
# kernel.io_uring_disabled=1 forbids io_uring to users without rights: tripd says so, and uses epoll.
set -euo pipefail
source "$(dirname "$0")/common.bash"

setting=/proc/sys/kernel/io_uring_disabled
[ -e $setting ] || absent "this kernel has no kernel.io_uring_disabled (Linux 6.6)"
nobody_can_run

# The switch is the whole machine's: one test at a time changes it, and puts it back.
exec {turn}<$setting
flock "$turn"
before=$(cat $setting)
{ echo 1 >$setting; } 2>/dev/null || skip "kernel.io_uring_disabled cannot be set here"
trap 'echo "$before" >$setting; clean_up' EXIT

mkdir -m 777 "$folder/own"
export TRIP_RUNTIME_DIR=$folder/own TRIP_STATE_DIR=$folder/own TRIP_SHM_DIR=$folder/own
start "${nobody[@]}" "$folder/bin/tripd"
logged 'event loop: epoll.*io_uring is forbidden here \(see sysctl kernel.io_uring_disabled' ||
    fail "the fallback was not explained"
stop
