#!/bin/bash
# beacond with musl: the libraries from Debian's sources, static, by musl-gcc; then the unit tests and the
# end-to-end tests of what depends on libc. Without OpenSSL and systemd. BEACOND_TEST_LONG=1 alone: it takes
# half an hour.
#
# wslay is Debian's shared library, made for glibc: it calls nothing but memcpy, malloc and the like, and
# musl's loader takes itself for the libc.so.6 that the library asks for.
. "${srcdir:-.}/tests/scripts/daemon.bash"
. "$source_dir/tests/package/root.bash"

if [ "${BEACOND_TEST_LONG-}" != 1 ]; then
    echo '1..0 # SKIP long'
    exit 0
fi
needs musl-gcc dpkg-source autoreconf libtoolize tclsh python3
arch=$(dpkg-architecture -q DEB_HOST_MULTIARCH)
prefix=$scratch/prefix
work=$scratch/work
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
export CC=musl-gcc CFLAGS='-O1 -g' CPPFLAGS=-I$prefix/include LDFLAGS=-L$prefix/lib
export PKG_CONFIG_LIBDIR=$prefix/lib/pkgconfig
# What is made already is not made again for a newer automake.
untouched=(AUTOMAKE=: ACLOCAL=: AUTOCONF=: AUTOHEADER=:)

logged() # logged NAME COMMAND…: its output in a log, whose end is shown when it fails
{
    local log=$scratch/$1.log
    shift
    "$@" >"$log" 2>&1 </dev/null && return
    tail -n 30 "$log"
    return 1
}

# apt's lists of sources, in folders of their own: this system's stay what they are.
sources()
{
    local mirror apt=() package
    mirror=$(root_mirror)
    [ -n "$mirror" ] || return 1
    mkdir -p "$work/apt/parts" "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
    printf 'Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$mirror" "$release" \
        /usr/share/keyrings/debian-archive-keyring.gpg >"$work/apt/parts/source.sources"
    apt=(-o APT::Sandbox::User=root -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/apt/parts"
        -o "Dir::State::lists=$work/apt/lists" -o "Dir::Cache=$work/apt/cache")
    cd "$work" && apt-get "${apt[@]}" update &&
        apt-get "${apt[@]}" --download-only source zlib jansson libevent sqlite3 check || return 1
    for package in zlib jansson libevent sqlite3 check; do
        dpkg-source --no-check -x "$package"_*.dsc "$work/$package" || return 1
    done
}

# musl has no kernel headers.
borrowed()
{
    mkdir -p "$prefix/include" "$prefix/lib/pkgconfig"
    ln -s /usr/include/linux /usr/include/asm-generic /usr/include/wslay "$prefix/include" &&
        ln -s "/usr/include/$arch/asm" "$prefix/include" &&
        ln -s "/usr/lib/$arch/libwslay.so.1" "$prefix/lib" && ln -s libwslay.so.1 "$prefix/lib/libwslay.so"
}

make_zlib()
{
    cd "$work/zlib" && ./configure --static --prefix="$prefix" && make libz.a && make install
}

make_jansson()
{
    cd "$work/jansson" && autoreconf -fi && ./configure --disable-shared --prefix="$prefix" &&
        make -C src install && cp jansson.pc "$prefix/lib/pkgconfig"
}

make_check()
{
    cd "$work/check" && ./configure --disable-shared --disable-subunit --prefix="$prefix" &&
        make "${untouched[@]}" -C lib && make "${untouched[@]}" -C src install &&
        cp check_stdint.h "$prefix/include" && cp check.pc "$prefix/lib/pkgconfig" &&
        ln -s libcheck.a "$prefix/lib/libcheck_pic.a" # which Debian's .pc file names
}

make_libevent()
{
    cd "$work/libevent" && ./configure --disable-shared --disable-openssl --disable-samples \
        --disable-libevent-regress --prefix="$prefix" &&
        make "${untouched[@]}" include/event2/event-config.h &&
        make "${untouched[@]}" -j 2 install-libLTLIBRARIES install-data
}

make_sqlite()
{
    mkdir "$work/sqlite" && cd "$work/sqlite" &&
        ../sqlite3/configure --disable-shared --disable-tcl --disable-readline --prefix="$prefix" &&
        make sqlite3.c sqlite3.h sqlite3.pc &&
        musl-gcc -O1 -g -fPIC -DSQLITE_THREADSAFE=1 -DSQLITE_ENABLE_DBSTAT_VTAB -c sqlite3.c &&
        ar rcs "$prefix/lib/libsqlite3.a" sqlite3.o && cp sqlite3.h "$prefix/include" &&
        cp sqlite3.pc "$prefix/lib/pkgconfig"
}

libraries()
{
    (logged sources sources && borrowed && logged zlib make_zlib && logged jansson make_jansson &&
        logged check make_check && logged libevent make_libevent && logged sqlite make_sqlite)
}

make_beacond()
{
    LDFLAGS="$LDFLAGS -Wl,-rpath,$prefix/lib -Wl,--allow-shlib-undefined"
    mkdir "$work/beacond" && cd "$work/beacond" &&
        "$tree/configure" --enable-werror --without-openssl --without-systemd --without-postgresql && make -j 2
}

built()
{
    (logged beacond make_beacond) && readelf -lW "$work/beacond/src/beacond" | grep -q 'ld-musl'
}

units()
{
    (unset CC CFLAGS CPPFLAGS LDFLAGS && logged units make -C "$work/beacond" -j 2 check-unit)
}

ends() # ends FILE: all cases of one end-to-end test
{
    (cd "$work" && srcdir=$tree BEACOND=$work/beacond/src/beacond logged "${1##*/}" \
        python3 "$tree/tests/e2e/$1.py")
}

# Sources that were configured in place can't be built elsewhere as well.
tree=$source_dir
mkdir -p "$work"
ok 'the libraries are built' libraries
ok 'beacond is built without a warning, for musl' built
ok 'its unit tests pass' units
# Addresses and files, threads and their stacks, time, locks, ends.
for test in program ready ingest reading control backup export ws_protocol limits memory durability; do
    ok "so does $test" ends "$test"
done
echo "1..$test_count"
