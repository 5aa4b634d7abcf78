#!/bin/sh
# Every fuzz target over its corpus and some thousand mutations of it; HACKING tells how to run them
# under libFuzzer.
folder=${srcdir:-.}/tests/fuzz/corpus
n=0
for target in "$folder"/*; do
    n=$((n + 1))
    name=${target##*/}
    if said=$(./tests/fuzz/fuzz_"$name" "$target" 2>&1); then
        echo "ok $n - $name: $said"
    else
        printf '%s\n' "$said" | sed 's/^/# /'
        echo "not ok $n - $name"
    fi
done
echo "1..$n"
