#!/usr/bin/env bash
# The control group of tripd is full: tripd becomes slow, for the kernel takes the pages of its program away again and
# again, or ends a worker by SIGKILL. Programs outside of the group go on with what is shared; none gets a SIGBUS.
set -euo pipefail
source "$(dirname "$0")/common.bash"

# $group: a control group of memory of our own; $bound, $usage, $refusals: its files that say how much it
# may have, has, and how often there was no more.
make_group() {
    local root=/sys/fs/cgroup own
    if grep -qs memory "$root/cgroup.subtree_control"; then
        group=$root bound=memory.max usage=memory.current refusals=memory.events
    elif [ -w "$root/memory/memory.limit_in_bytes" ]; then
        own=$(awk -F: '$2 == "memory" {print $3}' /proc/self/cgroup)
        group=$root/memory bound=memory.limit_in_bytes usage=memory.usage_in_bytes refusals=memory.failcnt
        [ ! -d "$group$own" ] || group=$group$own
    else
        absent "there is no control group of memory to make one in"
    fi
    group=$group/$TRIP_INSTANCE
    mkdir "$group" 2>/dev/null || absent "this user may not make a control group"
    trap 'clean_up; await "the group is empty" rmdir "$group" 2>/dev/null' EXIT
}
# shellcheck disable=SC2016 # the inner shell's
in_group=(bash -c 'echo $$ >"$0/cgroup.procs" && echo 0 >/proc/self/oom_score_adj && exec "$@"')

make_group
echo 'limits: {max_breakers: 65535}' >"$folder/tripd.yaml"
start "${in_group[@]}" "$group" "$TRIPD" -c "$folder/tripd.yaml"
sanitized && absent "a sanitizer's own memory fills the group"
attached a
says a allow allow
unbounded=$(cat "$group/$bound")

# More names than the group has memory for: what is there goes on, with the next worker.
echo $(($(cat "$group/$usage") + (2 << 20))) >"$group/$bound"
client crowd
says crowd ok open
tell crowd breakers 2000
full() { [ "$(awk '/^max|^[0-9]/ {print $NF}' "$group/$refusals")" -ge 1000 ]; }
await "the kernel finds no memory for tripd" full
says a ok record failure 5
says a deny_open allow

# There is memory again.
echo "$unbounded" >"$group/$bound"
IFS= read -r -t 300 shared <&"${answers[crowd]}" || fail "the crowd does not answer"
echo "$shared of 2000 breakers were shared, and $(grep -c 'was killed by signal 9' "$log" || true) workers ended"
shares crowd db
says crowd deny_open allow
answers() { "$TRIPCTL" --json status >/dev/null 2>&1; }
await "tripd answers" answers
stop
