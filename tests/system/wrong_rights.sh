#!/usr/bin/env bash
# As a user without rights: clear errors that name what and what to do, and nothing left behind.
set -euo pipefail
source "$(dirname "$0")/common.bash"

nobody_can_run
TRIPD=$folder/bin/tripd

# The folder of the socket is another user's.
refused 1 "${nobody[@]}" "$TRIPD"
logged "cannot lock $folder/$TRIP_INSTANCE.lock: Permission denied; start tripd as root or by its systemd unit" ||
    fail "the refusal does not say what to do"
refused 1 "${nobody[@]}" env TRIP_RUNTIME_DIR="$folder/none/at/all" "$TRIPD"
logged "cannot make the folder of $folder/none/at/all/$TRIP_INSTANCE.sock" || fail "the folder is not named"

# The segment's name is another user's: it is left alone.
mkdir -m 777 "$folder/own" "$folder/shm"
chmod 1777 "$folder/shm"
echo theirs >"$folder/shm/tripd.$TRIP_INSTANCE"
refused 1 "${nobody[@]}" env TRIP_RUNTIME_DIR="$folder/own" TRIP_SHM_DIR="$folder/shm" "$TRIPD"
logged "the state segment $folder/shm/tripd.$TRIP_INSTANCE cannot be used: it belongs to another user" ||
    fail "the foreign segment is not explained"
[ "$(cat "$folder/shm/tripd.$TRIP_INSTANCE")" = theirs ] || fail "the foreign segment was changed"

# With folders of its own nobody can run it, and root's is another instance.
rm "$folder/shm/tripd.$TRIP_INSTANCE"
export TRIP_RUNTIME_DIR=$folder/own TRIP_SHM_DIR=$folder/shm
start "${nobody[@]}" "$TRIPD"
stop
