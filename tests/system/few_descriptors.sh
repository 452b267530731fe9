#!/usr/bin/env bash
# Descriptors run out: an error at start that says what to do, or clients that find no place, and have one later.
set -euo pipefail
source "$(dirname "$0")/common.bash"

for most in 10 11 12; do # the keeper, its worker, and what the worker opens
    : >"$log"
    refused 1 bash -c "ulimit -n $most; exec \"\$TRIPD\""
    logged 'Too many open files; raise LimitNOFILE=' || fail "a start with $most descriptors does not say what to do"
done

start bash -c 'ulimit -n 64; exec "$TRIPD"'
logged '64 descriptors are not enough for limits.max_lanes' || fail "the warning is missing"
worker=$(worker)
states=$folder/states
touch "$states"
printed() { [ "$(wc -l <"$states")" -ge "$1" ]; }
clients() {
    : >"$states"
    mkfifo "$folder/stay"
    "$TRIP_BUILD_DIR/tests/support/attach_many" "$1" <"$folder/stay" >"$states" &
    many=$!
    exec 9>"$folder/stay"
    rm "$folder/stay"
    await "all of $1 clients know their state" printed "$1"
}

clients 40
shared=$(grep -c '^shared$' "$states" || true)
[ "$shared" -ge 10 ] && [ "$shared" -lt 40 ] || fail "$shared of 40 clients found a place among 64 descriptors"
alive "$keeper" && alive "$worker" || fail "tripd did not survive"
exec 9>&-
wait "$many"
clients 5
[ "$(grep -c '^shared$' "$states")" -eq 5 ] || fail "clients that came later found no place: $(sort "$states" | uniq -c)"
[ "$(worker)" = "$worker" ] || fail "the worker was replaced"
exec 9>&-
wait "$many"
stop
