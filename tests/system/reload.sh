#!/usr/bin/env bash
# A bad config ends a start and is refused by a reload, with file and line; what runs goes on as it was.
set -euo pipefail
source "$(dirname "$0")/common.bash"

config=$folder/tripd.yaml
bad='breakers:
  - match: "*"
    open: {for: 5x}'

echo "$bad" >"$config"
refused 1 "$TRIPD" -c "$config"
logged "$config:3" || fail "the start does not name file and line"
refused 1 "$TRIPD" -c "$folder/missing.yaml"
logged "missing.yaml" || fail "a config that was asked for and is missing is not named"
[ ! -e "$socket" ] || fail "a tripd that cannot start made a socket"

echo 'breakers: [{match: "*", open: {for: 5s}}]' >"$config"
start "$TRIPD" -c "$config"
worker=$(worker)
: >"$log"
echo "$bad" >"$config"
kill -HUP "$keeper"
await "the bad config is refused" logged 'the one before stays in force'
logged "$config:3" || fail "the reload does not name file and line"

echo 'breakers: [{match: "*", open: {for: 6s}}]' >"$config"
kill -HUP "$keeper"
await "the good config is read" logged 'the config was read again'
[ "$(worker)" = "$worker" ] || fail "the reload cost the worker"

# A worker that is started after a crash, over a bad file, goes on with the config that is known to be good.
echo "$bad" >"$config"
kill -9 "$worker"
await "the next worker is ready" logged 'is ready'
logged 'the config that tripd started with is in force' || fail "the fallback is not logged"
stop

# Drop-ins: read after the file, named in what is wrong with them, and in what `config show --origin` says.
mkdir "$folder/tripd.d"
echo 'breakers: [{match: "*", open: {for: 6s}}]' >"$config"
echo 'breakers: [{match: db, open: {for: 7s}}]' >"$folder/tripd.d/10-db.yaml"
ends 0 "$TRIPCTL" config check "$config"
[[ $said == *"fine, 2 entries of breakers"* ]] || fail "config check does not read drop-ins: $said"
: >"$log"
start "$TRIPD" -c "$config"
attached a
shows db settings.match show db
says a ok breaker other
shows '*' settings.match show other
shows "$folder/tripd.d/10-db.yaml" breakers.0.origin.file config show --origin
shows "$config" breakers.1.origin.file config show --origin
shows "$folder/tripd.d/10-db.yaml" origins.files.1 config show --origin
grep -qx "# $folder/tripd.d/10-db.yaml:1" <<<"$("$TRIPCTL" config show --origin)" || fail "config show names no drop-in"
echo 'breakers: [{match: db, open: {for: 5x}}]' >"$folder/tripd.d/20-bad.yaml"
ends 1 "$TRIPCTL" config check "$config"
[[ $said == *"$folder/tripd.d/20-bad.yaml:1: "* ]] || fail "config check says: $said"
ends 1 "$TRIPCTL" config reload
[[ $said == *"$folder/tripd.d/20-bad.yaml:1: "* ]] || fail "config reload says: $said"
echo 'breakers: [{match: other, open: {for: 8s}}]' >"$folder/tripd.d/20-bad.yaml"
ends 0 "$TRIPCTL" config reload
shows other settings.match show other
stop

# A config that was not asked for by name may be missing; its drop-ins count all the same.
mkdir -p "$folder/xdg/tripd/$TRIP_INSTANCE.d"
echo 'breakers: [{match: "*", open: {for: 9s}}]' >"$folder/xdg/tripd/$TRIP_INSTANCE.d/a.yaml"
start env XDG_CONFIG_HOME="$folder/xdg" "$TRIPD" --user
shows 9000 breakers.0.open.for_ms config show --user # the drop-ins of a missing file count
stop
