#!/usr/bin/env bash
# tools/demo --watch shows an outage in triptop as it happens: the breaker closed, open, and closed again; then its
# numbers. Whoever leaves triptop earlier gets them, too. When it is interrupted nothing is left. Without a terminal it
# says so.
set -euo pipefail
source "$(dirname "$0")/../system/common.bash"
source "$(dirname "$0")/../system/screen.bash"
command -v wrk >/dev/null || skip "there is no wrk"
export TMPDIR=$folder/tmp
mkdir "$TMPDIR"
demo=("$TRIP_SOURCE_DIR/tools/demo" --watch --quick --build "$TRIP_BUILD_DIR")
part() { pgrep -s "$(terminal display-message -p '#{pane_pid}')" -x "$1"; } # of the demo: its pids
left() { rmdir "$TMPDIR" && mkdir "$TMPDIR" || fail "there is still $(ls "$TMPDIR")"; }

ends 2 "${demo[@]}" </dev/null
[[ $said == 'demo: --watch needs a terminal'* ]] || fail "without a terminal it says: $said"

opens "${demo[@]}"
sees 7 0 'shared/kill-8      ● closed * [1-9]'
sees 0 0 'tripd demo  up * 8 processes'
upstream=$(part upstream)
# The outage is held where it is until the screen shows it.
no_upstream() { ! part upstream >/dev/null; }
await "the upstream is killed" no_upstream
outage=$(part outage)
kill -STOP "$outage"
sees 7 0 'shared/kill-8      ✖ open '
sees 1 0 'calls * denied [1-9]'
kill -CONT "$outage"
upstream_again() { [ "$(part upstream)" != "$upstream" ] && ! no_upstream; }
await "the upstream is back" upstream_again
kill -STOP "$outage"
sees 7 0 'shared/kill-8      ● closed '
sees 4 0 '1 breaker: ✖ 0 open'
kill -CONT "$outage"
finds 'ended with 0'
finds '8 workers, upstream killed'
finds '  probes sent at recovery  '
finds 'closed  shared/kill-8 '
finds '  shared/kill-8: half_open -> closed, by tripd'
left

# q: the numbers come all the same.
opens "${demo[@]}"
sees 7 0 'shared/kill-8      ● closed * [1-9]'
keys q
sees 0 0 'demo: the outage goes on without triptop; its numbers come when it is over'
finds 'ended with 0'
finds '8 workers, upstream killed'
left

# Ctrl-C, in the middle of it.
opens "${demo[@]}"
sees 7 0 'shared/kill-8      ● closed * [1-9]'
parts=$(part outage; part prefork_server; part upstream; part wrk; part tripd; part triptop)
keys C-c
sees 0 0 'demo: interrupted'
finds 'ended with 130'
for pid in $parts; do await "process $pid of the demo is gone" gone "$pid"; done
left
