#!/usr/bin/env bash
# What an operator is told of a tripd that does not answer: stalled, killed, or never there.
set -euo pipefail
source "$(dirname "$0")/common.bash"

# says STATUS TEXT ARGUMENTS...: tripctl must end with this status, and its standard error hold this text.
says() {
    local want=$1 text=$2 got=0 said
    shift 2
    said=$("$TRIPCTL" "$@" 2>&1 >"$folder/printed") || got=$?
    [ "$got" -eq "$want" ] || fail "tripctl $* ended with $got instead of $want: $said"
    [[ $said == *"$text"* ]] || fail "tripctl $* does not say \"$text\": $said"
}
printed() { grep -qF -- "$1" "$folder/printed" || fail "not printed: \"$1\" but $(cat "$folder/printed")"; }

says 3 "there is no state segment $segment; add --user" list

start
coproc client { exec "$TRIP_BUILD_DIR/tests/support/report_outcomes"; }
echo "db S" >&"${client[1]}"
read -r -t 30 _ <&"${client[0]}" || fail "the client did not report"

# Stalled: a change is not waited for in vain, and it may still come.
worker=$(worker)
kill -STOP "$keeper" "$worker"
began=$SECONDS
says 3 "may still be carried out when it goes on" trip db --reason 'db failover'
[ $((SECONDS - began)) -le 20 ] || fail "tripctl trip took $((SECONDS - began)) s"
says 0 "tripd has no heartbeat" list
says 0 "" status
printed "stalled: no heartbeat for"
kill -CONT "$keeper" "$worker"
await "the change is carried out" grep -q 'db: closed -> open (operator)' "$log"
says 0 "" show db
printed "db: open, operator $(id -un): \"db failover\", for"

# Killed: told at once, long before the heartbeat is missed.
told_dead() { grep -q "tripd is dead, and was not stopped" <<<"$("$TRIPCTL" list 2>&1 >"$folder/printed")"; }
kill -9 "$keeper" "$worker"
await "its death is told" told_dead # the kernel closes the socket of a ring a moment later
printed "operator $(id -un): db failover"
says 0 "" status
printed "dead, and was not stopped"
says 3 "nobody listens at $socket" trip db
