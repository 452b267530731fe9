#!/usr/bin/env bash
# An outage of a real tripd, traced and replayed: `tripctl simulate` with the same config finds the transitions that
# `tripctl events` shows, at the same times and for the same reasons. And what tripctl trace does at its end.
set -euo pipefail
source "$(dirname "$0")/common.bash"

config=$folder/tripd.yaml
cat >"$config" <<'END'
breakers:
  - match: "*"
    trip: {consecutive_failures: 5, failure_rate: 50%, slow_rate: 50%, slow_after: 1s}
    open: {for: 30s, jitter: 0%}
END
start "$TRIPD" --test-clock -c "$config"

# trace ARGUMENTS...: tripctl trace in the background, from when it says that it began. $tracer is its pid.
trace() {
    rm -f "$folder/said"
    "$TRIPCTL" trace "$@" 2>"$folder/said" &
    tracer=$!
    await "the trace began" grep -qs 'tracing to' "$folder/said"
}
# ended STATUS
ended() {
    local status=0
    wait "$tracer" || status=$?
    tracer=
    [ "$status" -eq "$1" ] || fail "trace ended with $status instead of $1: $(cat "$folder/said")"
}
trap '[ -z "${tracer:-}" ] || kill "$tracer" 2>/dev/null || true; clean_up' EXIT

coproc client { exec "$TRIP_BUILD_DIR/tests/support/report_outcomes"; }
report() {
    local answer
    echo "$*" >&"${client[1]}"
    read -r -t 30 answer <&"${client[0]}" || fail "the client did not report $*"
    "$TRIPCTL" status --json >"$folder/status" # tripd has counted it
}
advance() { "$TRIPCTL" clock advance "$1" >"$folder/clock"; }

# "T FROM>TO REASON", a line each.
transitions() {
    tr '{' '\n' | sed -n 's/.*"t_ms":\([0-9]*\).*"from":"\([a-z_]*\)","to":"\([a-z_]*\)","reason":"\([a-z_]*\)".*/\1 \2>\3 \4/p'
}

trace "$folder/outage" 'd*'
report db SSSSSSSSSSFFFFSFF
report mail FFFFFF # not asked for
advance 100ms
report db TTT
advance 30s
report db AAA
report db SFSFSFSFSFSS
advance 61s
report db R
advance 121s
report db A
report db A
report db A
report db SSSSSsssss
"$TRIPCTL" reset db >/dev/null
"$TRIPCTL" force-open db --ttl 10s >/dev/null
advance 10s
"$TRIPCTL" trip db --for 2s >/dev/null
advance 3s
report db AAA
kill -INT "$tracer"
ended 0

cat >"$folder/expected" <<'END'
100 closed>open consecutive
30100 open>half_open none
30100 half_open>closed none
30100 closed>open failure_rate
90100 open>half_open none
91100 half_open>open probe_failed
211100 open>half_open none
212100 half_open>closed none
212100 closed>open slow_rate
212100 open>closed none
222100 closed>open operator
224100 open>half_open none
225100 half_open>closed none
END
"$TRIPCTL" events db --json | transitions >"$folder/was"
diff "$folder/expected" "$folder/was" >&2 || fail "tripd moved otherwise than expected"
"$TRIPCTL" simulate -c "$config" "$folder/outage" | transitions >"$folder/replayed"
diff "$folder/expected" "$folder/replayed" >&2 || fail "the replay is another story: $(cat "$folder/outage")"
grep -q '"outcome":"timeout"' "$folder/outage" || fail "the trace does not tell timeouts from failures"
! grep -q mail "$folder/outage" || fail "the trace has what it was not asked for"

# The trace holds everything reported before SIGTERM, counted successes as one step.
trace "$folder/short"
echo "db $(printf 'S%.0s' {1..1000})" >&"${client[1]}"
read -r -t 30 _ <&"${client[0]}" || fail "the client did not report 1,000 successes"
kill -TERM "$tracer"
ended 0
grep -qx '{"t_ms":0,"op":"record","breaker":"db","outcome":"ok","n":1000}' "$folder/short" ||
    fail "no step of 1,000 successes: $(cat "$folder/short")"

trace - --for 100ms >"$folder/output"
ended 0
# A trace begins with the breakers that are not closed.
[ "$(cat "$folder/output")" = '{"t_ms":0,"op":"trip","breaker":"mail","for_ms":1}' ] ||
    fail "standard output has not just the beginning: $(cat "$folder/output")"

# The disk is full; the folder is missing; tripd goes away.
trace /dev/full
report db S
"$TRIPCTL" status >/dev/null
ended_by_itself() { gone "$tracer"; }
await "the trace ends when it cannot be written" ended_by_itself
ended 1
grep -q 'cannot write /dev/full: No space left' "$folder/said" || fail "the full disk is not named"
status=0
"$TRIPCTL" trace "$folder/none/file" 2>"$folder/said" || status=$?
[ "$status" -eq 1 ] || fail "status $status for a file in no folder"
grep -q "cannot write $folder/none/file" "$folder/said" || fail "the file is not named"
trace "$folder/last"
report db F
stop
ended 3
grep -q '"outcome":"failure"' "$folder/last" || fail "what was counted at the stop is missing"
status=0
"$TRIPCTL" trace "$folder/last" 2>"$folder/said" || status=$?
[ "$status" -eq 3 ] || fail "status $status without a tripd"
[ -s "$folder/last" ] || fail "a trace that could not begin emptied the file"

# Lines that cannot be replayed.
status=0
"$TRIPCTL" simulate "$folder" 2>"$folder/said" || status=$?
[ "$status" -eq 1 ] || fail "status $status for a folder"
grep -qx "tripctl: cannot read $folder: Is a directory" "$folder/said" || fail "the folder is not called one"
"$TRIPCTL" simulate - >/dev/null 2>"$folder/said" <<'END'
{"t_ms":0,"op":"mode","breaker":"db","mode":"disabled"}
{"t_ms":1,"op":"trip","breaker":"db"}
{"t_ms":2,"op":"show","breaker":"db"}
END
grep -q '^standard input:2: trip refused, as tripd does' "$folder/said" || fail "the refused trip is not told"
