# tarball.bash: what packagers get, for the tests of packages. Sourced beside tests/scripts/daemon.bash, by a
# script that was started in a built tree.
# shellcheck shell=bash

# tarball_alone BUILD COMMAND…: `make dist` works in the build directory, where tests run side by side, and
# leaves its tarball there: one at a time.
tarball_alone()
(
    exec 9<"$1/Makefile" && flock 9 || exit 1
    shift
    "$@" 9<&-
)

# tarball_make FOLDER: beacond-VERSION.tar.gz in FOLDER.
tarball_make()
{
    tarball_alone . tarball_into "$1"
}

tarball_into()
{
    make -s dist >"$1/dist.log" 2>&1 || {
        tail -n 20 "$1/dist.log" | sed 's/^/# /'
        return 1
    }
    mv beacond-*.tar.gz "$1"
}
