#!/bin/bash
# Other processors: beacond is compiled for them here and run under qemu, its unit tests and some of the
# end-to-end tests against it; a database goes from each to this machine and back.
#
#   arm64   64 bits, lowest byte first, no SSE2: the portable scanner
#   armhf   32 bits: size_t and time_t
#   s390x   64 bits, highest byte first
#
# A processor takes some ten minutes, so all of it is long. CROSS="s390x" chooses, CROSS_E2E="replay …" and
# CROSS_UNIT="check_sha1 …" choose tests.
long=${BEACOND_TEST_LONG:-0} # which daemon.bash takes out of the environment, and the folder of what is kept
roots=${BEACOND_ROOTS-$PWD/tests/package/roots}
. "${srcdir:-.}/tests/scripts/daemon.bash"
# shellcheck source=tests/package/sysroot.bash
. "$source_dir/tests/package/sysroot.bash"
sysroot_archive=$roots

if [ "$long" != 1 ]; then
    echo '1..0 # SKIP long'
    exit 0
fi
needs apt-get dpkg-deb make python3
sysroot_source >/dev/null || { echo '1..0 # SKIP apt names no Debian here' && exit 0; }
if [ ! -x "$source_dir/configure" ]; then
    echo '1..0 # SKIP no configure'
    exit 0
fi

libraries=(libc6-dev libevent-dev libsqlite3-dev libjansson-dev zlib1g-dev libwslay-dev libssl-dev
    libsystemd-dev check)
# What asks the daemon alone; and what looks at its database beside it, which takes the same order of bytes.
e2e_any=(program reading replay ws_frames ws_handshake reload_files)
e2e_beside=(ingest retries roundtrip import export forget stats ws_push json_suite timestamps rejects)
read -ra chosen <<<"${CROSS:-arm64 armhf s390x}"
export BEACOND_SLOW=1 CK_TIMEOUT_MULTIPLIER=20 CK_DEFAULT_TIMEOUT=60 PYTHONDONTWRITEBYTECODE=1

built() # built ARCHITECTURE TRIPLET
{
    local root=$scratch/$1/root build=$scratch/$1/build
    mkdir -p "$root" "$build"
    sysroot_make "$1" "$root" "${libraries[@]}" >"$scratch/$1/log" 2>&1 &&
        (
            cd "$build" || exit 1
            PKG_CONFIG_LIBDIR=$root/usr/lib/$2/pkgconfig:$root/usr/share/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root \
                "$source_dir/configure" -q --host="$2" --enable-werror --with-openssl --with-systemd \
                CC="$2-gcc --sysroot=$root" CFLAGS=-O2 &&
                make -s -j2 && make -s -j2 check TESTS=
        ) >>"$scratch/$1/log" 2>&1 && return
    tail -n 25 "$scratch/$1/log" | sed 's/^/# /'
    return 1
}

# The program as a test starts it, through qemu.
wrapped() # wrapped ARCHITECTURE QEMU
{
    printf '#!/bin/sh\nexec %s -L %s %s "$@"\n' "$2" "$scratch/$1/root" "$scratch/$1/build/src/beacond" >"$scratch/$1/beacond"
    chmod +x "$scratch/$1/beacond" && "$scratch/$1/beacond" --version | grep -qx 'TLS: yes, systemd: yes'
}

# of_its_kind ARCHITECTURE KIND: the program is what it should be, and not this machine's.
of_its_kind() { file -b "$scratch/$1/build/src/beacond" | grep -q "$2"; }

unit() # unit ARCHITECTURE QEMU PROGRAM
{
    local log=$scratch/$1/unit.log
    (cd "$scratch/$1/build" && srcdir=$source_dir timeout 900 "$2" -L "$scratch/$1/root" "$3") >"$log" 2>&1 && return
    grep -a -A3 '^not ok' "$log" | head -n 20 | sed 's/^/# /'
    tail -n 3 "$log" | sed 's/^/# /'
    return 1
}

ended() # ended ARCHITECTURE NAME
{
    local log=$scratch/$1/e2e.log
    BEACOND=$scratch/$1/beacond srcdir=$source_dir timeout 1800 python3 "$source_dir/tests/e2e/$2.py" >"$log" 2>&1 && return
    grep -E '^(#|not ok)' "$log" | tail -n 30 | sed 's/^/# /'
    return 1
}

carried() # carried ARCHITECTURE
{
    BEACOND=$beacond BEACOND_OTHER=$scratch/$1/beacond python3 "$source_dir/tests/package/carried.py" >"$scratch/said" 2>&1 && return
    sed 's/^/# /' "$scratch/said"
    return 1
}

for architecture in "${chosen[@]}"; do
    case $architecture in
    arm64) triplet=aarch64-linux-gnu qemu=qemu-aarch64-static kind='64-bit LSB.*ARM aarch64' ;;
    armhf) triplet=arm-linux-gnueabihf qemu=qemu-arm-static kind='32-bit LSB.*ARM' ;;
    s390x) triplet=s390x-linux-gnu qemu=qemu-s390x-static kind='64-bit MSB.*S/390' ;;
    *) echo "Bail out! no $architecture" && exit 1 ;;
    esac
    if ! command -v "$triplet-gcc" >/dev/null || ! command -v "$qemu" >/dev/null || ! command -v file >/dev/null; then
        test_count=$((test_count + 1))
        echo "ok $test_count - $architecture # SKIP no $triplet-gcc, $qemu or file"
        continue
    fi
    ok "$architecture: it is built" built "$architecture" "$triplet"
    ok "$architecture: for that processor" of_its_kind "$architecture" "$kind"
    ok "$architecture: it runs" wrapped "$architecture" "$qemu" || continue
    for program in $(cd "$scratch/$architecture/build" && find tests/unit -name 'check_*' -type f -perm -100 | sort); do
        [ -z "${CROSS_UNIT-}" ] || case " $CROSS_UNIT " in *" ${program##*/} "*) ;; *) continue ;; esac
        ok "$architecture: ${program##*/}" unit "$architecture" "$qemu" "$program"
    done
    e2e=("${e2e_any[@]}")
    [ "$architecture" = s390x ] || e2e+=("${e2e_beside[@]}")
    [ -z "${CROSS_E2E-}" ] || read -ra e2e <<<"$CROSS_E2E"
    for name in "${e2e[@]}"; do
        ok "$architecture: $name" ended "$architecture" "$name"
    done
    ok "$architecture: databases are carried there and back" carried "$architecture"
    rm -rf "${scratch:?}/$architecture"
done
echo "1..$test_count"
