#!/usr/bin/env bash
# A tripd that a stranger runs has no power over programs of others: set-user-ID programs take nothing from the
# environment, and what listens in $XDG_RUNTIME_DIR must be root's or the program's own.
set -euo pipefail
source "$(dirname "$0")/common.bash"
nobody_can_run
program=$TRIP_BUILD_DIR/tests/support/client
instance=$TRIP_INSTANCE
mkdir -p "$folder/theirs/tripd"
chown -R 65534:65534 "$folder/theirs"
settle() { # NAME: it has had the time for several attempts
    local i
    for ((i = 0; i < 20; i++)); do
        says "$1" ok record ok 1
        says "$1" private status
        sleep 0.05 # longer than the pause between two attempts
    done
}

# set-user-ID: the program is root's, who starts it is nobody, with a tripd of its own, of the name that a program looks
# for which takes none from the environment.
export TRIP_RUNTIME_DIR=$folder/theirs/tripd TRIP_SHM_DIR=$folder/theirs TRIP_STATE_DIR=$folder/theirs
export TRIP_INSTANCE=default
segment=$folder/theirs/tripd.default
start "${nobody[@]}" "$folder/bin/tripd"
cp "$program" "$folder/bin/set_user_id"
chmod 4755 "$folder/bin/set_user_id"
[[ ,$(findmnt -no OPTIONS -T "$folder"), != *,nosuid,* ]] || skip "this folder has no set-user-ID programs"
client own "${nobody[@]}" "$folder/bin/client"
says own ok open
shares own db
client elevated "${nobody[@]}" "$folder/bin/set_user_id"
says elevated ok open
says elevated ok breaker db
settle elevated
says own ok record failure 5
says elevated allow allow
"${nobody[@]}" truncate -s 0 "$segment" # its own program may die of it
says elevated allow allow
stop_quietly() { kill -9 "$keeper" "$(worker)" 2>/dev/null || true; wait "$keeper" 2>/dev/null || true; keeper=; }
stop_quietly
rm -rf "$segment" "$folder/theirs/default"
export TRIP_INSTANCE=$instance
segment=$folder/theirs/tripd.$instance

# XDG_RUNTIME_DIR: root has another user's.
unset TRIP_RUNTIME_DIR
export XDG_RUNTIME_DIR=$folder/theirs
start "${nobody[@]}" HOME="$folder/theirs" "$folder/bin/tripd" --user
client theirs "${nobody[@]}" "$folder/bin/client"
says theirs ok open
shares theirs db
client root
says root ok open
says root ok breaker db
settle root
stop
unset XDG_RUNTIME_DIR
rm -rf "$segment" "$folder/theirs/$instance"

# /run/tripd: its owner's tripd is believed, as the user tripd's is on each host, another's is not.
unshare --mount true 2>>"$log" || skip "this container may not unshare mounts"
in_run() { # OWNER: a tripd that nobody runs
    start unshare --mount bash -c 'mount -t tmpfs tmpfs /run && mkdir /run/tripd && chmod 777 /run/tripd &&
        chown "$1" /run/tripd && shift && exec "$@"' run "$1" "${nobody[@]}" "$folder/bin/tripd"
}
inside() { nsenter --mount="/proc/$keeper/ns/mnt" "$@"; }
in_run 65534
client run nsenter --mount="/proc/$keeper/ns/mnt" "$program"
says run ok open
says run ok breaker db
await "the system's tripd is believed" would_say run shared status
kill_client run
kill_both
in_run 0
client stranger nsenter --mount="/proc/$keeper/ns/mnt" "$program"
says stranger ok open
says stranger ok breaker db
settle stranger
stop
