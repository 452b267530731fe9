#!/usr/bin/env bash
# Requests of who has no role cost next to nothing: while a user sends the longest there are, as fast as it can, new
# programs attach. What it makes tripd log is a line.
set -euo pipefail
source "$(dirname "$0")/common.bash"
outsider_can_run

start
attached honest
attack hostile requests 60
for ((i = 0; i < 20; i++)); do
    client "program$i"
    says "program$i" ok open
    await "program $i attaches" would_say "program$i" shared status # at once, but on the busiest machines
done
says honest ok record failure 5
says honest deny_open allow
ends 0 timeout 60 "$TRIPCTL" reset db
shows 21 clients.count status
kill_client hostile

attack hostile unread 100
[ "$came" -eq 100 ] || fail "tripd hung up $came times instead of 100"
logged_times 1 'asks and does not read' || fail "the log does not say it"
[ "$(grep -c 'uid 65534' "$log")" -le 2 ] || fail "the log has $(grep -c 'uid 65534' "$log") lines about one user"
says honest shared status
stop
