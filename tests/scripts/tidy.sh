#!/bin/bash
# clang-tidy has nothing to say about the sources (.clang-tidy names the checks). What passed leaves a
# stamp in the build tree and is looked at again only when it, a header or .clang-tidy has changed.
# Other versions have other checks.
#
# Nearly all of the time goes to the analyzer's walk through the paths of a function: 225,000 steps each,
# of which the first 20,000 take an eighth of the time. BEACOND_TEST_LONG=1: all of them.
clang-tidy --version 2>/dev/null | grep -q "version 14[.]" || {
    echo '1..0 # SKIP clang-tidy 14 is not installed'
    exit 0
}

[ "${BEACOND_TEST_TIDY-}" != no ] || {
    echo '1..0 # SKIP BEACOND_TEST_TIDY=no'
    exit 0
}

srcdir=${srcdir:-.}
stamps=tests/tidy steps=20000
[ "${BEACOND_TEST_LONG-}" != 1 ] || stamps=tests/tidy/long steps=225000
mkdir -p $stamps
newest=$(find "$srcdir/src" "$srcdir/.clang-tidy" src/store/sqlite/sql.h src/store/postgres/sql.h src/page/text.h \
    \( -name '*.h' -o -name .clang-tidy \) -exec ls -t {} + | head -n 1)
export srcdir stamps steps newest

check() # check FILE: one line of TAP without its number
{
    local stamp=$stamps/${1//\//_}.stamp said flags
    local analyzer=(--extra-arg={-Xclang,-analyzer-config,-Xclang,max-nodes=$steps})
    # Spelled for a shell: -DPACKAGE_NAME=\"beacond\" and so on.
    eval "flags=($TEST_CPPFLAGS -std=gnu11)"
    if [ "$stamp" -nt "$srcdir/$1" ] && [ "$stamp" -nt "$newest" ]; then
        echo "ok - $1 (as before)"
    elif said=$(clang-tidy --quiet "${analyzer[@]}" "$srcdir/$1" -- "${flags[@]}" 2>&1); then
        touch "$stamp"
        echo "ok - $1"
    else
        printf '%s\n' "$said" | sed 's/^/# /'
        echo "not ok - $1"
    fi
}
export -f check

files=$(cd "${srcdir:-.}" && find src -name '*.c' | sort)
echo "1..$(echo "$files" | wc -l)"
# Several at a time; each writes all of its lines at once.
echo "$files" | xargs -P "$(nproc 2>/dev/null || echo 2)" -n 1 bash -c 'out=$(check "$0"); printf "%s\n" "$out"'
