#!/usr/bin/env bash
# A program that writes a core dump keeps nothing that others want: its ticket and its permit are free while the dump is
# still being written.
set -euo pipefail
source "$(dirname "$0")/common.bash"

cat >"$folder/tripd.yaml" <<'END'
breakers:
  - {match: "db", open: {for: 1s, multiplier: 1.0, jitter: 0%}, half_open: {permits: 1, successes: 1, max_wait: 1h}}
  - {match: "bulkhead", concurrency: {max: 1}}
END
start "$TRIPD" -c "$folder/tripd.yaml"
mkdir "$folder/dump"
attached other

# dumps NAME: this client's end takes long.
dumps() {
    tell "$1" dump
    is_dumping() { ! alive "${pids[$1]}" || grep -q '^CoreDumping:.1$' "/proc/${pids[$1]}/status"; }
    await "$1 writes its dump" is_dumping "$1"
}
# still NAME: is the dump still being written? Then it is ended.
still() {
    grep -q '^CoreDumping:.1$' "/proc/${pids[$1]}/status" 2>/dev/null || skip "a core dump does not take long here"
    kill -9 "${pids[$1]}"
}
dumper() { attached "$1" bash -c "cd '$folder/dump' && exec '$TRIP_BUILD_DIR/tests/support/client'"; }

dumper holder
shares holder bulkhead
shares other bulkhead
says holder allow begin
says other deny_concurrency begin
dumps holder
await "the ticket is back" would_say other 1 tickets
still holder

dumper prober
shares prober db
shares other db
says other ok record failure 5
await "the permit can be taken" would_say prober probe begin
dumps prober
await "the permit is back" would_say other probe begin
still prober
logged 'dumps core: what it held is free' || fail "the log does not say so"
rm -r "$folder/dump"
stop
