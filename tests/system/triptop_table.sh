#!/usr/bin/env bash
# The table of triptop: one walks it, searches, filters and tags in it, sorts it by any column, folds its tree, and
# clicks into it. How it is sorted and folded is as it was when triptop is started again; names and patterns as operands
# choose its rows.
set -euo pipefail
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/screen.bash"
cat >"$folder/tripd.yaml" <<'END'
breakers:
  - match: "*"
    open: {for: 1h, max: 1h, multiplier: 1.0}
    trip: {failure_rate: 0%}
END
start "$TRIPD" -c "$folder/tripd.yaml"
client web
says web ok open
for breaker in db/read db/write db/deep/x api/a api/b; do
    shares web $breaker
    says web 10 calls 10 0
done
says web ok breaker db/write
says web 10 calls 10 5
says web ok breaker api/b
says web ok record failure 2
shares web mail
says web ok record failure 5
await "mail is open" would_say web open state
ends 0 "$TRIPCTL" disable db/deep/x --reason drill
await "all outcomes are counted" would_show 12 window.calls show api/b
await "all outcomes are counted" would_show 20 window.calls show db/write

# order NAME...: these are the rows; with `more` at the end, the first ones.
order() {
    local row=7 name
    for name; do
        [ "$name" = more ] || sees $((row++)) 0 "$name *"
    done
    [ "$name" = more ] || await "row $row is empty" is_empty $row
}
is_empty() { [ -z "$(line "$1")" ]; }

# The table shows breakers in trouble first. The selection stays on its breaker when the order changes.
opens "$TRIPTOP" -d 0.2
order mail db/deep/x api/a api/b db/read db/write
sees 8 32 'disabled '
selects 7
keys Down Down Down
selects 10
keys I
order api/a api/b db/read db/write db/deep/x mail
selects 8
keys Up
selects 7
keys Up
selects 7
keys End
selects 12
keys Down
selects 12
keys Home Down
selects 8
keys NPage
selects 12
keys PPage
selects 7
keys I

# By each column: the first press puts the greatest first, F6 has all columns in a list.
keys '>'
sees 6 32 MODE▼
order db/deep/x api/a api/b db/read db/write mail
keys '>'
sees 6 32 'MODE *CALLS/▼'
keys '>'
sees 6 32 'MODE *CALLS/S FAIL▼'
order mail db/write api/b api/a db/deep/x db/read
sees 7 52 ' 100%'
sees 8 52 '  25%'
sees 9 52 '  17%'
keys I
sees 6 32 'MODE *CALLS/S FAIL▲'
order api/a db/deep/x db/read api/b db/write mail
keys '<' '<' '<' '<'
sees 6 0 'NAME▲'
order api/a api/b db/deep/x db/read db/write mail
keys I
sees 6 0 'NAME▼'
order mail db/write db/read db/deep/x api/b api/a
keys F6
sees 6 0 'SORT BY'
sees 23 0 'sort by: Up and Down, Enter'
selects 7
sees 8 0 '*STATE  closed, open'
keys Down Down Up
selects 8
keys Enter
sees 6 0 'NAME               STATE▼'
order mail db/deep/x api/a more
keys F6 Down
selects 9
keys Escape
misses 'SORT BY'
sees 6 0 'NAME               STATE▼'

# Search goes on from the selected row, and around. What is typed can be corrected, and left.
keys Home /
sees 23 0 'find: _'
text 'dbx'
keys BSpace
text '/wri'
sees 23 0 'find: db/wri_'
keys Enter
selects 12
keys Home / d b / Enter
selects 8
keys n
selects 11
keys n n
selects 8
keys /
text 'nothing'
keys Enter
sees 23 0 'no breaker that is shown has "nothing" in its name'
selects 8
keys / x Escape
sees 23 0 'F1 help'
selects 8

# A filter leaves others out, in other panes too; a pattern matches whole names; empty: all are there again.
keys '\'
sees 23 0 'show names with (empty: all): _'
text 'db/'
keys Enter
order db/deep/x db/read db/write
sees 5 69 ' only "db/"'
keys F4
sees 6 0 WHEN
finds 'db/deep/x  mode auto -> disabled'
misses 'mail  closed -> open'
keys F2 '\' BSpace BSpace BSpace
text '*/[a-b]'
keys Enter
sees 7 0 'no breaker matches'
keys '\' C-h C-h C-h C-h C-h C-h C-h
text 'a*/?'
keys Enter
order api/a api/b
keys '\' BSpace BSpace BSpace BSpace Enter
order mail db/deep/x api/a api/b db/read db/write
misses 'only'

# Tags: one by one, and of a group.
keys Home Space
sees 7 0 '▸mail '
selects 8
keys Down Space
sees 9 0 '▸api/a '
sees 5 71 ' 2 tagged'
keys Up Up Up Space
sees 7 0 'mail '
sees 5 71 ' 1 tagged'
keys U
misses tagged
sees 9 0 'api/a '

# The tree has the groups that names make, in the order of the columns, and folds them.
keys t
order mail '▼ db/' '  ▼ deep/' '    x' '  read' '  write' '▼ api/' '  a' '  b'
sees 8 19 '● 0 of 3     1 not auto '
keys Home Down Left
order mail '▶ db/' '▼ api/' '  a' '  b'
selects 8
keys Down Enter
order mail '▶ db/' '▶ api/'
keys Up Right
order mail '▼ db/' '  ▼ deep/' '    x' '  read' '  write' '▶ api/'
keys Down -
order mail '▼ db/' '  ▶ deep/' '  read' '  write' '▶ api/'
keys Up Space
sees 5 71 ' 3 tagged'
sees 10 0 '▸  read'
keys +
keys Up Space
misses tagged
# Enter on a breaker shows it.
keys End Up Enter
sees 6 0 'db/write  ● closed for '
keys F2

# A group that is sorted by its sums; what is folded and how the table is sorted is there again next time.
keys F6 Down Down Down
selects 11
keys Enter
sees 6 32 'MODE *CALLS/S FAIL▼'
order mail '▼ db/' '  write' '  ▼ deep/' '    x' '  read' '▶ api/'
keys s
sees 23 0 'look each (now 200ms): _'
text 250ms
keys Enter
sees 23 0 'F1 help'
keys q
closed 0
grep -q '"interval_ms": 250' "$folder/config/triptop/settings.json" || fail "the interval is not kept: $(cat "$folder/config/triptop/settings.json")"
opens "$TRIPTOP"
sees 6 32 'MODE *CALLS/S FAIL▼'
order mail '▼ db/' '  write' '  ▼ deep/' '    x' '  read' '▶ api/'
keys s
sees 23 0 'look each (now 250ms): _'
text never
keys Enter
sees 22 0 "'never' is not understood"
keys Escape
sees 23 0 'F1 help'
keys t '<' '<'
sees 6 32 'MODE▼'

# The mouse: a click on a heading sorts by it, again it turns the order; on a row it selects it, twice opens it; on a tab
# it shows its pane. The wheel walks.
click() { text $'\e[M '"$(at "$1" "$2")"$'\e[M#'"$(at "$1" "$2")"; }
at() { printf "\\x$(printf %x $(($2 + 33)))\\x$(printf %x $(($1 + 33)))"; }
click 6 20
sees 6 19 STATE▼
order mail db/deep/x api/a more
click 6 24
sees 6 19 STATE▲
order api/a api/b db/read more
click 10 3
selects 10
click 20 3 # below the last row
keys Down
selects 11
click 8 79
selects 8
text $'\e[Ma'"$(at 9 1)" # the wheel goes down three lines, and up
selects 11
text $'\e[M`'"$(at 9 1)"
selects 8
click 5 47
sees 6 0 'WHAT FAILED TOGETHER'
click 5 2
selects 8
click 11 9
click 11 9
sees 6 0 'db/deep/x  ● closed for'
keys q
closed 0

# Names and patterns as operands.
opens "$TRIPTOP" -d 0.2 'api/*' mail
order api/a api/b mail
keys q
closed 0
opens "$TRIPTOP" -d 0.2 nobody
sees 7 0 'no breaker matches'
keys q
closed 0
