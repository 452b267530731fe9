#!/usr/bin/env bash
# tripd --test-clock: time stands still but for `tripctl clock advance`. What is due on the way happens in order, each at
# its time, before the command returns; libtrip follows, and the heartbeat stays real.
set -euo pipefail
source "$(dirname "$0")/common.bash"

cat >"$folder/tripd.yaml" <<'END'
breakers:
  - match: short
    open: {for: 10s, jitter: 0%}
    half_open: {successes: 1, max_wait: 5s}
  - match: long
    open: {for: 25s, jitter: 0%}
    half_open: {successes: 1, max_wait: 10m}
    ramp: {over: 40s, steps: [10%, 100%]}
END
start "$TRIPD" -c "$folder/tripd.yaml" --test-clock
attached a
attached b
for name in short long; do
    shares a $name
    says a ok record failure 5
    shares b $name
    says b deny_open allow
done
shows test clock clock show
shows 0 now_ms clock show

# However long it really takes, nothing moves.
beat=$(heartbeat)
beaten() { [ "$(heartbeat)" -gt "$1" ]; }
await "tripd's heart beats on" beaten "$beat"
says b shared status
says b deny_open allow
shows 0 now_ms clock show
shows 25000 retry_after_ms show long

# To the millisecond.
shows 9999 now_ms clock advance 9999ms
shares a short
says a deny_open allow
shows 1 retry_after_ms show short
shows 10000 now_ms clock advance 1ms
says a half_open state
says a probe begin
says a deny_half_open begin

# One command over many timers: the permit's lease ends at 15 s and half-open is there for another, long opens its half at
# 25 s. Each is told with its own time.
shows 30000 now_ms clock advance 20s
says a probe allow
says b half_open state
shows 10000 events.-1.t_ms events short
shows 25000 events.-1.t_ms events long
says b probe begin
says b ok end ok
await "tripd begins the ramp" would_say b ramping state
shows 30000 events.-1.t_ms events long
ends 0 "$TRIPCTL" clock advance 39999ms
says b ramping state
ends 0 "$TRIPCTL" clock advance 1ms
says b closed state
says b allow allow
shows 70000 events.-1.t_ms events long

# A mode's TTL is of this clock too.
ends 0 "$TRIPCTL" disable long --ttl 1m
ends 0 "$TRIPCTL" clock advance 59s
says b disabled mode
ends 0 "$TRIPCTL" clock advance 1s
says b auto mode

# The clock stands while tripd is away, and goes on from there.
stop
says b daemon_away status
says b ok record failure 5
says b deny_open allow
ends 3 "$TRIPCTL" clock advance 1h
start "$TRIPD" -c "$folder/tripd.yaml" --test-clock
shows 130000 now_ms clock show
shows 155000 now_ms clock advance 25s
await "the client is attached again" would_say b shared status

# The real clock is not to be moved.
stop
start "$TRIPD" -c "$folder/tripd.yaml"
shows real clock clock show
ends 1 "$TRIPCTL" clock advance 1s
[[ $said == *--test-clock* ]] || fail "the refusal does not name --test-clock: $said"
stop
