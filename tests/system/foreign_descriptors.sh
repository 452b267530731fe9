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

goes_on() { # after the attack NAME
    ends 0 timeout 10 "$TRIPCTL" reset db
    says honest ok record ok 1
    says honest shared status
    says honest ok record failure 5
    says honest deny_open allow
    [ "$(worker)" = "$worker" ] || fail "the worker is another one after $1"
    kill_client "$1"
    await "tripd has closed what $1 sent" descriptors_are "$before"
}

for way in "linger 20" "linger_many 20" linger_unread linger_nested; do
    # shellcheck disable=SC2086 # words
    attack hostile $way
    [ "$came" -gt 0 ] || fail "nothing was sent by $way"
    goes_on hostile
done
shows 1 clients.count status
stop
