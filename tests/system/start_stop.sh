#!/usr/bin/env bash
# A start makes its files; a clean stop leaves the segment and the snapshot, and the next start goes on with them.
set -euo pipefail
source "$(dirname "$0")/common.bash"

start
[ "$(daemon_state)" = 00000001 ] || fail "the segment does not say that tripd runs"
[ "$(stat -c %a "$socket")" = 666 ] || fail "the socket is not open to everyone"
[ "$(stat -c %a "$segment")" = 644 ] || fail "the segment's mode is $(stat -c %a "$segment")"
[ "$(cat "$folder/$TRIP_INSTANCE.lock")" = "$keeper" ] || fail "the lock file does not name the keeper"
id=$(segment_id)
worker=$(worker)
stop
gone "$worker" || fail "the worker outlived the keeper"
[ "$(daemon_state)" = 00000002 ] || fail "the segment does not say that tripd was stopped"
[ ! -e "$socket" ] || fail "the socket is still there"
logged 'stopped' || fail "the stop was not logged"

start
[ "$(segment_id)" = "$id" ] || fail "the segment was not adopted"
[ "$(starts)" -eq 2 ] || fail "the segment counts $(starts) starts instead of 2"
kill -INT "$keeper"
wait "$keeper" || fail "SIGINT is no clean stop"
[ "$(daemon_state)" = 00000002 ] || fail "SIGINT did not leave the mark of a clean stop"

# Usage.
refused 2 "$TRIPD" --frobnicate
refused 2 "$TRIPD" -i no/name
refused 0 "$TRIPD" --version
refused 0 "$TRIPD" --help
