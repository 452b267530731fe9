#!/usr/bin/env bash
# Failures that cannot trip anything wake tripd for none of them, and all are counted; the one that trips is seen at once.
set -euo pipefail
source "$(dirname "$0")/common.bash"

cat >"$folder/tripd.yaml" <<'END'
breakers:
  - match: db
    trip: {consecutive_failures: 0, failure_rate: 50%}
    window: {type: count, size: 1000, minimum_calls: 10}
  - match: near
    trip: {consecutive_failures: 0, failures: 3, failure_rate: 0%}
END
start "$TRIPD" -c "$folder/tripd.yaml"
attached a

# The sum over tripd's threads of how often each went to sleep, which is how often it was woken.
sleeps() { cat "/proc/$(worker)"/task/*/status | awk '/^voluntary_ctxt_switches/ {sum += $2} END {print sum}'; }

says a ok record ok 900
says a ok record failure 1
shows 901 window.calls show db
before=$(sleeps)
for _ in {1..200}; do says a ok record failure 1; done
slept=$(($(sleeps) - before))
echo "tripd slept $slept times during 200 failures"
[ "$slept" -lt 100 ] || fail "tripd was woken $slept times by 200 failures that cannot trip anything"
shows 201 window.failures show db
shows 1000 window.calls show db
says a closed state

# A tripd that slept meanwhile sees the failure that trips.
shares a near
says a ok record failure 2
shows 2 window.failures show near
says a ok record failure 1
await "near opens" would_say a open state
says a failures reason
stop
