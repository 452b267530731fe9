#!/usr/bin/env bash
# Descriptors that anybody sends cost tripd nothing but a close, however long that takes: its loop does not wait for it,
# those who have a role go on as before, and none of the descriptors stays.
set -euo pipefail
source "$(dirname "$0")/common.bash"
outsider_can_run

start
attached honest
worker=$(worker)
before=$(descriptors)

goes_on() { # NAME STAYS: after this attack, of whose connections so many stay
    ends 0 timeout 60 "$TRIPCTL" reset db
    says honest ok record ok 1
    says honest shared status
    says honest ok record failure 5
    says honest deny_open allow
    await "tripd has closed what $1 sent" descriptors_are $((before + $2))
    [ "$(worker)" = "$worker" ] || fail "the worker is another one after $1"
    attached beside
    kill_client beside
    kill_client "$1"
    await "the connections of $1 are closed" descriptors_are "$before"
}

for way in "linger 20" "linger_many 20" linger_unread linger_nested; do
    # shellcheck disable=SC2086 # words
    attack hostile $way
    [ "$came" -gt 0 ] || fail "nothing was sent by $way"
    stays=0
    [ "$way" != linger_unread ] || stays=16 # which said nothing
    goes_on hostile "$stays"
done
shows 1 clients.count status
stop
