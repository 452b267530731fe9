#!/usr/bin/env bash
# A name service that takes its time holds nobody: at a reload, and when a worker is replaced, tripd goes on with what it
# knows, and takes up the new names when they are there.
set -euo pipefail
source "$(dirname "$0")/common.bash"
nobody_can_run
slow=$TRIP_BUILD_DIR/tests/support/libslow_names.so
threshold() { # threshold N REPORT
    printf 'access: {report: [%s]}\nbreakers:\n  - match: "*"\n    trip: {consecutive_failures: %s}\n' "$2" "$1" >"$folder/tripd.yaml"
}
goes_on() { # CLIENT: while the name service does not answer
    local beat
    ends 0 timeout 60 "$TRIPCTL" status
    beat=$(heartbeat)
    await "the heart beats" beaten $((beat + 2500000000))
    says "$1" ok record ok 1
    says "$1" shared status
    attached "$1-beside"
    kill_client "$1-beside"
}
beaten() { [ "$(heartbeat)" -ge "$1" ]; }

threshold 5 user:root
start env LD_PRELOAD="$slow" SLOW_NAMES="$folder/slow" "$TRIPD" -c "$folder/tripd.yaml"
attached honest

# A reload: the config of before stays in force until the names are known; who reloads is answered then.
touch "$folder/slow"
threshold 3 user:nobody
"$TRIPCTL" config reload >"$folder/reloaded" 2>&1 &
reload=$!
goes_on honest
shows 5 settings.consecutive_failures show db
kill -HUP "$keeper" # meanwhile another one
threshold 4 user:nobody
goes_on honest
! logged 'the config was read again' || fail "the config came into force without its names"
rm "$folder/slow"
await "the config is in force" would_show 4 settings.consecutive_failures show db
wait "$reload" || grep -q 'may still be carried out' "$folder/reloaded" || fail "the reload says: $(cat "$folder/reloaded")"
client nobody "${nobody[@]}" "$folder/bin/client"
says nobody ok open
shares nobody db
kill_client nobody

# A new worker takes the settings of the file, without waiting for names.
touch "$folder/slow"

threshold 6 user:root,user:daemon
readies=$(grep -c 'is ready' "$log")
kill -9 "$(worker)"
await "the next worker is ready" logged_times $((readies + 1)) 'is ready'
await "the client is attached again" would_say honest shared status
shows 6 settings.consecutive_failures show db
goes_on honest
rm "$folder/slow"
await "the names are looked up after all" logged_times 2 'the config was read again'
stop
