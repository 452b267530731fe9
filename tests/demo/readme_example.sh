#!/usr/bin/env bash
# The README's example is twenty lines, the very ones that each build compiles, and does what it says without a tripd.
set -euo pipefail
source "$(dirname "$0")/../system/common.bash"
sed -n '/^```c$/,/^```$/{/^```/d;p}' "$TRIP_SOURCE_DIR/README.md" >"$folder/example.c"
[ "$(wc -l <"$folder/example.c")" -eq 20 ] || fail "the README's example has $(wc -l <"$folder/example.c") lines"
diff "$folder/example.c" "$TRIP_SOURCE_DIR/tests/demo/example.c" >&2 || fail "README.md and example.c differ"
[ -z "$("$TRIP_BUILD_DIR/tests/demo/example")" ] || fail "the example was denied"
