#!/usr/bin/env bash
# Programs open a breaker while no tripd runs. tripctl says that its state is not certain; the tripd that comes back takes
# the opening over, so that it denies old programs and new ones; an operator's reset ends it for all.
set -euo pipefail
source "$(dirname "$0")/common.bash"

cat >"$folder/tripd.yaml" <<'END_OF_CONFIG'
access: {observe: [any], report: [any], control: [any]}
breakers: [{match: "*", trip: {consecutive_failures: 5}, open: {for: 5m, jitter: 0%}}]
END_OF_CONFIG

# not_certain HOW STATE: what tripctl says of db while tripd is away.
not_certain() {
    ends 0 "$TRIPCTL" list
    [[ $said =~ "$2?"[[:space:]]+db ]] || fail "tripctl list does not say $2?: $said"
    shows false breakers.0.certain list
    shows "$1" breakers.0.daemon list
    shows "$2" breakers.0.state list
    [ "$(of breakers.0.as_of_ms list)" -ge 0 ] || fail "tripctl list does not say how old this is"
}

# The program goes on calling.
would_be_taken_over() {
    says opens deny_open begin
    says opens ok end ok
    would_show open state show db
}

away() { # away HOW COMMAND
    start "$TRIPD" -c "$folder/tripd.yaml"
    for name in opens asks; do attached $name; done
    shows true breakers.0.certain list
    "$2"
    says opens ok record failure 5
    for name in opens asks; do says $name deny_open allow; done
    not_certain "$1" closed

    start "$TRIPD" -c "$folder/tripd.yaml"
    for name in opens asks; do says $name deny_open allow; done
    await "tripd takes the opening over" would_be_taken_over
    shows consecutive reason show db
    shows client events.-1.by events db
    attached comes
    for name in opens asks comes; do says $name deny_open allow; done

    # tripctl says of an open breaker, too, that its state is not certain while tripd is away.
    "$2"
    not_certain "$1" open
    for name in opens asks comes; do says $name deny_open allow; done
    start "$TRIPD" -c "$folder/tripd.yaml"
    for name in opens asks comes; do says $name deny_open allow; done
    ends 0 "$TRIPCTL" reset db
    for name in opens asks comes; do says $name allow allow; done
    await "the program is attached again" would_say opens shared status
    shows closed state show db
    for name in opens asks comes; do
        says $name allow allow
        kill_client $name
    done
    stop
}

away dead kill_both
away stopped stop
