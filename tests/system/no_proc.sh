#!/usr/bin/env bash
# Programs that cannot read /proc/self: one in a chroot or container without /proc, and one whose main thread has ended.
# They take part like all others: they are counted, and what they hold comes back when they end or become another program.
set -euo pipefail
source "$(dirname "$0")/common.bash"

cat >"$folder/tripd.yaml" <<'END'
breakers: [{match: "*", concurrency: {max: 4}, priority: {sheddable_below: 0%, normal_below: 0%}}]
END
start "$TRIPD" -c "$folder/tripd.yaml"
attached other
free() { would_say other "$1" tickets; }

# takes_part NAME: the client is attached, or will be, and its calls count.
takes_part() {
    says "$1" ok open
    await "client $1 is shared" would_say "$1" shared status
    shares "$1" "$1"
    says "$1" ok record ok 7
    await "its calls are counted" would_show 7 totals.calls show "$1"
    shares "$1" db
    says "$1" 3 begins 3
    free 1 || fail "client $1 holds no tickets of the bulkhead"
    [ "$("$TRIPCTL" --json show db | json_value limits.concurrency.holders.0.tickets)" = 3 ] ||
        fail "tripd does not know who holds the tickets of $1"
}

# The main thread ends, the process goes on: /proc/self is a zombie's.
client headless
says headless ok leave
takes_part headless
kill_client headless
await "its tickets are back" free 4

[ "$(id -u)" -eq 0 ] || skip "only root can hide /proc from a program"
without_proc=(unshare -m bash -c 'mount -t tmpfs none /proc && exec "$@"' bash)
"${without_proc[@]}" true 2>>"$log" || skip "this container may not mount anything"
client hidden "${without_proc[@]}" "$TRIP_BUILD_DIR/tests/support/client"
takes_part hidden
kill_client hidden
await "its tickets are back" free 4

# The process lives on, as another program.
client changed "${without_proc[@]}" "$TRIP_BUILD_DIR/tests/support/client"
takes_part changed
tell changed exec sleep 100
await "its tickets are back" free 4
[ "$(cat "/proc/${pids[changed]}/comm")" = sleep ] || fail "the process does not live on"

# The same for a child of such a process, and with a new worker of tripd.
client parent "${without_proc[@]}" "$TRIP_BUILD_DIR/tests/support/client"
takes_part parent
kill -9 "$(worker)"
await "the next worker is ready" logged_times 2 'is ready'
await "the tickets are still held" free 1
programs+=("$(ask parent fork)")
kill_client parent
await "the parent's tickets are back" free 4
await "the child is attached" would_say parent shared status
stop
