#!/usr/bin/env bash
# A second tripd on the same instance or the same segment is refused, says who holds it, and changes nothing; another
# instance is free.
set -euo pipefail
source "$(dirname "$0")/common.bash"

start
id=$(segment_id)
refused 1 "$TRIPD"
logged "instance \"$TRIP_INSTANCE\" is run by another tripd, pid $keeper, which holds $folder/$TRIP_INSTANCE.lock" ||
    fail "it does not say that pid $keeper holds the instance"
alive "$keeper" || fail "the first tripd is gone"
[ "$(segment_id)" = "$id" ] && [ -S "$socket" ] || fail "the second tripd touched the first one's files"

# A tripd with another socket finds the same segment.
mkdir "$folder/elsewhere"
refused 1 env TRIP_RUNTIME_DIR="$folder/elsewhere" "$TRIPD"
logged "the state segment $segment is used by another tripd, pid $keeper, which holds $segment~lock" ||
    fail "it does not say that pid $keeper holds the segment"
[ "$(starts)" -eq 1 ] || fail "the second tripd adopted the segment that the first one uses"
[ ! -e "$folder/elsewhere/$TRIP_INSTANCE.sock" ] || fail "a tripd that was refused made a socket"
# Anyone who may read the segment may lock it: so tripd's lock is another file.
[ "$(stat -c %a "$segment~lock")" = 600 ] || fail "others may hold the segment's lock"

# Only the worker is left of a killed keeper for a moment; the next tripd waits for that.
kill -9 "$keeper"
start
stop
start env TRIP_RUNTIME_DIR="$folder/elsewhere" "$TRIPD"
stop

first=$TRIP_INSTANCE
start
other_log=$folder/other.log
"$TRIPD" -i "$first-b" 2>"$other_log" &
other=$!
await "another instance is ready beside this one" grep -q 'is ready' "$other_log"
kill -TERM "$other"
wait "$other" || fail "the other instance did not stop cleanly"
stop
