#!/usr/bin/env bash
# Who may look, report and change is told by the kernel's credentials of who asks; a refusal names the role that is
# missing, and changes nothing.
set -euo pipefail
source "$(dirname "$0")/common.bash"
nobody_can_run
tripctl=("${nobody[@]}" "$folder/bin/tripctl")
configured() { # configured OBSERVE REPORT CONTROL
    echo "access: {observe: [$1], report: [$2], control: [$3]}" >"$folder/tripd.yaml"
}
lacks() { # lacks ROLE VERB...: nobody asks, and is refused
    ends 1 "${tripctl[@]}" "${@:2}"
    [[ $said == *"needs the role $1, which uid 65534 does not have: add its user or one of its groups to access.$1"* ]] ||
        fail "${*:2} does not say that the role $1 is missing: $said"
}

# The defaults: everyone looks, the group tripd reports, root and the group tripadm change.
touch "$folder/tripd.yaml"
start "$TRIPD" -c "$folder/tripd.yaml"
attached root
says root ok record ok 1
ends 0 "${tripctl[@]}" list
ends 0 "${tripctl[@]}" config show
for verb in "trip db" "force-open db" "disable db" "shadow db" "auto db" "reset db" "config reload" "clock advance 1s" "deploy mark v1"; do
    # shellcheck disable=SC2086 # words
    lacks control $verb
done
shows closed state show db
shows auto mode show db

# Without the role report a program runs with breakers of its own, and nobody sees what it does.
client nobody "${nobody[@]}" "$folder/bin/client"
says nobody ok open
says nobody ok breaker db
says nobody private status
says nobody ok record failure 5
says nobody deny_open allow
says root allow allow
shows 1 totals.calls show db
shows 1 clients.count status
[ "$(of clients.refused status)" -ge 1 ] || fail "the refusal is not counted"
shows 65534 clients.refusals.0.uid status
shows "${pids[nobody]}" clients.refusals.0.pid status
ends 0 "$TRIPCTL" status
[[ $said == *"  refused     "*" time"*": uid 65534 lacks the role report: add its user or one of its groups to access.report"* ]] ||
    fail "tripctl status does not say whom tripd refuses: $said"

# A reload gives each role to whom the file names, and takes it from the others; nobody needs to start again. Who may
# report may look, and who may change may do both.
configured user:root user:root user:root
ends 0 "$TRIPCTL" config reload
lacks observe config show
lacks observe clock show
ends 0 "${tripctl[@]}" list # the segment's file mode decides that
tripctl=("${nobody[@]}" TRIP_SHM_DIR=/nonexistent "$folder/bin/tripctl")
for verb in list 'list db' 'show db' events clients 'wait db --state open'; do # without a segment tripd decides
    # shellcheck disable=SC2086 # words
    lacks observe $verb
done
tripctl=("${nobody[@]}" "$folder/bin/tripctl")
configured user:root user:65534 user:root
ends 0 "$TRIPCTL" config reload
ends 0 "${tripctl[@]}" config show
lacks control reset db
await "the program attaches by itself" would_say nobody shared status
says nobody allow allow
says nobody ok record failure 5
says root deny_open allow
configured user:root user:root user:65534
ends 0 "$TRIPCTL" config reload
ends 0 "${tripctl[@]}" reset db
says root allow allow
ends 0 "${tripctl[@]}" force-open db --reason drill
says root deny_forced allow
says nobody deny_forced allow
shows 65534 modes.0.uid show db
configured any user:root user:root
ends 0 "${tripctl[@]}" config reload
lacks control auto db
says root deny_forced allow

# A segment is found by its name only if root, tripd's user or oneself owns it.
stop
chown 65534 "$segment"
ends 1 "$TRIPCTL" list
owner=$(id -un 65534 2>/dev/null || echo "uid 65534")
[[ $said == *"belongs to user $owner, who is neither root, nor tripd, nor you"* ]] || fail "it says: $said"
ends 0 "$TRIPCTL" list --segment "$segment"
ends 0 "${tripctl[@]}" list
