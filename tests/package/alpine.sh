#!/bin/bash
# contrib/alpine: what of an APKBUILD can be tried without Alpine. BEACOND_TEST_LONG=1 has its functions
# build and install from the tarball. abuild, apk and the names of Alpine's packages are not tried.
. "${srcdir:-.}/tests/scripts/daemon.bash"
# shellcheck source=tests/package/tarball.bash
. "$source_dir/tests/package/tarball.bash"
needs make

version=$("$beacond" --version | sed -n '1s/.* //p')
apkbuild=$scratch/APKBUILD
sed "s|@VERSION@|$version|g" "$source_dir/contrib/alpine/APKBUILD.in" >"$apkbuild"

long() # long WHAT COMMAND…: one test that takes minutes
{
    if [ "${BEACOND_TEST_LONG-}" = 1 ] && [ "$(id -u)" -eq 0 ]; then
        ok "$@"
    else
        test_count=$((test_count + 1))
        echo "ok $test_count - $1 # SKIP long"
    fi
}

# Its variables, as a shell that knows no more than POSIX reads them.
field() # field NAME
{
    # that of the inner shell
    # shellcheck disable=SC2016
    dash -c '. "$1"; eval "printf %s \"\$$2\""' dash "$apkbuild" "$1"
}

checked()
{
    sh -n "$source_dir/contrib/alpine/beacond.pre-install" && sh -n "$apkbuild" || return 1
    command -v shellcheck >/dev/null || return 0
    # What abuild reads and sets; its style wants tabs and $pkgdir quoted like this.
    shellcheck -s dash -e SC2034,SC2154 "$apkbuild" "$source_dir/contrib/alpine/beacond.pre-install"
}

named()
{
    local word
    [ "$(field pkgname) $(field pkgver) $(field license)" = "beacond $version MIT" ] || return 1
    [ "$(field source)" = "beacond-$version.tar.gz" ] || return 1
    for word in $(field install); do
        [ -e "$source_dir/contrib/alpine/$word" ] || return 1
    done
    # The user that the OpenRC script has, too.
    grep -q "beacond_user:=$(field pkgusers)}" "$source_dir/contrib/openrc/beacond.initd.in" &&
        grep -q "adduser .* $(field pkgusers) " "$source_dir/contrib/alpine/beacond.pre-install"
}

# As abuild calls them: in the sources, one after the other. The user is known to nobody else.
installed()
{
    tarball_make "$scratch" && tar -C "$scratch" -xf "$scratch/beacond-$version.tar.gz" ||
        return 1
    (cat /etc/passwd && echo '_beacond:x:59999:59999::/var/lib/beacond:/sbin/nologin') >"$scratch/passwd"
    (cat /etc/group && echo '_beacond:x:59999:') >"$scratch/group"
    # shellcheck disable=SC2016
    unshare --mount sh -e -c '
        mount --bind "$1/passwd" /etc/passwd
        mount --bind "$1/group" /etc/group
        CBUILD=$(cc -dumpmachine) CHOST=$CBUILD pkgdir=$1/pkg
        cd "$1/beacond-$2"
        . "$1/APKBUILD"
        build
        check
        package' sh "$scratch" "$version" >"$scratch/package.log" 2>&1 || {
        tail -n 30 "$scratch/package.log"
        return 1
    }
}

listed()
{
    (cd "$scratch/pkg" && find . -type f -printf '%m %U %P\n' -o -name beacond -path ./var/lib/beacond \
        -printf '%m %U %P/\n') | LC_ALL=C sort -k 3 >"$scratch/listed"
    grep -Ev ' usr/share/(doc|beacond|man)/' "$scratch/listed" | diff - /dev/fd/3 3<<'END' || return 1
644 0 etc/beacond/beacond.conf
644 0 etc/conf.d/beacond
755 0 etc/init.d/beacond
755 0 usr/bin/beacond
644 0 usr/share/bash-completion/completions/beacond
644 0 usr/share/fish/vendor_completions.d/beacond.fish
644 0 usr/share/zsh/site-functions/_beacond
700 59999 var/lib/beacond/
END
    grep -q ' usr/share/beacond/sql/0001-schema.sql$' "$scratch/listed" &&
        grep -q ' usr/share/man/man8/beacond.8$' "$scratch/listed" &&
        grep -q '^command="/usr/bin/beacond"' "$scratch/pkg/etc/init.d/beacond" &&
        ! ldd "$scratch/pkg/usr/bin/beacond" | grep -q systemd
}

ok 'APKBUILD and pre-install are shell scripts without mistakes' checked
ok 'they name what is there' named
long 'its functions build from the tarball and install' installed
long 'what they install is what it should be' listed
echo "1..$test_count"
