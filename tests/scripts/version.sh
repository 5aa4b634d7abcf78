#!/bin/sh
# The version stands in configure.ac; NEWS has it on top, with a date once it is released. What else
# names it (packages) names the same.
cd "${srcdir:-.}" || exit 1
n=0
ok() # ok WHAT COMMAND…
{
    what=$1
    shift
    n=$((n + 1))
    if "$@"; then echo "ok $n - $what"; else echo "not ok $n - $what"; fi
}

version=$(sed -n 's/^AC_INIT(\[beacond\], \[\(.*\)\])$/\1/p' configure.ac)
semantic() { printf '%s\n' "$1" | grep -Eqx '(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}(-[0-9a-z]+(\.[0-9a-z]+)*)?'; }
ok "configure.ac: $version is a semantic version" semantic "$version"

# Entries begin in the first column: "0.1.0 (not released)" or "0.1.0 (2026-12-01)", newest first.
entries=$(sed -n '2,$s/^\([0-9].*\)$/\1/p' NEWS)
first=$(printf '%s\n' "$entries" | head -n 1)
top() { [ "${first%% *}" = "$version" ]; }
ok 'NEWS begins with that version' top
formed()
{
    printf '%s\n' "$entries" | head -n 1 | grep -Eqx '[^ ]+ \((not released|[0-9]{4}-[0-9]{2}-[0-9]{2})\)' &&
        ! printf '%s\n' "$entries" | tail -n +2 | grep -Evx '[^ ]+ \([0-9]{4}-[0-9]{2}-[0-9]{2}\)'
}
ok 'each entry has its date, but for one that is not released' formed
descending() { [ "$entries" = "$(printf '%s\n' "$entries" | LC_ALL=C sort -t. -k1,1nr -k2,2nr -k3,3nr)" ]; }
ok 'the newest first' descending

for file in contrib/debian/changelog contrib/rpm/*.spec contrib/rpm/*.spec.in contrib/alpine/APKBUILD \
    contrib/alpine/APKBUILD.in; do
    [ -e "$file" ] || continue
    case $file in
    *changelog) named=$(sed -n '1s/^beacond (\([^)]*\)-[^-)]*).*/\1/p' "$file") ;;
    *spec*) named=$(sed -n 's/^Version:[[:space:]]*//p' "$file") ;;
    *) named=$(sed -n 's/^pkgver=//p' "$file") ;;
    esac
    # One that is made from configure.ac's has a @WORD@ there.
    same() { case $named in "$version" | @*@) ;; *) echo "# $named" && return 1 ;; esac }
    ok "$file has the same" same
done
echo "1..$n"
