#!/usr/bin/env bash
# A folder of daemon/ includes only what stands below it, and tools/ and libclient/ only what they may share with tripd.
# Only libclient/ and tools/simulate/ include libtrip's own headers.
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
    [daemon/chronicle]="core config segment chronicle $base"
    [daemon/degradation]="core config segment degradation $base"
    [daemon/net]="core config protocol loop segment lanes breakers degradation net $base"
    [tools]='core config protocol tsc'
    [tools/simulate]='core config protocol segment lanes breakers chronicle clock tsc' # beside libclient's own headers
    [libclient]=''
)
[ "$(ls -d daemon/*/ | wc -l)" = 10 ] || { echo "A folder of daemon/ has no rule in $0." >&2; exit 1; }

wrong=0
for folder in "${!may[@]}"; do
    while IFS=: read -r file included; do
        [ "$file" != tools/bench_errors.c ] || continue # it measures what tripd does with a record
        [ -e "libclient/$included" ] && [[ $folder != libclient && $folder != tools/simulate ]] &&
            { echo "$file includes libclient/$included" >&2; wrong=1; }
        [ -e "daemon/$included" ] && [ ! -e "$folder/$included" ] || continue
        of=${included%%/*} of=${of%.h}
        [[ " ${may[$folder]} " == *" $of "* ]] || { echo "$file includes daemon/$included" >&2; wrong=1; }
    done < <(grep -oP '^#include "\K[^"]+' "$folder"/*.[ch])
done

# A file of daemon/breakers/ knows only the files before it. breakers.h is what tripd sees of all of them.
floors='table word latency reporters meters adaptive limits bell tell errors policy move reconcile trace permits schedule settle stall
    marks lanes beat reuse names operate adopt restore breakers'
diff <(ls daemon/breakers/*.c) <(printf 'daemon/breakers/%s.c\n' $floors | sort) >&2 ||
    { echo "A file of daemon/breakers/ has no floor in $0." >&2; exit 1; }

# files_call_down FOLDER PATTERN FLOORS: no .c file there calls what a later one of FLOORS defines, of names that match.
files_call_down() {
    local -A floor_of=()
    local floor function of below=' '
    for floor in $3; do
        for function in $(grep -oP "^(?!static|return|extern)[a-z_][^=;(]*\\b$2(?=\\()" "$1/$floor.c" | grep -oP '\w+$'); do
            floor_of[$function]=$floor
        done
    done
    for floor in $3; do
        below+="$floor "
        for function in $(sed 's|/\*.*\*/||' "$1/$floor.c" | grep -oP "\\b$2(?=[(),;])" | sort -u); do
            of=${floor_of[$function]:-$floor}
            [[ $below == *" $of "* ]] || { echo "$1/$floor.c calls $function of $of.c" >&2; wrong=1; }
        done
    done
}
files_call_down daemon/breakers 'breakers_\w+' "$floors"

below=' breakers.h '
for floor in $floors; do
    below+="$floor $floor.h "
    for file in "daemon/breakers/$floor".[ch]; do
        [ -e "$file" ] || continue
        for included in $(grep -oP '^#include "breakers/\K[^"]+' "$file"); do
            [[ $below == *" $included "* ]] || { echo "$file includes breakers/$included" >&2; wrong=1; }
        done
    done
done

# A file of libclient/ calls only the files before it.
client_floors='descriptor moves names view fallbacks clients fork lane thread track binding cancel feature_words attach client breaker feature cut_short streak probe watch error
    tell reporter shared_limits report decide info retry attempt hedge fallback instead run why'
diff <(ls libclient/*.c) <(printf 'libclient/%s.c\n' $client_floors | sort) >&2 ||
    { echo "A file of libclient/ has no floor in $0." >&2; exit 1; }
files_call_down libclient '\w+' "$client_floors"
exit $wrong
