#!/usr/bin/env bash
# With trip.cut_short a call that is in flight when its breaker opens is told so, by a descriptor, in every process: whoever
# opened it, and as often as it opens. Its cancelled end is no evidence and gives its ticket back. Probes, and calls that begin
# once the breaker has recovered, are cut short by nothing, also where tripd was killed, stopped or restarted meanwhile.
set -euo pipefail
source "$(dirname "$0")/common.bash"

config() { # config CUT_SHORT
    cat >"$folder/tripd.yaml" <<END
breakers:
  - match: "*"
    trip: {cut_short: $1}
    open: {for: 1h, max: 1h}
    half_open: {successes: 1}
    concurrency: {max: 4}
END
}
tripctl() { "$TRIPCTL" "$@" >/dev/null; }
has_fd() { [[ $(ask "$1" call_fd) = ok* ]]; }
fds_of() { find "/proc/$1/fd" -mindepth 1 | wc -l; }

config false
start "$TRIPD" -c "$folder/tripd.yaml"
attached web
attached other
says web allow begin
says web EAGAIN call_fd
says web ok end ok
config true
tripctl config reload

# A client's failures open it: the call in the other process is told, and ends without a trace but in its count.
says web allow begin
says web ok call_fd
says web quiet cut 0
says other ok record failure 5
says web readable cut 60000
says web 3 tickets
says web ok end cancelled
says web 4 tickets
tripctl show db
shows 5 totals.failures show db
shows 1 totals.cancelled show db
shows 0 totals.late show db

# It is readable until calls are admitted again, and silent before the first of them begins.
says web readable cut 0
tripctl reset db
says web allow begin
says web 'ok the same' call_fd
says web quiet cut 100

# trip_run hands it to the operation.
says web ok end ok
says web 'ok ok' cut_run 100
tell web cut_run 60000
await "the operation runs" would_say other 3 tickets
tripctl trip db
IFS= read -r -t 60 answer <&"${answers[web]}"
[ "$answer" = 'cancelled ECANCELED' ] || fail "the operation that was cut short came to: $answer"

# A call from before the opening is told until its breaker has recovered; a probe never is.
tripctl reset db
says web allow begin
says web 'ok the same' call_fd
tripctl trip db --for 100ms
await "the breaker is half-open" would_say web half_open state
says web readable cut 0
says other probe begin
says other EAGAIN call_fd
says other ok end ok
await "the breaker is closed" would_say web closed state
says web quiet cut 0
says web ok end ok

# Modes: only an operator's or a state's denial cuts calls short.
says web allow begin
tripctl force-open db
says web readable cut 60000
tripctl auto db
says web quiet cut 0

# A mode that ends by its TTL while tripd cannot look: who begins then is not cut short by it.
says other allow begin
tripctl force-open db --ttl 500ms
kill -STOP "$(worker)"
await "the mode has ended" would_say other allow allow
says other allow begin
says other EAGAIN call_fd
kill -CONT "$(worker)"
await "tripd sees it, too" has_fd other
says other ok ends cancelled
tripctl disable db
says web quiet cut 100
tripctl shadow db
tripctl trip db
says web quiet cut 100
tripctl auto db
says web readable cut 60000
tripctl disable db
says web quiet cut 0
tripctl auto db
tripctl reset db

# The setting changes live, also while the breaker is open.
tripctl trip db
says web readable cut 60000
config false
tripctl config reload
says web quiet cut 0
config true
tripctl config reload
says web readable cut 60000
tripctl reset db
says web ok end ok

# The next worker and the next tripd: the same descriptor, without a word of the call that waits.
says web allow begin
says web 'ok the same' call_fd
kill -9 "$(worker)"
await "the next worker is ready" logged_times 2 'is ready'
await "the next worker knows the descriptor" would_say web 'ok the same' call_fd
tripctl trip db
says web readable cut 60000
tripctl reset db
says web quiet cut 0
stop
says web EAGAIN call_fd
start "$TRIPD" -c "$folder/tripd.yaml"
await "the client is attached" would_say web shared source
await "the descriptor is there" would_say web 'ok the same' call_fd
tripctl trip db
says web readable cut 60000
says web ok end cancelled

# tripd is stopped while the breaker is open; clients close it, and their calls are not cut short, then or when tripd goes on.
await "the other client is attached" would_say other shared source
tripctl reset db
tripctl trip db --for 1s
kill -STOP "$(worker)"
await "the clients go on alone" would_say web daemon_away source
await "the breaker is due" would_say other probe allow
says other probe begin
says other ok end ok
says web closed state
says web allow begin
says web EAGAIN call_fd
kill -CONT "$(worker)"
await "tripd is back" would_say web shared source
await "the descriptor is there" would_say web 'ok the same' call_fd
says web quiet cut 200
says web ok end ok

# A child has a descriptor of its own, which its parent's call does not have; tripd forgets it with the child.
of_tripd=$(descriptors)
says web allow begin
child=$(ask web fork)
says web EINVAL call_fd
await "the child shares db" would_say web shared source
says web allow begin
await "the child has a descriptor" has_fd web
tripctl trip db
says web readable cut 60000
kill -9 "$child"
await "tripd forgets the child" descriptors_are "$of_tripd"

# A process that is stopped, or does not look, holds up nobody, and nothing fills up or leaks.
tripctl reset db
client late
says late ok open
shares late db
says late allow begin
says late ok call_fd
says other allow begin
has_fd other || fail "there is no descriptor"
of_tripd=$(descriptors) of_late=$(fds_of "${pids[late]}")
kill -STOP "${pids[late]}"
for ((i = 0; i < 100; i++)); do
    tripctl trip db
    says other readable cut 60000
    tripctl reset db
    says other quiet cut 0
done
tripctl trip db
kill -CONT "${pids[late]}"
says late readable cut 60000
tripctl reset db
says late quiet cut 0
[ "$(fds_of "${pids[late]}")" -le "$of_late" ] || fail "descriptors leak: $(fds_of "${pids[late]}") of $of_late"
await "tripd has no more descriptors" descriptors_are "$of_tripd"
