#!/usr/bin/env bash
# A user without the role report has 16 connections, whatever it says over them; who has a role goes on attaching, and
# the log says so once.
set -euo pipefail
source "$(dirname "$0")/common.bash"
outsider_can_run

start
attached honest
before=$(descriptors)
heap_before=$(heap)

others_come() {
    attached "$1"
    says "$1" ok record ok 1
    ends 0 timeout 60 "$TRIPCTL" reset db
    kill_client "$1"
}

attack silent silent 300
[ "$came" -le 16 ] || fail "$came connections of a stranger that says nothing are open"
await "tripd holds 16 of them" descriptors_are $((before + 16))
ends 3 "${nobody[@]}" timeout 60 "$folder/bin/tripctl" config show
others_come first
kill_client silent
await "tripd has let go of the silent ones" descriptors_are "$before"

# tripd tells a refused client the reason, and closes its connection later.
attack refused refused 300
[ "$came" -le 16 ] || fail "$came connections of a stranger that was refused are open"
others_come second
await "tripd has hung up on who was refused" descriptors_are "$before"

heap_grew_at_most 4096 "$heap_before" || fail "tripd has $(heap) KiB for itself, and had $heap_before"
says honest shared status
[ "$(grep -c 'has as many connections as it may have' "$log")" -eq 1 ] || fail "the log does not say it once"
[ "$(grep -c 'does not take part' "$log")" -eq 1 ] || fail "the log does not say once why it is refused"
stop
