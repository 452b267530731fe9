#!/usr/bin/env bash
# Children of a program with libtrip that live for a moment: each outcome is counted, also where the child is dead when
# tripd comes to its lane. A young worker's tickets come back when it is killed, not when a lease of a minute is over.
set -euo pipefail
source "$(dirname "$0")/common.bash"

cat >"$folder/tripd.yaml" <<'END_OF_CONFIG'
access: {observe: [any], report: [any], control: [any]}
breakers:
  - match: bulk
    concurrency: {max: 4}
    priority: {sheddable_below: 0%, normal_below: 0%}
  - match: "*"
    trip: {consecutive_failures: 0, failure_rate: 0%}
END_OF_CONFIG
start "$TRIPD" -c "$folder/tripd.yaml"
attached master
says master 100 children 100 failure
await "all failures are counted" would_show 100 totals.failures show db
shows 100 totals.calls show db

# All children end while tripd does nothing: it finds so many lanes of the dead. On a machine that needs 3 s for that
# tripd was away for the last ones, which then had nobody to send a lane to.
kill -STOP "$(worker)"
says master 30 children 30 failure
age=$(of heartbeat_age_ms status)
kill -CONT "$(worker)"
[ "$age" -ge 3000 ] || await "all failures are counted" would_show 130 totals.failures show db

# The young worker has a lane by now, and has not been told: it finds the number there.
await "tripd has no lane of the dead" would_show 1 clients.count status
shares master bulk
young=$(ask master fork)
programs+=("$young")
says master allow begin
says master ok end ok
await "tripd gives the young worker a lane" would_show 2 clients.count status
says master 4 begins 12
attached other
shares other bulk
says other 0 begins 12
kill -9 "$young"
timed await "the tickets of the killed worker are back" would_say other 4 begins 12
