#!/bin/bash
# The tarball: the same sources give the same bytes, whenever and wherever it is made.
. "${srcdir:-.}/tests/scripts/daemon.bash"
needs git make

build=$PWD
made() # made NAME: a tarball, kept under that name
{
    make -C "$build" -s dist >"$scratch/$1.log" 2>&1 || {
        tail -n 20 "$scratch/$1.log"
        return 1
    }
    mv "$build"/beacond-*.tar.gz "$scratch/$1.tar.gz"
}

ok 'a tarball is made' made first
ok 'and another' made second
ok 'they are the same, byte for byte' cmp "$scratch/first.tar.gz" "$scratch/second.tar.gz"
echo "1..$test_count"
