#!/usr/bin/env bash
# tripctl events --follow is told of each event as it comes, once and in order, over the deaths of workers and of tripd. A
# reader that stops holds nobody up: what the ring has lost meanwhile is told as lost.
set -euo pipefail
source "$(dirname "$0")/common.bash"

# follows NAME ARGUMENT...: a follower whose lines come into the file NAME; its pid is in $follower.
follows() {
    "$TRIPCTL" --json events --follow "${@:2}" >"$folder/$1" 2>>"$log" &
    follower=$!
    programs+=("$follower")
}
has_lines() { [ "$(wc -l <"$folder/$1")" -ge "$2" ]; }
sequences() { grep -o '"sequence":[0-9]*' "$folder/$1" | cut -d: -f2; }
# in_order NAME: each event follows the one before, but for those that were lost.
in_order() {
    awk -F'[:,]' '{lost = 0; for (i = 1; i < NF; i++) if ($i ~ /"lost"/) lost = $(i + 1) + 0
        for (i = 1; i < NF; i++) if ($i ~ /"sequence"/) now = $(i + 1) + 0
        if (now != last + lost + 1) exit 1; last = now}' "$folder/$1" || fail "$1 has events out of order: $(sequences "$1" | tr '\n' ' ')"
}

start
attached web
"$TRIPCTL" trip db >/dev/null
follows all
follows acts 'd*'
await "what was is printed" has_lines all 1
"$TRIPCTL" reset db >/dev/null
"$TRIPCTL" shadow db >/dev/null
shares web mail
says web ok record failure 5
await "each event is told" has_lines all 4
await "those of db are told" has_lines acts 3

# The worker is killed, then tripd: the follower goes on where it was.
kill -9 "$(worker)"
await "the next worker is ready" logged_times 2 'is ready'
"$TRIPCTL" reset mail >/dev/null
await "the next worker tells" has_lines all 5
stop
start
"$TRIPCTL" trip mail >/dev/null
await "the next tripd tells" has_lines all 6
in_order all
grep -v '"event":"incident"' "$folder/all" >"$folder/steps"
[ "$(wc -l <"$folder/steps")" -eq 6 ] || fail "there were six steps: $(cat "$folder/all")"

# A reader that is stopped: more events than the ring holds and than fit its queue.
follows slow 'storm/*'
kill -STOP "$follower"
for ((i = 0; i < 90; i++)); do
    echo "storm/$i"
done >"$folder/names"
while read -r name; do echo "$name S"; done <"$folder/names" | "$TRIP_BUILD_DIR/tests/support/report_outcomes" >/dev/null
for ((i = 0; i < 40; i++)); do
    "$TRIPCTL" trip 'storm/*' >/dev/null
    "$TRIPCTL" reset 'storm/*' >/dev/null
done
lines=$(wc -l <"$folder/all")
"$TRIPCTL" reset mail >/dev/null
await "the others are told all of it" has_lines all $((6 + 40 * 2 * 90 + 1))
kill -CONT "$follower"
before=$(of tripd.starts metrics)
told_all() { [ "$(sequences slow | tail -n 1)" -eq $(($(sequences all | tail -n 1) - 1)) ]; } # the last is of mail
await "the slow one is told the last" told_all
[ "$(of tripd.starts metrics)" = "$before" ] || fail "the worker died of it"
printf '%s of %s events came to the reader that was stopped; %s lines were there before\n' "$(wc -l <"$folder/slow")" $((40 * 2 * 90)) "$lines"
kill -9 "$follower" # readers may be killed at any time
"$TRIPCTL" trip mail >/dev/null
await "the others go on" has_lines all $((6 + 40 * 2 * 90 + 2))
in_order all
