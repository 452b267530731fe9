#!/usr/bin/env bash
# A dependency that fails more than 1 - 1/k of its calls is shed from, and its breaker stays closed where its trip
# conditions lie above. When it is dead, the breaker opens, though few calls still pass.
set -euo pipefail
source "$(dirname "$0")/common.bash"

cat >"$folder/tripd.yaml" <<'END'
breakers:
  - match: db
    trip: {consecutive_failures: 0, failure_rate: 90%}
    open: {for: 10s, jitter: 0%}
    throttle: {k: 2.0}
END
start "$TRIPD" -c "$folder/tripd.yaml" --test-clock
attached a
attached b

# second FAILING: each program wants 50 calls, of which FAILING of 10 fail. How many were admitted is in $admitted.
second() {
    admitted=$(($(ask a calls 50 "$1") + $(ask b calls 50 "$1")))
    ends 0 "$TRIPCTL" clock advance 1s
}
permille() { of limits.throttle.admit_permille show db; }

for _ in {1..12}; do
    second 0
    [ "$admitted" -eq 100 ] || fail "$admitted of 100 calls were admitted while none failed"
done
shows 1000 limits.throttle.admit_permille show db
shows 0 limits.throttle.shed show db

all=1200
for _ in {1..40}; do
    second 7
    all=$((all + admitted))
done
[ "$(permille)" -lt 100 ] || fail "$(permille) permille are admitted after 40 s in which 7 of 10 calls failed"
[ "$admitted" -lt 50 ] || fail "$admitted of 100 calls were admitted then"
await "every shed call is counted" would_show $((5200 - all)) limits.throttle.shed show db
await "every other one is" would_show "$all" totals.calls show db
shows closed state show db
shows 0 opens show db

# The dependency recovers, and all calls are admitted again.
for ((i = 0; i < 120 && $(permille) < 1000; i++)); do second 0; done
shows 1000 limits.throttle.admit_permille show db
second 0
[ "$admitted" -eq 100 ] || fail "$admitted of 100 calls were admitted after the recovery"
shows 0 opens show db

# From overload to death.
for _ in {1..40}; do second 7; done
shows 0 opens show db
for ((i = 0; i < 200; i++)); do
    second 10
    would_say a closed state || break
done
says a open state
shows failure_rate reason show db
second 10
[ "$admitted" -eq 0 ] || fail "$admitted calls were admitted while the breaker was open"

# tripd goes away while calls are shed: shedding ends, for nobody would say when to stop.
ends 0 "$TRIPCTL" reset db
for _ in {1..40}; do second 7; done
[ "$admitted" -lt 50 ] || fail "$admitted of 100 calls were admitted in an overload"
stop
says a daemon_away status
says a 100 calls 100 0
