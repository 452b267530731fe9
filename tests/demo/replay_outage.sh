#!/usr/bin/env bash
# Plays back what record_outage.sh recorded: triptop shows the outage as it came and went, with tripd long gone.
set -euo pipefail
source "$(dirname "$0")/../system/common.bash"

recording=$1
export XDG_CONFIG_HOME=$folder # no settings of whoever runs this
"$TRIPTOP" --replay "$recording" --json >"$folder/looks" || fail "triptop ended with $?"
[ "$(wc -l <"$folder/looks")" -ge 20 ] || fail "there are $(wc -l <"$folder/looks") looks of two seconds and more"

# The states of the breaker over the looks, each once as long as it lasted.
states() { grep -o '"breaker":"shared/kill-8","state":"[a-z_]*"' "$folder/looks" | sed 's/.*"\([a-z_]*\)"$/\1/' | uniq; }
states >"$folder/states"
[ "$(head -n 1 "$folder/states")" = closed ] || fail "it begins with $(head -n 1 "$folder/states")"
grep -qx open "$folder/states" || fail "it never opens: $(tr '\n' ' ' <"$folder/states")"
[ "$(tail -n 1 "$folder/states")" = closed ] || fail "it ends with $(tail -n 1 "$folder/states")"
# While it was open, its callers were denied, the incident went on, and the errors say of what kind they are.
grep '"state":"open"' "$folder/looks" >"$folder/open"
grep -q '"denied_per_second":[1-9]' "$folder/open" || fail "no look shows denied calls"
grep -q '"incidents":\[{"incident":1,' "$folder/open" || fail "no look shows the incident"
grep -q '"type":"network"' "$folder/open" || fail "no look shows errors of the network"

# The screen of the same looks, as text: one of them has the breaker open.
COLUMNS=80 LC_ALL=C.UTF-8 "$TRIPTOP" --replay "$recording" -b >"$folder/text"
grep -q '^shared/kill-8 *✖ open' "$folder/text" || fail "no screen shows it open"
grep -q '^shared/kill-8 *● closed' "$folder/text" || fail "no screen shows it closed"
