#!/usr/bin/env bash
# A container needs only the folder of the control socket: all memory comes over it. Sockets are tried in the order of
# $TRIP_RUNTIME_DIR and $XDG_RUNTIME_DIR/tripd.
set -euo pipefail
source "$(dirname "$0")/common.bash"

start
attached inside
client contained env TRIP_SHM_DIR=/nonexistent TRIP_STATE_DIR=/nonexistent "$TRIP_BUILD_DIR/tests/support/client"
says contained ok open
shares contained db
says inside ok record failure 4
says contained allow allow
says contained ok record failure 1
says inside deny_open allow
says contained deny_open allow
shows 5 totals.calls show db

# A user's own tripd is found in XDG_RUNTIME_DIR, unless TRIP_RUNTIME_DIR says otherwise.
mkdir "$folder/run" "$folder/run/tripd"
ln -s "$socket" "$folder/run/tripd/"
client user env -u TRIP_RUNTIME_DIR XDG_RUNTIME_DIR="$folder/run" "$TRIP_BUILD_DIR/tests/support/client"
says user ok open
shares user db
says user deny_open allow
client astray env TRIP_RUNTIME_DIR="$folder/nowhere" XDG_RUNTIME_DIR="$folder/run" "$TRIP_BUILD_DIR/tests/support/client"
says astray ok open
says astray ok breaker db
says astray private status
says astray allow allow

# -i and $TRIP_INSTANCE name the instance, and nothing else does; an invalid name is refused.
client other env TRIP_INSTANCE=other "$TRIP_BUILD_DIR/tests/support/client"
says other EINVAL open no/name
says other ok open
says other private status
client named env TRIP_INSTANCE=other "$TRIP_BUILD_DIR/tests/support/client"
says named ok open "$TRIP_INSTANCE"
shares named db
says named EINVAL breaker 'no*name'
says named deny_open allow
stop

# tripctl's verbs that look say there what they say where the segment is, over the socket.
echo 'breakers: [{match: "*", open: {for: 2m, jitter: 0%}}]' >"$folder/tripd.yaml"
rm "$segment"
start "$TRIPD" -c "$folder/tripd.yaml" --test-clock
attached here
for ((i = 0; i < 120; i++)); do says here ok breaker "many/$i"; done # more than a page
says here ok breaker db
says here ok record failure 5
"$TRIPCTL" shadow 'later/*' --reason trial >/dev/null
"$TRIPCTL" force-open many/7 --reason drill >/dev/null
settled() { grep -q '"meters":1' <<<"$("$TRIPCTL" --json clients)"; } # heartbeats change no answer any more
await "a heartbeat has seen what the process uses" settled
set -f
for verb in list 'list many/1?' 'list later/*' 'show db' 'show many/7' events 'events d*' clients 'wait db --state open'; do
    # shellcheck disable=SC2086 # words
    alike $verb
    # shellcheck disable=SC2086
    [[ $verb == wait* ]] || alike --json $verb
done
set +f
there() { ends "$1" env TRIP_SHM_DIR=/nonexistent "$TRIPCTL" "${@:3}"; [[ $said == *"$2"* ]] || fail "it says: $said"; }
there 0 'running' status
there 1 'no breaker is named nobody' show nobody
there 1 'no breaker matches nobody' list nobody
there 0 'no breaker matches n*' list 'n*'
there 0 'no change of nobody is known' events nobody
there 1 'db is open, not closed, after ' wait db --state closed --timeout 100ms
there 1 'no breaker is named nobody after ' wait nobody --state open --timeout 100ms
env TRIP_SHM_DIR=/nonexistent "$TRIPCTL" --json events --follow >"$folder/followed" 2>>"$log" &
programs+=($!)
followed() { [ "$(wc -l <"$folder/followed")" -eq "$1" ]; }
await "what was is printed" followed 2
mode=$(tail -n 1 "$folder/followed")
[ "$(json_value event <<<"$mode") $(json_value to <<<"$mode") $(json_value note <<<"$mode")" = "mode forced_open drill" ] ||
    fail "the event of the mode says: $mode"
"$TRIPCTL" reset db >/dev/null
await "what comes is printed" followed 3
[ "$(tail -n 1 "$folder/followed" | json_value to)" = closed ] || fail "the event says: $(tail -n 1 "$folder/followed")"

stop
there 3 'no tripd has run' list
