# packages.sh: what beacond is built and tested with, as Debian and Ubuntu name it. Sourced by
# quickstart and test.
# shellcheck shell=bash disable=SC2034

# The compiler, the build tools and the libraries.
packages_build=(gcc libc6-dev make autoconf automake pkg-config
    libevent-dev libsqlite3-dev libjansson-dev zlib1g-dev libwslay-dev)
# TLS, which configure leaves out when it is not there.
packages_build+=(libssl-dev)
# PostgreSQL as the store, which configure leaves out when it is not there.
packages_build+=(libpq-dev)

# To send something by hand and look at what is stored.
packages_try=(curl sqlite3 ca-certificates)

# What contrib/test uses besides. libc6-dbg is for valgrind. clang-format and clang-tidy: their
# version 14 is asked by the tests, which skip with any other; "clang" is the system's own.
packages_test=(check python3 python3-websockets valgrind libc6-dbg clang mandoc shellcheck)
# systemd: its tools look at the units. bubblewrap, python3-seccomp: the daemon under the unit's
# restrictions. libsystemd-dev is optional for the build.
packages_test+=(libsystemd-dev systemd bubblewrap python3-seccomp)
case $(. /etc/os-release 2>/dev/null && echo "${ID-}${VERSION_ID-}") in
debian12) packages_test+=(clang-format clang-tidy cppcheck) ;;
esac

# clang's sanitizers and fuzzer, and what tells which lines were run.
packages_test+=(libclang-rt-dev llvm)

# The certificates of tests.
packages_test+=(openssl)

# How tests look into PostgreSQL: psql. The server: packages_postgresql.
packages_test+=(postgresql-client)

# Shells whose completion is tried.
packages_test+=(zsh fish)

# The browser tests. They skip on Ubuntu, whose chromium is a snap: it can't be driven.
if grep -qx 'ID=debian' /etc/os-release 2>/dev/null; then
    packages_test+=(chromium)
    # Whoever has a node from elsewhere has its npm too, and Debian's would not go with it.
    command -v npm >/dev/null || packages_test+=(nodejs npm)
fi

# What step package builds packages with, and what it needs for the long tests besides. Every line adds.
packages_package=(git gnupg)
packages_package+=(rpm cpio python3-yaml)
packages_package+=(dpkg-dev debhelper lintian)
# Bare systems of Debian; deb.sh boots some.
packages_long=(debootstrap util-linux iproute2)
# tests/package/docker.sh; musl.sh.
packages_long+=(buildah)
packages_long+=(musl-tools dpkg-dev libtool tcl)
# The tarball and the steps of a release.
# Other processors.
packages_long+=(gcc-aarch64-linux-gnu gcc-arm-linux-gnueabihf gcc-s390x-linux-gnu qemu-user-static file)

# scan-build, for tests/scripts/analyzers.sh.
packages_long+=(clang-tools-14)

# Servers whose programs alone the tests want, prometheus for its promtool: see packages_unpack.
packages_servers=(nginx caddy prometheus)
# What stands before PostgreSQL, and a library of its own.
packages_servers+=(pgbouncer libc-ares2)
# libFuzzer, where it is a package apart from clang.
case $(. /etc/os-release 2>/dev/null && echo "${ID-}${VERSION_ID-}") in
debian12) packages_test+=(libclang-rt-14-dev) ;;
esac

# packages_install PACKAGE…: installs those that are missing; asks apt only when there are some.
# Where that can't be done it names them and goes on: configure tells what is really not there.
packages_install()
{
    local package missing=() known=() unknown=() as_root=()

    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        echo "This is not Debian or Ubuntu. What beacond needs is called there: $*"
        return 0
    fi
    for package; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    echo "Installing: ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "Neither root nor sudo: run this as root, apt-get install ${missing[*]}"
            return 0
        fi
        as_root=(sudo)
    fi
    as_root+=(env DEBIAN_FRONTEND=noninteractive)

    "${as_root[@]}" apt-get -qq update </dev/null || echo 'apt-get update failed; going on with what it knows'
    for package in "${missing[@]}"; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            known+=("$package")
        else
            unknown+=("$package")
        fi
    done
    [ ${#unknown[@]} -eq 0 ] || echo "Not in this system's package lists: ${unknown[*]}"
    [ ${#known[@]} -eq 0 ] ||
        "${as_root[@]}" apt-get -qq -y --no-install-recommends install "${known[@]}" </dev/null ||
        echo "apt-get install ${known[*]} failed; going on with what is there"
}

# packages_unpack FOLDER PACKAGE…: what is in the packages, under FOLDER, without installing them. For
# servers: once installed they are started, now and after every boot, on ports that are not ours to
# take. Nothing outside of FOLDER is touched. One that is installed already, or unpacked, is left alone.
packages_unpack()
{
    local folder=$1 package
    shift
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 0
    mkdir -p "$folder/archives" || return 0
    for package; do
        if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            [ -e "$folder/archives/$package.unpacked" ]; then
            continue
        fi
        echo "Unpacking: $package"
        rm -f "$folder/archives/$package"_*.deb
        (cd "$folder/archives" && apt-get -qq -o APT::Sandbox::User= download "$package" </dev/null) &&
            dpkg-deb -x "$folder/archives/$package"_*.deb "$folder" &&
            : >"$folder/archives/$package.unpacked" ||
            echo "$package can't be had; the tests that need it will skip"
    done
}

# packages_postgresql: PostgreSQL's server as this system names it, by its version, and the libraries of it
# that are not installed: for packages_unpack. Nothing where there is one. Tests run it without its compiler
# of queries, which is most of what it weighs.
packages_postgresql()
{
    local server
    command -v apt-get >/dev/null && ! compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || return 0
    server=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/^ *Depends: \(postgresql-[0-9]*\)$/\1/p' | head -n 1)
    [ -n "$server" ] || return 0
    apt-get -s -q --no-install-recommends install "$server" 2>/dev/null </dev/null |
        sed -n 's/^Inst \([^ ]*\) (.*/\1/p' | grep -E "^(lib.*|$server|${server/-/-client-})\$" |
        grep -Ev '^libllvm|-perl$'
}
