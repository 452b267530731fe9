#!/usr/bin/env bash
# A reload changes how a program that runs retries: how often, how soon, what, and who pays.
set -euo pipefail
source "$(dirname "$0")/common.bash"

config=$folder/tripd.yaml
retry_is() { # retry_is SETTINGS: in force by `tripctl config reload`
    cat >"$config" <<END
breakers:
  - match: db
    retry: {backoff: exponential, jitter: none, $1}
END
}
reload() {
    retry_is "$1"
    ends 0 "$TRIPCTL" config reload
}
retry_is 'attempts: 3, base: 100ms'
start "$TRIPD" -c "$config" --test-clock
attached a
attached b
says a '100 200 attempts' retries network
says a 'not_retryable' retries protocol

reload 'attempts: 5, base: 100ms'
await "there are five attempts" would_say a '100 200 400 800 attempts' retries network
reload 'attempts: 5, base: 30ms'
await "the backoff begins at 30 ms" would_say a '30 60 120 240 attempts' retries network
reload 'attempts: 2, base: 30ms, on: [protocol]'
await "protocol errors are retried" would_say a '30 attempts' retries protocol
says a 'not_retryable' retries network
says b '30 attempts' retries protocol # as by every program

# A budget with nothing in it but the one token that there always is, and then two a second, and 20 at most.
reload 'attempts: 30, base: 1ms, max: 1ms, budget: {ratio: 0%, min_per_second: 0}'
await "one retry is paid" would_say a '1 budget' retries network
says a 'budget' retries network
says b 'budget' retries network
await "those without pay are counted" would_show 3 limits.retry.refused show db
reload 'attempts: 30, base: 1ms, max: 1ms, budget: {ratio: 0%, min_per_second: 2}'
ends 0 "$TRIPCTL" clock advance 1s
says a '1 1 budget' retries network
ends 0 "$TRIPCTL" clock advance 1m
says b "$(printf '1 %.0s' {1..20})budget" retries network
says a 'budget' retries network
shows 0 limits.retry.budget_tokens show db
stop
