#!/usr/bin/env bash
# A worker that does not move is replaced after five looks of the keeper, two seconds apart; a client goes on meanwhile,
# and with the next worker.
set -euo pipefail
source "$(dirname "$0")/common.bash"
patience=400 # tenths of a second

start
attached honest
says honest ok record ok 3
worker=$(worker)
kill -STOP "$worker"
await "tripd is missed" would_say honest daemon_away status
says honest ok record failure 5
says honest deny_open allow
await "the next worker is ready" logged_times 2 'is ready'
gone "$worker" || fail "the worker that was stopped lives"
logged "worker $worker has not moved at 5 looks" || fail "the log does not say why"
await "the client is attached again" would_say honest shared status
says honest deny_open allow
shows 8 totals.calls show db
stop
