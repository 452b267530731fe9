#!/usr/bin/env bash
# Breakers that nobody called for forget_after leave the lists, and nothing else: what the config forces open denies the
# first call that comes, and a rate and a bulkhead hold from the first call on, through handles of before and new ones.
set -euo pipefail
source "$(dirname "$0")/common.bash"

cat >"$folder/tripd.yaml" <<'END_OF_CONFIG'
access: {observe: [any], report: [any], control: [any]}
breakers:
  - match: held
    mode: forced_open
    forget_after: 1m
  - match: rate
    rate: {limit: 5, per: 1s}
    priority: {sheddable_below: 0%, normal_below: 0%}
    forget_after: 1m
  - match: bulk
    concurrency: {max: 4}
    priority: {sheddable_below: 0%, normal_below: 0%}
    forget_after: 1m
END_OF_CONFIG
start "$TRIPD" -c "$folder/tripd.yaml" --test-clock

are_listed() { # are_listed COUNT
    ends 0 "$TRIPCTL" --json list
    [ "$(grep -oE '"breaker": *"(held|rate|bulk)"' <<<"$said" | wc -l)" -eq "$1" ]
}
hide() {
    ends 0 "$TRIPCTL" clock advance 3m
    await "the breakers leave the list" are_listed 0
}
resumes() { # resumes NAME: through handles that it has
    says "$1" ok breaker held
    says "$1" 0 calls 100 0
    says "$1" deny_forced allow
    says "$1" ok breaker rate
    says "$1" 5 calls 50 0
    says "$1" ok breaker bulk
    says "$1" 4 begins 12
    says "$1" deny_concurrency begin
    says "$1" ok ends ok
}

client old
says old ok open
for breaker in held rate bulk; do shares old $breaker; done
resumes old
await "the breakers are listed" are_listed 3
hide
resumes old
await "the breakers are listed again" are_listed 3
hide
client new
says new ok open
for breaker in held rate bulk; do shares new $breaker; done
resumes new
hide
resumes old
