#!/usr/bin/env bash
# A host that loads libtrip for each request and unloads it after it, without closing its client: it stays one process
# with one lane, and no descriptor is lost.
set -euo pipefail
source "$(dirname "$0")/common.bash"

start
shown=$folder/shown
served() { [ "$(wc -l <"$shown")" -ge 20 ]; }
coproc host { exec "$TRIP_BUILD_DIR/tests/support/dlopen_often" "$TRIP_BUILD_DIR/libclient/libtrip.so.0" 20 >"$shown"; }
programs+=("$host_PID")
touch "$shown"
await "20 requests are served" served
lines=$(sort -u "$shown")
[[ $lines =~ ^shared\ allow\ shared\ allow\ [0-9]+$ ]] || fail "not all requests are the same: $(cat "$shown")"
shows 1 clients.count status
await "every call is counted" would_show 40 totals.calls show db
stop
