#!/usr/bin/env bash
# A thousand breakers in triptop: one pages through them, and those at the end are there at once; an act hits all that
# are tagged, however many these are.
set -euo pipefail
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/screen.bash"
cat >"$folder/tripd.yaml" <<'END'
limits: {max_breakers: 1024}
breakers: [{match: "*", open: {for: 1h, max: 1h, multiplier: 1.0}}]
END
start "$TRIPD" -c "$folder/tripd.yaml"
client web
says web ok open
await "all breakers are everyone's" would_say web 1000 breakers 1000

opens "$TRIPTOP" -d 0.2
sees 4 0 '1000 breakers: ✖ 0 open ◐ 0 half_open ◢ 0 ramping ● 1000 closed'
# The names in their order: names-0, -1, -10, -100, -101, ...
mapfile -t names < <(seq 0 999 | LC_ALL=C sort)
page() { # page FIRST SELECTED: so many rows of the list stand there from this one on, and this row of the screen is selected
    local row
    for row in 7 8 21 22; do sees $row 0 "names-${names[$1 + row - 7]} "; done
    selects "$2"
}
page 0 7
keys NPage
page 1 22
keys NPage
page 17 22
keys PPage
page 16 7
keys End
page 984 22
keys Down NPage
page 984 22
keys Home
page 0 7
keys Up PPage
page 0 7
for ((i = 0; i < 30; i++)); do keys Down; done
page 15 22

# Search and filter among all of them.
keys /
text 'names-777'
keys Enter
finds 'names-777 '
selects 22
keys '\'
text 'names-7?7'
keys Enter
for row in {7..16}; do sees $row 0 "names-7$((row - 7))7 "; done
sees 17 0 ''

# All ten of these are tagged and hit; the message says how many, and names them as far as there is room.
keys Home Space Space Space Space Space Space Space Space Space Space
finds ' 10 tagged'
keys d
sees 23 0 'disable 10 breakers: why?'
text 'drill'
keys Enter Enter
finds '10 breakers disabled: names-7*7, names-'
sees 4 0 '1000 breakers: *, 10 not auto'
[ "$("$TRIPCTL" --json list 'names-7?7' | grep -o '"mode":"disabled"' | wc -l)" -eq 10 ] || fail "tripctl does not see ten modes: $("$TRIPCTL" list 'names-7?7')"
# The table is sorted by mode: breakers whose mode is not auto stand first.
keys '\' C-h C-h C-h C-h C-h C-h C-h C-h C-h Enter
misses 'only'
keys Home
for row in {7..16}; do sees $row 0 "names-7$((row - 7))7 *disabled"; done
keys U a Enter
finds '1 breaker set to auto: names-707'

# A screen with many rows shows more of them.
size 120 60
sees 58 0 'names-'
sees 59 0 '1 breaker set to auto'
keys End
sees 58 0 'names-999 '
size 80 24
sees 22 0 'names-999 '
keys q
closed 0
