#!/usr/bin/env bash
# A program in a time namespace has another CLOCK_MONOTONIC, ahead or behind. An operator's trip denies it as long as it
# denies everybody, and no state that is shared moves by its clock; with tripd and without, it tries again when the open
# time is over.
set -euo pipefail
source "$(dirname "$0")/common.bash"

unshare --time --fork true 2>>"$log" || skip "no time namespace can be made here"
offsets=("${@:-100000 -100}") # seconds

cat >"$folder/tripd.yaml" <<'END'
breakers: [{match: "*", open: {for: 1s, multiplier: 1.0, max: 10m, jitter: 0%}, half_open: {successes: 1}}]
END

# is_denied NAME: by the breaker that it is asked about.
is_denied() {
    says "$1" deny_open allow
    says "$1" deny_open begin
    says "$1" ok end ok
}
# tries_again NAME: its probe closes the breaker for everybody.
tries_again() {
    await "client $1 tries again" would_say "$1" probe begin
    says "$1" ok end ok
    await "the probe of client $1 closes the breaker" would_say usual closed state
}

# shellcheck disable=SC2068 # words
for offset in ${offsets[@]}; do
    start "$TRIPD" -c "$folder/tripd.yaml"
    attached usual
    ends 0 "$TRIPCTL" trip db --for 5m --reason incident
    attached shifted unshare --time --monotonic "$offset" --boottime "$offset" --fork --kill-child \
        "$TRIP_BUILD_DIR/tests/support/client"
    for ((i = 0; i < 20; i++)); do is_denied shifted; done
    is_denied usual
    shows open state show db
    shows open events.-1.to events db

    # The time is over: once while tripd lives, and once while none does.
    ends 0 "$TRIPCTL" trip db --for 1s --reason incident
    tries_again shifted
    ends 0 "$TRIPCTL" trip db --for 1s --reason incident
    kill_both
    tries_again shifted
    kill_client usual
    kill_client shifted
done
