#!/bin/bash
# What configure may leave out, and other compilers: each combination builds without a warning, passes its
# unit tests and some end-to-end tests, which skip what is not there, and says what it can't do.
#
# Short: without any of the libraries. With BEACOND_TEST_LONG=1 all of them, and more tests: some ten minutes each.
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

says() # says FOLDER TLS SYSTEMD POSTGRESQL: yes or no
{
    [ "$("$1/src/beacond" --version | sed -n 2p)" = "TLS: $2, systemd: $3, PostgreSQL: $4" ]
}

# Options and surroundings that need what is missing are refused with the reason, not ignored.
refuses() # refuses FOLDER TLS SYSTEMD POSTGRESQL
{
    local said status command
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
    if [ "$4" = no ]; then
        for command in serve check-config stats 'import /dev/null' 'prune --older-than 1d' check; do
            # shellcheck disable=SC2086
            said=$(BEACOND_DATABASE=postgresql:///none "$1/src/beacond" $command 2>&1)
            status=$?
            [[ $status -eq 78 && $said == *'built without PostgreSQL'* ]] ||
                { echo "# $command: $status: $said" && return 1; }
        done
    fi
}

# linked FOLDER LIBRARY yes|no: by itself, not by another library (libpq has a libssl of its own).
linked()
{
    if readelf -d "$1/src/beacond" | grep -q "NEEDED.*$2"; then [ "$3" = yes ]; else [ "$3" = no ]; fi
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

combination() # combination WHAT TLS SYSTEMD POSTGRESQL CONFIGURE-ARGUMENT…
{
    local what=$1 tls=$2 systemd=$3 postgresql=$4 folder=$scratch/build name
    shift 4
    [ "${WITHOUT:-$what}" = "$what" ] || return
    rm -rf "$folder"
    ok "$what: it is built" built "$folder" "$@"
    [ -x "$folder/src/beacond" ] || return
    ok "$what: it says what it has" says "$folder" "$tls" "$systemd" "$postgresql"
    ok "$what: libssl linked: $tls" linked "$folder" libssl "$tls"
    ok "$what: libsystemd linked: $systemd" linked "$folder" libsystemd "$systemd"
    ok "$what: libpq linked: $postgresql" linked "$folder" libpq "$postgresql"
    ok "$what: what it can't do is refused" refuses "$folder" "$tls" "$systemd" "$postgresql"
    for name in "${e2e[@]}"; do
        ok "$what: $name" ends "$folder" "$name"
    done
    if [ "$long" = 1 ]; then
        [ "$tls" = yes ] || ok "$what: tests of TLS skip" skips "$folder" tls
        [ "$systemd" = yes ] || ok "$what: tests of systemd skip" skips "$folder" systemd
        ok "$what: unit tests" quiet make -C "$folder" -s -j2 check-unit
    fi
}

none=(--without-openssl --without-systemd --without-postgresql)
if [ "$long" != 1 ]; then
    # As fast as it compiles: this is about what is compiled.
    combination 'with none' no no no "${none[@]}" CFLAGS=-O0
    echo "1..$test_count"
    exit 0
fi

has() { pkg-config --exists "$1"; }
combination 'with none' no no no "${none[@]}" CFLAGS=-O2
if has libssl && has libevent_openssl; then
    combination 'TLS alone' yes no no --with-openssl --without-systemd --without-postgresql CFLAGS=-O1
fi
if has libsystemd; then
    combination 'systemd alone' no yes no --without-openssl --with-systemd --without-postgresql CFLAGS=-O1
fi
if has libpq; then
    combination 'PostgreSQL alone' no no yes --without-openssl --without-systemd --with-postgresql CFLAGS=-O1
fi
if has libssl && has libevent_openssl && has libsystemd && has libpq; then
    all=(--with-openssl --with-systemd --with-postgresql)
    combination 'with all' yes yes yes "${all[@]}" CFLAGS=-O1
    combination 'without SSE2' yes yes yes "${all[@]}" CFLAGS='-O2 -DSCAN_PORTABLE'
    command -v clang >/dev/null &&
        combination 'clang, with all' yes yes yes "${all[@]}" CC=clang CFLAGS=-O2
fi
command -v clang >/dev/null &&
    combination 'clang, with none' no no no "${none[@]}" CC=clang CFLAGS=-O2

# No Check library: the unit tests say that they skip, and nothing else is missing.
no_check()
{
    rm -rf "$scratch/build"
    built "$scratch/build" "${none[@]}" CFLAGS=-O0 PKG_CONFIG="$scratch/pkg-config" || return 1
    make -C "$scratch/build" check-unit >"$scratch/said" 2>&1 && grep -q '^# SKIP: *1$' "$scratch/said"
}
printf '#!/bin/sh\ncase " $* " in *" check "*) exit 1 ;; esac\nexec pkg-config "$@"\n' >"$scratch/pkg-config"
chmod +x "$scratch/pkg-config"
[ "${WITHOUT:-without Check}" != 'without Check' ] ||
    ok 'without Check: it is built, and the unit tests skip' no_check
echo "1..$test_count"
