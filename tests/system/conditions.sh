#!/usr/bin/env bash
# Each trip condition of the config file opens a breaker of a real program, for its own reason; the first pattern that
# matches wins; a mode of the config holds until an operator's, and again after it.
set -euo pipefail
source "$(dirname "$0")/common.bash"

cat >"$folder/tripd.yaml" <<'END'
breakers:
  - match: streak/special
    trip: {consecutive_failures: 2}
  - match: "streak/*"
    trip: {consecutive_failures: 4}
  - match: rate
    trip: {consecutive_failures: 0, failure_rate: 40%}
    window: {type: count, size: 20, minimum_calls: 10}
  - match: failures
    trip: {consecutive_failures: 0, failures: 3, failure_rate: 0%}
  - match: stalls
    trip: {consecutive_failures: 2, stall_after: 3s}
  - match: crowd
    trip: {in_flight: 3}
  - match: judged
    open: {for: 10s, jitter: 0%}
    half_open: {permits: 4, verdict: rate, sample: 4}
    trip: {consecutive_failures: 5, failure_rate: 60%}
  - match: pinned
    mode: forced_open
  - match: watched
    mode: shadow
END
start "$TRIPD" -c "$folder/tripd.yaml" --test-clock
attached a
opens() { # opens NAME REASON
    await "$1 opens" would_say a open state
    says a "$2" reason
    says a deny_open allow
    shows "$2" reason show "$1"
}

shares a streak/special
says a ok record failure 2
opens streak/special consecutive
shares a streak/other
says a ok record failure 3
says a ok record ok 1
says a ok record failure 3
says a allow allow
says a ok record failure 1
opens streak/other consecutive

shares a rate
says a ok record failure 4
says a ok record ok 5
says a allow allow
says a ok record timeout 1
opens rate failure_rate

shares a failures
says a ok record failure 2
says a ok record ok 50
says a allow allow
says a ok record failure 1
opens failures failures

# The breaker opens before the calls have returned; their return is no evidence any more.
shares a stalls
for _ in 1 2; do says a allow begin; done
ends 0 "$TRIPCTL" clock advance 2900ms
says a closed state
ends 0 "$TRIPCTL" clock advance 200ms
opens stalls consecutive
shows 2 window.failures show stalls
for _ in 1 2; do says a ok end ok; done
await "the late returns are in the totals" would_show 2 totals.late show stalls
shows 2 window.failures show stalls
shows 2 window.calls show stalls

shares a crowd
for _ in 1 2 3; do says a allow begin; done
opens crowd in_flight
for _ in 1 2 3; do says a ok end ok; done

# A verdict by rate admits no more probes than its sample, and closes as soon as it is certain.
shares a judged
says a ok record failure 5
ends 0 "$TRIPCTL" clock advance 10s
for _ in 1 2 3 4; do says a probe begin; done
says a deny_half_open begin
says a ok end ok # of the denied one
says a ok end failure
says a half_open state
says a ok end ok
says a half_open state
says a ok end ok
await "the verdict is certain" would_say a closed state

shares a pinned
says a deny_forced allow
ends 0 "$TRIPCTL" disable pinned --ttl 1m
says a allow allow
says a disabled mode
ends 0 "$TRIPCTL" clock advance 1m
says a deny_forced allow
shows config mode_owner show pinned

shares a watched
says a ok record failure 5
says a open state
says a allow allow
says a shadow mode
stop
