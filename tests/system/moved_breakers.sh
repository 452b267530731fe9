#!/usr/bin/env bash
# An event loop that does nothing but poll trip_client_fd, and call trip_client_next when it is readable, hears of every breaker
# of its process that has moved: also of one that was open before it was asked for, after the worker or tripd was started again,
# and in a forked child by a descriptor of its own. Breakers of others wake nobody, and no descriptor leaks.
set -euo pipefail
source "$(dirname "$0")/common.bash"
# is_told NAME WHAT: polls until the client has been told this, whatever it is told beside it.
is_told() {
    told=
    await "$1 is told: $2" hears "$1" "$2"
}
hears() {
    told+=" $(ask "$1" moved 100)"
    [[ $told = *"$2"* ]]
}
# is_quiet NAME: nothing more comes.
is_quiet() { await "$1 is told nothing more" would_say "$1" quiet moved 100; }
fds_of() { find "/proc/$1/fd" -mindepth 1 | wc -l; }

echo 'breakers: [{match: "*", open: {for: 1h, max: 1h}}]' >"$folder/tripd.yaml"
start "$TRIPD" -c "$folder/tripd.yaml"
attached web
shares web mail
says web ok watches
is_quiet web

# Moves by an operator, by time, and by a client.
"$TRIPCTL" trip db --for 200ms >/dev/null
is_told web 'db open'
is_told web 'db half_open'
"$TRIPCTL" reset db >/dev/null
is_told web 'db closed'
says web ok record failure 5
is_told web 'mail open'
is_quiet web

# Breakers of other processes wake nobody; one that is open already is told of when it is asked for.
attached other
shares other elsewhere
says other ok record failure 5
says web quiet moved 200
says web ok breaker elsewhere
is_told web 'elsewhere open'

# The next worker, and the next tripd: the loop alone attaches the process again.
kill -9 "$(worker)"
await "the next worker is ready" logged_times 2 'is ready'
"$TRIPCTL" reset mail >/dev/null
is_told web 'mail closed'
is_quiet web
"$TRIPCTL" trip mail >/dev/null
is_told web 'mail open'
stop
start "$TRIPD" -c "$folder/tripd.yaml"
"$TRIPCTL" reset mail >/dev/null
is_told web 'mail closed'
is_quiet web
"$TRIPCTL" trip mail >/dev/null
is_told web 'mail open'
is_quiet web

# While tripd is away the loop is woken once a second, and does not spin.
stop
is_told web readable
wakes=0
for _ in {1..20}; do
    [[ $(ask web moved 100) != readable* ]] || wakes=$((wakes + 1))
done
echo "woken $wakes times in 2 s or more without a tripd"
[ "$wakes" -lt 20 ] || fail "the descriptor is readable all the time"
start "$TRIPD" -c "$folder/tripd.yaml"
await "the client is attached" would_say web shared source
is_told web readable
is_quiet web

# Hundreds of moves, with nobody reading, fill nothing up.
before=$(fds_of "${pids[web]}") of_tripd=$(descriptors)
for ((i = 0; i < 300; i++)); do
    "$TRIPCTL" reset mail >/dev/null
    "$TRIPCTL" trip mail >/dev/null
done
"$TRIPCTL" reset mail >/dev/null
is_told web 'mail closed'
is_quiet web
[ "$(fds_of "${pids[web]}")" -le "$before" ] || fail "descriptors leak: $(fds_of "${pids[web]}") of $before"
await "tripd has no more descriptors" descriptors_are "$of_tripd"

# A child has a descriptor of its own.
child=$(ask web fork)
says web ok watches
await "the child shares mail" would_say web shared source
"$TRIPCTL" trip mail >/dev/null
is_told web 'mail open'
kill -9 "$child" || true
await "tripd forgets the child" descriptors_are "$of_tripd"
