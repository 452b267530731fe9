#!/usr/bin/env bash
# A permit comes back when the program that holds it is gone, be it dead or another program by now, whoever else holds its
# sockets. A forked child that outlives its parent is a client of its own, and its reports count.
set -euo pipefail
source "$(dirname "$0")/common.bash"

cat >"$folder/tripd.yaml" <<'END'
breakers: [{match: "db", open: {for: 10s, multiplier: 1.0, jitter: 0%}, half_open: {permits: 1, successes: 1, max_wait: 1h}}]
END
start "$TRIPD" -c "$folder/tripd.yaml" --test-clock
attached other

# half_open NAME: this client holds the only permit.
half_open() {
    says other ok record failure 5
    says other deny_open allow
    ends 0 "$TRIPCTL" clock advance 10s
    says "$1" probe begin
    says other deny_half_open begin
}
# comes_back: the probe closes the breaker, without the holder's outcome.
comes_back() {
    timed await "the permit is back" would_say other probe begin
    says other half_open state
    says other ok end ok
    await "tripd closes the breaker" would_say other closed state
}
forked() {
    local child
    child=$(ask "$1" "$2")
    programs+=("$child")
    echo "$child"
}

# A killed program.
attached killed
half_open killed
kill_client killed
comes_back

# A parent, whose child goes on: what the parent began is the parent's, so the child's end of it does nothing.
attached parent
half_open parent
child=$(forked parent fork)
says parent ok end ok
says other deny_half_open begin
kill_client parent
comes_back
shares parent side
says parent ok record ok 40
await "the child's reports count" would_show 40 totals.calls show side
alive "$child" || fail "the child is gone"
shows 2 clients.count status

# A child that no atfork handler ran for holds the parent's sockets and memory as long as it does nothing.
attached unaware
half_open unaware
child=$(forked unaware raw_fork)
sockets=$(find "/proc/$child/fd" -lname 'socket:*' | wc -l)
[ "$sockets" -ge 1 ] || fail "the child holds no socket of its parent: nothing is tried here"
kill_client unaware
comes_back
shares unaware side
says unaware ok record ok 2
await "the child's reports count" would_show 42 totals.calls show side

# A program that becomes another one: its process lives on.
attached changed
half_open changed
tell changed exec sleep 100
comes_back
[ "$(cat "/proc/${pids[changed]}/comm")" = sleep ] || fail "the process does not live on"
shows 3 clients.count status
stop
