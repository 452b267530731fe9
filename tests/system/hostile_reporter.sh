#!/usr/bin/env bash
# A reporter that keeps to none of libtrip's promises may move states, as its reports could. It takes nothing else from
# the others: they attach, their calls are counted, their trips arrive.
set -euo pipefail
source "$(dirname "$0")/common.bash"
nobody_can_run
cp "$TRIP_BUILD_DIR/tests/support/hostile_reporter" "$folder/bin/"

cat >"$folder/tripd.yaml" <<'END'
access: {report: [any]}
breakers:
  - {match: bulkhead, concurrency: {max: 4}}
END
start "$TRIPD" -c "$folder/tripd.yaml"

hostile() { client "$1" "${nobody[@]}" "$folder/bin/hostile_reporter" "$socket"; }

# A reporter overwrites the head of the commons: other programs attach all the same, and their failures trip breakers.
attached first
hostile scribbler
says scribbler ok hello
says scribbler ok scribble
attached second
says second ok record failure 5
await "the trip arrives" would_say first deny_open allow
ends 0 "$TRIPCTL" reset db
kill_client scribbler

# A lane's id that it read and took after a restart is its own: the lane that had it is another user's.
says first ok record ok 1
hostile squatter
says squatter ok hello
id=$(ask squatter lane 1)
[ "$id" != 0 ] || fail "lane 1 has no id"
kill_client squatter
stop
start "$TRIPD" -c "$folder/tripd.yaml"
hostile squatter
says squatter ok hello
says squatter ok attach "$id"
says first ok record ok 20
await "the victim's calls count" would_show 21 totals.ok show db
await "the victim has a lane" would_say first shared status
kill_client squatter

# Lanes whose meters are all of one breaker end at once: what the others report of it counts, and trips.
for i in 1 2 3 4 5 6; do
    hostile hoarder$i
    says hoarder$i ok hello
    says hoarder$i ok attach $((100 + i))
    says hoarder$i ok hoard 0
done
says first ok record failure 4
for i in 1 2 3 4 5 6; do kill -9 "${pids[hoarder$i]}"; done
says first ok record failure 1
await "the trip arrives" would_say second deny_open allow
await "the failures count" would_show 10 totals.failures show db
ends 0 "$TRIPCTL" reset db

# Strangers who wait on the doorbell are woken in tripd's place, 64 at most: it finds by itself what was told.
hostile crowd
says crowd ok hello
says crowd ok crowd 100
for i in 1 2 3; do
    says first ok record failure 5
    await "tripd has seen the opening" logged_times $((i + 2)) "db: closed -> open"
    await "the trip arrives" would_say second deny_open allow
    ends 0 "$TRIPCTL" reset db
done
kill_client crowd

# It opens and closes a breaker as fast as it can: 16 steps a second are told one by one, the others together, and what
# an operator did before is still told as the operator's.
ends 0 "$TRIPCTL" trip db --for 1ms --reason 'by hand'
hostile flipper
says flipper ok hello
says flipper ok attach 200
told=$(grep -c ' db: ' "$log")
began=$SECONDS
says flipper ok hoard 0
says flipper 6000 flip db 6000
most=$((18 * (SECONDS - began + 2)))
told=$(($(grep -c ' db: ' "$log") - told))
[ "$told" -le "$most" ] || fail "the log has $told lines of steps, where $most are the most"
await "the others are told together" logged 'db: .*, after [0-9]+ steps too fast to tell'
kill_client flipper
ends 0 "$TRIPCTL" --json events db
[[ $said == *'"reason":"operator","by":"operator","uid":0,"note":"by hand"'* ]] || fail "the operator's act is not told"
[ "$(grep -o '"reason":"operator"' <<<"$said" | wc -l)" -eq 1 ] || fail "steps of the reporter are told as an operator's"
ends 0 "$TRIPCTL" reset db
says first ok record failure 5
await "the trip arrives" would_say second deny_open allow
ends 0 "$TRIPCTL" reset db

# Names without end: half of the table, and none of them comes back after a restart from the snapshot.
hostile squatter
says squatter ok hello
says squatter 512 names 1100
says first ok breaker honest
says first ok record ok 1
await "the honest name has a place" would_show 1 totals.ok show honest
kill_client squatter
stop
rm "$segment"
start "$TRIPD" -c "$folder/tripd.yaml"
logged '2 breakers and 0 modes by pattern are as in' || fail "names that never had a call came back"
logged "limits.breakers_per_user is used up by names that processes of uid 65534 asked for" || fail "the log does not say so"

# Tickets that it writes down for another's lane are free again, and those of calls in flight stay theirs.
shares first bulkhead
says first allow begin
hostile forger
says forger ok hello
says forger 3 forge bulkhead 4 "${pids[first]}"
says first 0 tickets
await "the forged tickets are free" would_say first 3 tickets
says first ok end ok
await "the last one too" would_say first 4 tickets
kill_client forger

# A packet names another lane than it brings.
hostile liar
says liar ok hello
says liar EINVAL attach 5 6
kill_client liar

# Lanes that it fills and leaves, again and again: all that tripd keeps of them goes with them.
before=$(heap)
open_before=$(descriptors)
for i in $(seq 10); do
    hostile filler
    says filler ok hello
    says filler ok attach "$i"
    says filler ok hoard 0
    says filler ok scribble
    kill_client filler
done
await "the descriptors of their lanes are closed" descriptors_are "$open_before"
heap_grew_at_most 4096 "$before" || fail "tripd has $(heap) KiB for itself after ten lanes, and had $before"
says first shared status
await "their places are free" would_show 1 clients.count status
! logged 'has not moved' || fail "the loop stood still"
stop
