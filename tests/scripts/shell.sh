#!/bin/bash
# Every script of the tree parses, and shellcheck, where there is one, finds no error or warning.
cd "${srcdir:-.}" || exit 1
shopt -s nullglob

n=0
for file in contrib/* contrib/debian/* contrib/debian/tests/* .ci/run tests/*.sh tests/browser/*.sh tests/count/*.sh tests/package/*.sh tests/scripts/*.sh; do
    [ -f "$file" ] || continue
    shell=$(sed -n '1s|^#! *\(/usr\)\{0,1\}/bin/\(env \)\{0,1\}||p' "$file")
    case $shell in
    sh | bash) ;;
    *) continue ;;
    esac
    n=$((n + 1))
    if ! said=$("$shell" -n "$file" 2>&1); then
        echo "$said" | sed 's/^/# /'
        echo "not ok $n - $file"
    elif command -v shellcheck >/dev/null && ! said=$(shellcheck -x -S warning "$file" 2>&1); then
        echo "$said" | sed 's/^/# /'
        echo "not ok $n - $file: shellcheck"
    else
        echo "ok $n - $file"
    fi
done

# The lists of contrib/packages.sh are added to: one that is set a second time has lost what others need,
# whose tests then skip.
n=$((n + 1))
twice=$(sed -n 's/^\([a-z_]*\)=(.*/\1/p' contrib/packages.sh | sort | uniq -d)
[ -z "$twice" ] || echo "# $twice"
if [ -z "$twice" ] && grep -q '^packages_build=(' contrib/packages.sh; then
    echo "ok $n - no list of contrib/packages.sh is begun twice"
else
    echo "not ok $n - no list of contrib/packages.sh is begun twice"
fi
echo "1..$n"
