#!/usr/bin/env bash
# 65,535 breakers: each takes 8 KiB at most of segment, commons and tripd; the bound moves at a reload, both ways, while
# programs run; a copy of the segment is read without its holes.
set -euo pipefail
source "$(dirname "$0")/common.bash"
[ "$(id -u)" -eq 0 ] || skip "only root has no quota of names that are never called"

config=$folder/tripd.yaml
bound() {
    echo "limits: {max_breakers: $1}" >"$config"
    [ -z "$keeper" ] || ends 0 "$TRIPCTL" config reload
}
blocks() { echo $(($(stat -Lc %b "$1") * 512)); }
commons() {
    local fd
    for fd in "/proc/$keeper/fd/"*; do
        [[ $(readlink "$fd") != /memfd:tripd-commons-* ]] || echo "$fd"
    done
}
anonymous() { awk '/^Anonymous:/ {print $2 * 1024}' "/proc/$1/smaps_rollup"; }
memory() { echo $(($(blocks "$segment") + $(blocks "$(commons)") + $(anonymous "$keeper") + $(anonymous "$(worker)"))); }

bound 100
start "$TRIPD" -c "$config"
attached a
before=$(memory)
printf 'with one breaker: %d KiB of segment, commons and heap\n' $((before / 1024))
sanitized || [ "$before" -lt $((16 * 1024 * 1024)) ] || fail "tripd takes $before bytes for one breaker"

says a 99 breakers 200
shows 100 breakers.most status
shows 100 breakers.count status

bound 65535
client b
says b ok open
shares b db
all_shared() { # names whose answer takes longer than 100 ms are asked for once more
    tell b breakers 65534
    IFS= read -r -t 500 shared <&"${answers[b]}" || fail "65,534 names did not come"
    [ "$shared" -eq 65534 ]
}
await "all breakers are everyone's" all_shared
patience=600
await "tripctl counts them" would_show 65535 breakers.count status
shows 65535 breakers.most status
says b ok record failure 5
says b deny_open allow # the last of them
each=$((($(memory) - before) / 65434))
printf '%d bytes a breaker\n' "$each"
[ "$each" -le 8192 ] || fail "a breaker takes $each bytes"
logged_times 1 'limits.max_breakers is used up: 100 breakers are there' || fail "the log does not say that 100 were all"

bound 10
shows 10 breakers.most status
shows 65535 breakers.count status
says b deny_open allow
says a ok breaker names-65533
await "a shares the last one, too" would_say a deny_open allow

copy=$folder/copy
cp "$segment" "$copy"
shows 65535 breakers.count status --segment "$copy"
shows open state show names-65533 --segment "$copy"
stop
