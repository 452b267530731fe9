#!/usr/bin/env bash
# Records the demo's outage, for replay_outage.sh: 8 workers share a breaker, their upstream is killed and comes back.
set -euo pipefail
source "$(dirname "$0")/../system/common.bash"

recording=$1
rm -f "$recording"
printf 'breakers: [{match: "*", open: {for: 2s}, retry: {attempts: 1}}]\n' >"$folder/tripd.yaml"
start "$TRIPD" -c "$folder/tripd.yaml"
"$TRIPCTL" record "$recording" --every 100ms >"$folder/result" 2>"$folder/said" &
recorder=$!
programs+=("$recorder")
await "the recording began" grep -qs 'recording to' "$folder/said"
"$TRIP_BUILD_DIR/tests/demo/outage" --workers 8 --fault kill --breaker shared/kill-8 >"$folder/numbers" 2>>"$log" ||
    fail "the outage did not run through"
ends 0 "$TRIPCTL" wait shared/kill-8 --state closed --timeout 1m
sleep 0.3 # a look or two at the end of it: none more is waited for
kill -INT "$recorder"
wait "$recorder" || fail "the recorder: $(cat "$folder/said")"
stop
