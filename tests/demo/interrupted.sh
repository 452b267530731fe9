#!/usr/bin/env bash
# tools/demo in the middle of an outage ends at once when it is terminated, hung up or interrupted, and leaves no
# process and no file behind.
set -euo pipefail
source "$(dirname "$0")/../system/common.bash"
command -v wrk >/dev/null || skip "there is no wrk"

export TMPDIR=$folder/tmp
outage() { pgrep -P "$demo" -x outage >/dev/null; }
under_load() { outage && pgrep -P "$(pgrep -P "$demo" -x outage)" -x wrk >/dev/null; }

for signal in TERM HUP INT; do
    mkdir "$TMPDIR"
    # Scripts that a shell starts in the background ignore SIGINT, unless they have a group of their own.
    set -m
    "$TRIP_SOURCE_DIR/tools/demo" --quick --build "$TRIP_BUILD_DIR" >"$log" 2>&1 &
    demo=$!
    set +m
    await "the outage is under load" under_load
    members=$(pgrep -P "$(pgrep -P "$demo" -x outage)" | tr '\n' ' ')
    status=0
    began=$SECONDS
    kill "-$signal" "$demo"
    wait "$demo" || status=$?
    [ "$status" -eq 130 ] || fail "status $status after SIG$signal"
    [ $((SECONDS - began)) -le 3 ] || fail "it ended $((SECONDS - began)) s after SIG$signal"
    for member in $members; do
        await "process $member of the outage is gone" gone "$member"
    done
    rmdir "$TMPDIR" || fail "after SIG$signal there is still $(ls "$TMPDIR")"
done
