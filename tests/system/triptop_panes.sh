#!/usr/bin/env bash
# triptop shows each of its panes for each of its keys, its tab and the Tab key, with what has happened; the help, which
# scrolls; and all of it on a screen that becomes large, tiny, and as it was.
set -euo pipefail
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/screen.bash"
cat >"$folder/tripd.yaml" <<'END'
correlation: {window: 1h, cascade_window: 1m, quiet: 1h}
breakers:
  - match: payments/db
    concurrency: {max: 4}
    open: {for: 1h, max: 1h, multiplier: 1.0, jitter: 0%}
  - match: "*"
    open: {for: 1h, max: 1h, multiplier: 1.0, jitter: 0%}
END
start "$TRIPD" -c "$folder/tripd.yaml"
attached web
for breaker in payments/db payments/api; do
    shares web $breaker
    for ((i = 0; i < 5; i++)); do says web ok error network no_answer_from_10.0.0.5 req-$i 0af7651916cd43dd8448eb211c80319c; done
    await "$breaker is open" would_say web open state
done
says web ok breaker payments/db
ends 0 "$TRIPCTL" reset payments/db --reason drill
says web 3 begins 3
await "both are one incident" would_show '["payments/db","payments/api"]' incidents.0.breakers incidents

# The table, below a header that says how all of it is.
opens "$TRIPTOP" -d 0.2
sees 0 0 "tripd $TRIP_INSTANCE  up *, heartbeat * ago  1 process  * ??:??:??"
sees 1 0 'calls 0/s   denied 0/s   errors 0/s   in flight 3'
sees 2 0 'a pattern: 100% of 10 errors in 1h00m: network'
sees 3 0 '1 incident: #1 for *, 2 breakers, payments/db led ('
sees 4 0 '3 breakers: ✖ 1 open ◐ 0 half_open ◢ 0 ramping ● 2 closed  ██████░░░░░░░░░░░░░░'
sees 5 0 'F2 Breakers F3 One breaker F4 Events F5 Errors F7 Incidents F8 Clients F9 Limits'
sees 6 0 'NAME               STATE▼       MODE        CALLS/S FAIL%     P99 DENY/S    NEXT'
sees 7 0 'payments/api       ✖ open                         0  100%       -      0 '
sees 8 0 'db                 ● closed                       0     -       -      0'
sees 9 0 'payments/db        ● closed                       0     -       -      0'
sees 23 0 'F1 help / find \\ filter t tree F6 sort x trip f force d disable a auto r reset q'
selects 7

# Each function waits for the texts of its pane. The panes have the numbers 2 to 7.
breaker() {
    sees 6 0 'payments/api  ✖ open for *: consecutive, by client'
    sees 7 0 'next          a probe in *; it closes after * if they are good'
    sees 9 0 'in all        5 calls, 5 failed, 0 timeouts, 0 denied; opened 1 time, for '
    sees 10 0 'last error    network: no answer from 10.0.0.5, at 20'
    sees 14 0 'window        the last 5 of 100 calls, 100% failed; the latest is the last'
    sees 15 2 '✖✖✖✖✖'
    finds 'last hour     a column is * s; the state in the most trouble of each'
}
events() {
    sees 6 0 'WHEN                     BREAKER  WHAT HAPPENED, THE LATEST FIRST'
    finds '  payments/db  open -> closed, by operator *: drill'
    finds '  payments/api  closed -> open (consecutive), by client'
    finds '  payments/db  incident #1 began'
}
errors() {
    sees 6 0 '  ERRORS   NOW/S  LAST      TYPE '
    sees 7 0 '      10 * network * payments/db'
    sees 8 28 'no answer from <address>'
    finds '  payments/api  network *  pid '"${pids[web]}"
    finds '   no answer from 10.0.0.5'
}
incidents() {
    sees 6 0 'WHAT FAILED TOGETHER, THE LATEST FIRST'
    sees 7 0 '#1  20* goes on for *, 10 errors'
    sees 8 2 'payments/db  failed +0ms, 5 errors, opened +*ms (consecutive), closed +'
    sees 9 5 'likely the cause ('
    sees 10 2 '└─ payments/api  failed +*, 5 errors, opened +* (consecutive)'
}
clients() {
    sees 6 0 ' LANE      PID  USER            PROGRAM           BREAKERS  ATTACHED'
    sees 7 0 "*${pids[web]}  * client * 2  20"
}
limits() {
    sees 6 0 'LIMITS AND RETRY BUDGETS, AND WHO HOLDS THEM'
    sees 7 0 'payments/db'
    sees 8 0 '  concurrency   ███████████████░░░░░ 3 of 4 tickets taken; 0 rejected'
    sees 9 20 "3  by client, pid ${pids[web]}"
}
panes=(breaker events errors incidents clients limits)
function_keys=(F3 F4 F5 F7 F8 F9)
for i in "${!panes[@]}"; do
    keys $((i + 2))
    ${panes[i]}
done
for i in "${!panes[@]}"; do
    keys F2
    selects 7
    keys "${function_keys[i]}"
    ${panes[i]}
done
keys 1
selects 7
for pane in "${panes[@]}"; do
    keys Tab
    $pane
done
keys Tab
selects 7
keys BTab
limits
keys BTab
clients

# The help has a word for each key and each column, and goes away by itself, by Esc, and by q, which leaves nothing else.
for key in F1 h '?'; do
    keys "$key"
    sees 6 0 KEYS
    sees 7 0 '*F1 h ?  show this help'
    finds 'F2 1  the table of breakers'
    keys "$key"
    clients
done
keys h
sees 6 0 KEYS
keys End
sees 22 0 '*LAST MINUTE  calls a second over the last minute'
finds 'FAIL%  failures among the calls of the window'
keys PPage PPage PPage
sees 6 0 KEYS
keys NPage
misses 'show this help'
sees 12 0 'IN THE TABLE OF BREAKERS'
keys Up Up
sees 14 0 'IN THE TABLE OF BREAKERS'
keys Home
sees 7 0 '*F1 h ?  show this help'
keys Down
sees 6 0 '*F1 h ?  show this help'
# The arrow keys show the columns of a pane that do not fit on the screen.
keys Right
sees 6 0 '*?  show this help'
misses ' q F10'
keys Left
sees 6 0 '*F1 h ?  show this help'
keys Escape
clients
keys h
sees 6 0 KEYS
keys q
clients

# A large screen has all columns; what is too small for anything breaks nothing.
keys F2
size 200 60
sees 6 0 'NAME  * STATE▼ * MODE * CALLS/S FAIL% SLOW%     P50     P99   FLY DENY/S PERMIT    NEXT REASON           LAST MINUTE'
sees 7 0 'payments/api  * ✖ open * consecutive'
sees 59 0 'F1 help'
sees 0 192 '??:??:??'
keys F3
breaker
keys F2
size 40 9
sees 6 0 'NAME                STATE▼       CALLS/S'
sees 7 0 'payments/api        ✖ open '
sees 8 0 'F1 help'
for small in '20 3' '7 1' '1 1' '1 24'; do
    # shellcheck disable=SC2086 # two numbers
    size $small
    await "the screen is $small" in_pane "$small" '#{pane_width} #{pane_height}'
    keys Tab F2 h h 2 End Home 1 Down Up / d Enter
done
size 80 24
sees 7 0 'payments/api       ✖ open                         0  100%       -      0 '
sees 9 0 'payments/db        ● closed'
keys q
closed 0
