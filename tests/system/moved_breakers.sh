#!/usr/bin/env bash
# trip_client_fd becomes readable when a breaker that the process uses has moved, and trip_client_next says which: also after
# the worker or tripd was started again, and for a forked child by a descriptor of its own. Breakers of others wake nobody, and
# no descriptor leaks.
set -euo pipefail
source "$(dirname "$0")/common.bash"
# is_told NAME WHAT: waits until the client has been told this, whatever it is told beside it.
is_told() {
    told=
    await "$1 is told: $2" hears "$1" "$2"
}
hears() {
    told+=" $(ask "$1" moved 100)"
    [[ $told = *"$2"* ]]
}
# tells_again: moves mail until the client is woken for it.
tells_again() {
    "$TRIPCTL" reset mail >/dev/null
    ask web moved 50 >/dev/null
    "$TRIPCTL" trip mail >/dev/null
    hears web 'readable mail open'
}
fds_of() { find "/proc/$1/fd" -mindepth 1 | wc -l; }

echo 'breakers: [{match: "*", open: {for: 1h, max: 1h}}]' >"$folder/tripd.yaml"
start "$TRIPD" -c "$folder/tripd.yaml"
attached web
shares web mail
says web quiet moved 0 # it asks for its descriptor
told=
await "tripd wakes it" tells_again
"$TRIPCTL" reset mail >/dev/null
is_told web 'readable mail closed'
says web quiet moved 50

# Moves by a client, by an operator, and by time.
"$TRIPCTL" trip db --for 200ms >/dev/null
is_told web 'readable db open'
is_told web 'readable db half_open'
"$TRIPCTL" reset db >/dev/null
is_told web 'readable db closed'
says web ok record failure 5
is_told web 'readable mail open'
says web quiet moved 50

# Breakers of other processes wake nobody.
attached other
shares other elsewhere
says other ok record failure 5
says web quiet moved 50

# The next worker, and the next tripd: once the process has attached to it, its descriptor tells of moves again.
kill -9 "$(worker)"
await "the next worker is ready" logged_times 2 'is ready'
told=
await "the next worker wakes it" tells_again
stop
says web quiet moved 50 # while tripd is away
start "$TRIPD" -c "$folder/tripd.yaml"
told=
await "the next tripd wakes it" tells_again

# Thousands of moves, with nobody reading, fill nothing up.
before=$(fds_of "${pids[web]}") of_tripd=$(descriptors)
for ((i = 0; i < 300; i++)); do
    "$TRIPCTL" trip mail >/dev/null
    "$TRIPCTL" reset mail >/dev/null
done
says web 'readable mail closed' moved 1000
says web quiet moved 50
[ "$(fds_of "${pids[web]}")" -le "$before" ] || fail "descriptors leak: $(fds_of "${pids[web]}") of $before"
await "tripd has no more descriptors" descriptors_are "$of_tripd"

# A child has a descriptor of its own, and the parent's end wakes it no more.
child=$(ask web fork)
await "the child shares mail" would_say web shared source
"$TRIPCTL" trip mail >/dev/null
is_told web 'mail open'
kill -9 "$child" || true
await "tripd forgets the child" descriptors_are "$of_tripd"
