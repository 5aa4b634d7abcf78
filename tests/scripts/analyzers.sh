#!/bin/bash
# What analyzers besides clang-tidy (tidy.sh) have to say about the sources: gcc's -fanalyzer of each file,
# cppcheck of all together and of the C of the tests, clang's own with BEACOND_TEST_LONG=1 (clang-tidy runs
# its checkers already; here they get more checkers and all of their steps). What is not so stands in
# analyzers.suppressions. Other versions say other things: gcc 12, cppcheck 2.10 and clang 14 are asked.
#
# What passed leaves a stamp in the build tree and is looked at again only when it, a header or this has
# changed. BEACOND_TEST_TIDY=no: nothing is.
[ "${BEACOND_TEST_TIDY-}" != no ] || {
    echo '1..0 # SKIP BEACOND_TEST_TIDY=no'
    exit 0
}

srcdir=${srcdir:-.}
scripts=$srcdir/tests/scripts
stamps=tests/tidy/gcc
mkdir -p $stamps tests/tidy/cppcheck
newest=$(find "$srcdir/src" "$scripts"/analyzers.* src/store/sqlite/sql.h src/store/postgres/sql.h src/page/text.h \
    \( -name '*.h' -o -name 'analyzers.*' \) -exec ls -t {} + 2>/dev/null | head -n 1)
export srcdir scripts stamps newest
files=$(cd "$srcdir" && find src -name '*.c' | sort)
# Spelled for a shell: -DPACKAGE_NAME=\"beacond\" and so on.
eval "flags=($TEST_CPPFLAGS)"
n=0

verdict() # verdict NAME SAID: a test passes when nothing was said
{
    n=$((n + 1))
    [ -z "$2" ] || printf '%s\n' "$2" | sed 's/^/# /'
    [ -z "$2" ] && echo "ok $n - $1" || echo "not ok $n - $1"
}

skip() # skip NAME WHY
{
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}

# gcc's warnings of one file as "WARNING FUNCTION:FILE", each behind what it said of it.
analyze() # analyze FILE
{
    local stamp=$stamps/${1//\//_}.stamp flags said
    [ ! "$stamp" -nt "$srcdir/$1" ] || [ ! "$stamp" -nt "$newest" ] || { cat "$stamp" && return; }
    eval "flags=($TEST_CPPFLAGS)"
    said=$(cd "$srcdir" && LC_ALL=C gcc "${flags[@]}" -std=gnu11 -O1 -fanalyzer -fdiagnostics-path-format=none \
        -Wno-analyzer-too-complex -c -o /dev/null "$1" 2>&1) || {
        echo "error $1: gcc fails" && return
    }
    printf '%s\n' "$said" | awk '
        /In function .[a-z0-9_]*./ { name = $0; sub(/.*In function ./, "", name); sub(/[^a-z0-9_].*/, "", name) }
        match($0, /\[-Wanalyzer-[a-z-]*\]/) {
            file = $0; sub(/:.*/, "", file); sub(/^.*\/src\//, "src/", file)
            print substr($0, RSTART + 12, RLENGTH - 13), name ":" file
        }' | sort -u >"$stamp"
    cat "$stamp"
}
export -f analyze

# What is said and not suppressed, and, behind it, what is suppressed and was not said.
compared() # compared TOOL SAID
{
    local known
    known=$(sed -n "s/^$1 //p" "$scripts/analyzers.suppressions" | sort)
    comm -3 <(printf '%s' "${2:+$2$'\n'}" | sort -u) <(printf '%s\n' "$known") |
        sed 's/^\t/suppressed, but not said any more: /'
}

if gcc -dumpversion 2>/dev/null | grep -q '^12'; then
    # Paths as the sources spell them: the build's own relative ones are made absolute.
    TEST_CPPFLAGS=$(printf '%s' "$TEST_CPPFLAGS" |
        sed "s|-I\\([^/ ]\\)|-I$PWD/\\1|g")
    export TEST_CPPFLAGS
    verdict 'gcc -fanalyzer' "$(compared gcc "$(echo "$files" |
        xargs -P "$(nproc 2>/dev/null || echo 2)" -n 1 bash -c 'out=$(analyze "$0"); [ -z "$out" ] || printf "%s\n" "$out"')")"
else
    skip 'gcc -fanalyzer' 'gcc 12 is not installed'
fi

cpp() # cpp CHECKS FILE…: what cppcheck says of these
{
    local checks=$1 flags kept=() flag
    shift
    eval "flags=($TEST_CPPFLAGS)"
    for flag in "${flags[@]}"; do
        case $flag in -I/usr/* | -pthread) ;; -I* | -D*) kept+=("$flag") ;; esac
    done
    (cd "$srcdir" && cppcheck -q -j "$(nproc 2>/dev/null || echo 2)" --std=c11 "--enable=$checks" \
        --cppcheck-build-dir="$build/tests/tidy/cppcheck" --template='{id}:{file}:{line}: {message}' \
        --suppressions-list=<(sed -n 's/^cppcheck //p' "$scripts_full/analyzers.suppressions") \
        "${kept[@]}" -I"$PWD/tests/unit" "$@" 2>&1)
}
build=$PWD scripts_full=$(cd "$scripts" && pwd)
if cppcheck --version 2>/dev/null | grep -q ' 2[.]10'; then
    verdict 'cppcheck: the program' "$(cpp warning,performance,portability,style src)"
    # shellcheck disable=SC2046 # names without spaces
    verdict 'cppcheck: the tests' "$(cpp warning,performance,portability \
        $(cd "$srcdir" && find tests -name '*.c' | sort))"
else
    skip 'cppcheck: the program' 'cppcheck 2.10 is not installed'
    skip 'cppcheck: the tests' 'cppcheck 2.10 is not installed'
fi

# Checkers that clang-tidy leaves out; of the experimental ones those that know C's memory.
more='-enable-checker security,valist,nullability,optin.performance,optin.portability'
more+=' -enable-checker alpha.core.CastSize,alpha.core.PointerSub,alpha.core.FixedAddr'
more+=' -enable-checker alpha.core.TestAfterDivZero,alpha.unix.cstring'
more+=' -disable-checker security.insecureAPI.strcpy,security.insecureAPI.DeprecatedOrUnsafeBufferHandling'
export more
scan() # scan FILE: by clang's analyzer
{
    local flags words
    eval "flags=($TEST_CPPFLAGS)"
    read -ra words <<<"$more"
    scan-build-14 --status-bugs -o "$scanned" "${words[@]}" --use-cc=clang-14 \
        clang-14 "${flags[@]}" -std=gnu11 -c -o /dev/null "$srcdir/$1" 2>&1 | grep -E 'warning:|error:'
}
export -f scan
if [ "${BEACOND_TEST_LONG-}" != 1 ]; then
    skip scan-build long
elif command -v scan-build-14 >/dev/null && command -v clang-14 >/dev/null; then
    scanned=$(mktemp -d)
    export scanned
    verdict scan-build "$(echo "$files" | xargs -P "$(nproc 2>/dev/null || echo 2)" -n 1 bash -c 'scan "$0"')"
    rm -rf "$scanned"
else
    skip scan-build 'clang-tools-14 is not installed'
fi
echo "1..$n"
