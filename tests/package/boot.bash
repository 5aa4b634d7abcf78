# boot.bash: a system that root.bash has made, booted: its own systemd as process 1, so that services run
# as they do on a machine. Sourced beside root.bash, by root.
# shellcheck shell=bash
#
# Not a virtual machine: the kernel is this one's. Processes, mounts, control groups, host name and network
# are its own; the network has nothing but a loopback, so the daemon's usual port is free there and nothing
# can be fetched. One at a time.

boot_pid=
boot_shell=
boot_groups=

# boot_can: whether that can be done here; says why not.
boot_can()
{
    root_can || return
    if [ -z "$(boot_hierarchy)" ]; then
        echo 'no control groups of version 2'
    elif ! unshare --net --ipc --uts --cgroup true 2>/dev/null; then
        echo 'no namespaces for control groups'
    elif ! mkdir "$(boot_hierarchy)/beacond-test-$$" 2>/dev/null; then
        echo 'control groups can not be made'
    else
        rmdir "$(boot_hierarchy)/beacond-test-$$"
        return 0
    fi
    return 1
}

# boot_hierarchy: our own place in the control groups.
boot_hierarchy()
{
    local mounted
    mounted=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    [ -z "$mounted" ] || echo "$mounted$(sed -n 's/^0:://p' /proc/self/cgroup)"
}

# boot_start FOLDER: boots it, which must have the package systemd; returns when that is up. What it logs on
# its console is in FOLDER.console.
boot_start()
{
    local folder=$1 tries=0
    boot_groups=$(boot_hierarchy)/beacond-test-$$
    mkdir "$boot_groups" || return 1
    # shellcheck disable=SC2016
    (
        echo "$BASHPID" >"$boot_groups/cgroup.procs" &&
            exec unshare --net --mount --pid --fork --kill-child --ipc --uts --cgroup bash -c '
                set -e
                mount --bind "$1" "$1"
                cd "$1"
                mount -t proc proc proc
                mount -t sysfs -o ro sysfs sys
                mount -t cgroup2 cgroup2 sys/fs/cgroup
                mount -t tmpfs -o mode=755 tmpfs run
                mount -t tmpfs -o mode=1777 tmpfs tmp
                mount -t tmpfs -o mode=755 tmpfs dev
                for node in null zero full random urandom tty; do
                    : >"dev/$node"
                    mount --bind "/dev/$node" "dev/$node"
                done
                mkdir dev/shm dev/pts
                mount -t tmpfs -o mode=1777 tmpfs dev/shm
                mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
                ln -s pts/ptmx dev/ptmx
                ln -s /proc/self/fd dev/fd
                ip link set lo up
                # The kernel is not its own: no modules.
                mkdir -p etc/systemd/system
                ln -sfn /dev/null etc/systemd/system/systemd-modules-load.service
                mkdir -p .before
                pivot_root . .before
                umount -l /.before
                rmdir /.before
                # As systemd does itself on a machine: credentials are mounted for a service by a child.
                mount --make-rshared /
                exec env -i container=beacond-test LC_ALL=C.UTF-8 /lib/systemd/systemd --system \
                    --log-target=console --show-status=no
            ' bash "$folder"
    ) >"$folder.console" 2>&1 </dev/null &
    boot_shell=$!
    while ! boot_run timeout 60 systemctl is-system-running --wait >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ $tries -ge 100 ] || ! kill -0 "$boot_shell" 2>/dev/null; then
            echo '# it does not boot:'
            boot_run systemctl --failed --no-pager 2>&1 | sed 's/^/# /'
            tail -n 20 "$folder.console" | sed 's/^/# /'
            boot_end
            return 1
        fi
        sleep 0.1
    done
}

# boot_run COMMAND…: runs it in there, as root, with nothing of the caller's environment.
boot_run()
{
    [ -n "$boot_pid" ] || boot_pid=$(tr -d ' ' <"/proc/$boot_shell/task/$boot_shell/children" 2>/dev/null)
    # Before that it is a shell which still sees this machine's files.
    [ -n "$boot_pid" ] && [ "$(cat "/proc/$boot_pid/comm")" = systemd ] || return 1
    nsenter --target "$boot_pid" --all -- env -i HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb "$@"
}

# boot_end: ends all of it. Everything dies with process 1.
boot_end()
{
    [ -n "$boot_shell" ] || return 0
    kill -KILL "${boot_pid:-$boot_shell}" 2>/dev/null
    wait "$boot_shell" 2>/dev/null
    boot_shell=
    boot_pid=
    while [ -d "$boot_groups" ] && ! find "$boot_groups" -depth -type d -exec rmdir {} + 2>/dev/null; do
        sleep 0.1
    done
}
