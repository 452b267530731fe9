#!/usr/bin/env bash
# Reporters that hold all the connections that they may have: tripd asked for descriptors for four full shares, so that
# two leave room for a third user, and four for root.
set -euo pipefail
source "$(dirname "$0")/common.bash"
outsider_can_run

printf 'limits: {max_lanes: 16}\naccess: {report: [any]}\n' >"$folder/tripd.yaml"
start bash -c "ulimit -Sn 64; exec \"\$TRIPD\" -c '$folder/tripd.yaml'"
# A memfd and a pidfd for each of 16 lanes, four times 32 connections of reporters, 128 of strangers, and 512 at least: it
# asks for as many as a reload may want.
limit=$(awk '/^Max open files/ {print $4}' "/proc/$(worker)/limits")
[ "$limit" -ge 800 ] || fail "the limit of descriptors is $limit"

as() { nobody=(setpriv "--reuid=$1" --regid=65534 --clear-groups env LD_LIBRARY_PATH="$folder/bin"); }
# fill UID [MAY]: it has come to its end when tripd has left it that many connections.
fill() {
    as "$1"
    attack "filler$1" silent 300 "${2:-32}"
}
before=$(descriptors)

fill 65534
[ "$came" -eq 32 ] || fail "$came connections of one reporter are open"
fill 65533
[ "$came" -eq 32 ] || fail "$came connections of a second reporter are open"
as 65532
attached third "${nobody[@]}" "$folder/bin/client"
says third ok record ok 1
kill_client third

for uid in 65531 65530; do fill "$uid"; done
await "tripd holds four shares" descriptors_are $((before + 128))
fill 65529 0
[ "$came" -eq 0 ] || fail "$came connections of a fifth reporter are open"
attached root
says root ok record ok 1
ends 0 "$TRIPCTL" reset db
logged 'or all users with the role report together have 128: further ones are closed' || fail "the log does not say so"
stop
