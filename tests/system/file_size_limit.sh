#!/usr/bin/env bash
# Files may be no larger than a few kilobytes (RLIMIT_FSIZE): tripd's segment or commons does not fit, which is an error
# at start that says what to do, and no signal. Where both fit, it runs.
set -euo pipefail
source "$(dirname "$0")/common.bash"

size_of() { stat -c %s "$1"; }
for kilobytes in 8 100; do
    : >"$log"
    refused 1 bash -c "ulimit -f $kilobytes; exec \"\$TRIPD\""
    logged "cannot make the state segment $segment: File too large; raise LimitFSIZE= in tripd's unit or .ulimit -f." ||
        fail "a start with files of $kilobytes kB does not say what to do"
    [ ! -e "$segment" ] || fail "half a segment was left"
done

start
stop
most=$(size_of "$segment")
: >"$log"
refused 1 bash -c "ulimit -f 100; exec \"\$TRIPD\"" # the segment is there: the commons is next
logged "cannot make the commons: File too large; raise LimitFSIZE=" || fail "it does not say what to do"
start bash -c "ulimit -f $((most / 1024 + 1)); exec \"\$TRIPD\""
attached host
says host ok record failure 5
says host deny_open allow
stop
