#!/usr/bin/env bash
# triptop prints looks as text, or as a JSON text a line, where there is no terminal or none is wanted; and tells wrong
# usage with exit status 2, and that there is nothing to look at with 1.
set -euo pipefail
source "$(dirname "$0")/common.bash"
unset COLUMNS
export XDG_CONFIG_HOME=$folder/config LC_ALL=C.UTF-8
cat >"$folder/tripd.yaml" <<'END'
breakers: [{match: "*", open: {for: 1h, max: 1h, multiplier: 1.0}}]
END
nothing() { [ "$(wc -l <<<"$said")" -eq 2 ] && [[ $said == "tripd $TRIP_INSTANCE"$'\nwaits for tripd: there is no state segment '"$segment" ]]; }

# Usage.
wrong() { # wrong MESSAGE ARGUMENT...
    ends 2 "$TRIPTOP" "${@:2}"
    [[ $said == *"$1"* ]] || fail "\"triptop ${*:2}\" says: $said"
}
wrong "unrecognized option '--wrong'" --wrong
wrong "option requires an argument -- 'd'" -d
for delay in 0 0.09 -1 3601 abc 1s '' nan; do
    wrong 'is no delay in seconds from 0.1 to 3600; `triptop --help` lists the options' -b -d "$delay"
done
for looks in 0 -1 abc 1x ''; do
    wrong 'is no number of looks from 1 on' -b -n "$looks"
done
wrong '--instance is 1 to 32 letters, digits' -i a/b
wrong '--replay and --segment do not go together' --replay a --segment b
ends 0 "$TRIPTOP" --help
[[ $said == 'usage: triptop '* && $said != *manual* ]] || fail "--help says: $said"
ends 0 "$TRIPTOP" --version
[ "$said" = "$("$TRIPCTL" --version | sed s/tripctl/triptop/)" ] || fail "--version says: $said"

# No tripd has run.
ends 1 "$TRIPTOP" --once
nothing || fail "without a tripd it says: $said"
ends 1 "$TRIPTOP" --once --json
[ "$(json_value daemon <<<"$said")" = null ] || fail "without a tripd it prints: $said"
[[ $(json_value waits_for <<<"$said") == "waits for tripd: there is no state segment $segment" ]] || fail "it prints: $said"

start "$TRIPD" -c "$folder/tripd.yaml"
attached web
says web 10 calls 10 1
shares web mail
says web ok record failure 5
await "all outcomes are counted" would_show 10 totals.calls show db

# A look: header, table, an empty line. Rates are known.
"$TRIPTOP" --once >"$folder/once" 2>>"$log" || fail "--once ends with $?"
row() { sed -n "$(($1 + 1))p" "$folder/once"; }
[ "$(wc -l <"$folder/once")" -eq 10 ] || fail "--once prints $(wc -l <"$folder/once") lines: $(cat "$folder/once")"
[[ $(row 0) == "tripd $TRIP_INSTANCE  up "*' heartbeat '*' ago  1 process '*:??:?? ]] || fail "row 0: $(row 0)"
[[ $(row 1) == 'calls '*'/s   denied 0/s   errors '*'/s   in flight 0' ]] || fail "row 1: $(row 1)"
[[ $(row 4) == '2 breakers: ✖ 1 open ◐ 0 half_open ◢ 0 ramping ● 1 closed  █'*░ ]] || fail "row 4: $(row 4)"
[ -z "$(row 5)" ] || fail "row 5: $(row 5)"
[[ $(row 6) == 'NAME  '*' STATE▼ '*' FAIL% SLOW% '*' REASON '*' LAST MINUTE' ]] || fail "row 6: $(row 6)"
[[ $(row 7) == 'mail  '*' ✖ open '*' 100% '*' consecutive'* ]] || fail "row 7: $(row 7)"
[[ $(row 8) == 'db  '*' ● closed '*'  10% '* ]] || fail "row 8: $(row 8)"
[ -z "$(row 9)" ] || fail "row 9: $(row 9)"
[ "$(wc -L <"$folder/once")" -le 170 ] || fail "a line is wider than 170 columns"
[ "$(COLUMNS=80 "$TRIPTOP" --once | wc -L)" -eq 80 ] || fail "no line is 80 columns wide, or one is wider"
ascii() { ! LC_ALL=C grep -q '[^ -~]' <<<"$1"; }
ascii "$(LC_ALL=C "$TRIPTOP" --once)" || fail "without UTF-8 it is not ASCII"
ascii "$("$TRIPTOP" --once --ascii)" || fail "--ascii is not ASCII"
"$TRIPTOP" --once --ascii 'm*' >"$folder/once"
[[ $(row 7) == 'mail '*' X open '* && -z $(row 8) ]] || fail "m* shows: $(cat "$folder/once")"

# Two looks.
"$TRIPTOP" -b -n 2 -d 0.2 db >"$folder/twice" 2>>"$log" || fail "-b -n 2 ends with $?"
[ "$(grep -c "^tripd $TRIP_INSTANCE  up " "$folder/twice")" -eq 2 ] || fail "it does not print two looks: $(cat "$folder/twice")"
[ "$(grep -c '^db ' "$folder/twice")" -eq 2 ] || fail "it does not print two looks: $(cat "$folder/twice")"
[ "$(grep -c '^$' "$folder/twice")" -eq 4 ] || fail "the looks do not end with an empty line: $(cat "$folder/twice")"

# JSON, a text a line.
"$TRIPTOP" --json -n 3 -d 0.1 >"$folder/json" 2>>"$log" || fail "--json ends with $?"
[ "$(wc -l <"$folder/json")" -eq 3 ] || fail "it does not print three lines: $(cat "$folder/json")"
while read -r text; do
    for pair in "instance $TRIP_INSTANCE" 'daemon running' 'processes 1' 'states.open 1' 'states.closed 1' 'analysis.errors 6' \
        'breakers.0.breaker mail' 'breakers.0.state open' 'breakers.0.reason consecutive' \
        'breakers.1.breaker db' 'breakers.1.mode auto' 'breakers.1.failure_rate 10.0' 'breakers.1.in_flight 0'; do
        value=$(json_value "${pair% *}" <<<"$text") || fail "it is no JSON, or has no ${pair% *}: $text"
        [ "$value" = "${pair#* }" ] || fail "${pair% *} is $value: $text"
    done
    [[ $(json_value breakers.0.denied_per_second <<<"$text") =~ ^[0-9.]+$ ]] || fail "no rate is known: $text"
done <"$folder/json"
value=$("$TRIPTOP" --json --once nobody | json_value breakers)
[ "$value" = '[]' ] || fail "of nobody it prints $value"

# Without end, until it is interrupted or nobody reads any more. Without a terminal it is the same, and said so.
printed() { [ "$(grep -c '^tripd ' "$folder/endless")" -ge 3 ]; }
for how in "-b" ""; do
    : >"$folder/endless"
    # shellcheck disable=SC2086 # words
    "$TRIPTOP" $how -d 0.1 </dev/null >"$folder/endless" 2>"$folder/told" &
    endless=$!
    programs+=($!)
    await "three looks are printed" printed
    kill -TERM "$endless"
    status=0
    wait "$endless" || status=$?
    [ "$status" -eq 0 ] || fail "SIGTERM ends it with $status"
done
[ "$(cat "$folder/told")" = 'triptop: this terminal cannot place text: looks are printed one after the other, as with -b' ] ||
    fail "it says: $(cat "$folder/told")"
first=$({ "$TRIPTOP" -b -d 0.1 2>>"$log" || true; } | head -n 1)
[[ $first == "tripd $TRIP_INSTANCE"* ]] || fail "the first line is $first"

# tripd is gone: its last state is something to look at.
stop
ends 0 "$TRIPTOP" --once
[[ $said == "tripd $TRIP_INSTANCE  stopped, last heartbeat "*'db '*' ● closed? '* ]] || fail "after tripd's end: $said"
ends 0 "$TRIPTOP" --once --json
[ "$(json_value daemon <<<"$said")" = stopped ] || fail "after tripd's end: $said"
cp "$segment" "$folder/copy"
ends 0 "$TRIPTOP" --once --json --segment "$folder/copy"
[ "$(json_value file <<<"$said")" = copy ] || fail "of a copy it prints: $said"
[ ! -e "$folder/config" ] || fail "settings are kept though there was no terminal"
