#!/usr/bin/env bash
# tripd uses no lock, pid, segment, snapshot or folder that another user made before tripd started. Each error names the
# file and says what to do.
set -euo pipefail
source "$(dirname "$0")/common.bash"
nobody_can_run
is_held() { ! flock -n "$1" true; }
theirs() { chown 65534:65534 "$@"; }

# A stranger holds the lock file, and names a process in it that is not tripd.
mkdir "$folder/shm"
export TRIP_SHM_DIR=$folder/shm
lock="$folder/shm/tripd.$TRIP_INSTANCE~lock"
for lock in "$folder/$TRIP_INSTANCE.lock" "$lock"; do
    echo 1 >"$lock"
    theirs "$lock"
    # shellcheck disable=SC2016 # its own shell expands it
    "${nobody[@]}" bash -c 'flock 0 && exec sleep 1000' <"$lock" >>"$log" 2>&1 &
    holder=$!
    programs+=("$holder")
    await "the lock is held" is_held "$lock"
    : >"$log"
    refused 1 "$TRIPD"
    logged "$lock is another user's file, which could keep tripd from running: remove it" ||
        fail "a foreign $lock is not explained"
    ! logged 'pid 1' || fail "the pid in a foreign lock is believed"
    kill "$holder"
    rm "$lock"
done

# A segment, a symbolic link in its place, and a folder.
segment=$folder/shm/tripd.$TRIP_INSTANCE
for make in 'echo theirs >' 'mkdir'; do
    eval "$make \"\$segment\""
    theirs "$segment"
    : >"$log"
    refused 1 "$TRIPD"
    logged "the state segment $segment cannot be used: it .*; remove it, or choose another instance with -i" ||
        fail "a foreign segment is not explained"
    rm -r "$segment"
done

# The folder of the socket.
mkdir "$folder/run"
theirs "$folder/run"
: >"$log"
TRIP_RUNTIME_DIR=$folder/run refused 1 "$TRIPD"
logged "the folder of $folder/run/$TRIP_INSTANCE.sock is neither root's nor of the user that tripd runs as" ||
    fail "a foreign folder is not explained"
[ -z "$(ls "$folder/run")" ] || fail "tripd made files in a foreign folder"

# A snapshot; one of our own in a foreign folder is as little worth.
export TRIP_STATE_DIR=$folder/state
snapshot=$folder/state/$TRIP_INSTANCE/snapshot
start
attached db
says db ok record failure 5
ends 0 "$TRIPCTL" force-open db --reason 'root said so'
kill_client db
stop
for what in "$snapshot" "$(dirname "$snapshot")"; do
    rm "$segment"
    chown -R root "$folder/state"
    theirs "$what"
    : >"$log"
    start
    logged "the snapshot $snapshot is not used: it or its folder is another user's: give both to the user that tripd runs" ||
        fail "a foreign $what is believed"
    shows 0 breakers.count status
    kill_both
done
chown -R root "$folder/state"
rm "$segment"
start
shows forced_open mode show db
stop
