#!/bin/sh
# run.sh COMMAND…: runs one test program under automake's TAP driver.
# run.sh --skip REASON …: reports a test that can't run here.
#
# A test that hangs is ended, with all of its children, after BEACOND_TEST_TIMEOUT seconds (900; no
# limit with BEACOND_TEST_LONG=1) and so fails. Exit 77 before any test was counted is a skip:
# automake's TAP driver knows the TAP for that, not the number.
#
# The last line of a log says what the test took: "# took 12 s; processor time of its processes: …".

if [ "$1" = --skip ]; then
    echo "1..0 # SKIP $2"
    exit 0
fi

limit=${BEACOND_TEST_TIMEOUT:-900}
began=$(date +%s)
if [ "${BEACOND_TEST_LONG:-0}" != 1 ] && command -v timeout >/dev/null 2>&1; then
    timeout "$limit" "$@"
    status=$?
    if [ $status -eq 124 ]; then
        echo "Bail out! still running after $limit s"
    fi
else
    "$@"
    status=$?
fi

# The second line of times: user and system, of what has ended and was waited for.
echo "# took $(($(date +%s) - began)) s; processor time of its processes: $(times | tail -n 1)"
if [ $status -eq 77 ]; then
    echo "1..0 # SKIP exit 77: see the lines above"
    exit 0
fi
exit $status
