#!/usr/bin/env bash
# triptop plays back what tripctl record wrote: it goes on by itself, faster or slower, stands still, steps and seeks in
# both directions, and shows each pane as it was; nothing can be changed in it.
set -euo pipefail
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/screen.bash"
cat >"$folder/tripd.yaml" <<'END'
breakers: [{match: "*", open: {for: 1h, max: 1h, multiplier: 1.0}}]
END
start "$TRIPD" -c "$folder/tripd.yaml"
attached web
"$TRIPCTL" record "$folder/outage" --every 100ms >"$folder/result" 2>>"$log" &
recorder=$!
programs+=("$recorder")
recorded() { "$TRIP_BUILD_DIR/tests/support/recorded" "$folder/outage" >"$folder/looks" 2>>"$log" && grep -q "$1" "$folder/looks"; }
await "a look at the closed breaker" recorded '"db":"closed"'
for ((i = 0; i < 5; i++)); do says web ok error network connection_refused; done
await "a look at the open breaker" recorded '"db":"open"'
ends 0 "$TRIPCTL" reset db --reason drill
closed_again() { recorded '"db":"open"' && [[ $(tail -n 2 "$folder/looks") == *'"db":"closed"'* ]]; }
await "a look at it closed again" closed_again
kill -INT "$recorder"
wait "$recorder" || fail "the recorder ends with $?"
kill_client web
stop
rm "$segment"

# It plays up to its end, and waits there.
opens "$TRIPTOP" --replay "$folder/outage"
sees 0 0 'outage  running  1 process * of *, 1x, end'
sees 7 0 'db                 ● closed'
sees 23 0 'F1 help / find \\ filter t tree F6 sort \[ back \] on . step } faster q quit'
keys x
sees 23 0 'nothing can be changed in a file'
# A step back stops it; many of them come to the open breaker, and to the time before.
keys ,
sees 5 74 paused
misses ', end'
steps_to() { # steps_to KEY STATE: a step changes the time in the first row
    until is_at 7 19 "$2"; do
        before=$(line 0)
        keys "$1"
        await "it goes a step" moved
    done
}
moved() { [ "$(line 0)" != "$before" ]; }
# A look takes a moment: the one in which tripd moved a breaker may have its state of before, and the event already.
steps_to , '✖ open'
keys F4
finds '  db  closed -> open (consecutive), by client'
keys F5
finds 'connection refused'
keys F2
steps_to , '● closed'
keys '['
sees 0 40 '* 0ms of *, 1x'
keys F4
sees 7 0 'nothing has happened yet'
keys F2
steps_to . '✖ open'
keys F4
misses '  db  open -> closed'
keys F2

# Ten seconds back is its beginning, ten seconds on its end.
keys '['
sees 0 40 '* 0ms of *, 1x'
sees 7 0 'db                 ● closed'
sees 5 74 paused
keys ]
sees 0 40 '*, 1x, end'
keys F4
finds '  db  open -> closed, by operator root: drill'
keys F2

# Slower and faster. From its beginning it goes on by itself when it is paused no more.
keys '{' '{'
sees 0 40 '*, 0.25x, end'
keys '}' '}' '}' '}' '}'
sees 0 40 '*, 8x, end'
keys '['
sees 0 40 '* 0ms of *, 8x'
keys Z
sees 0 40 '*, 8x, end'
misses paused
keys q
closed 0

# triptop refuses a file that is no recording.
ends 1 "$TRIPTOP" --replay "$folder/none"
[[ $said == "triptop: $folder/none: "* ]] || fail "it says: $said"
ends 1 "$TRIPTOP" --replay "$folder/tripd.yaml"
[[ $said == "triptop: "*tripd.yaml* ]] || fail "it says: $said"
