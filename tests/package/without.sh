#!/bin/bash
# What configure may leave out, and other compilers: each combination builds without a warning, passes its
# unit tests and some end-to-end tests, which skip what is not there, and says what it can't do.
#
# Short: without both libraries. With BEACOND_TEST_LONG=1 all of them, and more tests: some ten minutes each.
# WITHOUT="TLS alone" chooses one.
long=${BEACOND_TEST_LONG:-0} # which daemon.bash takes out of the environment
. "${srcdir:-.}/tests/scripts/daemon.bash"
needs make python3
if [ ! -x "$source_dir/configure" ]; then
    echo '1..0 # SKIP no configure'
    exit 0
fi
export PYTHONDONTWRITEBYTECODE=1
e2e=(replay)
[ "$long" != 1 ] || e2e=(replay program reading ingest retries ws_protocol ws_frames tls systemd reload_files import
    export json_suite)

quiet() # quiet COMMAND…: what it says only when it fails
{
    "$@" >"$scratch/said" 2>&1 && return
    grep -E 'warning|error' "$scratch/said" | head -n 10 | sed 's/^/# /'
    tail -n 15 "$scratch/said" | sed 's/^/# /'
    return 1
}

built() # built FOLDER CONFIGURE-ARGUMENT…
{
    local folder=$1
    shift
    mkdir -p "$folder" &&
        (cd "$folder" && quiet "$source_dir/configure" -q --enable-werror "$@" && quiet make -s -j2)
}

says() # says FOLDER TLS SYSTEMD: yes or no
{
    [ "$("$1/src/beacond" --version | sed -n 2p)" = "TLS: $2, systemd: $3" ]
}

# Options and surroundings that need what is missing are refused with the reason, not ignored.
refuses() # refuses FOLDER TLS SYSTEMD
{
    local said status
    if [ "$2" = no ]; then
        : >"$scratch/pem"
        said=$("$1/src/beacond" check-config --tls-cert "$scratch/pem" --tls-key "$scratch/pem" 2>&1)
        status=$?
        [[ $status -eq 78 && $said == *'built without OpenSSL'* ]] || { echo "# $status: $said" && return 1; }
    fi
    if [ "$3" = no ]; then
        said=$(cd "$scratch" && LISTEN_FDS=1 bash -c 'LISTEN_PID=$$ exec "$0" --database none.db' "$1/src/beacond" 2>&1)
        status=$?
        [[ $status -ne 0 && $said == *'built without libsystemd'* ]] || { echo "# $status: $said" && return 1; }
    fi
}

# linked FOLDER LIBRARY yes|no
linked()
{
    if ldd "$1/src/beacond" | grep -q "$2"; then [ "$3" = yes ]; else [ "$3" = no ]; fi
}

ends() # ends FOLDER NAME
{
    BEACOND=$1/src/beacond srcdir=$source_dir timeout 900 python3 "$source_dir/tests/e2e/$2.py" >"$scratch/said" 2>&1 && return
    grep -E '^(#|not ok)' "$scratch/said" | tail -n 30
    return 1
}

# skips FOLDER NAME: every case of it, since the program has nothing of that.
skips()
{
    BEACOND=$1/src/beacond srcdir=$source_dir python3 "$source_dir/tests/e2e/$2.py" >"$scratch/said" 2>&1
    grep -q '# SKIP.*built without' "$scratch/said"
}

combination() # combination WHAT TLS SYSTEMD CONFIGURE-ARGUMENT…
{
    local what=$1 tls=$2 systemd=$3 folder=$scratch/build name
    shift 3
    [ "${WITHOUT:-$what}" = "$what" ] || return
    rm -rf "$folder"
    ok "$what: it is built" built "$folder" "$@"
    [ -x "$folder/src/beacond" ] || return
    ok "$what: it says what it has" says "$folder" "$tls" "$systemd"
    ok "$what: libssl linked: $tls" linked "$folder" libssl "$tls"
    ok "$what: libsystemd linked: $systemd" linked "$folder" libsystemd "$systemd"
    ok "$what: what it can't do is refused" refuses "$folder" "$tls" "$systemd"
    for name in "${e2e[@]}"; do
        ok "$what: $name" ends "$folder" "$name"
    done
    if [ "$long" = 1 ]; then
        [ "$tls" = yes ] || ok "$what: tests of TLS skip" skips "$folder" tls
        [ "$systemd" = yes ] || ok "$what: tests of systemd skip" skips "$folder" systemd
        ok "$what: unit tests" quiet make -C "$folder" -s -j2 check-unit
    fi
}

if [ "$long" != 1 ]; then
    # As fast as it compiles: this is about what is compiled.
    combination 'with neither' no no --without-openssl --without-systemd CFLAGS=-O0
    echo "1..$test_count"
    exit 0
fi

has() { pkg-config --exists "$1"; }
combination 'with neither' no no --without-openssl --without-systemd CFLAGS=-O2
if has libssl && has libevent_openssl; then
    combination 'TLS alone' yes no --with-openssl --without-systemd CFLAGS=-O1
fi
if has libsystemd; then
    combination 'systemd alone' no yes --without-openssl --with-systemd CFLAGS=-O1
fi
if has libssl && has libevent_openssl && has libsystemd; then
    combination 'with both' yes yes --with-openssl --with-systemd CFLAGS=-O1
    combination 'without SSE2' yes yes --with-openssl --with-systemd CFLAGS='-O2 -DSCAN_PORTABLE'
    command -v clang >/dev/null &&
        combination 'clang, with both' yes yes --with-openssl --with-systemd CC=clang CFLAGS=-O2
fi
command -v clang >/dev/null &&
    combination 'clang, with neither' no no --without-openssl --without-systemd CC=clang CFLAGS=-O2

# No Check library: the unit tests say that they skip, and nothing else is missing.
no_check()
{
    rm -rf "$scratch/build"
    built "$scratch/build" --without-openssl --without-systemd CFLAGS=-O0 PKG_CONFIG="$scratch/pkg-config" || return 1
    make -C "$scratch/build" check-unit >"$scratch/said" 2>&1 && grep -q '^# SKIP: *1$' "$scratch/said"
}
printf '#!/bin/sh\ncase " $* " in *" check "*) exit 1 ;; esac\nexec pkg-config "$@"\n' >"$scratch/pkg-config"
chmod +x "$scratch/pkg-config"
[ "${WITHOUT:-without Check}" != 'without Check' ] ||
    ok 'without Check: it is built, and the unit tests skip' no_check
echo "1..$test_count"
