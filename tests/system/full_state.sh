#!/usr/bin/env bash
# A full file system under the state is said once and is not fatal; the snapshot of before stays whole. A full one under
# the socket is an error at start.
set -euo pipefail
source "$(dirname "$0")/common.bash"

[ "$(id -u)" -eq 0 ] || skip "only root can mount a tiny tmpfs"
mkdir "$folder/tiny"
mount -t tmpfs -o size=64k tmpfs "$folder/tiny" 2>>"$log" || skip "this container may not mount a tmpfs"
mounted=$folder/tiny
export TRIP_STATE_DIR=$folder/tiny
snapshot=$TRIP_STATE_DIR/$TRIP_INSTANCE/snapshot
fill() { dd if=/dev/zero of="$folder/tiny/filler" bs=4k 2>/dev/null || true; }
refusals() { grep -c "cannot write the snapshot $TRIP_STATE_DIR/$TRIP_INSTANCE/snapshot: No space left on device" "$log" || true; }
beaten() { [ "$(heartbeat)" -ge "$1" ]; }
rewritten() { [ "$(sha256sum <"$snapshot")" != "$written" ]; }
refused_once() { [ "$(refusals)" -ge 1 ]; }

start
attached db
says db ok record ok 3
says db ok record failure 5
says db deny_open allow
await "the snapshot is there" test -s "$snapshot"
written=$(sha256sum <"$snapshot")
fill
says db ok record ok 1
await "the full file system is said" refused_once
says db ok record ok 1
beat=$(heartbeat)
await "the next turns, which must say nothing" beaten $((beat + 6000000000))
[ "$(refusals)" -eq 1 ] || fail "it was said $(refusals) times"
logged 'no reboot. Make the folder writable for tripd, or set TRIP_STATE_DIR' || fail "the log does not say what to do"
[ "$(sha256sum <"$snapshot")" = "$written" ] || fail "the snapshot of before was changed"
says db shared status
says db deny_open allow
stop
[ "$(sha256sum <"$snapshot")" = "$written" ] || fail "the stop changed the snapshot of before"

# The last snapshot can be restored, and the next one is written once there is room.
rm "$segment"
start
logged '1 breakers and 0 modes by pattern are as in' || fail "the snapshot was not restored"
shows open state show db
shows 8 totals.calls show db
rm "$folder/tiny/filler"
shares db db
await "the client is attached again" would_say db shared status
says db ok record ignored 1
await "the snapshot is written again" rewritten
stop

# Where the socket is to be: no room for the folder, or for the lock file's content.
mkdir "$folder/tiny/there"
fill
ends 1 env TRIP_RUNTIME_DIR="$folder/tiny/there" "$TRIPD"
[[ $said == *"$folder/tiny/there"*"No space left on device"* ]] || fail "a full file system under the lock file: $said"
ends 1 env TRIP_RUNTIME_DIR="$folder/tiny/sockets" "$TRIPD"
[[ $said == *"$folder/tiny/sockets"*"No space left on device"* ]] || fail "a full file system under the socket: $said"
