#!/usr/bin/env bash
# A server whose master opened as root, and whose worker has become a user without the role report: it shares the breakers,
# takes probes and tickets as everybody, and recovers after an opening. tripd's log says once why it is not counted.
set -euo pipefail
source "$(dirname "$0")/common.bash"
nobody_can_run

cat >"$folder/tripd.yaml" <<'END_OF_CONFIG'
access: {observe: [any], report: ["user:root"], control: ["user:root"]}
breakers:
  - match: db
    open: {for: 1s, multiplier: 1.0, jitter: 0%}
    half_open: {permits: 1, successes: 1}
  - match: bulk
    concurrency: {max: 4}
    priority: {sheddable_below: 0%, normal_below: 0%}
END_OF_CONFIG
start "$TRIPD" -c "$folder/tripd.yaml"
attached other
attached worker
says worker ok breaker bulk
says worker ok breaker db
programs+=("$(ask worker fork)")
says worker ok user 65534
says worker unreported status

# A program without the role opens the breaker for everybody, and closes it again.
says worker ok record failure 5
for name in worker other; do says $name deny_open allow; done
await "the worker probes" would_say worker probe begin
says other deny_half_open begin
says worker ok ends ok
await "the worker's probe closes the breaker" would_say other closed state
says worker allow begin
says worker ok ends ok

# The others open it, and the worker is admitted again when they are.
says other ok record failure 5
says worker deny_open begin
await "the other program probes" would_say other probe begin
says worker deny_half_open begin
says other ok ends ok
await "the worker is admitted again" would_say worker allow begin
says worker ok ends ok

# Its tickets are everybody's.
says worker ok breaker bulk
shares other bulk
says worker 4 begins 12
says other deny_concurrency begin
says worker ok ends ok
says other allow begin

why='a process of uid 65534 does not take part .*: uid 65534 lacks the role report: add its user or one of its groups'
await "the log says why the worker is not counted" logged "$why"
! logged_times 2 "$why" || fail "the log says more than once why the worker is not counted"
