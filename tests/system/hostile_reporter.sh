#!/usr/bin/env bash
# A reporter that keeps to none of libtrip's promises may move states, as its reports could. It takes nothing else from
# the others: they attach, their calls are counted, their trips arrive.
set -euo pipefail
source "$(dirname "$0")/common.bash"
nobody_can_run
cp "$TRIP_BUILD_DIR/tests/support/hostile_reporter" "$folder/bin/"

cat >"$folder/tripd.yaml" <<'END'
access: {report: [any]}
END
start "$TRIPD" -c "$folder/tripd.yaml"

hostile() { client "$1" "${nobody[@]}" "$folder/bin/hostile_reporter" "$socket"; }

# What it writes over the head of the commons keeps nobody out, and delays nobody's trip for ever.
attached first
hostile scribbler
says scribbler ok hello
says scribbler ok scribble
attached second
says second ok record failure 5
await "the trip arrives" would_say first deny_open allow
ends 0 "$TRIPCTL" reset db
kill_client scribbler

stop
