#!/usr/bin/env bash
# triptop on terminals of all kinds: where there is no UTF-8, on the Linux console, and where one asks for it, it uses
# ASCII alone; with NO_COLOR or without colours what stands out does so by other means; one that cannot place text gets
# looks one after the other. While nothing happens it writes what changed, not the screen.
set -euo pipefail
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/screen.bash"
cat >"$folder/tripd.yaml" <<'END'
breakers:
  - match: payments/db
    concurrency: {max: 4}
    open: {for: 1h, max: 1h, multiplier: 1.0}
  - match: "*"
    open: {for: 1h, max: 1h, multiplier: 1.0}
END
start "$TRIPD" -c "$folder/tripd.yaml"
attached web
for breaker in payments/db payments/api; do
    shares web $breaker
    for ((i = 0; i < 5; i++)); do says web ok error network keine_Antwort_für_é_日本; done
    await "$breaker is open" would_say web open state
done

# Colours are there, unless they are not wanted or not to be had. What is bad stands out by bold then.
coloured() { [[ $(screen -e) =~ $'\e['([0-9]+\;)*[34][0-7](\;[0-9]+)*m ]]; }
plain() { ! coloured; }
opens "$TRIPTOP" -d 0.2
sees 7 0 'payments/api       ✖ open '
coloured || fail "there are no colours: $(screen -e)"
keys 4
finds 'keine Antwort für é 日本'
keys q
closed 0
for without in NO_COLOR=1 TERM=vt100; do
    opens env $without "$TRIPTOP" -d 0.2
    sees 7 0 'payments/api       ✖ open '
    plain || fail "$without has colours: $(screen -e)"
    [[ $(screen -e -S 8 -E 8) == 'payments/db        '$'\e[1m''✖ open'* ]] || fail "with $without nothing stands out: $(screen -e)"
    keys x
    await "the question is there" is_at 23 0 'trip payments/api: why?'
    plain || fail "$without has colours: $(screen -e)"
    keys Escape q
    finds 'ended with 0'
done
# A vt100 has no second screen to come back from: the last look stays, and the prompt comes below it.
[ "$(line 21)" = '' ] && [ "$(line 22)" = 'ended with 0' ] || fail "it leaves: $(screen)"

# ASCII alone, in each pane.
ascii() { ! LC_ALL=C grep -q '[^ -~]' <<<"$(screen)"; }
in_ascii() { # in_ascii COMMAND...
    opens "$@" -d 0.2
    sees 7 0 'payments/api       X open '
    sees 4 0 '3 breakers: X 2 open ? 0 half_open / 0 ramping o 1 closed  #############.......'
    for pane in 1 2 3 4 5 6 7 t F6; do
        keys "$pane"
        await "pane $pane is ASCII" ascii
    done
    keys Escape 4
    finds 'keine Antwort f?'
    await "the errors are ASCII" ascii
    keys q
    finds 'ended with 0'
}
in_ascii env TERM=linux ASAN_OPTIONS=detect_leaks=0 "$TRIPTOP" # there ncurses loads gpm, which leaks
in_ascii env LC_ALL=C "$TRIPTOP"
in_ascii "$TRIPTOP" --ascii

# A terminal that cannot place text, and one that nobody knows: looks are printed, as wide as it is.
for term in dumb nobody-knows; do
    opens env TERM=$term "$TRIPTOP" -n 2 -d 0.2 db
    finds 'ended with 0'
    sees 0 0 'triptop: this terminal cannot place text: looks are printed one after the other,'
    for row in 2 11; do
        sees $row 0 "tripd $TRIP_INSTANCE  up *, heartbeat * ago  1 process  * ??:??:??"
        sees $((row + 6)) 0 'NAME               STATE▼       MODE        CALLS/S FAIL%     P99 DENY/S    NEXT'
        sees $((row + 7)) 0 'db                 ● closed '
        [ -z "$(line $((row + 8)))" ] || fail "row $((row + 8)) is not empty"
    done
    [ "$(line 20)" = 'ended with 0' ] || fail "row 20 is $(line 20)"
done

# While nothing happens, triptop writes to the terminal once a look, and only the cells that changed, as the heartbeat's age.
opens "$TRIPTOP" -d 0.1
sees 7 0 'payments/api       ✖ open '
pid=$(opened)
written() { awk -v "field=$1:" '$1 == field {print $2}' "/proc/$pid/io"; }
await "the rates are known" is_at 1 0 'calls 0/s   denied 0/s   errors 0/s'
looks=$(written syscw) bytes=$(written wchar)
looked() { [ "$(written syscw)" -ge $((looks + 30)) ]; }
await "there are 30 looks more" looked
looks=$(($(written syscw) - looks)) bytes=$(($(written wchar) - bytes))
echo "$((bytes / looks)) bytes a look of 80 times 24 characters"
[ $((bytes / looks)) -le 300 ] || fail "$looks looks write $bytes bytes"
keys q
closed 0
