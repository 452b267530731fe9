# For system tests: a folder of the test's own, where every instance that it starts has its files; tripd and clients in
# the background; what tripctl and the segment's header say. Sourced by scripts that have set -euo pipefail.

source "${BASH_SOURCE[0]%/*}/../support/folder.bash"
export TRIP_RUNTIME_DIR=$folder TRIP_STATE_DIR=$folder TRIP_SHM_DIR=$folder
export TRIP_INSTANCE=test$$
log=$folder/log
socket=$folder/$TRIP_INSTANCE.sock
segment=$folder/tripd.$TRIP_INSTANCE
keeper=
patience=600 # tenths of a second
touch "$log"

fail() {
    echo "$(basename "$0"): $*" >&2
    [ ! -s "$log" ] || sed 's/^/    log: /' "$log" >&2
    exit 1
}

# skip WHY: it cannot be tried here. As root with all capabilities (21: CAP_SYS_ADMIN) it can, so CI takes it for a failure.
skip() {
    local capabilities
    capabilities=$(awk '/^CapEff/ {print $2}' /proc/self/status)
    if [ -n "${CI:-}" ] && [ "$(id -u)" -eq 0 ] && [ $((16#$capabilities >> 21 & 1)) -eq 1 ]; then
        fail "CI does not skip this: $*"
    fi
    absent "$*"
}

# absent WHY: what is to be tried does not exist here.
absent() {
    echo "skipped: $*"
    exit 77
}

programs=() # pids, which end with the test
clean_up() {
    local pid
    for pid in "${programs[@]}" $keeper; do
        kill -9 "$pid" || true
        wait "$pid" || true # before bash tells of its death
    done 2>/dev/null
    [ -z "${mounted:-}" ] || umount "$mounted" || true
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# await DESCRIPTION COMMAND...: polls until the command succeeds.
await() {
    local what=$1 i
    shift
    for ((i = 0; i < patience; i++)); do
        if "$@"; then return 0; fi
        sleep 0.1
    done
    fail "waited in vain until $what"
}

# timed COMMAND...: how long it took is printed, and no verdict.
timed() {
    local begun=${EPOCHREALTIME/./}
    "$@"
    echo "$(( (${EPOCHREALTIME/./} - begun) / 1000 )) ms: $*"
}

logged() { grep -qE -- "$1" "$log"; }
logged_times() { [ "$(grep -cE -- "$2" "$log")" -ge "$1" ]; }
# A zombie has ended; who must ask for its status is not the matter here.
alive() { grep -qsE '^State:[[:space:]]+[^ZX]' "/proc/$1/status"; }
gone() { ! alive "$1"; }

# start [COMMAND... ending in tripd and its arguments]: waits until it is ready. $keeper is its pid.
start() {
    [ $# -gt 0 ] || set -- "$TRIPD"
    readies=$(grep -c 'is ready' "$log" || true)
    "$@" 2>>"$log" &
    keeper=$!
    await "tripd is ready" ready_or_gone
    alive "$keeper" || fail "tripd ended instead of starting"
}
ready_or_gone() { logged_times $((readies + 1)) 'is ready' || gone "$keeper"; }

# refused STATUS ARGUMENTS...: tripd must end by itself with this status; what it says goes to the log.
refused() {
    local want=$1 got=0
    shift
    timeout 20 "$@" 2>>"$log" >&2 || got=$?
    [ "$got" -eq "$want" ] || fail "exit status $got instead of $want: $*"
}

stop() {
    local status=0
    kill -TERM "$keeper"
    wait "$keeper" || status=$?
    keeper=
    [ "$status" -eq 0 ] || fail "tripd ended with status $status at SIGTERM"
}

# kill -9 of keeper and worker: nobody is left to say goodbye.
kill_both() {
    local worker
    worker=$(worker)
    kill -9 "$keeper" "$worker"
    wait "$keeper" 2>/dev/null || true
    await "the worker is gone" gone "$worker"
    keeper=
}

worker() { awk '{print $1}' "/proc/$keeper/task/$keeper/children"; }

# Fields of the segment's header: internal/layout.h asserts where they are.
header() { od -An -j "$1" -N "$2" -t "x$2" "$segment" | tr -d ' '; }
segment_id() { header 64 8; }
heartbeat() { echo $((16#$(header 640 8))); }
daemon_state() { header 648 4; } # 00000001: running, 00000002: stopped
starts() { echo $((16#$(header 652 4))); }
commons_id() { header 664 8; }
boot_id_at=48

# ---- programs with libtrip in them: tests/support/client.c says what they can be asked

declare -A asks answers pids

# client NAME [COMMAND... ending in the program]: starts one; $pids[NAME] is its pid.
client() {
    local name=$1 ask answer
    shift
    [ $# -gt 0 ] || set -- "$TRIP_BUILD_DIR/tests/support/client"
    mkfifo "$folder/$name.asks" "$folder/$name.answers"
    "$@" <"$folder/$name.asks" >"$folder/$name.answers" 2>>"$log" &
    pids[$name]=$!
    programs+=($!)
    exec {ask}>"$folder/$name.asks" {answer}<"$folder/$name.answers"
    rm "$folder/$name.asks" "$folder/$name.answers"
    asks[$name]=$ask
    answers[$name]=$answer
}

kill_client() {
    kill -9 "${pids[$1]}"
    wait "${pids[$1]}" 2>/dev/null || true
}

tell() { echo "${*:2}" >&"${asks[$1]}"; }

# ask NAME STEP...: prints what the client answers.
ask() {
    local answer
    tell "$@"
    IFS= read -r -t 30 answer <&"${answers[$1]}" || fail "client $1 does not answer \"${*:2}\""
    echo "$answer"
}

# says NAME ANSWER STEP...: the client must answer this.
says() {
    local answer
    answer=$(ask "$1" "${@:3}")
    [ "$answer" = "$2" ] || fail "client $1 answered \"${*:3}\" with $answer instead of $2"
}

would_say() { [ "$(ask "$1" "${@:3}")" = "$2" ]; }

# shares NAME BREAKER: from now on the client is asked about this breaker, which is everyone's.
shares() {
    says "$1" ok breaker "$2"
    await "client $1 shares $2" would_say "$1" shared source
}

# attached NAME [COMMAND...]: starts a client, of breaker "db".
attached() {
    client "$@"
    says "$1" ok open
    shares "$1" db
}

# ---- what tripctl says

# It is searched by grep -q TEXT <<<"$(COMMAND)". In a pipe, grep -q ends at its first match, which kills a command that
# has not written all yet.

json_value() { "$TRIP_BUILD_DIR/tests/support/json_value" "$@"; }

# of PATH VERB...: the value at a path in what `tripctl --json VERB...` prints.
of() { "$TRIPCTL" --json "${@:2}" 2>/dev/null | json_value "$1"; }

# shows VALUE PATH VERB...: tripctl must print this value there.
shows() {
    local value
    value=$(of "${@:2}") || fail "tripctl ${*:3} has no $2"
    [ "$value" = "$1" ] || fail "tripctl ${*:3} has $2 $value instead of $1"
}
would_show() { [ "$(of "${@:2}" 2>/dev/null || true)" = "$1" ]; }

# alike VERB...: tripctl must print the same when it reads the segment and when it asks tripd over the socket.
alike() {
    "$TRIPCTL" "$@" >"$folder/by_segment" || fail "tripctl $* ends with $?"
    TRIP_SHM_DIR=/nonexistent "$TRIPCTL" "$@" >"$folder/by_socket" || fail "over the socket tripctl $* ends with $?"
    diff "$folder/by_segment" "$folder/by_socket" || fail "tripctl $* says something else over the socket"
    [ -s "$folder/by_socket" ] || fail "tripctl $* says nothing"
}

# ends STATUS COMMAND...: runs it; what it prints is in $said.
ends() {
    local got=0
    said=$("${@:2}" 2>&1) || got=$?
    [ "$got" -eq "$1" ] || fail "exit status $got instead of $1: ${*:2}: $said"
}

# ---- users without rights

# Before a command. Our own programs are run from a folder that nobody may enter.
nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups env LD_LIBRARY_PATH="$folder/bin")

nobody_can_run() {
    local program
    [ "$(id -u)" -eq 0 ] || skip "only root can become nobody"
    chmod 755 "$folder"
    mkdir "$folder/bin"
    for program in "$TRIPD" "$TRIPCTL" "$TRIP_BUILD_DIR/tests/support/client" "$TRIP_BUILD_DIR"/libclient/libtrip.so.0; do
        cp "$program" "$folder/bin/"
    done
    "${nobody[@]}" true 2>>"$log" || skip "this container may not become nobody"
}

# ---- a user without a role who means harm: tests/support/outsider.c

# The folder is the user's to enter, and the outsider's programs are there.
outsider_can_run() {
    nobody_can_run
    cp "$TRIP_BUILD_DIR/tests/support/outsider" "$folder/bin/"
}

# attack NAME ARGUMENT...: runs the attack, which stays until kill_client NAME; what it came to is in $came.
attack() {
    local name=$1
    client "$name" "${nobody[@]}" "$folder/bin/outsider" "${@:2}"
    IFS= read -r -t 60 came <&"${answers[$name]}" || fail "the attack ${*:2} does not end"
}

descriptors() { find "/proc/$(worker)/fd" -mindepth 1 2>/dev/null | wc -l; }
descriptors_are() { [ "$(descriptors)" -le "$1" ]; }

# The worker's own memory in KiB, without the lanes, which are their clients' memory.
heap() { awk '/^RssAnon/ {print $2}' "/proc/$(worker)/status"; }
# A sanitizer has memory of its own, and keeps what was freed.
sanitized() { grep -q 'lib[a-z]*san' "/proc/$(worker)/maps"; }
# heap_grew_at_most MOST SINCE.
heap_grew_at_most() { sanitized || [ "$(heap)" -le $(($2 + $1)) ]; }
