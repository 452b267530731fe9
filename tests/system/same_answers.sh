#!/usr/bin/env bash
# tripd under a test clock answers as the manuals say, to the millisecond: each case is a breaker of its own, whose time
# begins at a multiple of 64 s. tests/unit/daemon/test_breakers_answers.c asks tripd's breakers alone.
set -euo pipefail
source "$(dirname "$0")/common.bash"

cat >"$folder/tripd.yaml" <<'END'
breakers:
  - match: "sliding/second"
    rate: {limit: 1, per: 1s, window: sliding}
    priority: {sheddable_below: 0%, normal_below: 0%}
  - match: "sliding/millisecond"
    rate: {limit: 4, per: 1ms, window: sliding}
    priority: {sheddable_below: 0%, normal_below: 0%}
  - match: "probes/*"
    open: {for: 100ms, jitter: 0%}
    half_open: {permits: 2, max_wait: 500ms}
  - match: "one_second"
    open: {for: 1s, jitter: 0%}
  - match: "streak/*"
    trip: {consecutive_failures: 2, failure_rate: 0%}
    open: {for: 100ms, jitter: 0%}
    half_open: {successes: 1}
  - match: "ramp"
    trip: {consecutive_failures: 0, failures: 3, failure_rate: 0%}
    open: {for: 100ms, jitter: 0%}
    half_open: {successes: 1}
    ramp: {over: 10s, steps: [100%]}
  - match: "in_flight"
    trip: {consecutive_failures: 0, failure_rate: 0%, in_flight: 3}
    open: {for: 100ms, jitter: 0%}
    half_open: {successes: 1, max_wait: 1s}
  - match: "stalls/*"
    trip: {consecutive_failures: 0, failure_rate: 0%, slow_after: 20ms, stall_after: 50ms}
    open: {for: 100ms, jitter: 0%}
    half_open: {successes: 1, max_wait: 500ms}
  - match: "growth"
    open: {for: 1s, multiplier: 2.0, max: 16s, jitter: 0%, forget: 10ms}
  - match: "forgets"
    trip: {consecutive_failures: 0, failure_rate: 50%}
    window: {type: time, for: 10s, minimum_calls: 10}
    open: {for: 10s, jitter: 0%}
  - match: "retries/total"
    trip: {consecutive_failures: 0, failure_rate: 0%}
    retry: {attempts: 3, backoff: fixed, base: 100ms, jitter: none, total: 100ms}
  - match: "retries/open"
    open: {for: 10ms, jitter: 0%}
    half_open: {permits: 2, max_wait: 500ms}
    retry: {attempts: 2, backoff: fixed, base: 105ms, jitter: none}
  - match: "limited"
    concurrency: {max: 1}
    rate: {limit: 2, per: 1h}
    priority: {sheddable_below: 0%, normal_below: 0%}
  - match: "trial"
    mode: shadow
END
start "$TRIPD" -c "$folder/tripd.yaml" --test-clock
attached a

begins=0 now=0
at() { # at MS: the clock stands there from now on, since the case began
    shows $((begins + $1)) now_ms clock advance "$((begins + $1 - now))ms"
    now=$((begins + $1))
}
case_of() { # case_of BREAKER
    begins=$(((now / 64000 + 1) * 64000))
    shares a "$1"
    at 0
}
calls() { # calls VERDICT...: calls of the breaker that is asked about, one after the other
    local verdict
    for verdict; do
        says a "$verdict" begin
        says a ok end ok
    done
}
ctl() { ends 0 "$TRIPCTL" "$@"; }
at_ms() { of events.-1.t_ms events "$1"; }
last() { # last BREAKER FROM TO REASON MS: the latest transition
    await "$1 is $3" would_show "$3" events.-1.to events "$1"
    shows "$2" events.-1.from events "$1"
    shows "$4" events.-1.reason events "$1"
    [ "$(at_ms "$1")" -eq $((begins + $5)) ] || fail "$1 is $3 since $(($(at_ms "$1") - begins)) instead of $5"
}

# 1. A sliding window rounds nothing: 0.999 + 1 is more than 1.
case_of sliding/second
at 999
calls allow
at 1001
calls deny_rate
at 1999
calls deny_rate
at 2000
calls allow

# 5. Calls of 65,000 and of 65,536 windows ago are not calls of now.
case_of sliding/millisecond
calls allow allow allow allow deny_rate
at 65000
calls allow allow allow allow deny_rate
at $((65000 + 65536))
calls allow allow allow allow deny_rate

# 2. A half-open breaker whose permits are out may be tried when the first lease ends.
case_of probes/full
ctl trip probes/full
at 200
says a probe begin
at 600
says a probe begin
says a "104 0" retry_after
await "tripd has seen both probes" would_show 104 retry_after_ms show probes/full
at 703
says a deny_half_open begin
at 704
says a probe begin
says a ok ends ok

# 3. Forced open for a shorter time than its own.
case_of one_second
ctl trip one_second
at 10
ctl force-open one_second --ttl 100ms
shows 990 retry_after_ms show one_second
says a "990 0" retry_after

# 4. A streak that grew while the state was frozen opens when the mode ends.
case_of streak/auto
ctl disable streak/auto
says a ok record failure 3
at 1
says a closed state
ctl auto streak/auto
last streak/auto closed open consecutive 1
case_of streak/ttl
ctl disable streak/ttl --ttl 70ms
says a ok record failure 3
at 69
says a closed state
at 71
last streak/ttl closed open consecutive 70

# 7. So do failures while ramping.
case_of ramp
ctl trip ramp
at 100
calls probe
await "ramp ramps" would_say a ramping state
ctl disable ramp --ttl 70ms
says a ok record failure 3
at 169
says a ramping state
at 171
last ramp ramping open relapse 170
shows failures events.-1.condition events ramp
shows failures condition show ramp
# An operator's trip of a ramping breaker is no relapse.
at 400
calls probe
await "ramp ramps" would_say a ramping state
ctl trip ramp
last ramp ramping open operator 400

# 8. Calls in flight are judged when half-open closes.
case_of in_flight
for _ in 1 2 3; do says a allow begin; done
last in_flight closed open in_flight 0
at 100
says a probe begin
says a ok end ok
last in_flight closed open in_flight 100
shows half_open events.-2.from events in_flight
says a ok ends ok

# 9. A probe in flight for longer than stall_after is none that stalled: its outcome counts.
case_of stalls/probe
ctl trip stalls/probe
at 100
says a probe begin
at 300
says a half_open state
says a ok end ok
await "its outcome closes" would_say a closed state
shows 0 totals.failures show stalls/probe
shows 0 totals.late show stalls/probe

# 10, 13. Each of eight calls stalls after stall_after, once, is slow as well, and late when it returns, whether tripd has
# looked at them before the clock moves or not.
for round in 1 2 3 4 5; do
    case_of stalls/$round
    for _ in 1 2 3 4 5 6 7 8; do says a allow begin; done
    at 50
    shows 0 window.failures show stalls/$round
    at 1000
    shows 8 window.failures show stalls/$round
    shows 8 window.slow show stalls/$round
    says a ok ends ok
    await "their returns are late" would_show 8 totals.late show stalls/$round
    shows 8 window.calls show stalls/$round
    shows 0 totals.calls show stalls/$round
done

# 11. What a probe says after the end of its lease is late.
case_of probes/late
ctl trip probes/late
at 100
says a probe begin
at 700
says a ok end ok
await "its answer is late" would_show 1 totals.late show probes/late
says a half_open state
shows 0 probes.ok show probes/late

# 12. Growth is forgotten when forget has passed since the opening's end.
case_of growth
ctl trip growth
shows 2000 settings.next_open_ms show growth
at 1009
shows 2000 settings.next_open_ms show growth
at 1010
shows 1000 settings.next_open_ms show growth
at 1500
shows 1000 settings.next_open_ms show growth
# A reset forgets it, too, and what was in flight is late.
ctl trip growth
shows 2000 settings.next_open_ms show growth
ctl reset growth
shows 1000 settings.next_open_ms show growth
says a allow begin
ctl reset growth
says a ok end failure
await "it is late" would_show 1 totals.late show growth
shows 0 totals.calls show growth

# A time window that forgets successes opens no breaker by that alone; the next outcome does.
case_of forgets
says a ok record ok 12
at 5000
says a ok record failure 10
at 11500
says a closed state
says a ok record ok 1
at 11750
says a open state
await "for the rate" would_say a failure_rate reason

# 14. A retry whose delay ends when the total does is made.
case_of retries/total
says a "100 100 attempts" retries network # the clock stands still meanwhile

# An open breaker ends retries at once, and one whose probes are out when each lease outlasts the delay.
case_of retries/open
says a "105 attempts" retries network
ctl trip retries/open
says a open retries network
at 200
says a probe begin
at 599
says a probe begin
says a "105 attempts" retries network
at 705
says a probe begin
at 900
says a open retries network
says a ok ends ok

# Retries end at once, too, on a breaker that is forced open while its own state is closed.
ctl reset retries/open
ctl force-open retries/open
says a open retries network
ctl auto retries/open

# The bulkhead is asked before the rate, and neither is a denial of the breaker's own. Shadow takes tickets and tokens as
# auto does, counts what it would have denied, and denies nothing; disabled calls are outside the limits.
case_of limited
says a allow begin
says a deny_concurrency begin
says a ok ends ok
calls allow deny_rate
shows 1 limits.concurrency.rejected show limited
shows 1 limits.rate.rejected show limited
shows 0 totals.denied show limited
ctl shadow limited
calls allow
shows 2 limits.rate.rejected show limited
ctl disable limited
says a allow begin
says a allow begin
says a ok ends ok
shows 1 limits.concurrency.rejected show limited
shows 2 limits.rate.rejected show limited
case_of limited
at 3600000
ctl shadow limited
says a allow begin
says a allow begin
shows 2 limits.concurrency.rejected show limited
ctl trip limited
says a allow begin
shows 1 totals.denied show limited
says a ok ends ok

# auto sets a mode of its own where a weaker one would hold another.
case_of trial
shows shadow mode show trial
ctl auto trial
shows auto mode show trial
shows operator mode_owner show trial

# A mode that keeps the state grants no permits.
case_of probes/frozen
ctl trip probes/frozen
at 100
says a half_open state
says a "0 2" retry_after
ctl disable probes/frozen
says a "0 0" retry_after
shows 0 permits_free show probes/frozen
ctl auto probes/frozen
says a "0 2" retry_after
stop
