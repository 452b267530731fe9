#!/usr/bin/env bash
# After a reboot the segment is gone, or of another boot: modes, open breakers and totals come back from the snapshot, and
# no time of the boot before is taken for one of this boot.
set -euo pipefail
source "$(dirname "$0")/common.bash"

cat >"$folder/tripd.yaml" <<'END'
breakers: [{match: "*", open: {for: 60s, jitter: 0%}}]
END
prepare() {
    attached "$1"
    says "$1" ok record ok 20
    says "$1" ok record ignored 2
    shares "$1" broken
    says "$1" ok record failure 5
    says "$1" deny_open allow
    shares "$1" pinned/a
    ends 0 "$TRIPCTL" force-open 'pinned/*' --reason drill --ttl 1h
    ends 0 "$TRIPCTL" shadow db
}
restored() { # restored BREAKERS NAME
    logged "$1 breakers and 1 modes by pattern are as in" || fail "the snapshot was not restored"
    shows 20 totals.calls show db
    shows 2 totals.ignored show db
    shows shadow mode show db
    shows 5 totals.failures show broken
    shows 1 trips.consecutive show broken
    shows open state show broken
    shows consecutive reason show broken
    shows forced_open mode show pinned/a
    left=$(of retry_after_ms show broken)
    [ "$left" -gt 30000 ] && [ "$left" -le 60000 ] || fail "$left ms of 60 s are left"
    left=$(of mode_ttl_ms show pinned/a)
    [ "$left" -gt 3500000 ] && [ "$left" -le 3600000 ] || fail "$left ms of 1 h are left"
    shares "$2" pinned/later
    says "$2" deny_forced allow
}

start "$TRIPD" -c "$folder/tripd.yaml"
prepare before
stop
snapshot=$folder/$TRIP_INSTANCE/snapshot
[ -s "$snapshot" ] || fail "a stop left no snapshot"
[ "$(stat -c %a "$snapshot")" = 600 ] || fail "the snapshot's mode is $(stat -c %a "$snapshot")"

# /dev/shm is empty after a boot.
kill_client before
rm "$segment"
: >"$log"
start "$TRIPD" -c "$folder/tripd.yaml"
attached after
restored 3 after
shares after broken
says after deny_open allow
stop
kill_client after

# A segment that outlived its boot, as a copy on a disk does: its times mean nothing here.
printf 'another boot 123' | dd of="$segment" bs=1 seek=$boot_id_at conv=notrunc status=none
id=$(segment_id)
ends 0 "$TRIPCTL" --json status
[ "$(json_value heartbeat_age_ms <<<"$said")" = null ] || fail "a heartbeat of another boot has an age here: $said"
: >"$log"
start "$TRIPD" -c "$folder/tripd.yaml"
logged 'is made anew: it is of another boot' || fail "the log does not say why"
[ "$(segment_id)" != "$id" ] || fail "a segment of another boot was adopted"
attached last
restored 4 last

# A crash of the machine: the snapshot of a few seconds ago, without a stop.
shares last db
says last ok record ok 100
saved() { [ "$(stat -c %Y.%y "$snapshot")" != "$1" ]; }
await "the snapshot is newer than the calls" saved "$(stat -c %Y.%y "$snapshot")"
kill_both
rm "$segment"
start "$TRIPD" -c "$folder/tripd.yaml"
shows 120 totals.calls show db
shows open state show broken
stop

# A damaged snapshot is logged, and nothing of it is used.
truncate -s -1 "$snapshot"
rm "$segment"
start "$TRIPD" -c "$folder/tripd.yaml"
logged "the snapshot $snapshot is not used: .*cut short.*; breakers begin closed" || fail "the damage is not said"
shows 0 breakers.count status
stop
