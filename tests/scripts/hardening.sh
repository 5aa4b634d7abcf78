#!/bin/bash
# What the linked program has of what makes a mistake in it hard to use: not the flags it was built with,
# but what they have come to. configure.ac chooses them; a distribution's own (contrib/debian, rpm, alpine)
# come to the same.
program=${BEACOND:-src/beacond}
n=0

skip_all()
{
    echo "1..0 # SKIP $1"
    exit 0
}

for tool in readelf objdump; do
    command -v $tool >/dev/null || skip_all "$tool is not installed (Debian package binutils)"
done
header=$(LC_ALL=C readelf -Wh "$program" 2>/dev/null) || skip_all "$program is no ELF file"
segments=$(LC_ALL=C readelf -Wl "$program")
dynamic=$(LC_ALL=C readelf -Wd "$program")
symbols=$(LC_ALL=C readelf -W --dyn-syms "$program")
notes=$(LC_ALL=C readelf -Wn "$program")
machine=$(sed -n 's/^ *Machine: *//p' <<<"$header")
! grep -q '__[atm]san_init' <<<"$symbols" || skip_all 'built with sanitizers'
case $TEST_CFLAGS in *-O0*) skip_all 'built without optimisation' ;; esac

ok() # ok WHAT COMMAND…: a test passes when the command does
{
    local what=$1
    shift
    n=$((n + 1))
    if "$@"; then echo "ok $n - $what"; else echo "not ok $n - $what"; fi
}

skip() # skip WHAT WHY
{
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}

says() # says TEXT PATTERN
{
    grep -Eq "$2" <<<"$1"
}

says_not()
{
    ! says "$@"
}

# No function moves the stack pointer by more than a page at once, over a guard page.
steps_are_small()
{
    local far
    far=$(LC_ALL=C objdump -d --no-show-raw-insn "$program" | sed -n 's/.*sub *\$0x\([0-9a-f]*\),%rsp.*/\1/p' |
        sort -u | while read -r bytes; do [ $((0x$bytes)) -le 4096 ] || echo "$bytes"; done)
    [ -z "$far" ]
}

ok 'its place in memory is drawn anew each time (PIE)' says "$header" 'Type: *DYN'
ok 'and it says that it is a program' says "$dynamic" 'FLAGS_1.* PIE'
ok 'what the loader has written is read-only afterwards (RELRO)' says "$segments" '^ *GNU_RELRO'
ok 'all of it at the start (full RELRO)' says "$dynamic" 'BIND_NOW|FLAGS_1.* NOW'
ok 'the stack is not executable' says "$segments" '^ *GNU_STACK .* RW +0x'
ok 'no segment is both written and executed' says_not "$segments" '^ *LOAD .* RWE '
ok 'what is executed is in segments of its own' says_not "$segments" '^ *LOAD +0x0+ .* R E '
ok 'the code is not changed when it is loaded' says_not "$dynamic" 'TEXTREL'
ok 'libraries are looked for where the system has them (no RPATH)' says_not "$dynamic" '\((RPATH|RUNPATH)\)'
ok 'functions notice when their stack was overwritten' says "$symbols" ' __stack_chk_fail'
if says "$symbols" '@GLIBC_'; then
    ok 'lengths are checked where the compiler knows the room (_FORTIFY_SOURCE)' \
        says "$symbols" ' __(memcpy|snprintf|vsnprintf|read)_chk@'
else
    skip 'lengths are checked where the compiler knows the room' 'this C library has no such functions'
fi
case $machine in
*X86-64*)
    ok 'the stack grows page by page' steps_are_small
    main=$(LC_ALL=C objdump -d --no-show-raw-insn --disassemble=main "$program" | grep -A1 '<main>:')
    if [ -n "$main" ]; then
        ok 'functions say that they may be jumped to (CET)' says "$main" endbr64
    else
        skip 'functions say that they may be jumped to (CET)' 'the program is stripped'
    fi
    ;;
*AArch64*)
    skip 'the stack grows page by page' 'looked at on x86-64'
    ok 'functions say that they may be jumped to (BTI)' says "$notes" 'BTI|PAC'
    ;;
*)
    skip 'the stack grows page by page' 'looked at on x86-64'
    skip 'functions say that they may be jumped to' "no such thing on $machine"
    ;;
esac
echo "1..$n"
