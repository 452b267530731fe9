#!/usr/bin/env bash
# What libtrip.so exports, with versions, is what tests/abi/libtrip.symbols says.
#
#   tests/abi/symbols.sh LIBTRIP.SO [--update]
set -euo pipefail
golden=$(cd "$(dirname "$0")" && pwd)/libtrip.symbols

found=$(nm --dynamic --defined-only --format=posix "$1" | cut -d' ' -f1 | LC_ALL=C sort)
if [ "${2-}" = --update ]; then
    echo "$found" >"$golden"
elif ! diff -u --label "$golden" "$golden" --label "$1" - <<<"$found"; then
    echo "libtrip exports other symbols than before. A function that went away or changed breaks programs: it needs a new" \
        "SOVERSION. If the change is meant: tests/abi/symbols.sh $1 --update" >&2
    exit 1
fi
