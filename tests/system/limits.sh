#!/usr/bin/env bash
# Limits and the retry budget are one for all processes of the host: who is denied, who waits, what comes back from the
# dead, and what a reload changes while calls are in flight.
set -euo pipefail
source "$(dirname "$0")/common.bash"

config=$folder/tripd.yaml
# with TICKETS RATE: the config, where only these two differ.
with() {
    cat >"$config" <<END
breakers:
  - match: "db"
    concurrency: {max: $1}
  - match: "queue"
    concurrency: {max: 1, wait: 20s}
  - match: "api"
    rate: {limit: $2, per: 1m, burst: $2}
    priority: {sheddable_below: 0%, normal_below: 0%}
  - match: "dead"
    trip: {consecutive_failures: 0, failure_rate: 0%}
    retry: {attempts: 3, base: 1ms, max: 1ms, budget: {ratio: 10%, min_per_second: 0}}
END
}
with 2 3
start "$TRIPD" -c "$config"
attached a
attached b

# Two tickets, two processes.
says a allow begin
says b allow begin
says a deny_concurrency begin
says b deny_concurrency begin
await "tripctl shows both tickets taken" would_show 2 limits.concurrency.taken show db
shows 2 limits.concurrency.limit show db
await "the denials are counted" would_show 2 limits.concurrency.rejected show db
says a ok end ok # of what was denied: gives nothing back
says a 0 tickets
says a ok end ok
says b 1 tickets

# A killed process gives its ticket back.
says a allow begin
says a 0 tickets
kill_client a
timed await "the ticket of the dead is back" would_say b 1 tickets
await "tripctl shows it" would_show 1 limits.concurrency.taken show db

# A caller that may wait sleeps until a ticket is given back, and no longer.
attached c
shares b queue
shares c queue
says b allow begin
tell c begin
asleep() { grep -q futex "/proc/${pids[c]}/wchan" || [ "$(cut -d' ' -f1 "/proc/${pids[c]}/syscall")" = 202 ]; }
[ ! -r "/proc/${pids[c]}/syscall" ] || await "the waiter sleeps" asleep
SECONDS=0
says b ok end ok
IFS= read -r -t 10 answer <&"${answers[c]}" || fail "the waiter does not wake up"
[ "$answer" = allow ] || fail "the waiter was told $answer"
[ "$SECONDS" -lt 10 ] || fail "the waiter woke up by its time-out"
says c ok end ok

# It also sleeps until the ticket of a killed holder is free.
says b allow begin
tell c begin
kill_client b
IFS= read -r -t 10 answer <&"${answers[c]}" || fail "the waiter does not wake up when the holder dies"
[ "$answer" = allow ] || fail "the waiter was told $answer when the holder died"
says c ok end ok

# Three tokens a minute, whoever takes them.
attached d
shares c api
shares d api
says c allow begin
says d allow begin
says c allow begin
says d deny_rate begin
says c deny_rate begin
wait_ms=$(ask d rate_wait)
[ "$wait_ms" -gt 1000 ] && [ "$wait_ms" -le 20000 ] || fail "the next token is to come in $wait_ms ms, of 20 s at most"
await "the denials by rate are counted" would_show 2 limits.rate.rejected show api
shows 0 limits.rate.free show api
shows 3 limits.rate.burst show api

# A dead upstream: retries of all processes together are no more than the budget, of which 10 s of nothing were saved,
# which is the one token that there always is.
shares c dead
shares d dead
tell c attempts 100
tell d attempts 100
IFS= read -r -t 30 of_c <&"${answers[c]}" || fail "client c does not answer"
IFS= read -r -t 30 of_d <&"${answers[d]}" || fail "client d does not answer"
[ $((of_c + of_d)) -le 221 ] || fail "$((of_c + of_d)) attempts of 200 operations with 20 retries to pay for, and 1 saved"
[ "$of_c" -ge 100 ] && [ "$of_d" -ge 100 ] || fail "$of_c and $of_d first attempts of 100"
refused_any() { [ "$(of limits.retry.refused show dead)" -gt 0 ]; }
await "refused retries are counted" refused_any
retries=$((of_c + of_d - 200))
await "retries are counted" would_show "$retries" limits.retry.retries show dead

# A reload changes them live.
shares c db
says c 2 tickets
with 3 1000
kill -HUP "$keeper"
await "the third ticket is there" would_say c 3 tickets
shows 3 limits.concurrency.limit show db
shares d api
await "the new rate admits" would_say d allow begin
with 0 0
kill -HUP "$keeper"
await "there are no tickets any more" would_show null limits.concurrency show db
await "and no rate" would_show null limits.rate show api
for _ in 1 2 3 4; do says c allow begin; done
stop
