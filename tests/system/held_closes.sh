#!/usr/bin/env bash
# A user serves a file system of its own (FUSE), and sends tripd files of it, whose close it never answers. Without the
# role report it holds nothing of tripd's, for tripd takes no descriptor from it.
set -euo pipefail
source "$(dirname "$0")/common.bash"
outsider_can_run
[ -c /dev/fuse ] || absent "this kernel has no file systems in user space"
mknod "$folder/fuse" c 10 229 && chmod 666 "$folder/fuse" # which many hosts let everybody use

start
attached honest
worker=$(worker)
before=$(descriptors)
for i in 1 2 3; do
    attack hostile fuse 14 "$folder/fuse"
    [ "$came" -gt 0 ] || skip "nobody may mount a file system here"
    await "tripd has hung up" descriptors_are "$before"
    says honest ok record failure 5
    says honest deny_open allow
    ends 0 timeout 60 "$TRIPCTL" reset db
    attached "program$i"
    kill_client "program$i"
done
shows 15 totals.calls show db
[ "$(worker)" = "$worker" ] || fail "the worker is another one"
[ "$(find "/proc/$worker/task" -mindepth 1 -maxdepth 1 | wc -l)" -le 4 ] || fail "threads are held"
stop
