#!/usr/bin/env bash
# tripctl record writes down what can be seen in a segment, and it can be read back: an outage, by a recorder that is
# interrupted, one that is killed, and ones that end by themselves; over the end of tripd, and into the next one's segment.
set -euo pipefail
source "$(dirname "$0")/common.bash"

config=$folder/tripd.yaml
cat >"$config" <<'YAML'
limits: {max_breakers: 16000}
breakers: [{match: "*", trip: {consecutive_failures: 5}, open: {for: 30s, jitter: 0%}}]
YAML

# record FILE ARGUMENT...: a recorder in the background, from when it says that it began. $recorder is its pid.
record() {
    rm -f "$folder/said"
    "$TRIPCTL" record "$@" >"$folder/result" 2>"$folder/said" &
    recorder=$!
    programs+=("$recorder")
    await "the recording began" grep -qs 'recording to' "$folder/said"
}
# ended STATUS: how the recorder ended.
ended() {
    local status=0
    wait "$recorder" || status=$?
    [ "$status" -eq "$1" ] || fail "record ended with $status instead of $1: $(cat "$folder/said")"
}
recorded() { "$TRIP_BUILD_DIR/tests/support/recorded" "$1" >"$folder/looks" 2>"$folder/why"; }
has_look() { recorded "$1" && grep -q -- "$2" "$folder/looks"; }
looks() { grep -c '"frame"' "$folder/looks"; }

# Without a segment it says what all verbs say, and makes no file.
ends 3 "$TRIPCTL" record "$folder/none"
[[ $said = *"no tripd has run as instance"* ]] || fail "without a segment it says: $said"
[ ! -e "$folder/none" ] || fail "a recording of nothing was made"

start "$TRIPD" -c "$config" --test-clock
attached web
record "$folder/outage" --every 100ms
await "a look at a closed breaker" has_look "$folder/outage" '"breakers":{"db":"closed"},"error":null'

# Another one, which will be killed, records the same.
"$TRIPCTL" record "$folder/killed" --every 100ms 2>>"$log" &
killed=$!
programs+=("$killed")
await "the other one looks" has_look "$folder/killed" '"db":"closed"'

for _ in 1 2 3 4 5; do
    says web ok error network connection_refused
done
await "a look at the open breaker" has_look "$folder/outage" '"breakers":{"db":"open"},"error":"connection refused"'
await "the other one sees it" has_look "$folder/killed" '"breakers":{"db":"open"},"error":"connection refused"'
kill -9 "$killed"
wait "$killed" 2>/dev/null || true
recorded "$folder/killed" || fail "what a killed recorder left cannot be read: $(cat "$folder/why")"
grep -q '"breakers":{"db":"open"},"error":"connection refused"' "$folder/looks" || fail "the killed one's looks have gone"
# Cut within its last whole look, it has all but that one.
count=$(looks) cut=$(sed -n 's/^{"cut":\([0-9]*\)}$/\1/p' "$folder/looks")
truncate -s -$((cut + 5)) "$folder/killed"
recorded "$folder/killed"
[ "$(looks)" -eq $((count - 1)) ] || fail "of $count looks $(looks) are left"
! grep -qx '{"cut":0}' "$folder/looks" || fail "nobody is told that the file is cut"

# Time is that of the look.
"$TRIPCTL" clock advance 31s >"$folder/clock"
await "a look at the breaker half a minute later" has_look "$folder/outage" '"now_ms":31[0-9]*,"daemon":"running",.*"db":"half_open"'

# tripd is killed; its segment is looked at all the same; and so is the one that the next tripd makes.
kill_both
await "a look at a dead tripd" has_look "$folder/outage" '"daemon":"dead"'
first=$(segment_id)
printf 'another boot 123' | dd of="$segment" bs=1 seek="$boot_id_at" conv=notrunc status=none
start "$TRIPD" -c "$config" --test-clock
[ "$(segment_id)" != "$first" ] || fail "the next tripd did not make another segment"
segments() { recorded "$folder/outage" && [ "$(grep -o '"segment":[0-9]*' "$folder/looks" | sort -u | wc -l)" -eq 2 ]; }
await "a look at the next segment" segments
kill -INT "$recorder"
ended 0
grep -qE '^[0-9]+ looks over [0-9hms.]+, [0-9]+ KiB; interrupted$' "$folder/result" || fail "it says: $(cat "$folder/result")"
recorded "$folder/outage"
grep -qx '{"cut":0}' "$folder/looks" || fail "an interrupted recording is cut"
[ "$(looks)" -eq "$(grep -oE '^[0-9]+' "$folder/result")" ] || fail "it says $(cat "$folder/result"), and has $(looks)"
[ "$(stat -c %a "$folder/outage")" = 600 ] || fail "others may read the recording"

# It ends by itself, and says why.
record "$folder/short" --every 100ms --for 1s --json
ended 0
[ "$(json_value ended <"$folder/result")" = for ] || fail "--for ends it with $(cat "$folder/result")"
recorded "$folder/short"
[ "$(looks)" -eq "$(json_value looks <"$folder/result")" ] || fail "$(cat "$folder/result"), and there are $(looks)"
client load
says load ok open
ask load breakers 6000 >"$folder/shared" # those that take longer are shared later
many() { [ "$(of breakers.count status)" -ge 6000 ]; }
await "there are 6,000 breakers" many
ends 1 "$TRIPCTL" record "$folder/small" --most 64KiB --for 1s
[[ $said = *"larger than --most 64KiB"* && ! -e $folder/small ]] || fail "a look at 6,000 breakers: $said"
ends 0 "$TRIPCTL" record "$folder/bounded" --most 1MiB --for 100ms
ends 1 "$TRIPCTL" record "$folder/bounded" --for 100ms
[[ $said = *"$folder/bounded is there, and a recording replaces nothing"* ]] || fail "a file that is there: $said"
