#!/usr/bin/env bash
# The five answers of `tripctl why` in tripctl(1) are what a real tripd says, in at most twelve lines of 80 columns. Times of day,
# pids and the instance differ from run to run; here they are written as one.
#
#   why.sh --update    writes what it says now into the manual
set -euo pipefail
source "$(dirname "$0")/common.bash"
page=$TRIP_SOURCE_DIR/docs/tripctl.1.scd
update=${1-}

normal() {
    sed -E -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?/2026-11-30 03:12:07/g' \
        -e "s/tripd@$TRIP_INSTANCE/tripd@default/" -e 's/(process, pid )[0-9]+/\14711/' -e 's/operator [a-z0-9 -]+:/operator root:/'
}
# answers TITLE [NAME]: adds an answer to the section, and checks its shape.
answers() {
    local title=$1 lines
    shift
    lines=$("$TRIPCTL" why "$@" 2>/dev/null)
    [ "$(wc -l <<<"$lines")" -le 12 ] || fail "more than twelve lines: $lines"
    ! grep -qE '.{81}' <<<"$lines" || fail "a line of more than 80 columns: $lines"
    printf '%s\n\n```\n$ tripctl why%s\n%s\n```\n\n' "$title" "${*:+ $*}" "$(normal <<<"$lines")" >>"$folder/section"
}
over() {
    grep -q '"end_unix_ms":[0-9]' <<<"$("$TRIPCTL" --json incidents)"
}
advance() { "$TRIPCTL" clock advance "$1" >/dev/null; }
# fails NAME BREAKER TYPE MESSAGE TRACE COUNT: so many calls, with a time between.
fails() {
    local i
    says "$1" ok breaker "$2"
    for ((i = 0; i < $6; i++)); do
        says "$1" ok error "$3" "$4" - "$5$i" -
        advance 100ms
    done
}

cat >"$folder/tripd.yaml" <<'END'
breakers:
  - match: "payments/api"
    depends_on: ["payments/db"]
    open: {jitter: 0%}
  - match: "*"
    open: {jitter: 0%}
END
start "$TRIPD" --test-clock -c "$folder/tripd.yaml"
attached web
shares web payments/db
says web ok record ok 40
shares web payments/api
says web ok record ok 40
attached hung
shares hung payments/db
says hung 3 begins 3
advance 1m

"$TRIPCTL" deploy mark web-42 >/dev/null
advance 40s
fails web payments/db network connect_to_10.0.0.5:5432_failed_after_1503ms req 5
fails web payments/api timeout no_answer_to_query_81_within_1000ms req 5
advance 5s
answers 'A database fails, and what depends on it:'

"$TRIPCTL" force-open payments/api --ttl 1h --reason 'incident 42' >/dev/null
answers 'An operator has forced a breaker open:' payments/api
"$TRIPCTL" auto payments/api >/dev/null
says hung ok ends cancelled

advance 35s
says web ok breaker payments/db
says web probe begin
says web ok end ok
answers 'It is being probed:' payments/db

for _ in 1 2; do
    says web probe begin
    says web ok end ok
done
"$TRIPCTL" reset payments/api >/dev/null
advance 10m
await "the incident is over" over
answers 'All is well again:'

fails web payments/db network connect_to_10.0.0.5:5432_failed_after_1499ms late 5
"$TRIPCTL" status >/dev/null
kill_both
answers 'tripd is dead:'

if [ "$update" = --update ]; then
    awk -v section="$folder/section" '/^## Five answers of why/ {print; print ""; while ((getline line < section) > 0) print line; skip = 1; next}
        /^(#|## )/ && skip {skip = 0} !skip' "$page" >"$folder/page"
    cp "$folder/page" "$page"
fi
awk '/^## Five answers of why/ {inside = 1; next} /^##? / && inside {exit} inside' "$page" | sed '1{/^$/d}' >"$folder/manual"
diff "$folder/manual" "$folder/section" || fail "tripctl(1) shows other answers: run $0 --update"
