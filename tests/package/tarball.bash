# tarball.bash: what packagers get, for the tests of packages. Sourced beside tests/scripts/daemon.bash, by a
# script that was started in a built tree.
# shellcheck shell=bash

# tarball_make FOLDER: beacond-VERSION.tar.gz in FOLDER. `make dist` works in the build directory, where
# tests run side by side: one at a time.
tarball_make()
(
    exec 9<Makefile && flock 9 || exit 1
    make -s dist >"$1/dist.log" 2>&1 9<&- || {
        tail -n 20 "$1/dist.log"
        exit 1
    }
    mv beacond-*.tar.gz "$1"
)
