#!/usr/bin/env bash
# tripd is killed, and nobody starts it again: streaks open breakers on the whole host, one probe at a time follows the
# deadline, success closes, failure opens again for the open time that tripd published, modes stay until their TTL ends;
# tripctl shows the last state. A tripd that comes back takes the words as it finds them.
set -euo pipefail
source "$(dirname "$0")/common.bash"

cat >"$folder/tripd.yaml" <<'END'
breakers: [{match: "*", open: {for: 1500ms, multiplier: 2, max: 1h, jitter: 0%}, half_open: {successes: 1}}]
END
start "$TRIPD" -c "$folder/tripd.yaml"
for name in a b; do
    attached $name
    for breaker in brief pinned db; do shares $name $breaker; done
done
ends 0 "$TRIPCTL" force-open brief --ttl 4s --reason drill
ends 0 "$TRIPCTL" force-open pinned
says a ok record ok 2
shows 2 totals.calls show db
for name in a b; do
    shares $name brief
    says $name deny_forced allow
done
kill_both

# tripctl looks, and says how old it is; what would change something needs tripd.
for verb in list "show db" events clients status; do
    # shellcheck disable=SC2086 # words
    "$TRIPCTL" --json $verb 2>>"$log" | json_value || fail "tripctl $verb does not answer without tripd"
done
shows 2 totals.calls show db
ends 0 "$TRIPCTL" list
[[ $said == *"tripctl: tripd is dead, and was not stopped; this is its last state, and clients go on without it"* ]] ||
    fail "tripctl list does not say that this is old: $said"
shows dead daemon status
stale() { [ "$("$TRIPCTL" --json status | json_value heartbeat_age_ms)" -gt 3000 ]; }
await "the heartbeat is stale" stale
for verb in "trip db" "auto db" "reset db" "config reload" "config show" "clock show"; do
    # shellcheck disable=SC2086 # words
    ends 3 "$TRIPCTL" $verb
    [[ $said == *"no tripd runs as instance $TRIP_INSTANCE: nobody listens at $socket"* ]] || fail "$verb says: $said"
done
says a daemon_away status

# A mode ends with its TTL, and only then.
await "the mode's TTL is over" would_say a allow allow
says b allow allow
for name in a b; do
    says $name ok breaker pinned
    says $name deny_forced allow
    says $name ok breaker db
done

# A streak of two processes.
says a ok record failure 3
says b ok record failure 1
says b allow allow
says a ok record failure 1
says a deny_open allow
says b deny_open allow
says b deny_open begin

# One probe at a time. Its failure opens again for the time that tripd published; a success closes.
await "there is a probe" would_say a probe begin
says b deny_half_open begin
says b half_open state
says a ok end failure
says b deny_open allow
await "there is a probe again" would_say b probe begin
says a deny_half_open begin
says b ok end ok
says a allow allow
says b closed state
says a allow begin
says a ok end ok

# To clients, a tripd that was stalled and goes on is the same as before; a clean stop is another thing than a stall.
start "$TRIPD" -c "$folder/tripd.yaml"
for name in a b; do await "client $name is attached again" would_say $name shared status; done
ends 0 "$TRIPCTL" reset db
worker=$(worker)
kill -STOP "$keeper" "$worker" # the keeper first: it replaces a worker that does not move
await "tripd is missed" would_say a daemon_away status
would_show stalled daemon status || fail "a stopped worker does not look stalled"
says a ok record failure 5
says b deny_open allow
kill -CONT "$worker" "$keeper"
await "tripd is back" would_say a shared status
says b deny_open allow
shows open state show db
shows consecutive reason show db
shows client events.-1.by events db
stop
says a daemon_away status
would_show stopped daemon status || fail "a clean stop does not look like one"
ends 0 "$TRIPCTL" list
[[ $said == *"tripd was stopped; this is its last state"* ]] || fail "tripctl list says: $said"
says a deny_open allow
