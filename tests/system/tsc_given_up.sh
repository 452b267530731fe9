#!/usr/bin/env bash
# A TSC that the kernel gives up is given up by tripd, once and for good: calls in flight end as they are, and new ones are
# timed by the kernel's clock.
set -euo pipefail
source "$(dirname "$0")/common.bash"

echo 'breakers: [{match: "db", trip: {slow_rate: 50%, slow_after: 60s}}]' >"$folder/tripd.yaml"
start env LD_PRELOAD="$TRIP_BUILD_DIR/tests/support/libno_tsc.so" NO_TSC="$folder/no-tsc" "$TRIPD" -c "$folder/tripd.yaml"
if would_show monotonic timer status; then
    stop # there is none to give up
    exit 0
fi
shows tsc timer status
attached a
says a allow begin
touch "$folder/no-tsc"
await "the TSC is given up" would_show tsc_given_up timer status
says a allow begin
says a ok end ok
says a ok end ok
await "both calls are counted" would_show 2 totals.ok show db
shows 0 totals.slow show db
shows 2 latency.calls show db

# For as long as the segment lives, also when the kernel lists it again and another worker is there.
rm "$folder/no-tsc"
kill -9 "$(of worker_pid status)"
await "another worker is there" would_show 2 starts status
shows tsc_given_up timer status
[ "$(grep -c 'the TSC is given up for this segment' "$log")" = 1 ] || fail "the log does not say it once"
stop
