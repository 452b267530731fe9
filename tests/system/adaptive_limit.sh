#!/usr/bin/env bash
# An adaptive limit moves with the latency that programs measure: up while more calls at once cost no time, down when they
# queue, and up again.
set -euo pipefail
source "$(dirname "$0")/common.bash"

cat >"$folder/tripd.yaml" <<'END'
breakers:
  - match: db
    concurrency: {max: 40, adaptive: gradient2, min: 2}
    priority: {sheddable_below: 0%, normal_below: 0%}
END
start "$TRIPD" -c "$folder/tripd.yaml" --test-clock
attached a
attached b

# settled CAPACITY: two programs call as much as they may, 60 times. The dependency works on so many calls at once, 250 ms
# each; the others wait. The highest limit in the last ten rounds is in $highest: for a moment the limit drains.
settled() {
    local round calls limit
    highest=0
    for round in {1..60}; do
        calls=$(($(ask a begins 20) + $(ask b begins 20)))
        ends 0 "$TRIPCTL" clock advance "$((calls > $1 ? 250 * calls / $1 : 250))ms"
        says a ok ends ok
        says b ok ends ok
        [ "$round" -gt 50 ] || continue
        limit=$(of limits.concurrency.limit show db)
        [ "$limit" -le "$highest" ] || highest=$limit
    done
}

shows 20 limits.concurrency.limit show db
settled 40
[ "$highest" -eq 40 ] || fail "the limit is $highest where 40 calls at once cost no time"
settled 10
[ "$highest" -ge 10 ] && [ "$highest" -le 25 ] || fail "the limit is $highest where 10 calls run at once"
settled 40
[ "$highest" -eq 40 ] || fail "the limit is $highest where 40 calls at once cost no time again"
await "no ticket is out" would_show 0 limits.concurrency.taken show db
shows 40 limits.concurrency.max show db
stop
