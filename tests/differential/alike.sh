#!/usr/bin/env bash
# Random traces through simulate and a live tripd with a test clock: both must show the same after each step. TRACES (150)
# of each of three seeds that are always the same, and of one that is another one each time and is printed. SEED: of that
# one only, as printed by a test that failed.
set -euo pipefail
source "$TRIP_SOURCE_DIR/tests/system/common.bash"

alike=$TRIP_BUILD_DIR/tests/differential/alike
traces=${TRACES:-150}
seeds=${SEED:-1 2 3 $(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
for seed in $seeds; do
    "$alike" config "$seed" "$traces" >"$folder/tripd.yaml"
    : >"$log"
    start "$TRIPD" -c "$folder/tripd.yaml" --test-clock
    echo "SEED=$seed TRACES=$traces"
    "$alike" run "$seed" "$traces" "$folder/tripd.yaml" || fail "they differ after the last line above; again: SEED=$seed TRACES=$traces $0"
    stop
    rm -r "$segment" "${folder:?}/$TRIP_INSTANCE" # the next tripd knows nothing of this one
done
