#!/bin/sh
# run.sh [TARGET…]: runs fuzz targets (all of them) under libFuzzer, one after the other, in a
# directory where `make fuzz` has built them or in the one above. srcdir says where the sources are.
#
#   BEACOND_FUZZ_SECONDS   of each; 12, or 3600 with BEACOND_TEST_LONG=1, and then a million runs at least
#   BEACOND_SEED           where the dice begin; 1, so that what fails at every change is what the change has
#                          broken. 0, and with BEACOND_TEST_LONG=1: somewhere else each time
#
# Begins with the corpus of the tree and goes on with what earlier runs have found in corpus/TARGET here.
# What fails is told in base64 and kept in failed/, and the exit code is 1.
srcdir=${srcdir:-../..}
[ -e tests/fuzz/fuzz_scan ] || {
    case $srcdir in /*) ;; *) srcdir=../$srcdir ;; esac
    cd fuzz || exit 2
}
sources=$srcdir/tests/fuzz least=0 seconds=12 seed=1
[ "${BEACOND_TEST_LONG:-0}" != 1 ] || least=1000000 seconds=3600 seed=0
seconds=${BEACOND_FUZZ_SECONDS:-$seconds} seed=${BEACOND_SEED:-$seed}
failures=0
mkdir -p failed

# fuzz TARGET FLAG…: runs it; its runs so far go to runs.
fuzz()
{
    target=$1
    shift
    ./tests/fuzz/fuzz_"$target" -seed="$seed" -timeout=300 -max_len=4096 -print_final_stats=1 -detect_leaks=0 \
        -dict="$sources/dictionaries/$target.dict" -artifact_prefix="failed/$target-" "$@" \
        "corpus/$target" "$sources/corpus/$target" >"failed/$target.log" 2>&1 || return 1
    runs=$((runs + $(sed -n 's/^stat::number_of_executed_units: *//p' "failed/$target.log")))
}

if [ $# -eq 0 ]; then
    for path in "$sources"/corpus/*; do
        set -- "$@" "${path##*/}"
    done
fi
for target; do
    mkdir -p "corpus/$target"
    runs=0 began=$(date +%s)
    if fuzz "$target" -max_total_time="$seconds" &&
        { [ $runs -ge $least ] || fuzz "$target" -runs=$((least - runs)); }; then
        edges=$(sed -n 's/^#[0-9]*[[:space:]]*DONE *cov: *\([0-9]*\) .*/\1/p' "failed/$target.log")
        echo "ok - $target: $runs runs, $(($(date +%s) - began)) s, $edges edges"
        rm "failed/$target.log"
    else
        failures=$((failures + 1))
        grep -Ev '^#[0-9]|# Uses|^INFO' "failed/$target.log" | tail -n 60 | sed 's/^/    /'
        echo "not ok - $target"
    fi
done
[ $failures -eq 0 ]
