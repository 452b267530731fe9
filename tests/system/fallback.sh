#!/usr/bin/env bash
# Real processes walk fallback chains, with real HTTP servers as alternatives: strategies come in their order, dead endpoints
# are left out, and chains hold while the config is reloaded and while tripd is dead. A denied call has a list of its own.
set -euo pipefail
source "$(dirname "$0")/common.bash"

# ---- HTTP servers, each on a port that it keeps

declare -A ports servers

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
listens_or_gone() { listens "$1" || gone "$2"; }

# serve NAME: starts the server, below the ports that the kernel gives to those who connect.
serve() {
    local port tries
    truncate -s 64M "$folder/$1.record" # sparse, and larger than a struct record
    for ((tries = 0; tries < 100; tries++)); do
        port=${ports[$1]:-$((20000 + RANDOM % 10000))}
        ! listens "$port" || continue # it is another's
        "$TRIP_BUILD_DIR/tests/demo/upstream" "$port" "$folder/$1.record" answer 2>>"$log" &
        servers[$1]=$!
        programs+=($!)
        await "server $1 listens" listens_or_gone "$port" "${servers[$1]}"
        ! gone "${servers[$1]}" || continue
        ports[$1]=$port
        return
    done
    fail "server $1 cannot listen"
}

kill_server() {
    kill -9 "${servers[$1]}"
    wait "${servers[$1]}" 2>/dev/null || true
}

serve a
serve b
A=127.0.0.1:${ports[a]} B=127.0.0.1:${ports[b]}

# ---- the config, and what is said of it

old="{
      network: [{cached: {ttl: 300s}}, {alternative: {endpoints: [\"$A\", \"$B\"]}}, {reduced: [recommendations]},
                {default: {value: {items: []}}}],
      timeout: [{alternative: {endpoints: [\"$A\"]}}, {default: {value: late}}],
      rate_limited: [{alternative: {endpoints: [\"$A\", \"$B\"], pick: weighted}}],
      service_unavailable: [{queue: retry_queue}],
      \"*\": [{reduced: [recommendations]}]}"
old_list="cached 300, alternative $A, alternative $B, reduced recommendations, default {\"items\":[]}, none"
new="{network: [{queue: later}, {alternative: {endpoints: [\"$B\"]}}, {default: {value: new}}]}"
new_list="queue later, alternative $B, default \"new\", none"

config() { # config FALLBACK: of db, which never opens by itself
    cat >"$folder/tripd.yaml" <<END
breakers:
  - match: "127.0.0.1:*"
    trip: {consecutive_failures: 2, failure_rate: 0%}
    open: {for: 1m, jitter: 0%}
    half_open: {successes: 1}
  - match: db
    trip: {consecutive_failures: 0, failure_rate: 0%}
    retry: {attempts: 1}
    concurrency: {max: 4}
    fallback: $1
END
}
reload() {
    config "$1"
    ends 0 "$TRIPCTL" config reload
}
moves() { await "$1 is $2" would_show "$2" state show "$1"; }
later() { ends 0 "$TRIPCTL" clock advance 10m; } # every open breaker admits probes
plenty=30000 # ms, which no server of this test needs

config "$old"
start "$TRIPD" -c "$folder/tripd.yaml" --test-clock
attached web
attached api

# Endpoints come in their order. Whoever finds one dead leaves it out for everybody, once its breaker is open.
says web "$old_list" fallback network
says web 'reduced recommendations, none' fallback user_3
says web "alternative $A, cached store_away" instead network $plenty
kill_server a
says web "alternative $B, cached store_away, alternative alternative_failed" instead network $plenty
says web "alternative $B, cached store_away, alternative alternative_failed" instead network $plenty
moves "$A" open
says web "alternative $B, cached store_away, alternative alternative_failed" instead network $plenty
says api "alternative $B, cached store_away, alternative alternative_failed" instead network $plenty
says api "${old_list/alternative $A, /}" fallback network
kill_server b
says api 'reduced recommendations, cached store_away, alternative alternative_failed, alternative alternative_failed' instead network $plenty
says web 'default {"items":[]}, cached store_away, alternative alternative_failed, alternative alternative_failed, reduced feature_reduced' \
    instead network $plenty recommendations
moves "$B" open
says api 'default {"items":[]}, cached store_away, alternative alternative_failed, alternative alternative_failed, reduced feature_reduced' \
    instead network $plenty recommendations
says api 'none EIO, alternative alternative_failed, alternative alternative_failed, none no_strategy' instead rate_limited $plenty

# They come back, and are used again.
serve a
serve b
later
says web "alternative $A, cached store_away" instead network $plenty
moves "$A" closed

# One that does not answer in time is left out as well, until it does.
kill -USR1 "${servers[a]}"
says web 'default "late", alternative alternative_failed' instead timeout 100
says api 'default "late", alternative alternative_failed' instead timeout 100
moves "$A" open
says web 'default "late", alternative alternative_failed' instead timeout $plenty
kill -USR2 "${servers[a]}"
later
says web "alternative $A" instead timeout $plenty
moves "$A" closed

# Drawn by weight, both come first at times.
comes_first() { would_say web "alternative $1" instead rate_limited $plenty; }
await "one of them is $A" comes_first "$A"
await "one of them is $B" comes_first "$B"
moves "$B" closed

# A denial is answered as the last error would be; one by a limit as if the service were not available.
says web ok error timeout - - - -
ends 0 "$TRIPCTL" force-open db
await "a denial stands for a timeout" would_say web "alternative $A" instead network $plenty
says web 0 attempts 1
ends 0 "$TRIPCTL" auto db
says api 4 begins 4
says web 'none EAGAIN, queue store_away, none no_strategy' instead network $plenty
says api ok ends ok

# ---- reloads

# A walk goes on as it began, and the next one has the new chain.
says web ok walk network
says web 'cached 300' next
reload "$new"
reload "$old"
reload "$new"
await "the new chain is there" would_say web "$new_list" fallback network
says web "alternative $A" next
says web "alternative $B" next
says web 'reduced recommendations' next
says web 'default {"items":[]}' next
says web none next
says web none fallback timeout

# Meanwhile several processes walk: each list that they get is the whole one of a config.
attached batch
both_walked() {
    local name walked both=1 i
    for name in web api batch; do says $name ok walks network; done
    for ((i = 0; i < 5; i++)); do
        reload "$old"
        reload "$new"
    done
    for name in web api batch; do
        walked=$(ask $name walked)
        case ${walked#* | } in
        "$old_list | $new_list" | "$new_list | $old_list") ;;
        "$old_list" | "$new_list") both= ;;
        *) fail "$name walked $walked" ;;
        esac
    done
    [ "$both" ]
}
await "each process has walked both chains" both_walked

# ---- what the config says arrives

whole='{"items":[],"text":"a\"b\\c\n€","number":1.50,"most":9223372036854775807,"yes":true,"none":null,"in":[[1]]}'
reload "{\"*\": [{default: {value: $whole}}]}"
await "a default value arrives byte for byte" would_say web "default $whole, none" fallback protocol
says web "default $whole" instead protocol $plenty
longest=$(printf '%04094d' 0)
reload "{\"*\": [{default: {value: \"$longest\"}}]}"
await "the longest arrives, too" would_say api "default \"$longest\"" instead internal $plenty
reload standard
await "standard has a cache" would_say web 'cached 300, none' fallback network
says web 'queue retry_queue, none' fallback service_unavailable
says web none fallback timeout
says web 'none EIO, cached store_away, none no_strategy' instead network $plenty
reload none
await "there is none" would_say web none fallback network
says web 'none EIO, none no_strategy' instead network $plenty

# ---- without tripd

reload "$old"
await "the old chain is there" would_say web "$old_list" fallback network
says web ok walk network
says web 'cached 300' next
kill_both
await "tripd is away" would_say web daemon_away status
says web "$old_list" fallback network
says api "$old_list" fallback network # asked for the first time since the reload
says api "alternative $A, cached store_away" instead network $plenty
kill_server a
says web "alternative $B, cached store_away, alternative alternative_failed" instead network $plenty
config "$new"
start "$TRIPD" -c "$folder/tripd.yaml" --test-clock
await "the next tripd's chain is there" would_say web "$new_list" fallback network
await "in each process" would_say api "$new_list" fallback network
says web "alternative $A" next
says web "alternative $B" next
says api "alternative $B, queue store_away" instead network $plenty
stop
says web "$new_list" fallback network
