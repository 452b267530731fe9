#!/usr/bin/env bash
# Every field of every structure in shared memory, on the socket and in trip.h stands where tests/abi/layout.txt says.
#
#   tests/abi/layout.sh [--update]
set -euo pipefail
cd "$(dirname "$0")/../.."
golden=tests/abi/layout.txt
command -v clang >/dev/null || {
    echo "skipped: no clang, which lists the fields; tools/setup installs it"
    [ -z "${CI-}" ] && exit 77 || exit 1
}
source tests/support/folder.bash

headers=(include/trip.h include/internal/layout_segment.h include/internal/layout_commons.h
    include/internal/layout_lane.h include/internal/layout_levels.h include/internal/layout.h include/internal/wire.h daemon/core/window.h daemon/core/breaker.h)
compile=(clang -std=gnu11 -D_GNU_SOURCE -Iinclude -Idaemon)
{
    printf '#include "%s"\n' "${headers[@]}"
    # clang tells the layout of each structure that something has the size of.
    sed -nE 's/^(typedef )?struct ([a-z_]+) \{.*/char size_of_\2[sizeof(struct \2)];/p' "${headers[@]}"
} >"$folder/structures.c"

{
    "${compile[@]}" tests/abi/layout.c -o "$folder/layout" && "$folder/layout"
    # An anonymous structure is named after its line and its folder there: neither is layout.
    "${compile[@]}" -I. -Xclang -fdump-record-layouts -fsyntax-only "$folder/structures.c" |
        sed -nE 's/(anonymous|unnamed) (struct |union )?at [^)]*/anonymous/; s/^ +([0-9]+) \| /\1 | /p; s/^ +\| +\[sizeof/[sizeof/p'
} >"$folder/found"

if [ "${1-}" = --update ]; then
    cp "$folder/found" "$golden"
elif ! diff -u "$golden" "$folder/found"; then
    echo "The layout moved. Processes of before would misread what this version writes: move LAYOUT_VERSION in" \
        "include/internal/layout_base.h unless it moved since the last release. If the change is meant:" \
        "tests/abi/layout.sh --update" >&2
    exit 1
fi
