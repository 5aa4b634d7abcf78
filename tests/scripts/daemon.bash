# daemon.bash: starts a real beacond for a test script, and ends it again. Sourced, by bash.
# shellcheck shell=bash

beacond=${BEACOND:-src/beacond}
if [ ! -x "$beacond" ]; then
    echo "Bail out! $beacond is not there: make"
    exit 1
fi
beacond=$(cd "$(dirname "$beacond")" && pwd)/$(basename "$beacond")
# To the daemon every BEACOND_… in the environment is an option. Here BEACOND_TEST_LONG and the like count on.
export -n BEACOND "${!BEACOND_@}"
unset BEACOND
export BEACOND_CONFIG= # not the one that this machine may have
source_dir=$(cd "${srcdir:-.}" && pwd)
scratch=$(mktemp -d)
daemon_pid=
log_pid=
test_count=0

daemon_end()
{
    if [ -n "$daemon_pid" ]; then
        kill "$daemon_pid" 2>/dev/null
        wait "$daemon_pid"
        daemon_status=$?
        daemon_pid=
        # Nothing may come behind what the script says last: automake reads its status there.
        [ -z "$log_pid" ] || wait "$log_pid"
        log_pid=
    fi
}

daemon_clean()
{
    daemon_end
    rm -rf "$scratch"
}
trap daemon_clean EXIT
trap 'exit 1' INT TERM

# daemon_start COMMAND…: runs it in $scratch, waits for "ready" in its log and sets $address to where
# it listens. 1 when it ends before that.
daemon_start()
{
    local line
    address=
    rm -f "$scratch/log"
    mkfifo "$scratch/log"
    (cd "$scratch" && exec "$@") >"$scratch/out" 2>"$scratch/log" </dev/null &
    daemon_pid=$!
    log_pid= # not before it is ready
    exec 3<"$scratch/log"
    while IFS= read -r -t 60 -u 3 line; do
        echo "# $line"
        case $line in
        *'listening on '*) address=${line##*listening on } ;;
        *ready)
            # The rest of the log still has to go somewhere.
            sed 's/^/# /' <&3 &
            log_pid=$!
            exec 3<&-
            return 0
            ;;
        esac
    done
    exec 3<&-
    return 1
}

# ok WHAT COMMAND…: one test, passed when the command succeeds.
ok()
{
    local what=$1
    shift
    test_count=$((test_count + 1))
    if "$@"; then
        echo "ok $test_count - $what"
    else
        echo "not ok $test_count - $what"
    fi
}

# needs COMMAND…: skips everything where one is missing.
needs()
{
    local command
    for command; do
        command -v "$command" >/dev/null || {
            echo "1..0 # SKIP $command is not installed"
            exit 0
        }
    done
}
