#!/usr/bin/env bash
# The configurations that README, man page, example and demo show are ones that tripd has nothing to remark on.
set -euo pipefail
source "$(dirname "$0")/common.bash"
cd "$TRIP_SOURCE_DIR"

unremarked() { # unremarked NAME [PATTERN of a remark that is meant]: a config on standard input
    cat >"$folder/$1.yaml"
    grep -q '^breakers:' "$folder/$1.yaml" || fail "no config was found in $1"
    ends 0 "$TRIPCTL" config check "$folder/$1.yaml"
    said=$(grep -v "${2:-^\$}" <<<"$said") || true
    [[ $said == "$folder/$1.yaml: fine, "* ]] || fail "$1: $said"
}

unremarked example 'lets nobody in' <docs/tripd.yaml.example # a group of tripd's that this host may not have
sed -n '/^# EXAMPLE/,/^# SEE/{/^[`#]/d;p}' docs/tripd.yaml.5.scd | unremarked manual
sed -n '/^    breakers:/,/^#/{/^#/d;s/^    //;p}' README.md | unremarked readme
sed -n '/^breakers:/,/^END/{/^END/d;p}' tools/demo | unremarked demo 'no trip condition is on'
