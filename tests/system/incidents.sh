#!/usr/bin/env bash
# Breakers that fail together are one incident. tripd tells once that it begins and once that it ends, though workers and tripd
# itself are killed meanwhile, and a reboot does not lose it. Errors are counted by what their messages have in common: each
# message that tripd took counts once. tripctl reads all of it from the segment, with a tripd and without one, and gets the same
# over the socket.
set -euo pipefail
source "$(dirname "$0")/common.bash"
cat >"$folder/tripd.yaml" <<'END'
correlation: {quiet: 1s}
breakers:
  - match: payments/api
    depends_on: [payments/db]
    open: {for: 1h, max: 1h, multiplier: 1.0}
  - match: "*"
    open: {for: 1h, max: 1h, multiplier: 1.0}
END

tripctl() { "$TRIPCTL" "$@" >/dev/null; }
# counted TEMPLATE: how many errors have it.
counted() {
    local errors
    errors=$("$TRIPCTL" --json fingerprints 2>/dev/null | grep -oE -- "\"template\":\"$1\",\"type\":\"[a-z_]+\",\"errors\":[0-9]+" || true)
    echo "${errors##*:}"
}
counts() { [ "$(counted "$2")" = "$1" ]; }
# told STEP [ID]: how often the follower was told that an incident (this one) took this step.
told() { grep -cE "\"event\":\"incident\",\"incident\":${2:-[0-9]+},\"to\":\"$1\"" "$folder/told" || true; }
was_told() { [ "$(told "$1" "$2")" -ge 1 ]; }
kept() { "$TRIPCTL" --json incidents 2>/dev/null | grep -o '"incident":[0-9]*' | wc -l; }
goes_on() { would_show null incidents.0.end_unix_ms incidents; }
has_ended() { [[ $(of incidents.0.end_unix_ms incidents) =~ ^[0-9]+$ ]]; }
# fail_all BREAKER MESSAGE: five calls in a row fail with this message, which opens the breaker.
fail_all() {
    says web ok breaker "$1"
    for ((i = 0; i < 5; i++)); do says web ok error network "$2"; done
    await "$1 is open" would_say web open state
}

start "$TRIPD" -c "$folder/tripd.yaml"
"$TRIPCTL" --json events --follow >"$folder/told" 2>>"$log" &
programs+=("$!")
attached web
[ "$("$TRIPCTL" incidents)" = 'no incidents' ] || fail "there is an incident before anything failed: $("$TRIPCTL" incidents)"
[ "$("$TRIPCTL" fingerprints)" = 'no errors with a message' ] || fail "there are fingerprints before any error: $("$TRIPCTL" fingerprints)"

# Three breakers fail, one of which another one depends on.
fail_all payments/db connection_to_10.0.0.5:5432_refused
fail_all payments/api no_answer_after_1503_ms
says web ok breaker mail
says web ok record failure 5
await "three breakers are one incident" would_show '["payments/db","payments/api","mail"]' incidents.0.breakers incidents
[ "$(kept)" -eq 1 ] || fail "there is more than one incident: $("$TRIPCTL" incidents)"
shows 1 incidents.0.incident incidents
goes_on || fail "it has ended: $("$TRIPCTL" incidents)"
shows payments/db candidate.breaker incidents show 1
shows payments/db members.0.breaker incidents show 1
shows consecutive members.0.reason incidents show 1
shows "${pids[web]}" process.pid incidents show 1
await "the first errors are counted" counts 5 'connection to <address> refused'
await "the second ones are, too" counts 5 'no answer after <n> ms'
# There is no message in the last ones, and they are not lost.
await "errors without a message are counted" would_show 5 unclassified fingerprints
await "its beginning is told" was_told began 1
grep -qE '^payments/db has been open for .*Also in trouble:' <<<"$("$TRIPCTL" why | head -n 1)" || fail "why begins otherwise: $("$TRIPCTL" why)"
grep -qE '^Incident 1 began .* ago, with 3 breakers and [0-9]+ errors so far\.' <<<"$("$TRIPCTL" why)" || fail "why tells of no incident: $("$TRIPCTL" why)"

# ---- a storm, in which workers are killed

# One client tells more than tripd takes; what it tells after all is of no matter here, but for the incident.
exec {idle}<> <(:) # nothing ever comes from it
{
    printf '%s\n' open 'breaker mail'
    while [ ! -e "$folder/calm" ]; do
        for ((i = 0; i < 20; i++)); do echo 'report timeout storm_of_errors'; done
        read -r -t 0.005 -u "$idle" || true
    done
} | "$TRIP_BUILD_DIR/tests/support/client" >/dev/null 2>>"$log" &
programs+=("$!")
rages() { [ "$(counted 'storm of errors')" -gt "$1" ]; } 2>/dev/null # nothing is no number
await "the storm rages" rages 100

# The other client's ring of messages never overflows. In turns, its errors come while the worker is stopped, which is then
# killed; and the worker is killed in the storm, wherever it is just now.
says web ok breaker payments/db
sent=0
for n in 2 3 4 5 6 7 8 9; do
    worker=$(worker)
    if [ $((n % 2)) -eq 0 ]; then
        kill -STOP "$worker"
        for ((i = 0; i < 10; i++)); do says web ok report network "peer_${i}_is_gone_after_${n}_s"; done
        sent=$((sent + 10))
    fi
    kill -9 "$worker"
    await "worker $n is ready" logged_times "$n" 'is ready'
    await "the next worker counts what the last one left" counts "$sent" 'peer <n> is gone after <n> s'
    await "the storm goes on" rages $(($(counted 'storm of errors') + 50))
done
touch "$folder/calm"
await "the client is attached" would_say web shared source
says web ok report network peer_1_is_gone_after_1_s
await "the last one is counted" counts $((sent + 1)) 'peer <n> is gone after <n> s'
[ "$(kept)" -eq 1 ] || fail "the kills made more incidents: $("$TRIPCTL" incidents)"
shows 1 incidents.0.incident incidents
goes_on || fail "it ended in the storm: $("$TRIPCTL" incidents)"
in_ring=$("$TRIPCTL" --json events | grep -o '"event":"incident"' | wc -l)
[ "$in_ring" -eq 1 ] || fail "over the kills $in_ring events of incidents came: $("$TRIPCTL" events)"
[ "$(told began)" -eq 1 ] && [ "$(told ended)" -eq 0 ] || fail "over the kills this was told: $(cat "$folder/told")"

# ---- the socket says the same, and a segment whose tripd is dead

# Rates and durations are of now: in a moment that both see they are the same.
same_over_socket() { diff <("$TRIPCTL" "$@" 2>&1) <(TRIP_SHM_DIR=/nonexistent "$TRIPCTL" "$@" 2>&1) >/dev/null; }
await "the socket says the same of incidents" same_over_socket incidents
await "the socket says the same of the incident" same_over_socket incidents show 1
await "the socket says the same of fingerprints" same_over_socket fingerprints
await "the socket says the same of one breaker's" same_over_socket fingerprints payments/api
shows 2 fingerprints.0.id fingerprints payments/api
ends 1 "$TRIPCTL" incidents show 2
[[ $said == *'no incident 2 is kept'* ]] || fail "of an incident that there is not it says: $said"
TRIP_SHM_DIR=/nonexistent ends 1 "$TRIPCTL" incidents show 2
[[ $said == *'no incident 2 is kept'* ]] || fail "of an incident that there is not it says over the socket: $said"
grep -qE '^Incident 1 began ' <<<"$(TRIP_SHM_DIR=/nonexistent "$TRIPCTL" why)" || fail "over the socket why says: $(TRIP_SHM_DIR=/nonexistent "$TRIPCTL" why)"

# told_of: everything of incident 1 but its duration, which goes on, or is rounded otherwise after a reboot.
told_of() { "$TRIPCTL" --json incidents show 1 2>/dev/null | sed 's/"for_ms":[0-9]*//'; }
before=$(told_of)
kill_both
[ "$(told_of)" = "$before" ] || fail "the dead tripd's incident is $("$TRIPCTL" incidents show 1)"
[ "$("$TRIPCTL" --json incidents 2>/dev/null | json_value incidents.0.incident)" = 1 ] || fail "the dead tripd's incidents are $("$TRIPCTL" incidents)"
counts $((sent + 1)) 'peer <n> is gone after <n> s' || fail "the dead tripd's fingerprints are $("$TRIPCTL" fingerprints)"
[[ $("$TRIPCTL" why 2>/dev/null) = 'tripd is dead: '*'Incident 1 began '* ]] || fail "of a dead tripd why says: $("$TRIPCTL" why)"

# ---- the next tripd goes on with it, and ends it when all is quiet

start "$TRIPD" -c "$folder/tripd.yaml"
await "the client is attached again" would_say web shared source
[ "$(kept)" -eq 1 ] || fail "the next tripd made more incidents: $("$TRIPCTL" incidents)"
goes_on || fail "it ended while breakers are open: $("$TRIPCTL" incidents)"
for name in payments/db payments/api mail; do tripctl reset "$name"; done
await "it has ended" has_ended
await "its end is told" was_told ended 1
[ "$(told began)" -eq 1 ] && [ "$(told ended)" -eq 1 ] || fail "this was told: $(grep incident "$folder/told")"
grep -qE '^The last incident, 1, of 3 breakers, ended ' <<<"$("$TRIPCTL" why)" || fail "after it why says: $("$TRIPCTL" why)"
for verb in incidents 'incidents show 1' '--json incidents show 1' why; do
    # shellcheck disable=SC2086 # words
    alike $verb
done

# ---- deploys: what comes first after a mark is new

new() { "$TRIPCTL" --json fingerprints | grep -oE '"template":"[^"]*"|"new":[a-z]*' | paste -d ' ' - - | sed -n 's/"template":"\(.*\)" "new":true/\1/p'; }
ends 0 "$TRIPCTL" deploy mark v1.2
[[ $said = *'are new: v1.2' ]] || fail "the mark says: $said"
[ -z "$(new)" ] || fail "before any error these are new: $(new)"
shares web cache
says web ok report network peer_1_is_gone_after_2_s
says web ok report failure cache_is_read_only
await "both are counted" counts 1 'cache is read only'
await "both are counted" counts $((sent + 2)) 'peer <n> is gone after <n> s'
[ "$(new)" = 'cache is read only' ] || fail "these are new: $(new)"
shows v1.2 deploy.name fingerprints
shows 0 deploy.uid fingerprints
alike fingerprints cache
ends 1 "$TRIPCTL" deploy mark 'no name'

# ---- reboots: of an incident that has ended, and of one that goes on

ended=$(told_of)
fail_all cache cache_is_read_only
await "the next incident begins" would_show 2 incidents.0.incident incidents
shows v1.2 deploy.name incidents show 2
await "it is told" was_told began 2
stop
rm "$segment"
start "$TRIPD" -c "$folder/tripd.yaml"
[ "$(told_of)" = "$ended" ] || fail "after a reboot incident 1 is $(told_of) instead of $ended"
has_ended || fail "what went on does not end with the boot: $("$TRIPCTL" incidents)"
await "the client is attached again" would_say web shared source
says web open state # of before
shares web disk
fail_all disk no_space
await "the next incident begins" would_show 3 incidents.0.incident incidents
[ "$(kept)" -eq 3 ] || fail "the breaker that was open began another one: $("$TRIPCTL" incidents)"
shows '["disk"]' incidents.0.breakers incidents
await "it is told" was_told began 3
[ "$(told began)" -eq 3 ] || fail "this was told: $(grep incident "$folder/told")"

# ---- only who may control may mark a deploy

if [ "$(id -u)" -eq 0 ]; then
    nobody_can_run
    ends 1 "${nobody[@]}" "$folder/bin/tripctl" deploy mark v1.3
    [[ $said == *'needs the role control, which uid 65534 does not have'* ]] || fail "nobody is told: $said"
    [ "$(of deploy fingerprints)" = null ] || fail "nobody marked a deploy"
    ends 0 "${nobody[@]}" "$folder/bin/tripctl" incidents
fi
stop
