#!/bin/bash
# Makefile.am's threaded_tests are the unit tests that can start a thread: those ThreadSanitizer runs. Each
# program tells: it holds what it uses of our library, so only then it holds a thread's main function. What
# opens a store holds the one of PostgreSQL's sessions as well, and starts it where it has a server.
command -v nm >/dev/null || {
    echo '1..0 # SKIP nm is not installed'
    exit 0
}
listed=$(sed -n '/^threaded_tests = /,/[^\\]$/p' "${srcdir:-.}/Makefile.am" | grep -o 'check_[a-z0-9_]*')
programs=$(find tests/unit -name 'check_*' -type f -perm -u+x 2>/dev/null | sort)
[ -n "$programs" ] || {
    echo '1..0 # SKIP no unit test is built'
    exit 0
}
n=0
for program in $programs; do
    n=$((n + 1)) name=${program##*/} can=0 says=0
    ! nm "$program" | grep -v ' signal_main$' | grep -qE ' t [a-z_]+_main$' || can=1
    ! grep -qsE 'pthread_create|"postgres_(run|stores|claims)[.]h"' "${srcdir:-.}/tests/unit/$name.c" || can=1
    ! grep -qx "$name" <<<"$listed" || says=1
    if [ $can -eq $says ]; then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name: starts threads $can, in threaded_tests $says"
    fi
done
echo "1..$n"
