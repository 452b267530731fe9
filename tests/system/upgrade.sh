#!/usr/bin/env bash
# An upgrade under load: tripd is stopped and another one of the same layout started, by another path, while programs go
# on calling. Modes, open breakers and the reason stay, each call is counted once, and programs attach again by
# themselves.
set -euo pipefail
source "$(dirname "$0")/common.bash"
names=(a b c d)

cat >"$folder/tripd.yaml" <<'END'
breakers: [{match: "*", open: {for: 5m, jitter: 0%}}]
END
start "$TRIPD" -c "$folder/tripd.yaml"
for name in "${names[@]}"; do
    attached "$name"
    shares "$name" broken
    shares "$name" "pinned/$name"
    shares "$name" db
done
shares a broken
says a ok record failure 5
shares a db
ends 0 "$TRIPCTL" force-open 'pinned/*' --reason drill --ttl 1h
tripped=$(of since_unix_ms show broken)
id=$(segment_id)

for round in 2 3 4; do
    for name in "${names[@]}"; do says "$name" ok load; done
    cp "$TRIPD" "$folder/tripd-$round"
    stop
    start "$folder/tripd-$round" -c "$folder/tripd.yaml"
    [ "$(segment_id)" = "$id" ] && [ "$(starts)" -eq "$round" ] || fail "the segment was not adopted"
    for name in "${names[@]}"; do await "client $name is attached again" would_say "$name" shared status; done
done

total=0
for name in "${names[@]}"; do total=$((total + $(ask "$name" reported))); done
[ "$total" -gt 100 ] || fail "$total calls are no load"
counted() { echo $(($(of totals.calls show db) + $(of totals.calls show broken))); }
all_counted() { [ "$(counted)" -eq "$total" ]; }
await "each of $total calls is counted" all_counted
shows closed state show db
shows open state show broken
shows consecutive reason show broken
[ "$(of since_unix_ms show broken)" = "$tripped" ] || fail "the breaker opened again"
for name in "${names[@]}"; do
    shares "$name" broken
    says "$name" deny_open allow
    shares "$name" "pinned/$name"
    says "$name" deny_forced allow
    shows drill mode_reason show "pinned/$name"
done
shares a pinned/later
says a deny_forced allow
shows 4 clients.count status
stop
