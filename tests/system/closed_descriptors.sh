#!/usr/bin/env bash
# A host program that closes every descriptor it does not know, and opens others on their numbers: libtrip touches none of
# those, goes on, and attaches again. The same while tripd is away, and when another tripd has come meanwhile.
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

# Nobody is left who has the lane.
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
