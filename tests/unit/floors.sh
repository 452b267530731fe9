#!/usr/bin/env bash
# A folder of daemon/ includes only what stands below it, and tools/ and libclient/ only what they may share with tripd.
# What is libtrip's own is for tools/simulate/ alone beside it.
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"

base='clock log notify owner keeper' # at the root of daemon/, for folders above protocol/
declare -A may=(
    [daemon/core]='core'
    [daemon/config]='core config'
    [daemon/protocol]='core config protocol'
    [daemon/loop]="loop"
    [daemon/segment]="core config protocol loop segment $base"
    [daemon/lanes]="core segment lanes $base"
    [daemon/breakers]="core config segment lanes breakers $base"
    [daemon/net]="core config protocol loop segment lanes breakers net $base"
    [tools]='core config protocol tsc'
    [tools/simulate]='core config protocol segment lanes breakers clock tsc' # beside libclient's own headers
    [libclient]=''
)
[ "$(ls -d daemon/*/ | wc -l)" = 8 ] || { echo "A folder of daemon/ has no rule in $0." >&2; exit 1; }

wrong=0
for folder in "${!may[@]}"; do
    while IFS=: read -r file included; do
        [ -e "libclient/$included" ] && [[ $folder != libclient && $folder != tools/simulate ]] &&
            { echo "$file includes libclient/$included" >&2; wrong=1; }
        [ -e "daemon/$included" ] && [ ! -e "$folder/$included" ] || continue
        of=${included%%/*} of=${of%.h}
        [[ " ${may[$folder]} " == *" $of "* ]] || { echo "$file includes daemon/$included" >&2; wrong=1; }
    done < <(grep -oP '^#include "\K[^"]+' "$folder"/*.[ch])
done
exit $wrong
