#!/usr/bin/env bash
# Installs to a prefix of its own; programs find libtrip there with pkg-config and with CMake, in C and in C++, and run
# without a daemon.
set -euo pipefail
source "$(dirname "$0")/../support/folder.bash"
prefix=$folder/prefix
fail() { echo "installed_prefix: $*" >&2; exit 1; }

cmake --install "$TRIP_BUILD_DIR" --prefix "$prefix" >"$folder/install.log" || { cat "$folder/install.log" >&2; exit 1; }

# ---- what is there
for file in sbin/tripd bin/tripctl bin/trip-bench include/trip.h lib/systemd/system/tripd@.service \
    lib/sysusers.d/tripd.conf lib/tmpfiles.d/tripd.conf share/bash-completion/completions/tripctl \
    share/doc/tripd/tripd.yaml.example; do
    [ -e "$prefix/$file" ] || fail "$file was not installed"
done
[ "$(find "$prefix/include" -type f)" = "$prefix/include/trip.h" ] || fail "only trip.h is public"
if command -v scdoc >/dev/null; then
    for page in man1/tripctl.1 man1/trip-bench.1 man3/libtrip.3 man5/tripd.yaml.5 man8/tripd.8; do
        [ -s "$prefix/share/man/$page" ] || fail "$page was not installed"
    done
fi
grep -qx "ExecStart=$prefix/sbin/tripd --instance %i" "$prefix/lib/systemd/system/tripd@.service" ||
    fail "the unit starts another tripd than the one beside it"
"$prefix/sbin/tripd" --version >/dev/null || fail "the installed tripd does not start"
"$prefix/bin/tripctl" --version >/dev/null || fail "the installed tripctl does not start"
"$prefix/bin/trip-bench" --help >/dev/null || fail "the installed trip-bench does not start"

# ---- who uses it
cat >"$folder/use.c" <<'END'
#include <stdio.h>
#include <trip.h>

int main(void)
{
    trip_client *client = NULL;
    trip_breaker *breaker = NULL;
    if (trip_open(&client, "nobody-there") < 0 || trip_breaker_get(client, "db", &breaker) < 0)
        return 1;
    for (int i = 0; i < 5; i++) {
        trip_call call;
        if (!trip_admitted(trip_begin(breaker, &call)))
            return 2;
        trip_end(&call, TRIP_FAILURE);
    }
    puts(trip_verdict_name(trip_allow(breaker)));
    puts(trip_client_state_name(trip_client_status(client)));
    trip_close(client);
    return 0;
}
END
cp "$folder/use.c" "$folder/use.cc"
mkdir "$folder/empty"
export TRIP_RUNTIME_DIR=$folder/empty TRIP_SHM_DIR=$folder/empty LD_LIBRARY_PATH=
runs() { # runs PROGRAM: five failures opened its private breaker
    local said
    said=$("$1") || fail "$1 ended with $?"
    [ "$said" = $'deny_open\nprivate' ] || fail "$1 said: $said"
}

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name trip.pc)")
export PKG_CONFIG_PATH
libdir=$(pkg-config --variable=libdir trip)
read -ra flags <<<"$(pkg-config --cflags --libs trip) -Wl,-rpath,$libdir -Wall -Wextra -Werror"
[ "$(pkg-config --modversion trip)" = "$("$prefix/sbin/tripd" --version | grep -o '[0-9.]*$')" ] ||
    fail "trip.pc and tripd state different versions"
for compiler in "gcc -std=c11 -pedantic $folder/use.c" "g++ -std=c++11 -pedantic $folder/use.cc" \
    "clang -std=c11 -pedantic $folder/use.c"; do
    command -v "${compiler%% *}" >/dev/null || fail "${compiler%% *} is missing: tools/setup installs it"
    $compiler "${flags[@]}" -o "$folder/use"
    runs "$folder/use"
done

mkdir "$folder/project"
cat >"$folder/project/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.13)
project(use LANGUAGES C CXX)
find_package(trip 0.1 REQUIRED)
add_executable(use_c $folder/use.c)
target_link_libraries(use_c PRIVATE trip::trip)
add_executable(use_cxx $folder/use.cc)
target_link_libraries(use_cxx PRIVATE trip::trip)
END
cmake -S "$folder/project" -B "$folder/build" -DCMAKE_PREFIX_PATH="$prefix" >"$folder/cmake.log" &&
    cmake --build "$folder/build" >>"$folder/cmake.log" || { cat "$folder/cmake.log" >&2; exit 1; }
runs "$folder/build/use_c"
runs "$folder/build/use_cxx"
echo "C and C++ programs built with pkg-config and find_package run"
