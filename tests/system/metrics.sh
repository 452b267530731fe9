#!/usr/bin/env bash
# tripctl metrics says what was counted of breakers, groups and all together: on the test clock each number is known. The
# numbers outlive the worker, tripd, a reboot, and breakers whose slots were given to other names.
set -euo pipefail
source "$(dirname "$0")/common.bash"
cat >"$folder/tripd.yaml" <<'YAML'
limits: {max_breakers: 4}
breakers:
  - match: "*"
    forget_after: 60s
    trip: {consecutive_failures: 5}
    open: {for: 30s, multiplier: 1.0, jitter: 0%}
    half_open: {permits: 1, successes: 2}
YAML
metrics() { "$TRIPCTL" --json metrics "$@" 2>/dev/null; }
# counted VALUE PATH NAME: the first breaker of `metrics NAME` has this value there.
counted() { shows "$1" "breakers.0.$2" metrics "$3"; }
start "$TRIPD" -c "$folder/tripd.yaml" --test-clock
client web
says web ok open
shares web payments/db

# A second of failures opens it; half a minute later it is probed, in vain, then it recovers.
"$TRIPCTL" clock advance 10s >/dev/null
says web ok record failure 2
"$TRIPCTL" clock advance 1s >/dev/null
says web ok record failure 3
says web deny_open begin
"$TRIPCTL" clock advance 30s >/dev/null
says web probe begin
says web ok end failure
"$TRIPCTL" clock advance 30s >/dev/null
for _ in 1 2; do
    says web probe begin
    says web ok end ok
done
"$TRIPCTL" clock advance 5s >/dev/null
says web ok record ok 10
counted 18 calls payments/db
counted 6 failures payments/db
counted 1 denied.deny_open payments/db
counted 6 errors.unknown payments/db
counted 2 opens payments/db
counted 1 trips.consecutive payments/db
counted 1 trips.probe_failed payments/db
counted 2 probes.ok payments/db
counted 1 probes.failures payments/db
counted 60000 state_ms.open payments/db
counted 0 state_ms.half_open payments/db
counted 16000 state_ms.closed payments/db
counted 1 detect.times payments/db
counted 1000000 detect.total_us payments/db
counted 1 recover.times payments/db
counted 60000000 recover.total_us payments/db

# Groups and the host are sums.
shares web payments/cache
says web ok record ok 4
shares web other
says web ok record ok 7
shows 22 groups.0.calls metrics payments
shows 2 groups.0.breakers metrics payments
shows 29 host.calls metrics
shows 3 host.breakers metrics
await "a heartbeat has counted lanes" would_show 1 tripd.lanes metrics
ends 1 "$TRIPCTL" metrics nobody
"$TRIPCTL" metrics payments | awk 'length > 80 {exit 1}' || fail "a line is wider than 80 columns: $("$TRIPCTL" metrics payments)"
"$TRIPCTL" metrics | awk 'length > 80 {exit 1}' || fail "a line is wider than 80 columns: $("$TRIPCTL" metrics)"

# tripd answers the same over the socket.
for verb in 'metrics payments' 'metrics payments/db'; do
    # shellcheck disable=SC2086 # words
    alike $verb
done

# A worker that is killed loses nothing.
kill -9 "$(worker)"
await "the next worker is ready" logged_times 2 'is ready'
counted 1000000 detect.total_us payments/db
counted 60000 state_ms.open payments/db
shows 29 host.calls metrics
shows 2 tripd.starts metrics

# Breakers without a call for so long give their slots to other names: their totals stay, with the group and the host.
kill_client web
"$TRIPCTL" clock advance 120s >/dev/null
client next
says next ok open
for name in a b c d; do
    shares next "$name"
    says next ok record ok 1
done
shows 22 groups.0.calls metrics payments
shows 0 groups.0.breakers metrics payments
shows 60000 groups.0.state_ms.open metrics payments
shows 33 host.calls metrics
shows 4 host.breakers metrics

# After a reboot they come back.
stop
rm "$segment"
start "$TRIPD" -c "$folder/tripd.yaml" --test-clock
shows 22 groups.0.calls metrics payments
shows 60000000 groups.0.recover.total_us metrics payments
shows 33 host.calls metrics
