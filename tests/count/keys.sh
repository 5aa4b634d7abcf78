#!/bin/bash
# keys.sh: whether a key is right, which one it is and where it goes wrong takes the same number of
# instructions, to the last one: no clock can tell what is the same. callgrind counts them (count.sh).
# How they are compiled matters, so this is counted in every build but those with sanitizers.
[ -n "$BASH_VERSION" ] || exec bash "$0" "$@"

skip_all()
{
    echo "1..0 # SKIP $1"
    exit 0
}

measure()
{
    valgrind --tool=callgrind --toggle-collect=count_subject --callgrind-out-file=/dev/null \
        tests/count/count_keys "$1" 2>&1 | awk '$1 == "ok" { fine = 1 } /Collected : / { count = $4 }
        END { if (fine && count > 0) print count; else exit 1 }'
}

command -v valgrind >/dev/null || skip_all 'valgrind is not installed'
made=$(tests/count/count_keys first) || {
    echo 'Bail out! tests/count/count_keys does not run'
    exit 1
}
case $made in sanitized*) skip_all 'built with sanitizers' ;; esac

expected=$(measure first) || {
    echo 'Bail out! count_keys first could not be counted'
    exit 1
}
n=0
for which in last other first-byte middle-byte last-byte; do
    n=$((n + 1))
    count=$(measure "$which")
    echo "# $which: $count instructions, $expected for the first key"
    if [ "$count" = "$expected" ]; then
        echo "ok $n - $which: as many instructions as for the first key"
    else
        echo "not ok $n - $which: a clock can tell it from the first key"
    fi
done
echo "1..$n"
