#!/usr/bin/env bash
# One user takes nothing from another: control connections and lanes are counted for each user.
set -euo pipefail
source "$(dirname "$0")/common.bash"
nobody_can_run
cp "$TRIP_BUILD_DIR/tests/support/attach_many" "$folder/bin/"

cat >"$folder/tripd.yaml" <<'END'
limits: {max_breakers: 16, lane_memory_per_user: 1MiB}
access: {report: [any]}
END
start "$TRIPD" -c "$folder/tripd.yaml"

# 64 control connections a user.
client many "${nobody[@]}" "$folder/bin/client"
says many 64 ask 70
ends 1 "${nobody[@]}" "$folder/bin/tripctl" config show
[[ $said == *"uid 65534 has 64 control connections open, and may have no more: end some of its tripctl processes"* ]] ||
    fail "the refusal says: $said"
ends 0 "$TRIPCTL" config show
kill_client many
may_again() { "${nobody[@]}" "$folder/bin/tripctl" config show >"$folder/shown" 2>&1; }
await "nobody may connect again" may_again

# Lanes: who finds no room is not counted, and goes on with the shared state. A lane takes some 60 KiB.
attached first "${nobody[@]}" "$folder/bin/client"
says first ok record ok 1
client crowd "${nobody[@]}" "$folder/bin/attach_many" 30
states=$folder/states
for _ in {1..30}; do
    IFS= read -r -t 60 state <&"${answers[crowd]}" || fail "not all of the crowd know their state"
    echo "$state"
done >"$states"
crowded=$(grep -c '^shared$' "$states")
[ "$crowded" -ge 8 ] && [ "$crowded" -le 20 ] || fail "$crowded processes found room in 1 MiB"
client third "${nobody[@]}" "$folder/bin/client"
says third ok open
says third ok breaker db
await "the third client has no lane" would_say third unreported status
attached root
shows $((crowded + 2)) clients.count status
says third ok record ok 100
says first ok record ok 1
await "only who has a lane is counted" would_show 2 totals.calls show db
says first ok record failure 4
says third allow allow
says third ok record failure 1
says third deny_open allow
says root deny_open allow
ends 0 "$TRIPCTL" reset db
says third allow allow

# There is room once another one has ended.
kill_client crowd
await "the third client has a lane" would_say third shared status
stop
