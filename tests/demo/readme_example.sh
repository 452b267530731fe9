#!/usr/bin/env bash
# The README's example is twenty lines, the very ones that each build compiles, C++ as well, and prints what README says.
set -euo pipefail
source "$(dirname "$0")/../system/common.bash"
sed -n '/^```c$/,/^```$/{/^```/d;p}' "$TRIP_SOURCE_DIR/README.md" >"$folder/example.c"
[ "$(wc -l <"$folder/example.c")" -eq 20 ] || fail "the README's example has $(wc -l <"$folder/example.c") lines"
diff "$folder/example.c" "$TRIP_SOURCE_DIR/tests/demo/example.c" >&2 || fail "README.md and example.c differ"
for compiler in "gcc -std=c11" "g++ -x c++ -std=c++11"; do
    # shellcheck disable=SC2086 # words
    $compiler -Wall -Wextra -Werror -pedantic -fsyntax-only -I"$TRIP_SOURCE_DIR/include" "$folder/example.c" ||
        fail "$compiler does not compile the example"
done
prints() {
    local printed
    printed=$("$TRIP_BUILD_DIR/tests/demo/example")
    [ "$printed" = "$1" ]
}
prints 'allow, private' || fail "without a tripd the example does not print what README says"
start
await "the example prints that it is shared" prints 'allow, shared'
stop
grep -q 'usermod -aG tripd ' "$TRIP_SOURCE_DIR/README.md" || fail "README does not say who may take part"
