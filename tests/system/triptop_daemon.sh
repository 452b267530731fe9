#!/usr/bin/env bash
# triptop over the life of its tripd: it waits for one that has not run yet, and says for what; it says when tripd was
# stopped, is stalled or was killed, how old what it shows is, and that nothing can be changed; it goes on with the next
# one. It finds an instance by its name, and reads a copy of a segment. However it ends, it leaves a clean terminal.
set -euo pipefail
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/screen.bash"
cat >"$folder/tripd.yaml" <<'END'
breakers: [{match: "*", open: {for: 1h, max: 1h, multiplier: 1.0}}]
END

# Before tripd.
opens "$TRIPTOP" -d 0.2
sees 0 0 "tripd $TRIP_INSTANCE"
size 40 24
sees 1 0 'waits for tripd: there is no state segme'
sees 2 0 "nt ${folder:0:10}"
size 200 24
sees 1 0 'waits for tripd: there is no state segment '"$folder/tripd.$TRIP_INSTANCE"
size 80 24
sees 6 0 'Nothing to show yet. `q` leaves.'
keys x F3 F6 / Escape t Space Down # what needs a breaker does no harm
misses 'find:'
keys F1
sees 6 0 KEYS
keys F2 F2
start "$TRIPD" -c "$folder/tripd.yaml"
sees 0 0 "tripd $TRIP_INSTANCE  up *, heartbeat * ago  0 processes"
sees 7 0 'no program has asked for a breaker yet'
attached web
says web ok record failure 5
sees 7 0 'db                 ✖ open '
sees 0 0 "tripd $TRIP_INSTANCE  up *, heartbeat * ago  1 process "

# Killed: a state is what was known last.
kill_both
sees 0 0 "tripd $TRIP_INSTANCE  dead, last heartbeat *s ago: programs go on without it "
sees 7 0 'db                 ✖ open? '
keys x
sees 23 0 'tripd does not run, and nobody else changes breakers'
age=$(line 0 | grep -o 'last heartbeat [^ ]* ago')
await "the age grows" lacks "$age"
sees 0 0 "tripd $TRIP_INSTANCE  dead, last heartbeat *s ago"
start "$TRIPD" -c "$folder/tripd.yaml"
sees 0 0 "tripd $TRIP_INSTANCE  up *, heartbeat * ago"
sees 7 0 'db                 ✖ open '
await "the client is there again" would_say web shared source
keys r Enter
sees 23 0 '1 breaker reset: db'
sees 7 0 'db                 ● closed '

# Stalled: it neither runs nor is gone.
worker=$(worker)
kill -STOP "$keeper" "$worker"
sees 0 0 "tripd $TRIP_INSTANCE  stalled, last heartbeat *s ago: programs go on without it"
kill -CONT "$keeper" "$worker"
sees 0 0 "tripd $TRIP_INSTANCE  up *, heartbeat * ago"

# Stopped.
cp "$segment" "$folder/copy"
stop
sees 0 0 "tripd $TRIP_INSTANCE  stopped, last heartbeat * ago"
keys F4
finds '  db  open -> closed, by operator root'
start "$TRIPD" -c "$folder/tripd.yaml"
sees 0 0 "tripd $TRIP_INSTANCE  up *, heartbeat * ago"
keys q
closed 0

# A copy of the segment.
opens "$TRIPTOP" -d 0.2 --segment "$folder/copy"
sees 0 0 "tripd copy  a copy, or of another boot: its last state"
sees 7 0 'db                 ● closed? '
keys x
sees 23 0 'nothing can be changed in a file'
keys F8
sees 7 0 "*${pids[web]}  * client "
keys q
closed 0
ends 1 "$TRIPTOP" --segment "$folder/none"
[[ $said == "triptop: $folder/none: "* ]] || fail "it says: $said"
ends 1 "$TRIPTOP" --segment "$folder/tripd.yaml"

# By its name.
opens env TRIP_INSTANCE=other "$TRIPTOP" -d 0.2 -i "$TRIP_INSTANCE"
sees 0 0 "tripd $TRIP_INSTANCE  up "
keys q
closed 0
opens env TRIP_INSTANCE=other "$TRIPTOP" -d 0.2
size 200 24
sees 1 0 'waits for tripd: there is no state segment '"$folder/tripd.other"

# q, Ctrl-C, and signals leave the terminal as it was.
for end in q C-c TERM HUP; do
    opens bash -c 'trap : INT; "$@"; status=$?; stty -a; exit $status' bash "$TRIPTOP" -d 0.2
    sees 0 0 "tripd $TRIP_INSTANCE  up "
    await "triptop takes over the screen" in_pane '1 1 0' '#{alternate_on} #{mouse_any_flag} #{cursor_flag}'
    case $end in
    TERM | HUP) kill "-$end" "$(pgrep -P "$(opened)")" ;;
    *) keys $end ;;
    esac
    finds 'ended with 0'
    finds ' icanon '
    finds ' echo '
    in_pane '0 0 1' '#{alternate_on} #{mouse_any_flag} #{cursor_flag}' || fail "$end leaves the screen taken over"
done

# A terminal that is gone ends it.
opens "$TRIPTOP" -d 0.2
sees 0 0 "tripd $TRIP_INSTANCE  up "
triptop=$(opened)
terminal kill-session
await "triptop has ended" gone "$triptop"
