#!/usr/bin/env bash
# A disk that takes its time for the snapshot holds neither a start nor a stop of tripd: who writes the snapshot has
# nothing of the instance but its memory.
set -euo pipefail
source "$(dirname "$0")/common.bash"
slow=$TRIP_BUILD_DIR/tests/support/libslow_disk.so
start_on_slow_disk() { start env LD_PRELOAD="$slow" SLOW_DISK="$folder/slow" "$TRIPD"; }
snapshot=$TRIP_STATE_DIR/$TRIP_INSTANCE/snapshot
writer() { awk '{print $1}' "/proc/$(worker)/task/$(worker)/children"; }
writes() { [ -n "$(writer)" ] && [ -s "$snapshot.new" ]; }
touch "$folder/slow"
trap 'rm -f "$folder/slow"; clean_up' EXIT # the writers end then

start_on_slow_disk
attached db
says db ok record ok 3
await "the snapshot is being written" writes
first=$(writer)
kill_both
alive "$first" || fail "the writer of the snapshot has ended: the disk is not slow"
start_on_slow_disk
alive "$first" || fail "tripd has waited for the writer of the snapshot of the one before it"

await "the client is attached again" would_say db shared status
says db ok record ok 1
await "the snapshot is being written" writes
second=$(writer)
timed stop
[ "$(daemon_state)" = 00000002 ] || fail "the stop left no mark of a clean stop"
logged "the disk has not taken the snapshot $snapshot" || fail "the log does not say that the disk holds the snapshot"
alive "$second" || fail "tripd has waited for the writer of its snapshot"

rm "$folder/slow"
await "the writers end" gone "$first"
await "the writers end" gone "$second"
start
says db ok record ok 1
stop
[ -s "$snapshot" ] || fail "the disk answers again, and has no snapshot"
