#!/usr/bin/env bash
# systemd itself reads the unit and the snippets, and finds nothing to complain about.
set -euo pipefail
for tool in systemd-analyze systemd-sysusers systemd-tmpfiles; do
    command -v "$tool" >/dev/null || { echo "skipped: no $tool here: install systemd to run this test"; exit 77; }
done
source "$(dirname "$0")/../support/folder.bash"
fail() { echo "systemd_units: $*" >&2; exit 1; }

# The unit names tripd where it will be installed; here it is where it was built.
unit=$folder/tripd@default.service
sed "s|^ExecStart=[^ ]*|ExecStart=$TRIPD|" "$TRIP_SOURCE_DIR/packaging/tripd@.service.in" >"$unit"
complaints=$(systemd-analyze verify --man=no "$unit" 2>&1 | grep -F tripd@ || true)
[ -z "$complaints" ] || fail "$complaints"

# 0 is shut away from everything, 10 (100 here) from nothing.
systemd-analyze security --offline=yes --threshold=15 --no-pager "$unit" >"$folder/security" ||
    { cat "$folder/security" >&2; fail "the unit is less hardened than it was"; }

# Only workers tell that tripd is alive, and between two of them the keeper may wait for 10 s.
watchdog=$(sed -n 's/^WatchdogSec=//p' "$unit")
[ "$watchdog" -ge 20 ] || fail "a watchdog of $watchdog s would kill a keeper that only waits"

mkdir -p "$folder/root/etc"
systemd-sysusers --root="$folder/root" - <"$TRIP_SOURCE_DIR/packaging/sysusers.conf"
grep -q '^tripd:' "$folder/root/etc/passwd" || fail "no user tripd"
grep -q '^tripd:' "$folder/root/etc/group" || fail "no group tripd"
grep -q '^tripadm:' "$folder/root/etc/group" || fail "no group tripadm"
if [ "$(id -u)" -eq 0 ]; then
    systemd-tmpfiles --root="$folder/root" --create - <"$TRIP_SOURCE_DIR/packaging/tmpfiles.conf"
    [ "$(stat -c %a "$folder/root/run/tripd")" = 755 ] || fail "/run/tripd is not open to clients"
    [ "$(stat -c %a "$folder/root/var/lib/tripd")" = 750 ] || fail "/var/lib/tripd is not tripd's own"
fi
tail -n 1 "$folder/security"
