#!/usr/bin/env bash
# An answer longer than a page of the control socket arrives whole.
set -euo pipefail
source "$(dirname "$0")/common.bash"

config=$folder/tripd.yaml
{
    echo 'breakers:'
    for i in {1..120}; do echo "  - {match: name$i, open: {for: ${i}s}}"; done
} >"$config"
start "$TRIPD" -c "$config"

# 121 with the defaults, which stand last.
entries() { grep -o '"match": *"[^"]*"' | cut -d'"' -f4; }
shown=$("$TRIPCTL" config show --json)
[ "$(entries <<<"$shown" | wc -l)" -eq 121 ] || fail "JSON shows $(entries <<<"$shown" | wc -l) entries instead of 121"
[ "$(entries <<<"$shown" | sed -n '1p;51p;101p;121p' | tr '\n' ' ')" = "name1 name51 name101 * " ] ||
    fail "JSON does not show the entries in their order"
! grep -q '"next"' <<<"$shown" || fail "the whole names a next page"
[ "$("$TRIPCTL" config show | grep -c 'match:')" -eq 121 ] || fail "YAML does not show 121 entries"

# Breakers: more than a page, one of them frozen.
for i in {1..130}; do echo "g/$i S"; done | "$TRIP_BUILD_DIR/tests/support/report_outcomes" >"$folder/reported"
"$TRIPCTL" force-open g/60 >/dev/null
for where in "$TRIP_SHM_DIR" /nonexistent; do # from the segment, and over the socket
    metrics=$(TRIP_SHM_DIR=$where "$TRIPCTL" --json metrics g)
    [ "$(grep -o '"name":"g/' <<<"$metrics" | wc -l)" -eq 130 ] || fail "metrics do not name 130 breakers: $metrics"
    [ "$(grep -o '"name":"g"' <<<"$metrics" | wc -l)" -eq 1 ] || fail "metrics do not name the group once"
    [ "$(json_value groups.0.calls <<<"$metrics")" -eq 130 ] || fail "the group has $(json_value groups.0.calls <<<"$metrics") calls"
done

# Groups: more than a page, and than a packet holds.
for i in {1..400}; do echo "group$i/x S"; done | "$TRIP_BUILD_DIR/tests/support/report_outcomes" >"$folder/reported"
for where in "$TRIP_SHM_DIR" /nonexistent; do
    metrics=$(TRIP_SHM_DIR=$where "$TRIPCTL" --json metrics)
    [ "$(grep -o '"name":"group[0-9]*"' <<<"$metrics" | sort -u | wc -l)" -eq 400 ] || fail "metrics do not name 400 groups once"
    [ "$(grep -o '"name":"group[0-9]*"' <<<"$metrics" | wc -l)" -eq 400 ] || fail "metrics name groups twice"
    [ "$(json_value host.breakers <<<"$metrics")" -eq 530 ] || fail "all are $(json_value host.breakers <<<"$metrics") breakers"
done
hits=$("$TRIPCTL" trip 'g/*')
[ "$(grep -c '^g/' <<<"$hits")" -eq 130 ] || fail "trip names $(grep -c '^g/' <<<"$hits") breakers instead of 130"
[ "$(tail -n 3 <<<"$hits")" = "129 breakers tripped
1 skipped, for the mode keeps the state as it is until \`tripctl auto\`:
g/60" ] || fail "trip does not say what it skipped: $(tail -n 3 <<<"$hits")"
[ "$("$TRIPCTL" events --json | grep -o '"to":"open"' | wc -l)" -eq 129 ] || fail "not each was opened once"
skipped=$("$TRIPCTL" trip 'g/?0' --json)
grep -q '"skipped":\["g/60"\]' <<<"$skipped" || fail "JSON does not name what was skipped: $skipped"
refused 1 "$TRIPCTL" trip 'g/60*'
logged 'the mode of each breaker that matches g/60\* keeps its state' || fail "the refusal does not say why"
stop
