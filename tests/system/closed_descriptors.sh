#!/usr/bin/env bash
# A host program that closes every descriptor it does not know, and opens others on their numbers: libtrip touches none of
# those, goes on, and attaches again. The same while tripd is away, and when another tripd has come meanwhile. A tripd that
# is started without standard descriptors.
set -euo pipefail
source "$(dirname "$0")/common.bash"

start
attached host
says host ok record ok 10
says host ok lose
says host ok record ok 10
says host ok record failure 4
says host allow allow
says host ok record failure 1
says host deny_open allow
shares host later # asked for over a new connection
says host ok record ok 7
says host shared status
says host 0 harmed
shows 1 clients.count status
await "every outcome is counted" would_show 25 totals.calls show db
shows 7 totals.calls show later

# The worker is new: it knows the lane from the keeper, although the host has closed the memory's descriptor.
kill -9 "$(worker)"
await "the next worker is ready" logged_times 2 'is ready'
says host ok lose
says host ok record ok 5
await "the client is attached to it" would_say host shared status
await "what came after is counted" would_show 12 totals.calls show later
says host 0 harmed

# No process is left that has the lane.
kill_both
says host ok lose
says host ok record failure 5
says host deny_open allow
await "tripd is missed" would_say host daemon_away status
says host 0 harmed
start
says host ok lose
await "the client has a new lane" would_say host shared status
shares host last
says host ok record ok 4
says host ok record failure 5
says host deny_open allow
await "the new lane is counted" would_show 9 totals.calls show last
says host 0 harmed
shows 1 clients.count status
stop

# tripd without standard descriptors writes its log nowhere, above all not into a file of its own.
"$TRIPD" 0<&- 1>&- 2>&- &
keeper=$!
await "tripd answers" would_show running daemon status
for pid in "$keeper" "$(worker)"; do
    for number in 0 1 2; do
        [ "$(readlink "/proc/$pid/fd/$number")" = /dev/null ] ||
            fail "descriptor $number of process $pid is $(readlink "/proc/$pid/fd/$number")"
    done
done
attached quiet
shares quiet unheard
says quiet ok record failure 5 # a line in the log
says quiet deny_open allow
await "tripd is well" would_show open state show unheard
stop
