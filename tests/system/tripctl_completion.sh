#!/usr/bin/env bash
# bash completes for tripctl: verbs, options, names of breakers, files. Names come from a canned list.
set -euo pipefail
source "$(dirname "$0")/../support/folder.bash"
cat >"$folder/tripctl" <<END
#!/usr/bin/env bash
case "\$1 \$2" in
'feature list') echo '{"features":[{"feature":"search"},{"feature":"payments/express"}]}'; exit ;;
'level list') echo '{"levels":[{"group":null},{"group":"payments"}],"names":["normal","minimal"],"back_after_ms":1}'; exit ;;
esac
[ "\$1" = list ] || exec "$TRIPCTL" "\$@"
echo "\$*" >"$folder/asked"
echo '{"breakers":[{"breaker":"payments/a","state":"open"},{"breaker":"payments/b"},{"breaker":"db:main"}],"patterns":[{"pattern":"x*"}]}'
END
chmod +x "$folder/tripctl"
compopt() { :; } # works only while bash completes
# shellcheck source=/dev/null
source "$TRIP_SOURCE_DIR/tools/completions/tripctl"

failures=0
# expect LINE WORD...: typing LINE and Tab offers these, in this order.
expect() {
    COMP_LINE="$folder/$1" COMP_POINT=$((${#folder} + 1 + ${#1})) COMPREPLY=()
    shift
    _tripctl
    [ "${COMPREPLY[*]-}" = "$*" ] && return
    printf 'after "%s": "%s", expected "%s"\n' "${COMP_LINE##*/tripctl}" "${COMPREPLY[*]-}" "$*" >&2
    failures=$((failures + 1))
}

expect 'tripctl s' shadow show simulate status
expect 'tripctl ' analyze auto cache clients clock config deploy disable errors events feature fingerprints force-open incidents level list metrics queue record reset shadow show simulate status trace trip wait why
expect 'tripctl fo' force-open
expect 'tripctl config ' check reload show
expect 'tripctl config r' reload
expect 'tripctl --j' --json
expect 'tripctl trip --' --instance --user --json --help --for --reason
expect 'tripctl events --f' --follow
expect 'tripctl config show --o' --origin
expect 'tripctl trip pay' payments/a payments/b
expect 'tripctl -i other trip ' payments/a payments/b db:main
[ "$(cat "$folder/asked")" = "list --json -i other" ] || { echo "it asked: $(cat "$folder/asked")" >&2; failures=1; }
expect 'tripctl --json --reason x trip d' db:main
expect 'tripctl show db:' main # bash replaces what follows the colon
expect 'tripctl trip payments/a ' # one name is all it takes
expect 'tripctl trip payments/a --for '
expect 'tripctl wait db:main --state ' closed half_open open ramping
expect 'tripctl wait --state ha' half_open
expect 'tripctl record --e' --every
expect 'tripctl tr' trace trip
expect 'tripctl trace some.trace pay' payments/a payments/b # a file, then a name
expect 'tripctl trace some.trace payments/a '
expect 'tripctl status '
expect 'tripctl level ' list show set auto
expect 'tripctl level set ' payments normal minimal
expect 'tripctl level set payments ' normal minimal
expect 'tripctl level auto ' payments
expect 'tripctl level --j' --json
expect 'tripctl feature ' list show set auto
expect 'tripctl feature set se' search
expect 'tripctl feature set search ' off on
expect 'tripctl feature set search off '
expect 'tripctl nonsense '
touch "$folder/some.yaml"
cd "$folder"
expect 'tripctl config check so' some.yaml
expect 'tripctl simulate so' some.yaml
expect 'tripctl trace so' some.yaml
expect 'tripctl record so' some.yaml
expect 'tripctl list --segment so' some.yaml
[ "$failures" -eq 0 ]
