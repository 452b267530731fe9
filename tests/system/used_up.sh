#!/usr/bin/env bash
# A table and lanes that are used up are logged once each, counted, and shown with the limit to raise; a limit that a
# reload cannot change is said, and the config shows what is in force.
set -euo pipefail
source "$(dirname "$0")/common.bash"

config=$folder/tripd.yaml
echo 'limits: {max_breakers: 2, max_lanes: 1}' >"$config"
start "$TRIPD" -c "$config"
ask() { "$TRIPCTL" "$@" >"$folder/printed" || fail "tripctl $* ended with $?"; }
printed() { grep -qxF -- "$1" "$folder/printed" || fail "not printed: \"$1\" but $(cat "$folder/printed")"; }

coproc client { exec "$TRIP_BUILD_DIR/tests/support/report_outcomes"; }
for name in a b c d; do
    echo "$name S" >&"${client[1]}"
    read -r -t 30 _ <&"${client[0]}" || fail "the client did not report"
done
await "the table is used up" logged 'limits.max_breakers is used up: 2 breakers are there, and "c" does not fit'
"$TRIP_BUILD_DIR/tests/support/report_outcomes" <<<"a S" >/dev/null 2>&1 & # tries again and again
more=$!
trap 'kill "$more" 2>/dev/null || true; clean_up' EXIT
refused_twice() { ask status && grep -qE '([2-9]|[1-9][0-9]+) times limits.max_lanes was used up: raise it' "$folder/printed"; }
await "it is refused again" refused_twice
kill "$more"
logged 'limits.max_lanes is used up: 1 processes are attached' || fail "the log does not say that lanes are used up"
printed "              2 times limits.max_breakers was used up: raise it"
[ "$(grep -c 'is used up' "$log")" -eq 2 ] || fail "the log says it again and again"
ask list
printed "2 times limits.max_breakers, which is 2, was used up: raise it"

echo 'limits: {max_breakers: 9, max_lanes: 1}' >"$config"
ask config reload
printed "limits.max_breakers and limits.max_lanes stay 2 and 1 until the segment is made anew"
printed "reloaded"
ask config show
grep -q 'max_breakers: 2\>' "$folder/printed" || fail "the config shows a limit that is not in force"
ask status
grep -q "  config      $config of " "$folder/printed" || fail "status does not name the config file"
stop
