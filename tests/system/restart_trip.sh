#!/usr/bin/env bash
# tripd is stopped and started, or both its processes are killed, and an operator trips a breaker before any program has
# noticed: the next call of each is denied, also of one that only asks and so never attaches again.
set -euo pipefail
source "$(dirname "$0")/common.bash"

echo 'access: {observe: [any], report: [any], control: [any]}' >"$folder/tripd.yaml"

both_are_answered() { # both_are_answered VERDICT
    says asks "$1" allow
    says calls "$1" begin
    says calls ok end ok
}

for gone in stop kill_both; do
    start "$TRIPD" -c "$folder/tripd.yaml"
    for name in asks calls; do attached $name; done
    both_are_answered allow
    commons=$(commons_id)
    $gone
    start "$TRIPD" -c "$folder/tripd.yaml"
    [ "$(commons_id)" != "$commons" ] || fail "tripd goes on with the commons of before"
    ends 0 "$TRIPCTL" trip db --for 5m --reason incident
    both_are_answered deny_open
    for ((i = 0; i < 20; i++)); do says asks deny_open allow; done

    # The program that only asks obeys an operator's reset and mode, too.
    ends 0 "$TRIPCTL" reset db
    both_are_answered allow
    ends 0 "$TRIPCTL" force-open db --reason drill
    both_are_answered deny_forced
    ends 0 "$TRIPCTL" auto db
    both_are_answered allow
    for name in asks calls; do kill_client $name; done
    stop
done
