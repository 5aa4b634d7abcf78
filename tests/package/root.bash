# root.bash: bare Debian systems in folders, for tests to install into and build in. Sourced by a script
# that is run as root, beside tests/scripts/daemon.bash's `ok` or a counter of its own.
# shellcheck shell=bash
#
# What runs inside has processes and mounts of its own, which end with it. The network is this machine's:
# ports are to be chosen by the kernel there, too. Services that packages would start stay off.

# root_can: whether such folders can be made here; says why not.
root_can()
{
    if [ "$(id -u)" -ne 0 ]; then
        echo 'not root'
    elif ! command -v debootstrap >/dev/null; then
        echo 'debootstrap is not installed'
    elif ! unshare --mount --pid --fork true 2>/dev/null; then
        echo 'no namespaces'
    elif [ -z "$(root_mirror)" ]; then
        echo 'apt names no Debian mirror here'
    else
        return 0
    fi
    return 1
}

# root_mirror: where this machine gets Debian from.
root_mirror()
{
    # apt's own placeholders, not the shell's
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 2>/dev/null |
        awk '$1 == "Debian" { print $2; exit }'
}

# root_make SUITE FOLDER: a bare system of that release (bookworm, trixie) in FOLDER, which must not be
# there yet. What was fetched once is kept in $root_archive.
root_archive=${BEACOND_ROOTS-$PWD/tests/package/roots}
root_make()
{
    local suite=$1 folder=$2 kept=$root_archive/$1.tar
    mkdir -p "$root_archive" "$folder" || return 1
    if [ ! -e "$kept" ]; then
        # What it mounts goes with it, even when it is killed.
        unshare --mount debootstrap --variant=minbase "$suite" "$folder" "$(root_mirror)" || return 1
        printf '#!/bin/sh\nexit 101\n' >"$folder/usr/sbin/policy-rc.d"
        chmod 755 "$folder/usr/sbin/policy-rc.d"
        cp /etc/resolv.conf "$folder/etc/resolv.conf"
        tar -C "$folder" --numeric-owner -cf "$kept.$$" . && mv "$kept.$$" "$kept"
        return
    fi
    tar -C "$folder" --numeric-owner -xpf "$kept"
}

# root_run FOLDER COMMAND…: runs it inside, as root, with nothing of the caller's environment.
root_run()
{
    local folder=$1
    shift
    unshare --mount --pid --fork --kill-child bash -c '
        folder=$1
        shift
        mount -t proc proc "$folder/proc" || exit 125
        # terminals, which unit tests open
        mkdir -p "$folder/dev/pts"
        mount -t devpts -o newinstance,ptmxmode=0666 devpts "$folder/dev/pts" || exit 125
        exec chroot "$folder" "$@"' bash "$folder" \
        env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive TERM=dumb "$@"
}
