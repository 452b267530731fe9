#!/usr/bin/env bash
# Programs of two layouts on one host: each refuses the other's memory and names both; nobody is harmed.
set -euo pipefail
source "$(dirname "$0")/common.bash"
next=$TRIP_BUILD_DIR/tests/support
digest() { od -An -j 16 -N 8 -t x8 "$1" | tr -d ' '; }

# A libtrip of another layout is refused by tripd: its program goes on privately, and can say why.
start
ours=$(digest "$segment")
client stranger "$next/next_client"
says stranger ok open
says stranger private status
version=$("$TRIPD" --version | awk '{print $2}')
why=$(ask stranger why)
[[ $why == "tripd refuses this process: layout differs: libtrip $version lays out shared memory as "*\
", this tripd $version as $ours: install the same version of both" ]] || fail "it does not say why: $why"
says stranger ok breaker db
says stranger ok record failure 5
says stranger deny_open allow
shows 0 clients.count status
[ "$(of clients.refused status)" -ge 1 ] || fail "tripctl status counts no refusal"
shows "${why#tripd refuses this process: }" clients.refusals.0.why status
ends 0 "$TRIPCTL" status
[[ $said == *"  refused     $(id -un), "*" time"*": layout differs: libtrip $version lays out "*"this tripd $version as $ours"* ]] ||
    fail "tripctl status does not say whom tripd refuses: $said"
attached friend
shows 1 clients.count status

# tripctl names both layouts of a segment that it does not read, and so does a tripd that meets one.
cp "$segment" "$folder/copy"
printf '\x02' | dd of="$folder/copy" bs=1 seek=8 conv=notrunc status=none
ends 1 "$TRIPCTL" list --segment "$folder/copy"
[[ $said == *"$folder/copy has layout 2, digest $ours; this tripctl reads layout 1, digest $ours: install the same"* ]] ||
    fail "tripctl does not name both layouts: $said"
printf '\x01' | dd of="$folder/copy" bs=1 seek=8 conv=notrunc status=none
printf '\x00\x00\x00\x00\x00\x00\x00\x00' | dd of="$folder/copy" bs=1 seek=16 conv=notrunc status=none
ends 1 "$TRIPCTL" --json show db --segment "$folder/copy"
[[ $said == *"layout 1, digest 0000000000000000; this tripctl reads layout 1, digest $ours"* ]] ||
    fail "tripctl does not name both digests: $said"

# The upgrade to a tripd of another layout: it says what it meets, takes over by the snapshot, and refuses our client,
# which stays on what it has mapped and goes on deciding.
says friend ok record failure 5
says friend deny_open allow
id=$(segment_id)
stop
start "$next/next_tripd"
theirs=$(digest "$segment")
[ "$theirs" != "$ours" ] || fail "both layouts have the digest $ours"
logged "is made anew: it has layout 1, digest $ours, this tripd layout 2, digest $theirs" ||
    fail "the log does not name both layouts"
logged 'breakers and 0 modes by pattern are as in' || fail "the snapshot of the other layout's tripd was not used"
[ "$(segment_id)" != "$id" ] || fail "a segment of another layout was adopted"
says friend daemon_away status
says friend deny_open allow
says friend open state
says friend ok breaker elsewhere
says friend allow allow
says friend ok record failure 5
says friend deny_open allow
ends 1 "$TRIPCTL" list
[[ $said == *"has layout 2, digest $theirs; this tripctl reads layout 1, digest $ours"* ]] ||
    fail "tripctl does not say that the living tripd is of another layout: $said"

# Its own clients are at home there, and see what was open before.
client native "$next/next_client"
says native ok open
shares native db
await "a client of the next layout is attached" would_say native shared status
says native deny_open allow
stop

# Back again: our client attaches again by itself.
start
await "our client is attached again" would_say friend shared status
shares friend db
says friend deny_open allow
await "the other layout's client is refused now" would_say native daemon_away status
says native deny_open allow
stop
