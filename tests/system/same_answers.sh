#!/usr/bin/env bash
# tripd under a test clock answers as the manuals say, to the millisecond: each case is a breaker of its own. "at MS" moves
# the clock to so many milliseconds since the segment was made.
set -euo pipefail
source "$(dirname "$0")/common.bash"

cat >"$folder/tripd.yaml" <<'END'
breakers:
  - match: sliding/second
    rate: {limit: 1, per: 1s, window: sliding}
    priority: {sheddable_below: 0%, normal_below: 0%}
  - match: sliding/millisecond
    rate: {limit: 4, per: 1ms, window: sliding}
    priority: {sheddable_below: 0%, normal_below: 0%}
END
start "$TRIPD" -c "$folder/tripd.yaml" --test-clock
attached a

now=0
at() { # at MS: the clock stands there from now on
    shows "$1" now_ms clock advance "$(($1 - now))ms"
    now=$1
}
calls() { # calls VERDICT...: calls of the breaker that is asked about, one after the other
    local verdict
    for verdict; do
        says a "$verdict" begin
        says a ok end ok
    done
}

# A sliding window rounds nothing: 0.999 + 1 is more than 1.
shares a sliding/millisecond
calls allow allow allow allow deny_rate
shares a sliding/second
at 999
calls allow
at 1001
calls deny_rate
at 1999
calls deny_rate
at 2000
calls allow

# Calls of 65,000 and of 65,536 windows ago are not calls of now.
shares a sliding/millisecond
at 65000
calls allow allow allow allow deny_rate
at $((65000 + 65536))
calls allow allow allow allow deny_rate
stop
