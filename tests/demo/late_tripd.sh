#!/usr/bin/env bash
# On a busy machine tripd answers later than trip_open waits: the demo's workers wait for it, and then measure.
set -euo pipefail
source "$(dirname "$0")/../system/common.bash"

cat >"$folder/tripd.yaml" <<'END'
breakers: [{match: "*", concurrency: {max: 10}}]
END
start "$TRIPD" -c "$folder/tripd.yaml"
worker=$(worker)
kill -STOP "$worker"
"$TRIP_BUILD_DIR/tests/demo/overload" --workers 8 --fault slow --breaker shared/late >"$folder/numbers" 2>>"$log" &
measuring=$!
programs+=("$measuring")
sleep 1 # ten times as long as trip_open waits
alive "$measuring" || fail "the demo did not wait for tripd"
kill -CONT "$worker"
wait "$measuring" || fail "the demo failed"
grep -q '^load_ms=.* requests=' "$folder/numbers" || fail "the demo measured nothing: $(cat "$folder/numbers")"
stop
