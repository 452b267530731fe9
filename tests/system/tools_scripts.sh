#!/usr/bin/env bash
# The scripts that people begin with answer wrong use with the right one, and read as bash.
set -euo pipefail
cd "$TRIP_SOURCE_DIR"
for script in tools/setup tools/test tools/demo .ci/run; do
    [ -x "$script" ] || { echo "$script is not executable" >&2; exit 1; }
    bash -n "$script"
done
bash -n tools/interruptible.bash
for script in tools/test tools/demo; do
    grep -q "$script" <<<"$("./$script" --help)" || { echo "$script --help does not show its use" >&2; exit 1; }
    status=0
    message=$("./$script" --wrong 2>&1) || status=$?
    [ "$status" -eq 2 ] || { echo "$script --wrong ends with $status, not 2" >&2; exit 1; }
    [[ $message == *--wrong*--help* ]] || { echo "$script --wrong says: $message" >&2; exit 1; }
done
