#!/usr/bin/env bash
# The keys that change breakers send tripd a request: each of the five asks why, and for how long, and says what it hit, one
# breaker or all that are tagged; tripctl sees mode, owner and reason. A user without the role control
# sees the keys greyed out, is refused before being asked, and may act once a reload gives the role.
set -euo pipefail
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/screen.bash"
nobody_can_run
cp "$TRIPTOP" "$folder/bin/"
configured() { # configured CONTROL
    cat >"$folder/tripd.yaml" <<END
access: {observe: [any], report: ["user:root"], control: [$1]}
breakers: [{match: "*", open: {for: 1h, max: 1h, multiplier: 1.0, jitter: 0%}}]
END
}
configured user:root
start "$TRIPD" -c "$folder/tripd.yaml"
client web
says web ok open
for breaker in api/a api/b mail db; do shares web $breaker; done
keys_dim() { [[ $(screen -e -S 23 -E 23) =~ $'\e[2m'[^$'\e']*x\ trip\ f\ force\ d\ disable\ a\ auto\ r\ reset ]]; }

# Trip, of the selected breaker, for a while.
opens "$TRIPTOP" -d 0.2
sees 9 0 'db '
await "the keys are not dim" eval '! keys_dim'
keys Down Down x
sees 23 0 'trip db: why? (Esc: not) _'
text 'fail over é'
keys BSpace BSpace
sees 23 0 'trip db: why? (Esc: not) fail over_'
keys Enter
sees 23 0 'for how long, as 30s or 5m? (empty: its next open time) _'
text '5 minutes'
keys Enter
sees 21 0 "'5 minutes' has a unit that is none; write a number and ms, s, m, h or d"
keys C-h C-h C-h C-h C-h C-h C-h C-h m Enter
sees 23 0 '1 breaker tripped: db'
sees 7 0 'db                 ✖ open'
sees 7 73 '*[45]m??s'
says web deny_open allow
shows open state show db
shows operator reason show db
shows 'fail over' note show db
says web deny_open allow
keys 2
sees 6 0 'db  ✖ open for *: operator, by operator root: fail over'

# Reset, in the pane of one breaker.
keys r
sees 23 0 'reset db: why? (Esc: not) _'
keys o k Enter
sees 23 0 '1 breaker reset: db'
sees 6 0 'db  ● closed for '
says web allow allow
shows closed state show db

# Force open, with a TTL, and auto.
keys 1
sees 9 0 'db '
keys f
sees 23 0 'force open db: why? (Esc: not) _'
text 'incident 42'
keys Enter
sees 23 0 'for how long, as 30s or 5m? (empty: until auto) _'
keys 1 h Enter
sees 23 0 '1 breaker forced open: db'
sees 7 0 'db                 ● closed     forced_open'
sees 7 73 ' 59m*'
says web deny_forced allow
shows forced_open mode show db
shows operator mode_owner show db
shows 'incident 42' mode_reason show db
ttl=$(of mode_ttl_ms show db)
[ "$ttl" -gt 0 ] && [ "$ttl" -le 3600000 ] || fail "the mode ends in $ttl ms, not in an hour"
keys x Enter Enter
# An answer that is too long for a row takes two.
sees 22 0 '0 breakers tripped; db: * the mode of db keeps its state as it is; `'
sees 23 0 '* first'
keys a
sees 23 0 'set to auto db: why? (Esc: not) _'
keys Enter
sees 23 0 '1 breaker set to auto: db'
shows auto mode show db
says web allow allow

# Disable, without a reason, until auto.
keys d Enter Enter
sees 23 0 '1 breaker disabled: db'
sees 7 32 disabled
sees 7 73 '  never'
shows disabled mode show db
shows null mode_reason show db
shows null mode_ttl_ms show db

# Esc does nothing, at either question.
keys a
sees 23 0 'set to auto db: '
keys Escape
sees 23 0 'nothing was done'
keys x Enter
sees 23 0 'for how long'
keys Escape
sees 23 0 'nothing was done'
shows disabled mode show db
keys a Enter
sees 23 0 '1 breaker set to auto: db'

# All that are tagged, wherever the cursor is; then none is tagged.
keys Home Space Space Space
sees 5 71 ' 3 tagged'
keys End f
sees 23 0 'force open 3 breakers: why? (Esc: not) _'
text drill
keys Enter 3 0 m Enter
sees 23 0 '3 breakers forced open: '
misses tagged
for breaker in api/a api/b db; do
    has "$breaker" || fail "triptop does not say that it hit $breaker"
    shows forced_open mode show $breaker
    shows drill mode_reason show $breaker
done
shows auto mode show mail
sees 4 0 '4 breakers: *, 3 not auto'

# A group of the tree, which is selected.
keys t
sees 7 0 '▼ api/'
keys Home a
sees 23 0 'set to auto 2 breakers: why? (Esc: not) _'
keys Enter
sees 23 0 '2 breakers set to auto: '
shows auto mode show api/a
shows auto mode show api/b
shows forced_open mode show db
keys t
# In a pane that has no breaker selected, there is nothing to act on.
keys F4 x
sees 23 0 'choose breakers in the table first'
keys q
closed 0

# The user nobody lacks the role control: triptop asks such a user nothing, and sends tripd nothing.
opens "${nobody[@]}" XDG_CONFIG_HOME="$folder/nobody" "$folder/bin/triptop" -d 0.2
sees 7 0 'db                 ● closed     forced_open'
await "the keys are dim" keys_dim
for key in x f d a r; do
    keys $key
    sees 23 0 "you do not have the role control: access.control in tripd's config"
    keys F1
    sees 6 0 KEYS
    keys F1
done
keys 2 a
sees 23 0 "you do not have the role control"
shows forced_open mode show db
keys F1 End
finds 'you do not have the role control'
keys F1 F2

# With the role he has the keys at once; it is his name that stands there.
configured user:65534
ends 0 "$TRIPCTL" config reload
await "the keys are not dim" eval '! keys_dim'
keys a
sees 23 0 'set to auto db: why?'
keys Enter
sees 23 0 '1 breaker set to auto: db'
keys d
text 'by nobody'
keys Enter Enter
sees 23 0 '1 breaker disabled: db'
shows 65534 mode_uid show db
shows 'by nobody' mode_reason show db

# The role is taken away while he is being asked: tripd refuses, and triptop says so.
keys a
sees 23 0 'set to auto db: why?'
configured user:root
ends 0 "$TRIPCTL" config reload
keys Enter
finds '0 breakers set to auto; db: * needs the role control'
shows disabled mode show db
keys F2
await "the keys are dim" keys_dim
keys q
closed 0
