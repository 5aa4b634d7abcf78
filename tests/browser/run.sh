#!/bin/sh
# The browser tests; main.js tells what they need and how to run them alone.
[ "${BEACOND_TEST_BROWSER-}" != no ] || {
    echo '1..0 # SKIP BEACOND_TEST_BROWSER=no'
    exit 0
}
here=$(cd "$(dirname "$0")" && pwd) || exit 1
for program in node python3; do
    command -v $program >/dev/null || {
        echo "1..0 # SKIP $program is not installed"
        exit 0
    }
done
exec node "$here/main.js" "$@"
