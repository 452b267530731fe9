#!/usr/bin/env bash
# A table and lanes that are used up are logged once each, counted, and shown with the limit to raise. A reload moves the
# bounds, both ways, under the breakers and processes that are there.
set -euo pipefail
source "$(dirname "$0")/common.bash"

config=$folder/tripd.yaml
echo 'limits: {max_breakers: 2, max_lanes: 1}' >"$config"
start "$TRIPD" -c "$config"
tool() { "$TRIPCTL" "$@" >"$folder/printed" || fail "tripctl $* ended with $?"; }
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
refused_twice() { tool status && grep -qE '([2-9]|[1-9][0-9]+) times limits.max_lanes was used up: raise it' "$folder/printed"; }
await "it is refused again" refused_twice
kill "$more"
logged 'limits.max_lanes is used up: 1 processes are attached' || fail "the log does not say that lanes are used up"
printed "              2 times limits.max_breakers was used up: raise it"
[ "$(grep -c 'is used up' "$log")" -eq 2 ] || fail "the log says it again and again"
tool list
printed "2 times limits.max_breakers, which is 2, was used up: raise it"

echo 'limits: {max_breakers: 4, max_lanes: 3}' >"$config"
tool config reload
printed "reloaded"
tool config show
grep -q 'max_breakers: 4\>' "$folder/printed" || fail "the config does not show the bound"
attached second
says second ok breaker d
await "d fits" would_say second shared source
await "both processes and four breakers are counted" would_show 4 breakers.count status # a, b, db, d
shows 2 clients.count status
shows 3 clients.most status

echo 'limits: {max_breakers: 1, max_lanes: 2}' >"$config"
tool config reload
shows 1 breakers.most status
shows 4 breakers.count status
says second ok record failure 5
says second deny_open allow
await "tripd counts what is beyond the bound, too" would_show open state show d
says second ok breaker e
says second unreported source
client third
says third ok open
await "there is no lane for a third process" would_say third unreported status
shows 2 clients.count status
tool status
grep -q "  config      $config of " "$folder/printed" || fail "status does not name the config file"
stop
