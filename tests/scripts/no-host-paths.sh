#!/bin/sh
# Nothing in the tree knows the machine it was written on, or the host of a package registry: it has
# to build wherever its packages are.
cd "${srcdir:-.}" || exit 1
n=0

absent() # absent WHAT EXPRESSION
{
    n=$((n + 1))
    found=$(find . \( -name .git -o -path ./build -o -path ./autom4te.cache -o -path ./build-aux \
        -o -name node_modules \) -prune \
        -o -type f ! -path ./tests/scripts/no-host-paths.sh ! -path './tests/data/*' \
        ! -name configure ! -name 'configure~' ! -name aclocal.m4 ! -name '*.in' ! -name '*.log' \
        ! -name '*.trs' ! -name '*.o' ! -name '*.a' ! -name '*.Po' ! -name Makefile \
        ! -name 'config.*' ! -path './beacond-*' ! -name beacond ! -path './tests/unit/check_*[!ch]' \
        -exec grep -HnIE "$2" {} +)
    if [ -z "$found" ]; then
        echo "ok $n - no $1"
    else
        echo "$found" | sed 's/^/# /'
        echo "not ok $n - no $1"
    fi
}

absent 'path of a home, work or temporary directory' \
    '(^|[^[:alnum:]_.$}/-])/(home|root|work|Users)/[[:alnum:]_.-]'
absent 'host of a package registry' \
    '(registry\.|deb\.debian\.org|archive\.ubuntu\.com|security\.ubuntu\.com|pypi\.|npmjs|crates\.io|files\.pythonhosted|proxy\.golang)'

echo "1..$n"
