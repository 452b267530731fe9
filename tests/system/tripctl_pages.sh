#!/usr/bin/env bash
# What is longer than a page of the control socket arrives whole.
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
stop
