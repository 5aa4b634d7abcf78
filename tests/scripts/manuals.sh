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
    # Whether the manuals it refers to are installed here is no fault of it.
    said=$(mandoc -Tlint -Wstyle "$file" 2>&1 |
        grep -Ev 'referenced manual not found|outdated mandoc.db|lacks .* entry')
    if [ -z "$said" ]; then
        echo "ok $n - $file"
    else
        echo "$said" | sed 's/^/# /'
        echo "not ok $n - $file"
    fi
done
echo "1..$n"
