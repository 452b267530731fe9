#!/usr/bin/env bash
# Where the kernel promises no memory for tripd's tables, tripd says so at the start. RLIMIT_DATA stands for
# vm.overcommit_memory=2, which is the whole host's: both count private memory as it is mapped, used or not.
set -euo pipefail
source "$(dirname "$0")/common.bash"

libraries=$(ldd "$TRIPD")
[[ ! $libraries =~ lib[a-z]*san ]] || absent "a sanitizer maps more than any such limit"

refused 1 prlimit --data=$((16 << 20)) "$TRIPD"
logged 'there is no memory for 64 breakers: give tripd more \(MemoryMax=\), or the host \(vm.overcommit_memory=2' ||
    fail "it does not say what is missing"

# The manual says 30 MiB for the tables that tripd has on its heap: with 32 MiB tripd starts and serves.
start prlimit --data=$((32 << 20)) "$TRIPD"
attached a
says a ok record failure 5
says a deny_open allow
stop
