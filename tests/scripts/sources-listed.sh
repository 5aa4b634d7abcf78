#!/bin/sh
# Every source, test and SQL file of the tree stands in Makefile.am: what does not is neither built,
# run nor shipped. And what stands there is in the tree, or there is no tarball.
cd "${srcdir:-.}" || exit 1

listed()
{
    # unit tests stand there as programs, without .c
    grep -Eq "(^|[[:space:]])$(printf '%s' "${1%.c}" | sed 's/[.]/[.]/g')([.]c)?([[:space:]]|\$)" \
        Makefile.am
}

n=0
for file in $(find src tests/bench tests/browser tests/count tests/coverage tests/crash tests/faults tests/fuzz tests/mutation tests/unit tests/e2e tests/package tests/scripts sql man -name node_modules -prune -o -type f \
    \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' -o -name '*.sql' -o -name '*.awk' \
    -o -name '*.[1-9]' -o -name '*.js' -o -name '*.json' -o -name '*.html' -o -name '*.css' \) ! -path "src/store/*/sql.h" ! -path src/page/text.h -print | sort); do
    n=$((n + 1))
    if listed "$file"; then
        echo "ok $n - $file"
    else
        echo "not ok $n - $file is not in Makefile.am"
    fi
done
# What is built, and the caller's, is named with a $( before it.
for file in $(grep -oE '(^|[[:space:]])(src|sql|tests|man|contrib)/[A-Za-z0-9_./-]*[.](c|h|sh|py|sql|awk|[1-9]|js|json|html|css)\b' Makefile.am |
    grep -vE '/(sql|text)[.]h$' | sort -u); do
    if [ ! -e "$file" ]; then
        n=$((n + 1))
        echo "not ok $n - $file is in Makefile.am alone"
    fi
done
echo "1..$n"
