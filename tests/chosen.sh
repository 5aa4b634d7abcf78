#!/bin/sh
# chosen.sh FIRST WITHOUT TEST…: writes down the tests but those of the list WITHOUT (which stay with
# BEACOND_TEST_LONG=1); those of the list FIRST come first, in its order.
first=$1 without=" $(printf '%s' "$2" | tr '\n' ' ') "
shift 2
all=" $* " chosen=
[ "${BEACOND_TEST_LONG-}" != 1 ] || without=
for test in $first; do
    case $all in *" $test "*) chosen="$chosen $test" ;; esac
done
for test in $all; do
    case " $first " in *" $test "*) ;; *) chosen="$chosen $test" ;; esac
done
for test in $chosen; do
    case $without in *" $test "*) ;; *) echo "$test" ;; esac
done
