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
logged 'lower limits.max_breakers, which is 1024' || fail "it does not say what else helps"
[ "$(ls -A "$folder/shm")" = "tripd.$TRIP_INSTANCE~lock" ] || fail "half a segment was left: $(ls -A "$folder/shm")"

# The advice works.
mount -o remount,size=16M "$folder/shm"
start
stop
