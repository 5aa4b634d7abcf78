#!/bin/bash
# count.sh [--update]: the hot paths take as many instructions as they did.
#
# Each program of this directory calls count_subject once; callgrind counts the instructions of that
# call, which other work on the machine does not change. tests/count/expected holds the numbers, a line
# each: how the program was made, subject, instructions. More than SLACK percent away from it, in either
# direction, fails: slower is a regression, faster a number to be lowered. --update writes what was
# measured into the file of the source tree.
#
# The C library picks its memcpy and the like by processor; all but the plainest are masked, so that
# the numbers are the same on all of them. Skips, with the reason, what has no number: another compiler
# or library, a build without -O2, sanitizers, no valgrind.
[ -n "$BASH_VERSION" ] || exec bash "$0" "$@"
SLACK=5
subjects=(scan glue receipts)
srcdir=${srcdir:-.}
expected=$srcdir/tests/count/expected
masked=-AVX,-AVX2,-AVX_Fast_Unaligned_Load,-AVX512F,-AVX512VL,-AVX512BW,-AVX512CD,-AVX512DQ,-AVX512ER,-AVX512PF
masked+=,-BMI1,-BMI2,-LZCNT,-MOVBE,-POPCNT,-ERMS,-FSRM,-RTM,-SSE3,-SSSE3,-SSE4_1,-SSE4_2,-XSAVE,-XSAVEC
masked+=,-Fast_Rep_String,-Fast_Copy_Backward,-Fast_Unaligned_Load,-Fast_Unaligned_Copy,-Slow_BSF
masked+=,-Prefer_No_VZEROUPPER,-Prefer_ERMS,-Prefer_FSRM,-Prefer_No_AVX512_Probing
# Where blocks begin to be copied by other means depends on the size of the processor's caches.
tunables=glibc.cpu.hwcaps=$masked:glibc.cpu.x86_non_temporal_threshold=0x300000
tunables+=:glibc.cpu.x86_rep_movsb_threshold=0x800:glibc.cpu.x86_rep_stosb_threshold=0x800

skip_all()
{
    echo "1..0 # SKIP $1"
    exit 0
}

# What keeps the numbers from meaning anything; empty when nothing does. $1: what the program said.
unfit()
{
    local option level=-O2
    case $1 in
    sanitized*) echo 'built with sanitizers' ;;
    optimised*) # The program can't tell -O1 from -O2; make can.
        for option in ${TEST_CFLAGS-}; do
            case $option in -O*) level=$option ;; esac
        done
        [ "$level" = -O2 ] || echo "built with $level: the numbers are those of -O2"
        ;;
    unoptimised*) echo 'built without optimisation' ;;
    esac
}

# Prints how the program was made and the instructions of its subject; or why it could not be done.
measure()
{
    local said
    said=$(GLIBC_TUNABLES=$tunables valgrind --tool=callgrind --toggle-collect=count_subject \
        --callgrind-out-file=/dev/null "tests/count/count_$1" 2>&1) || {
        printf '%s\n' "$said" >&2
        return 1
    }
    printf '%s\n' "$said" | awk '
        $1 == "optimised" { made = $2 }
        $1 == "ok" { fine = 1 }
        /Collected : / { count = $4 }
        END { if (fine && made != "" && count > 0) print made, count; else exit 1 }' || {
        printf '%s\n' "$said" >&2
        return 1
    }
}

update()
{
    local subject made count
    for subject in "${subjects[@]}"; do
        read -r made count < <(measure "$subject") || exit 1
        grep -vs "^$made $subject " "$expected" >"$expected.new"
        echo "$made $subject $count" >>"$expected.new"
        { grep '^#' "$expected.new"; grep -v '^#' "$expected.new" | LC_ALL=C sort; } >"$expected"
        rm -f "$expected.new"
        echo "$made $subject $count"
    done
    exit 0
}

if [ ! -r "$expected" ]; then
    echo "Bail out! $expected is not there"
    exit 1
fi
command -v valgrind >/dev/null || skip_all 'valgrind is not installed'
if ! made=$(tests/count/count_glue); then
    echo 'Bail out! tests/count/count_glue does not run'
    exit 1
fi
made=${made%%$'\n'*}
reason=$(unfit "$made")
[ -z "$reason" ] || skip_all "$reason"
[ "${1-}" != --update ] || update

n=0
for subject in "${subjects[@]}"; do
    n=$((n + 1))
    number=$(awk -v made="${made#* }" -v subject="$subject" '$1 == made && $2 == subject { print $3 }' "$expected")
    if [ -z "$number" ]; then
        echo "ok $n - $subject # SKIP no number for ${made#* }: see tests/count/count.sh"
    elif ! said=$(measure "$subject" 2>&1); then
        printf '%s\n' "$said" | sed 's/^/# /'
        echo "not ok $n - $subject could not be counted"
    else
        count=${said#* }
        echo "# $subject: $count instructions, $number expected"
        case $((count * 100 > number * (100 + SLACK)))$((count * 100 < number * (100 - SLACK))) in
        10) echo "not ok $n - $subject takes more instructions than it did" ;;
        01) echo "not ok $n - $subject takes fewer instructions: lower the number (count.sh --update)" ;;
        *) echo "ok $n - $subject takes as many instructions as it did" ;;
        esac
    fi
done
echo "1..$n"
