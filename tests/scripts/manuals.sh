#!/bin/sh
# mandoc finds nothing to complain about in the manuals.
cd "${srcdir:-.}" || exit 1
command -v mandoc >/dev/null || {
    echo '1..0 # SKIP mandoc is not installed'
    exit 0
}

n=0
for file in man/*.[1-9]; do
    n=$((n + 1))
    # The system's name and base release are not ours to state: -Ios keeps that quiet.
    if said=$(mandoc -Tlint -Wstyle -Ios=beacond "$file" 2>&1); then
        echo "ok $n - $file"
    else
        echo "$said" | sed 's/^/# /'
        echo "not ok $n - $file"
    fi
done
echo "1..$n"
