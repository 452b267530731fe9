#!/usr/bin/env bash
# tripctl answers with JSON for every verb, and an exit status of 0, 1 (refused, not found), 2 (usage) or 3 (no tripd),
# with a message that says what to do.
set -euo pipefail
source "$(dirname "$0")/common.bash"

config=$folder/tripd.yaml
echo 'breakers: [{match: "*", open: {for: 2m}}]' >"$config"
echo '{"t_ms":0,"op":"record","breaker":"db","outcome":"failure","n":5}' >"$folder/trace"
changing=("trip db" "force-open db" "disable db" "shadow db" "auto db" "reset db" "config reload" "clock advance 1s"
    "config show" "clock show")
looking=("list" "list d*" "show db" "events" "events d*" "clients" "status"
    "wait db --state closed")

# answers STATUS TEXT VERB...: with this status, and this in what it says.
answers() {
    ends "$1" "$TRIPCTL" "${@:3}"
    [[ $said == *"$2"* ]] || fail "\"tripctl ${*:3}\" says \"$said\", which has no \"$2\""
}
# json VERB...: one JSON text, and nothing but that.
json() {
    "$TRIPCTL" --json "$@" >"$folder/answer" 2>>"$log" || fail "tripctl --json $* ends with $?"
    json_value <"$folder/answer" || fail "tripctl --json $* prints no JSON: $(cat "$folder/answer")"
    [ "$(wc -l <"$folder/answer")" -eq 1 ] || fail "tripctl --json $* prints more than a line"
}

# No tripd has ever run.
set -f # patterns are tripctl's
for verb in "${looking[@]}"; do
    # shellcheck disable=SC2086 # words
    answers 3 "no tripd has run as instance $TRIP_INSTANCE" $verb
done
for verb in "${changing[@]}"; do
    # shellcheck disable=SC2086
    answers 3 "no tripd runs as instance $TRIP_INSTANCE: nobody listens at $socket" $verb
done
answers 3 'instance elsewhere' -i elsewhere list
answers 3 'instance elsewhere' auto db --instance elsewhere

# Usage.
answers 2 frobnicate frobnicate
answers 2 NAME show
answers 2 "" config
answers 2 --frobnicate list --frobnicate
answers 2 --ttl trip db --ttl 5s
answers 2 5x trip db --for 5x
answers 2 no/name -i no/name list
answers 2 --state wait db
answers 2 opne wait db --state opne
answers 2 --follow events --follow --segment "$folder/none"
answers 2 "" clock advance
answers 0 "" --help
answers 0 "" show --help
answers 0 "" --version

# Files.
answers 1 "$folder/none" list --segment "$folder/none"
answers 1 "$folder/none" config check "$folder/none"
answers 1 "$folder/none" simulate "$folder/none"
answers 0 fine config check "$config"
echo 'breakers: [{match: "*", opne: {for: 2m}}]' >"$folder/bad.yaml"
answers 1 "$folder/bad.yaml:1" config check "$folder/bad.yaml"
ends 1 "$TRIPCTL" --json config check "$folder/bad.yaml"
[ "$(json_value ok <<<"$said")" = false ] || fail "a bad config is shown as $said"
[ "$(json_value problems.0.file <<<"$said")" = "$folder/bad.yaml" ] || fail "the problem has no file: $said"
[ "$(json_value problems.0.line <<<"$said")" = 1 ] || fail "the problem has no line: $said"
[[ $(json_value problems.0.message <<<"$said") == "unknown key 'opne'"* ]] || fail "the problem has no message: $said"
json config check "$config"
answers 0 '"reason":"consecutive"' simulate "$folder/trace"

# Now with a tripd.
start "$TRIPD" -c "$config" --test-clock
attached a
for verb in "${looking[@]}" "${changing[@]}"; do
    # shellcheck disable=SC2086
    answers 0 "" $verb
    # shellcheck disable=SC2086
    json $verb
done
for verb in show trip force-open disable shadow auto reset; do answers 1 'no breaker is named nobody' $verb nobody; done
for verb in trip reset; do answers 1 'no breaker matches n*' $verb 'n*'; done
answers 2 'is no name or pattern' trip 'a b'
answers 1 'no breaker matches nobody' list nobody
answers 0 'no breaker matches n*' list 'n*' # nothing to show is an answer
echo 'breakers: [{match: "*", open: {for: 5x}}]' >"$config"
answers 1 "$config:1" config reload
answers 1 'the config in force stays' config reload
answers 0 'for: 2m' config show

# A living tripd tells tripctl show all conditions by which it judges a breaker.
shows 50 config.trip.failure_rate show db
shows 120000 config.open.for_ms show db
shows 3 config.retry.attempts show db
answers 0 'trip        consecutive_failures: 5, failures: 0, failure_rate: 50%' show db
answers 0 'tripd alone knows its other settings' show db --segment "$segment"

# Verbs on patterns print what they hit, and a mode by pattern binds breakers that come later.
answers 0 '0 breakers forced open; those to come that match will be too' force-open 'later/*' --ttl 1h --reason 'incident 42'
shows 'later/*' patterns.0.pattern list
shows 'incident 42' patterns.0.reason list
shows 3600000 patterns.0.ttl_ms list
shares a later/x
says a deny_forced allow
shows operator mode_owner show later/x
json auto 'later/*'
says a allow allow
says a ok breaker db
answers 0 db trip 'd*' --for 30s --reason 'db failover'
says a deny_open allow
shows operator reason show db
shows 'db failover' events.-1.note events db
shows 30000 retry_after_ms show db
answers 0 "" clock advance 30s
says a half_open state
answers 0 db reset db
says a closed state

# Waiting for a state, for scripts: it is there, comes, or does not.
answers 0 'db is closed' wait db --state closed
answers 1 'db is closed, not open, after ' wait db --state open --timeout 100ms
answers 1 'no breaker is named nobody after ' wait nobody --state open --timeout 100ms
"$TRIPCTL" --json wait db --state open --timeout 60s >"$folder/waited" 2>>"$log" &
waiting=$!
programs+=("$waiting")
says a ok record failure 5
wait "$waiting" || fail "tripctl wait ends with $?: $(cat "$folder/waited")"
[ "$(json_value reached <"$folder/waited")" = true ] || fail "tripctl wait says: $(cat "$folder/waited")"
answers 0 db reset db

# Following events prints each as it comes, a line of JSON each.
"$TRIPCTL" --json events --follow db >"$folder/followed" 2>>"$log" &
programs+=($!)
followed() { [ "$(wc -l <"$folder/followed")" -ge "$1" ]; }
await "what was is printed" followed 3
before=$(wc -l <"$folder/followed")
says a ok record failure 5
await "what comes is printed" followed $((before + 1))
[ "$(tail -n 1 "$folder/followed" | json_value to)" = open ] || fail "the event says: $(tail -n 1 "$folder/followed")"

# Processes that report are shown by lane, and one that has ended is not.
attached b
shares a mail
shares b mail
says a ok record ok 3
says b ok record failure 1
lane=$(of clients.0.lane clients)
shows 2 reporters.count show mail
shows "$lane" reporters.lanes.0.lane show mail
shows 3 reporters.lanes.0.calls show mail
shows 1 reporters.lanes.1.failures show mail
answers 0 "reporters   2 processes: 3 calls by lane $lane (0 failed), 1 call by lane " show mail --segment "$segment"
kill_client b
await "the dead process reports no more" would_show 1 reporters.count show mail
shows "$lane" reporters.lanes.0.lane show mail
stop
