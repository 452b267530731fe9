#!/usr/bin/env bash
# `trip-bench impact` runs, and says of each row between what it lies. What it measures here is no verdict.
set -euo pipefail
source "$(dirname "$0")/common.bash"

"$TRIP_BENCH" --json --quick impact >"$folder/rows" || fail "trip-bench impact ends with $?"

row() { json_value "$1" <"$folder/rows"; }
[ "$(row 0.path)" = impact_throughput ] || fail "the first row is $(row 0.path)"
[ "$(row 1.path)" = impact_p99 ] || fail "the second row is $(row 1.path)"
for number in 0 1; do
    awk -v low="$(row $number.interval.0)" -v value="$(row $number.value)" -v high="$(row $number.interval.1)" \
        'BEGIN { exit !(0 < low && low <= value && value <= high) }' || fail "row $number is outside of its interval"
    [ "$(row $number.bound_ns)" != 0.0 ] || fail "row $number does not say what it is compared with"
done
row 2.path 2>/dev/null && fail "there is a third row"
cat "$folder/rows"
