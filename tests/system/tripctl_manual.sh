#!/usr/bin/env bash
# The man page and --help tell of every verb and option that tripctl has, and of no other; the page of each key of limits.
set -euo pipefail
source "$(dirname "$0")/common.bash"
page=$TRIP_SOURCE_DIR/docs/tripctl.1.scd

help=$("$TRIPCTL" --help)
verbs=$("$TRIPCTL" --complete)
while IFS=$'\t' read -r verb operands options; do
    grep -q "^\*$verb\*" "$page" || fail "the page has no \"*$verb*\""
    grep -q "^  $verb " <<<"$help" || fail "--help has no \"$verb\""
    own=$("$TRIPCTL" $verb --help)
    for option in $options; do
        option=${option%%=*}
        grep -q "^\*.*$option\*" "$page" || fail "the page has no \"*$option*\""
        grep -q -- "$option" <<<"$own" || fail "$verb --help has no \"$option\""
    done
    if [ "$operands" != - ]; then
        grep -q "^\*$verb\* .*_" "$page" || fail "the page does not say what $verb takes"
    fi
done <<<"$verbs"
while read -r verb; do
    grep -q "^$verb"$'\t' <<<"$verbs" || fail "the page has a verb \"$verb\" that tripctl has not"
done < <(sed -n '/^# VERBS/,/^# OPTIONS/s/^\*\([a-z -]*\)\*.*/\1/p' "$page")
while read -r option; do
    grep -q -- "$option" <<<"$verbs"$'\n--version' || fail "the page has an option \"$option\" that tripctl has not"
done < <(sed -n '/^# OPTIONS/,/^# EXIT/s/^\*.*\(--[a-z]*\)\*.*/\1/p' "$page")

cat >"$folder/tripd.yaml" <<'END'
breakers: [{match: "*", concurrency: {max: 1}, rate: {limit: 1}, throttle: {k: 2.0}}]
END
start "$TRIPD" -c "$folder/tripd.yaml"
attached a
says a allow begin
await "the ticket is shown" would_show 1 limits.concurrency.taken show db
real=$(of limits show db | grep -o '"[a-z_]*":' | tr -d '":')
told=$(sed -n '/^# JSON/,/^## events/{/^\*limits/,/^$/p}' "$page" | grep -oE '^\*limits\.[a-z_]+\*|\b_[a-z_]+_\b' |
    sed 's/^\*limits\.\(.*\)\*$/\1/; s/^_\(.*\)_$/\1/')
[ "$told" = "$real" ] || fail "the page's limits, and tripctl's: $(diff <(echo "$told") <(echo "$real"))"
stop
