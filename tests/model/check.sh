#!/usr/bin/env bash
# Checks one model exhaustively with spin, then shows that it can fail: each seeded bug must be found.
#
#   check.sh MODEL.pml [BUG...]
set -euo pipefail
model=$(realpath "$1")
shift
command -v spin >/dev/null || { echo "spin is not installed (tools/setup installs it)"; [ -n "${CI:-}" ] && exit 1; exit 77; }
source "$(dirname "$0")/../support/folder.bash"
cd "$folder"

# errors MODEL [-DBUG]: how many errors an exhaustive search finds; fails if the search was not exhaustive.
errors() {
    rm -f pan pan.* ./*.trail
    spin -a "$@" >spin.out 2>&1 || { cat spin.out >&2; return 1; }
    gcc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=4096 -DVECTORSZ=2048 -o pan pan.c
    ./pan -m2000000 >pan.out
    if grep -q 'max search depth too small\|out of memory\|reached -DMEMLIM\|Search incomplete' pan.out; then
        cat pan.out >&2
        return 1
    fi
    sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.out
}

found=$(errors "$model")
states=$(sed -n 's/ *\([0-9.e+]*\) states, stored.*/\1/p' pan.out)
echo "$(basename "$model"): $found errors in $states states"
[ "$found" = 0 ]
for bug in "$@"; do
    found=$(errors "-D$bug" "$model")
    echo "  with $bug: $found errors"
    [ "$found" != 0 ] || { echo "the seeded bug $bug was not found: the model cannot fail"; exit 1; }
done
