#!/usr/bin/env bash
# Degradation levels switch features off in every process at once, and go back one step at a time. Neither a kill of tripd
# nor a restart, a reload or a reboot loses what an operator set.
set -euo pipefail
source "$(dirname "$0")/common.bash"

cat >"$folder/tripd.yaml" <<'YAML'
levels: {back_after: 30s}
features:
  recommendations: {off_from: degraded, percent: 50%}
  "payments/express": {off_from: minimal}
  search: {off_from: emergency}
YAML
tripd() { start "$TRIPD" -c "$folder/tripd.yaml" --test-clock; }
advance() { ends 0 "$TRIPCTL" clock advance "$1"; }
# feature CLIENT NAME ANSWER [KEY]
feature() {
    says "$1" ok feature "$2"
    says "$1" "$3" enabled ${4-}
}

tripd
attached a
attached b
for name in a b; do
    feature $name payments/express on
    feature $name unknown on
    feature $name recommendations on
    says $name 500 permille
done
# The same users see it in both processes; more users do not change whom it is on for.
on=()
for user in {1..40}; do
    answer=$(ask a enabled "user-$user")
    says b "$answer" enabled "user-$user"
    [ "$answer" = off ] || on+=("user-$user")
done
[ ${#on[@]} -gt 5 ] && [ ${#on[@]} -lt 35 ] || fail "it is on for ${#on[@]} of 40 users"
ends 0 "$TRIPCTL" feature set recommendations 75% --reason "more of them"
for user in "${on[@]}"; do
    says b on enabled "$user"
done
ends 0 "$TRIPCTL" feature auto recommendations

# Up at once, in both.
ends 0 "$TRIPCTL" level set minimal --reason "the database is slow" --ttl 5m
[[ $said == "host: level minimal, 2 features are off" ]] || fail "level set says: $said"
for name in a b; do
    feature $name recommendations off
    says $name off enabled "${on[0]}"
    feature $name payments/express off
    feature $name search on
done
ends 0 "$TRIPCTL" level set payments emergency
shows emergency levels.1.level level list
shows minimal levels.0.level level list
alike level list
alike feature list
alike feature show search
alike level show payments
ends 1 "$TRIPCTL" level set frantic
[[ $said == *'"frantic" is no level: normal, degraded, minimal, emergency are, or a number from 0 to 3'* ]] || fail "$said"
ends 1 "$TRIPCTL" feature set unknown off
ends 1 "$TRIPCTL" feature show unknown

# kill -9 of the worker, then of both: clients go on, and the next tripd takes over.
kill -9 "$(worker)"
feature a recommendations off
await "the next worker is ready" logged_times 2 'is ready'
shows minimal levels.0.set level list
kill_both
feature a recommendations off
feature b search on
shows off features.1.state feature list
tripd
feature a recommendations off
shows operator levels.0.by level list
shows "the database is slow" levels.0.reason level list

# The TTL runs on; then one step each 30 s.
advance 299s
shows minimal levels.0.set level list
advance 1s
shows normal levels.0.set level list
shows minimal levels.0.level level list
advance 29999ms
feature b recommendations off
advance 1ms
shows degraded levels.0.level level list
feature b recommendations off
advance 15s
ends 0 "$TRIPCTL" level set degraded # a raise on the way: the wait begins anew, and ends here
advance 10m
shows degraded levels.0.level level list
ends 0 "$TRIPCTL" level auto
advance 30s
shows normal levels.0.level level list
feature a recommendations on
says a on enabled "${on[0]}"
feature a payments/express off # its group is in an emergency still

# A reload: a feature goes, another comes, and there are fewer levels.
cat >"$folder/tripd.yaml" <<'YAML'
levels: {names: [fine, bad], back_after: 10s}
features: {"payments/express": {off_from: bad}, "payments/refunds": {off_from: bad}, new: {percent: 0%}}
YAML
ends 0 "$TRIPCTL" config reload
shows bad levels.1.level level list
feature a payments/refunds off
feature a new off
feature a search on
feature b recommendations on
echo 'features: {a: {off_from: gone}}' >"$folder/bad.yaml"
ends 1 "$TRIPCTL" config check "$folder/bad.yaml"
[[ $said == *"$folder/bad.yaml:1: features.off_from: 'gone' is no level"* ]] || fail "config check says: $said"
shows bad features.0.off_from config show

# The levels and the feature that an operator set outlive a restart of tripd whose segment is gone, as after a reboot.
ends 0 "$TRIPCTL" feature set new 25% --reason trial --ttl 1h
stop
rm "$segment"
kill_client a
kill_client b
: >"$log"
tripd
attached c
feature c payments/express off
says c ok feature new
says c 250 permille
shows trial features.0.reason feature list
left=$(of features.0.ttl_ms feature list)
[ "$left" -gt 3500000 ] && [ "$left" -le 3600000 ] || fail "$left ms of 1 h are left"
advance 1h
says c 0 permille
ends 0 "$TRIPCTL" level auto payments
advance 10s
feature c payments/refunds on

# Every change is an event.
"$TRIPCTL" events >"$folder/events"
for line in 'payments: level bad -> fine, by operator' 'payments/refunds: feature off -> on, by tripd: level fine' \
    'new: feature 25% -> off, by tripd: its time ended' 'payments: level fine -> bad, by tripd: as before the restart'; do
    grep -q -- "$line" "$folder/events" || fail "no event says \"$line\": $(cat "$folder/events")"
done
stop
