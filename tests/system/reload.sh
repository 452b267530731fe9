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
