#!/bin/sh
# contrib/README lists what is in contrib, and nothing else; the tests it names are there.
cd "${srcdir:-.}" || exit 1
n=0

ok() # ok STATUS WHAT
{
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
    fi
}

# What git does not know, a build in place has made.
entries=$(find contrib -mindepth 1 -maxdepth 1 ! -name README ! -name installed ! -name '.*' | sed 's|contrib/||' | sort)
listed=$(sed -n 's/^  \([^ ].*\)$/\1/p' contrib/README | sort)
for entry in $entries; do
    echo "$listed" | grep -qx "$entry"
    ok $? "contrib/$entry is listed"
done
for entry in $listed; do
    [ -e "contrib/$entry" ]
    ok $? "$entry, which is listed, is there"
done
# shellcheck disable=SC2013 # names without spaces
for test in $(grep -oE 'tests/[a-z0-9]+/[a-z_-]+\.[a-z]+' contrib/README | sort -u); do
    [ -e "$test" ]
    ok $? "$test, which it names, is there"
done
grep -q 'contrib/README' README
ok $? 'README names it'
echo "1..$n"
