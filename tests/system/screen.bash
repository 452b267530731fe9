# For tests of triptop: a terminal of the test's own, which tmux makes, where keys are typed and the screen is read. Rows and
# columns count from 0. Sourced after common.bash.

command -v tmux >/dev/null || skip "there is no tmux"
unset TMUX NO_COLOR COLUMNS
export LC_ALL=C.UTF-8                 # columns are characters, not bytes
export XDG_CONFIG_HOME=$folder/config # where triptop keeps its settings
echo 'set -g default-terminal tmux-256color' >"$folder/tmux.conf"
tmux=(tmux -S "$folder/tmux" -f "$folder/tmux.conf")
terminal() { "${tmux[@]}" "$@"; }

# A test that fails tells what was on the screen. What runs in there ends with the test.
leave_terminal() {
    local status=$? pid
    set +e
    [ "$status" -eq 0 ] || terminal capture-pane -p 2>/dev/null | awk 'NF {printf "    row %d: %s\n", NR - 1, $0}' >&2
    for pid in $(terminal list-panes -a -F '#{pane_pid}' 2>/dev/null | xargs -r -n 1 pgrep -s); do # whole sessions
        kill -9 "$pid" 2>/dev/null
        until gone "$pid"; do sleep 0.1; done
    done
    clean_up
}
trap leave_terminal EXIT

"${tmux[@]}" -D 2>>"$log" & # no daemon: it ends with what the test starts
programs+=($!)
await "tmux is ready" [ -S "$folder/tmux" ]

# opens COMMAND...: runs it in the terminal, in place of what runs there.
opens() {
    terminal kill-session 2>/dev/null || true
    # shellcheck disable=SC2016 # the shell in the terminal expands it
    terminal new-session -d -x 80 -y 24 bash -c 'trap : INT; "$@"; echo "ended with $?"; read -r' bash "$@"
}

# opened: the pid of what runs there.
opened() { pgrep -P "$(terminal display-message -p '#{pane_pid}')"; }

# closed STATUS: waits until it has ended with this exit status, and has left the screen as it found it.
closed() { sees 0 0 "ended with $1"; }
in_pane() { [ "$(terminal display-message -p "$2")" = "$1" ]; }

keys() { terminal send-keys "$@"; }           # by name, or characters
text() { terminal send-keys -l -- "$1"; }     # as it is
size() { terminal resize-window -x "$1" -y "$2"; }

screen() { terminal capture-pane -p "$@"; }
line() { screen -S "$1" -E "$1"; }

# sees ROW COLUMN PATTERN: waits until a text that matches this begins there.
sees() { await "there is '$3' in row $1, column $2" is_at "$@"; }
is_at() {
    local line
    line=$(line "$1")
    # shellcheck disable=SC2053 # a pattern
    [[ ${line:$2} == $3* ]]
}

# finds PATTERN: waits until it is anywhere on the screen. misses PATTERN: until it is not.
finds() { await "the screen has '$1'" has "$1"; }
misses() { await "the screen does not have '$1'" lacks "$1"; }
# shellcheck disable=SC2053 # a pattern
has() { [[ $(screen) == *$1* ]]; }
lacks() { ! has "$1"; }

# selects ROW: waits until this row stands out.
selects() { await "row $1 is selected" stands_out "$1"; }
stands_out() { [[ $(screen -e -S "$1" -E "$1") =~ $'\e['([0-9]+\;)*7(\;[0-9]+)*m ]]; }
