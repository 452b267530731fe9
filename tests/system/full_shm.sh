#!/usr/bin/env bash
# A full /dev/shm is an error at start that says what to do, never a SIGBUS later.
set -euo pipefail
source "$(dirname "$0")/common.bash"

[ "$(id -u)" -eq 0 ] || skip "only root can mount a tiny tmpfs"
mkdir "$folder/shm"
mount -t tmpfs -o size=1M tmpfs "$folder/shm" 2>/dev/null || skip "this container may not mount a tmpfs"
mounted=$folder/shm
export TRIP_SHM_DIR=$folder/shm

refused 1 "$TRIPD"
logged "no room for the state segment $folder/shm/tripd.$TRIP_INSTANCE: enlarge that file system" ||
    fail "it does not say that the file system is full"
logged 'it takes 4.1 MiB, and 6 KiB more for each breaker beyond 64' || fail "it does not say how large it must be"
[ "$(ls -A "$folder/shm")" = "tripd.$TRIP_INSTANCE~lock" ] || fail "half a segment was left: $(ls -A "$folder/shm")"

# With room for some breakers, the others' calls are admitted and not counted, and nobody gets a SIGBUS.
mount -o remount,size=5M "$folder/shm"
segment=$folder/shm/tripd.$TRIP_INSTANCE
start
worker=$(worker)
attached a
shared=$(ask a breakers 500)
[ "$shared" -ge 63 ] && [ "$shared" -lt 400 ] || fail "$shared breakers fit into 5 MiB"
says a allow allow
says a ok record failure 5
says a allow allow
says a ok breaker names-0
says a ok record failure 5
says a deny_open allow
logged "there is no memory for more than the $((shared + 1)) breakers that are there, so calls of \"names-$shared\"" ||
    fail "the log does not say what is missing"
[ "$(grep -c 'no memory for more' "$log")" -eq 1 ] || fail "the log says it again and again"
shows $((shared + 1)) breakers.count status
[ "$(worker)" = "$worker" ] || fail "the worker was replaced"

# The advice works.
mount -o remount,size=16M "$folder/shm"
later=0 # a name that found no room is asked for again after 10 s
finds_room() {
    later=$((later + 1))
    ask a breaker "later-$later" >/dev/null
    would_say a shared source
}
await "there is room for another one" finds_room
stop
