#!/usr/bin/env bash
# kill -9 of the keeper: the worker dies too, and the next tripd adopts the segment, with fresh commons. The same when
# both are killed. What is no segment is replaced.
set -euo pipefail
source "$(dirname "$0")/common.bash"

start
id=$(segment_id)
commons=$(commons_id)
worker=$(worker)
kill -9 "$keeper"
await "the worker dies with its keeper" gone "$worker"
[ "$(daemon_state)" = 00000001 ] || fail "a killed tripd looks as if it was stopped cleanly"
start
logged 'adopted the state segment' || fail "the adoption was not logged"
[ "$(segment_id)" = "$id" ] || fail "the segment was not adopted"
[ "$(commons_id)" != "$commons" ] || fail "the commons cannot be the same ones"

commons=$(commons_id)
kill -9 "$keeper" "$(worker)"
start
[ "$(segment_id)" = "$id" ] && [ "$(commons_id)" != "$commons" ] || fail "after both were killed it was not adopted"

worker=$(worker)
kill -9 "$keeper"
await "the worker dies with its keeper" gone "$worker"
printf 'garbage!' | dd of="$segment" bs=1 conv=notrunc status=none
start
logged 'is made anew: it is no segment of tripd' || fail "the replacement was not explained"
[ "$(segment_id)" != "$id" ] || fail "the damaged segment was adopted"
stop
