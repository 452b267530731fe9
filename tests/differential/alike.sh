#!/usr/bin/env bash
# Random traces through simulate and a live tripd with a test clock: both must show the same after each step. SEED (by
# default another one each time; it is printed) and TRACES choose which; a minute for 200.
set -euo pipefail
source "$TRIP_SOURCE_DIR/tests/system/common.bash"

seed=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
traces=${TRACES:-200}
echo "SEED=$seed TRACES=$traces"
alike=$TRIP_BUILD_DIR/tests/differential/alike
"$alike" config "$seed" "$traces" >"$folder/tripd.yaml"
start "$TRIPD" -c "$folder/tripd.yaml" --test-clock
"$alike" run "$seed" "$traces" "$folder/tripd.yaml" || fail "SEED=$seed: they differ after the last line above"
stop
