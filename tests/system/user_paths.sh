#!/usr/bin/env bash
# tripd --user keeps to the user's own folders.
set -euo pipefail
source "$(dirname "$0")/common.bash"

unset TRIP_RUNTIME_DIR TRIP_STATE_DIR
export XDG_RUNTIME_DIR=$folder/run XDG_CONFIG_HOME=$folder/config XDG_STATE_HOME=$folder/new/state
mkdir "$XDG_RUNTIME_DIR" "$XDG_CONFIG_HOME" "$XDG_CONFIG_HOME/tripd"
start "$TRIPD" --user
[ -S "$XDG_RUNTIME_DIR/tripd/$TRIP_INSTANCE.sock" ] || fail "the socket is not in XDG_RUNTIME_DIR"
stop
[ -s "$XDG_STATE_HOME/tripd/$TRIP_INSTANCE/snapshot" ] || fail "the state is not in XDG_STATE_HOME, which was missing"
[ "$(stat -c %a "$folder/new" "$XDG_STATE_HOME")" = $'700\n700' ] || fail "others may look into XDG_STATE_HOME"
echo 'nonsense: 1' >"$XDG_CONFIG_HOME/tripd/$TRIP_INSTANCE.yaml"
refused 1 "$TRIPD" --user
logged "$XDG_CONFIG_HOME/tripd/$TRIP_INSTANCE.yaml:1" || fail "the config is not looked for in XDG_CONFIG_HOME"
unset XDG_RUNTIME_DIR
refused 1 "$TRIPD" --user
logged 'there is no XDG_RUNTIME_DIR for --user' || fail "the missing folder is not explained"
