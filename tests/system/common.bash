# For system tests: a folder of the test's own, where every instance that it starts has its files; tripd in the
# background; what the segment's header says. Sourced by scripts that have set -euo pipefail.

folder=$(mktemp -d "${TMPDIR:-/tmp}/trip-system.XXXXXX")
export TRIP_RUNTIME_DIR=$folder TRIP_STATE_DIR=$folder TRIP_SHM_DIR=$folder
export TRIP_INSTANCE=test$$
log=$folder/log
socket=$folder/$TRIP_INSTANCE.sock
segment=$folder/tripd.$TRIP_INSTANCE
keeper=
patience=100 # tenths of a second
touch "$log"

fail() {
    echo "$(basename "$0"): $*" >&2
    [ ! -s "$log" ] || sed 's/^/    log: /' "$log" >&2
    exit 1
}

skip() {
    echo "skipped: $*"
    exit 77
}

clean_up() {
    [ -z "$keeper" ] || kill -9 "$keeper" 2>/dev/null || true
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

worker() { awk '{print $1}' "/proc/$keeper/task/$keeper/children"; }

# Fields of the segment's header: internal/layout.h asserts where they are.
header() { od -An -j "$1" -N "$2" -t "x$2" "$segment" | tr -d ' '; }
segment_id() { header 64 8; }
daemon_state() { header 648 4; } # 00000001: running, 00000002: stopped
starts() { echo $((16#$(header 652 4))); }
commons_id() { header 664 8; }
