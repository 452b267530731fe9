#!/usr/bin/env bash
# The flight recorder: the state segment of a dead instance, and a copy of it taken to another machine, are read with no
# tripd and no client alive; what is no segment, or cut short, or damaged, is said.
set -euo pipefail
source "$(dirname "$0")/common.bash"

start
attached a
says a ok record ok 20
says a ok record failure 5
ends 0 "$TRIPCTL" force-open db --reason 'incident 42'
shares a other
shows 25 totals.calls show db
lane=$(of clients.0.lane clients)
copy=$folder/copy
cp "$segment" "$copy" # while tripd lives, as a core dump would
kill_both
kill_client a

# read_back ARGUMENTS...: what matters of an incident.
read_back() {
    shows 2 breakers.count status "$@"
    shows 1 clients.count status "$@"
    shows open state show db "$@"
    shows consecutive reason show db "$@"
    shows forced_open mode show db "$@"
    shows 'incident 42' mode_reason show db "$@"
    shows 25 totals.calls show db "$@"
    shows 25 reporters.lanes.0.calls show db "$@"
    shows "$lane" reporters.lanes.0.lane show db "$@"
    shows "$lane" clients.0.lane clients "$@"
    shows open events.0.to events "$@"
    shows consecutive events.0.reason events "$@"
    shows client clients.0.program clients "$@"
    shows db breakers.0.breaker list 'd*' "$@"
}
read_back                       # the instance's, although nobody is alive
read_back --segment "$segment"
read_back --segment "$copy"
"$TRIPCTL" list --segment "$copy" >"$folder/first"

# On another machine: another boot, no environment, and a user without rights.
printf 'another boot 123' | dd of="$copy" bs=1 seek=$boot_id_at conv=notrunc status=none
chmod 444 "$copy"
unset TRIP_RUNTIME_DIR TRIP_STATE_DIR TRIP_SHM_DIR TRIP_INSTANCE
read_back --segment "$copy"
shows gone daemon status --segment "$copy"
shows null heartbeat_age_ms status --segment "$copy"

# damaged TEXT: what is said of the file.
damaged() {
    ends 1 "$TRIPCTL" list --segment "$folder/damaged"
    [[ $said == *"$folder/damaged $1"* ]] || fail "it says \"$said\" instead of \"$1\""
}
head -c 100 "$copy" >"$folder/damaged"
damaged 'is no state segment of tripd: it is too short'
head -c 100000 "$copy" >"$folder/damaged"
damaged 'is cut short: 100000 bytes of'
head -c 100000 /dev/zero >"$folder/damaged"
damaged 'is no state segment of tripd'
chmod 644 "$copy"
cp "$copy" "$folder/damaged"
head -c 512 /dev/zero | tr '\0' '\377' | dd of="$folder/damaged" bs=1 seek=128 conv=notrunc status=none
damaged 'is damaged: section 0 is not where it can be'

# A heap of garbage behind a good header is shown, or not, and harms nobody.
cp "$copy" "$folder/damaged"
size=$(stat -c %s "$copy")
head -c $((size - 4096)) /dev/urandom | dd of="$folder/damaged" bs=4096 seek=1 conv=notrunc status=none
for verb in list events clients status; do
    "$TRIPCTL" --json $verb --segment "$folder/damaged" | json_value || fail "$verb does not survive garbage"
done
