#!/usr/bin/env bash
# kill -9 of the worker: the keeper starts the next one at once, which adopts segment and commons.
set -euo pipefail
source "$(dirname "$0")/common.bash"

start
id=$(segment_id)
commons=$(commons_id)
for n in 2 3 4; do
    worker=$(worker)
    kill -9 "$worker"
    await "worker $n is ready" logged_times "$n" 'is ready'
    gone "$worker" || fail "the killed worker lives"
    [ "$(starts)" -eq "$n" ] || fail "the segment counts $(starts) starts instead of $n"
    [ "$(segment_id)" = "$id" ] || fail "the segment was not adopted"
    [ "$(commons_id)" = "$commons" ] || fail "the commons were not kept"
    [ "$(daemon_state)" = 00000001 ] || fail "the segment does not say that tripd runs"
done
logged_times 3 'was killed by signal 9' || fail "the deaths were not logged"
stop
