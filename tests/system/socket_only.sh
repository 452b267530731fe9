#!/usr/bin/env bash
# A container needs only the folder of the control socket: all memory comes over it. Sockets are tried in the order of
# $TRIP_RUNTIME_DIR and $XDG_RUNTIME_DIR/tripd.
set -euo pipefail
source "$(dirname "$0")/common.bash"

start
attached inside
client contained env TRIP_SHM_DIR=/nonexistent TRIP_STATE_DIR=/nonexistent "$TRIP_BUILD_DIR/tests/support/client"
says contained ok open
shares contained db
says inside ok record failure 4
says contained allow allow
says contained ok record failure 1
says inside deny_open allow
says contained deny_open allow
shows 5 totals.calls show db

# A user's own tripd is found in XDG_RUNTIME_DIR, unless TRIP_RUNTIME_DIR says otherwise.
mkdir "$folder/run" "$folder/run/tripd"
ln -s "$socket" "$folder/run/tripd/"
client user env -u TRIP_RUNTIME_DIR XDG_RUNTIME_DIR="$folder/run" "$TRIP_BUILD_DIR/tests/support/client"
says user ok open
shares user db
says user deny_open allow
client astray env TRIP_RUNTIME_DIR="$folder/nowhere" XDG_RUNTIME_DIR="$folder/run" "$TRIP_BUILD_DIR/tests/support/client"
says astray ok open
says astray ok breaker db
says astray private status
says astray allow allow

# What -i and $TRIP_INSTANCE name, and nothing else; what is no name is refused.
client other env TRIP_INSTANCE=other "$TRIP_BUILD_DIR/tests/support/client"
says other EINVAL open no/name
says other ok open
says other private status
client named env TRIP_INSTANCE=other "$TRIP_BUILD_DIR/tests/support/client"
says named ok open "$TRIP_INSTANCE"
shares named db
says named EINVAL breaker 'no*name'
says named deny_open allow
stop
