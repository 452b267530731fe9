#!/usr/bin/env bash
# A call that cannot end in time is not sent: tripd measures what one process's calls take, and another process's call
# with less time is refused; it is no evidence, and 10 s later nobody is kept out.
set -euo pipefail
source "$(dirname "$0")/common.bash"

echo 'breakers: [{match: "db"}]' >"$folder/tripd.yaml"
start "$TRIPD" -c "$folder/tripd.yaml" --test-clock
attached a
attached b

# Twenty calls of 100 ms, each timed for it has a deadline.
for _ in {1..20}; do says a allow begin 60000; done
ends 0 "$TRIPCTL" clock advance 100ms
for _ in {1..20}; do says a ok end ok; done
measured() { [[ $(of limits.deadline_soonest_ms show db) == 67.1* ]]; } # where the latency bucket of 100 ms begins
ends 0 "$TRIPCTL" clock advance 1ms
measured || fail "tripd has not measured them"
says b deny_deadline begin 60
says b ok end failure
says b allow begin 100
says b ok end cancelled
says b allow begin
says b ok end cancelled
await "the refused call is counted" would_show 1 limits.deadline_rejected show db
shows 20 totals.calls show db
shows 0 totals.denied show db
shows 0 totals.failures show db

# Calls given up earlier do not look like fast ones; those that end earlier are.
fast_ones() {
    for _ in 1 2 3; do says b allow begin 60000; done
    ends 0 "$TRIPCTL" clock advance 20ms
    for _ in 1 2 3; do says b ok end "$1"; done
    ends 0 "$TRIPCTL" clock advance 1ms # counts and measures all that was reported
    shows "$2" totals.calls show db
}
fast_ones timeout 23
says b deny_deadline begin 60
says b ok end ok
fast_ones ok 26
says b allow begin 60
says b ok end cancelled

# Nobody measures any more: everyone may try again.
says b deny_deadline begin 10
ends 0 "$TRIPCTL" clock advance 10s
says b allow begin 10
shows null limits.deadline_soonest_ms show db
stop
