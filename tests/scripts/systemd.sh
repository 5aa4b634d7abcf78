#!/bin/bash
# What is in contrib/systemd and contrib/openrc: systemd's own tools and shellcheck find nothing wrong
# with it, and the unit stays as closed as it is.
top=${srcdir:-.}
: "${BEACOND:=$PWD/src/beacond}"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0

# verdict NAME SAID: ok when nothing was said.
verdict()
{
    n=$((n + 1))
    if [ -z "$2" ]; then
        echo "ok $n - $1"
    else
        echo "$2" | sed 's/^/# /'
        echo "not ok $n - $1"
    fi
}

skip()
{
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}

# As make does it, with the program that was built.
mkdir "$work/bin"
ln -s "$BEACOND" "$work/bin/beacond"
put_in() { sed "s|@bindir@|$work/bin|; s|@sysconfdir@|/etc|" "$1"; }
put_in "$top/contrib/systemd/beacond.service.in" >"$work/beacond.service"
cp "$top"/contrib/systemd/*.socket "$work"

if ! command -v systemd-analyze >/dev/null; then
    skip 'the units are right' 'no systemd-analyze'
    skip 'the unit is closed' 'no systemd-analyze'
elif [ "$(systemd-analyze --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')" -lt 250 ]; then
    skip 'the units are right' 'systemd before 250'
    skip 'the unit is closed' 'systemd before 250'
else
    verdict 'the units are right' "$(
        systemd-analyze verify --man=no --recursive-errors=no "$work/beacond.service" "$work/beacond.socket" \
            "$work/beacond-admin.socket" 2>&1 || echo "exit code $?"
    )"
    # In tenths, the less the better; it is 12 with systemd 252.
    verdict 'the unit is closed' "$(
        systemd-analyze security --no-pager --offline=true --threshold=15 "$work/beacond.service" 2>&1 >"$work/security" ||
            cat "$work/security"
    )"
fi

# Every setting has its reason above it, or shares that of the line before.
verdict 'each setting of the unit has its reason' "$(
    awk '/^\[/ { fresh = 0; service = /Service/ }
        /^$/ { fresh = 0 }
        /^#/ { fresh = 1 }
        service && /^[A-Z]/ && !fresh { print "no reason: " $0 }' "$work/beacond.service"
)"

if command -v systemd-sysusers >/dev/null; then
    verdict 'the user can be made' "$(
        mkdir -p "$work/root/etc"
        if ! systemd-sysusers --dry-run --root="$work/root" - <"$top/contrib/systemd/beacond.sysusers" >"$work/said" 2>&1 ||
            ! grep -q "Creating user '_beacond'" "$work/said"; then
            cat "$work/said"
            echo 'no user was made'
        fi
    )"
else
    skip 'the user can be made' 'no systemd-sysusers'
fi

if ! command -v systemd-tmpfiles >/dev/null; then
    skip 'the key file is made, once' 'no systemd-tmpfiles'
elif [ "$(id -u)" -ne 0 ]; then
    skip 'the key file is made, once' 'its owner is root'
else
    # The same file twice: the second time there is something in it.
    verdict 'the key file is made, once' "$(
        mkdir -p "$work/root/etc"
        printf 'root:x:0:0:root:/root:/bin/sh\n' >"$work/root/etc/passwd"
        printf 'root:x:0:\n' >"$work/root/etc/group"
        make_files() { put_in "$top/contrib/systemd/beacond.tmpfiles.in" | systemd-tmpfiles --create --root="$work/root" - 2>&1; }
        make_files
        [ "$(stat -c '%a %s' "$work/root/etc/beacond/keys")" = '600 0' ] || ls -lR "$work/root/etc"
        echo 'KEY:query' >"$work/root/etc/beacond/keys"
        make_files
        [ "$(cat "$work/root/etc/beacond/keys")" = KEY:query ] || echo 'the keys are gone'
    )"
fi

for file in beacond.initd.in beacond.confd; do
    if ! said=$(sh -n "$top/contrib/openrc/$file" 2>&1); then
        verdict "$file is a shell script" "$said"
    elif command -v shellcheck >/dev/null; then
        verdict "$file is a shell script that shellcheck likes" "$(shellcheck -s sh -S warning "$top/contrib/openrc/$file")"
    else
        verdict "$file is a shell script" ''
    fi
done

echo "1..$n"
