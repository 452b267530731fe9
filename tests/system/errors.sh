#!/usr/bin/env bash
# tripd keeps the errors that programs tell it, with their texts, counts them by type and analyses them. tripctl reads all of
# it from the segment, with a tripd and without one, and gets the same over the socket. A worker that is killed loses no count
# and doubles none.
set -euo pipefail
source "$(dirname "$0")/common.bash"
cat >"$folder/tripd.yaml" <<'YAML'
correlation: {window: 60s, max_errors: 16, high_error_rate: 10, pattern_share: 50%}
breakers: [{match: "*", trip: {consecutive_failures: 0, failure_rate: 0%}}]
YAML
errors() { "$TRIPCTL" --json errors "$@"; }
analysis() { "$TRIPCTL" --json analyze "$@"; }
start "$TRIPD" -c "$folder/tripd.yaml" --test-clock
attached web
says web ok breaker payments/db
says web ok error timeout no_answer_in_1_s req-7 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 table=orders
says web ok report network health_check_failed
says web ok error network connection_refused req-8
"$TRIPCTL" clock advance 1s >/dev/null

# tripctl errors prints each record whole, and finds records by breaker, type and id.
[ "$(errors | grep -o '"sequence"' | wc -l)" -eq 3 ] || fail "not three errors: $(errors)"
grep -q '"message":"no answer in 1 s","correlation":"req-7","trace":"0af7651916cd43dd8448eb211c80319c","span":"b7ad6b7169203331","session":null,"context":{"table":"orders"}' \
    <<<"$(errors --correlation req-7)" ||
    fail "the error of req-7 is not whole: $(errors --correlation req-7)"
[ "$(errors --type network | grep -o '"outside":[a-z]*' | tr '\n' ' ')" = '"outside":true "outside":false ' ] || fail "network: $(errors --type network)"
[ "$(errors 'other/*')" = '{"errors":[]}' ] || fail "other breakers have errors"
"$TRIPCTL" errors | awk 'length > 80 {exit 1}' || fail "a line is wider than 80 columns"
shows req-8 error.correlation show payments/db
ends 2 "$TRIPCTL" errors --type nonsense

# Two of three errors are of one type: the group has a pattern.
grep -q '"name":"payments","analysis":"pattern_detected","errors":3,"per_second":0.05,"type":"network","type_errors":2' \
    <<<"$(analysis payments)" ||
    fail "the group is analysed as $(analysis payments)"
ends 1 "$TRIPCTL" analyze nobody

# 600 errors in 60 s are exactly ten a second, which is no high rate; 601 are one.
says web ok record failure 597
[[ $(analysis payments/db) = *'"breakers":[{"name":"payments/db","analysis":"pattern_detected","errors":600,"per_second":10.0,'* ]] ||
    fail "600 errors in 60 s are $(analysis payments/db)"
says web ok record failure 1
[[ $(analysis payments/db) = *'"analysis":"high_error_rate","errors":601,"per_second":10.016,"type":"unknown","type_errors":598'* ]] ||
    fail "601 errors in 60 s are $(analysis payments/db)"

# tripd answers the same over the socket, page by page. Without a tripd, tripctl says what held when it ended.
for verb in errors analyze 'analyze payments' 'errors --type timeout'; do
    # shellcheck disable=SC2086 # words
    alike $verb
done
kill -9 "$(worker)"
await "the next worker is ready" logged_times 2 'is ready'
await "the client is attached again" would_say web shared status
[[ $(analysis payments/db) = *'"errors":601,'* ]] || fail "after a kill of the worker: $(analysis payments/db)"
before=$(errors)
kill_both
[ "$(errors 2>/dev/null)" = "$before" ] || fail "the dead tripd's errors are others"
[[ $(analysis payments/db 2>/dev/null) = *'"errors":601,'* ]] || fail "the dead tripd's analysis is $(analysis)"

# After a minute no error is left in the window.
start "$TRIPD" -c "$folder/tripd.yaml" --test-clock
"$TRIPCTL" clock advance 66s >/dev/null
[[ $(analysis) = *'"host":{"name":null,"analysis":"no_errors","errors":0,'* ]] || fail "after a minute: $(analysis)"
stop
