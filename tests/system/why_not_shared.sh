#!/usr/bin/env bash
# A program that does not take part can say why, in words: what is missing, where, and whom tripd refuses.
set -euo pipefail
source "$(dirname "$0")/common.bash"

# because NAME PATTERN: the client is not shared, and says so.
because() {
    local why
    why=$(ask "$1" why)
    # shellcheck disable=SC2053 # a pattern
    [[ $why == $2 ]] || fail "client $1 says \"$why\" instead of \"$2\""
    [[ $why != *Success* ]] || fail "client $1 calls an error a success: $why"
}
would_be_because() { [[ $(ask "$1" why) == $2 ]]; }

# trip_client_why names each socket at which no tripd listens, be it one or two.
client early
says early ok open
because early "nobody listens at $socket"
client elsewhere env -u TRIP_RUNTIME_DIR XDG_RUNTIME_DIR="$folder/run" TRIP_INSTANCE="$TRIP_INSTANCE" \
    "$TRIP_BUILD_DIR/tests/support/client"
says elsewhere ok open
because elsewhere "nobody listens at $folder/run/tripd/$TRIP_INSTANCE.sock; nobody listens at /run/tripd/$TRIP_INSTANCE.sock"

# The program attaches by itself: then there is nothing to say.
start
await "the early client is shared" would_say early shared status
says early '' why

# No room for a lane.
client small bash -c 'ulimit -f 0; exec "$0"' "$TRIP_BUILD_DIR/tests/support/client"
says small ok open
await "it cannot make a lane" would_be_because small \
    "this process may make no file as large as a lane: raise its RLIMIT_FSIZE"

# tripd stalls, is stopped, and is dead.
kill -STOP "$(worker)"
await "the client misses tripd" would_say early daemon_away status
because early "tripd is dead or stalled: it has given no sign of life for * s"
client late
says late ok open
because late "this process is still attaching: tripd at $socket has not answered yet"
kill -CONT "$(worker)"
await "the client finds tripd again" would_say early shared status
says early '' why
stop
await "the client has seen the stop" would_be_because early "tripd was stopped; nobody listens at $socket"
start
await "the client finds tripd again" would_say early shared status
kill_both
await "the client has seen the death" would_be_because early \
    "tripd is dead or stalled: it has given no sign of life for * s; nobody listens at $socket"

# tripd refuses a user who lacks the role report.
nobody_can_run
start
client nobody "${nobody[@]}" "$folder/bin/client"
says nobody ok open
because nobody "tripd refuses this process: uid 65534 lacks the role report: add its user or one of its groups to *"
chmod 700 "$socket"
client shut "${nobody[@]}" "$folder/bin/client"
says shut ok open
because shut "this process's user may not connect to $socket"
stop
