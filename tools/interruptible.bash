# For scripts whose commands take long: sourced, it ends them at once when the script is interrupted, terminated or hung up.

# `run COMMAND...` runs it in a process group of its own, which an interrupt ends as a whole: compilers, tests, and the
# tripds that they started.
group=''
interrupted() {
    trap '' INT TERM HUP
    if [ -n "$group" ]; then
        kill -TERM -- "-$group" 2>/dev/null || true
        wait "$group" 2>/dev/null || true
        for ((tenths = 0; tenths < 10; tenths++)); do # for tests, which remove what they made
            kill -0 -- "-$group" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL -- "-$group" 2>/dev/null || true
    fi
    echo "$(basename "$0"): interrupted" >&2
    exit 130
}
trap interrupted INT TERM HUP
run() {
    local status=0
    set -m
    "$@" </dev/null &
    group=$!
    set +m
    wait "$group" || status=$?
    group=''
    return "$status"
}
