#!/usr/bin/env bash
# trip_run sends a second attempt after hedge.after, returns with the first answer, and pays from the retry budget.
set -euo pipefail
source "$(dirname "$0")/common.bash"

config=$folder/tripd.yaml
hedge_is() { # hedge_is SETTINGS: a budget of 10, as the clock stands
    cat >"$config" <<END
breakers:
  - match: "*"
    trip: {consecutive_failures: 0, failure_rate: 0%}
    retry: {attempts: 1, budget: {ratio: 0%, min_per_second: 1}}
    hedge: $1
END
}
hedge_is '{after: 20ms}'
start "$TRIPD" -c "$config" --test-clock
attached a
attached b

# The first attempt takes a minute, unless the second one has answered.
SECONDS=0
says a '2 ok' hedged 60000
[ "$SECONDS" -lt 30 ] || fail "the answer of the second attempt came after $SECONDS s"
await "both attempts are counted" would_show 2 totals.calls show db
shows 1 totals.ok show db
await "the second is a retry" would_show 1 limits.retry.retries show db
await "it is paid" would_show 9 limits.retry.budget_tokens show db

for _ in {1..9}; do says a '2 ok' hedged 60000; done

# With an empty budget no second attempt is sent: the first one has to do.
says a '1 EIO' hedged 200
says b '1 EIO' hedged 200
await "hedges without pay are counted" would_show 2 limits.retry.refused show db
await "nothing else was sent" would_show 22 totals.calls show db
shows 10 limits.retry.retries show db
shows 0 limits.retry.budget_tokens show db

# Another breaker has a budget of its own; and whose first attempt answers in time needs none.
hedge_is '{after: 60s}'
ends 0 "$TRIPCTL" config reload
shares b api
says b '1 EIO' hedged 1
shows 10 limits.retry.budget_tokens show api
shows 0 limits.retry.refused show api
hedge_is '{after: 20ms, max: 0}'
ends 0 "$TRIPCTL" config reload
says b '1 EIO' hedged 200
shows 0 limits.retry.refused show api
hedge_is '{after: 20ms}'
ends 0 "$TRIPCTL" config reload
says b '2 ok' hedged 60000
await "it is paid" would_show 9 limits.retry.budget_tokens show api
stop
