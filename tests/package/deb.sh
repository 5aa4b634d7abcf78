#!/bin/bash
# Debian's packages: built from the tarball on this machine, looked at. With BEACOND_TEST_LONG=1 also built
# in bare systems of each release with the tests they have, installed, upgraded, removed and purged in
# one that is booted, with data and with a changed configuration.
. "${srcdir:-.}/tests/scripts/daemon.bash"
# shellcheck source=tests/package/root.bash
. "$source_dir/tests/package/root.bash"
# shellcheck source=tests/package/boot.bash
. "$source_dir/tests/package/boot.bash"
# shellcheck source=tests/package/tarball.bash
. "$source_dir/tests/package/tarball.bash"
needs dpkg-buildpackage dh lintian make
deb_clean()
{
    boot_end
    daemon_clean
}
trap deb_clean EXIT
debian=$source_dir/contrib/debian

# told LOG COMMAND…: its output goes there, and its end here when it fails.
told()
{
    local log=$1
    shift
    "$@" >"$log" 2>&1 </dev/null && return
    tail -n 30 "$log" | sed 's/^/# /'
    return 1
}

# same WHAT WANTED GOT
same()
{
    [ "$2" = "$3" ] && return
    diff <(echo "$2") <(echo "$3") | sed "s/^/# $1: /"
    return 1
}

# --- built here, and looked at -------------------------------------------------------------------

mkdir "$scratch/built" "$scratch/root" || exit 1
tarball_make "$scratch" || {
    echo 'Bail out! no tarball'
    exit 1
}
tarball=$(echo "$scratch"/beacond-*.tar.gz)
version=$(basename "$tarball" .tar.gz)
version=${version#beacond-}
release=$(dpkg-parsechangelog -l "$debian/changelog" -S Version)
package=beacond_${release}_$(dpkg --print-architecture).deb
higher=beacond_${release}+higher_$(dpkg --print-architecture).deb

version_is_one()
{
    same 'version in contrib/debian/changelog' "$version" "${release%-*}"
}
ok 'its version is that of the changelog' version_is_one

build_here()
(
    cd "$scratch/built" &&
        DEB_BUILD_OPTIONS=nocheck told build.log sh "$debian/build" "$tarball"
)
ok 'packages are built of it' build_here

lints() # lints COMMAND…: lintian, run by it, finds nothing that is not overridden with a reason
{
    local said
    said=$("$@" 2>&1) && [ -z "$said" ] && return
    echo "$said" | sed 's/^/# /'
    return 1
}
# Root needs not be told that it is root.
lints_here()
{
    lints lintian --allow-root --no-cfg --pedantic --fail-on error,warning,info,pedantic \
        "$scratch/built/beacond_${release}"_*.changes
}
ok 'lintian finds nothing, pedantic' lints_here

# In a file: dpkg-deb complains when grep does not read to the end.
deb_lists()
{
    [ -s "$scratch/listed" ] || dpkg-deb -c "$scratch/built/$package" >"$scratch/listed"
    cat "$scratch/listed"
}

# Everything but documents. A path's mode and owner are part of it.
files_are()
{
    local wanted got
    wanted="\
-rw-r--r-- root/root /etc/beacond/beacond.conf
-rwxr-xr-x root/root /usr/bin/beacond
-rw-r--r-- root/root UNITS/beacond-admin.socket
-rw-r--r-- root/root UNITS/beacond.service
-rw-r--r-- root/root UNITS/beacond.socket
-rw-r--r-- root/root /usr/lib/sysusers.d/beacond.conf
-rw-r--r-- root/root /usr/lib/tmpfiles.d/beacond.conf
-rw-r--r-- root/root /usr/share/bash-completion/completions/beacond
-rw-r--r-- root/root /usr/share/fish/vendor_completions.d/beacond.fish
-rw-r--r-- root/root /usr/share/zsh/vendor-completions/_beacond"
    got=$(deb_lists | awk '!/\/$/ { print $1, $2, substr($6, 2) }' |
        sed -E 's|(/usr)?/lib/systemd/system/|UNITS/|' | grep -Ev '/usr/share/(doc|man|lintian|beacond)/' | LC_ALL=C sort -k 3)
    same files "$(echo "$wanted" | LC_ALL=C sort -k 3)" "$got"
}
ok 'it holds these files, owned and readable as they should be' files_are

manuals_there()
{
    local page missing=0
    for page in "$source_dir"/man/*.[1-9]; do
        deb_lists | grep -q "/usr/share/man/man${page##*.}/$(basename "$page").gz\$" || {
            echo "# no $page"
            missing=1
        }
    done
    [ $missing -eq 0 ] && deb_lists | grep -q /usr/share/beacond/sql/0001-schema.sql &&
        deb_lists | grep -q /usr/share/doc/beacond/README.Debian &&
        deb_lists | grep -q /usr/share/doc/beacond/examples/nginx/beacond.conf
}
ok 'every manual page, the schema, README.Debian, the examples' manuals_there

conffiles_are()
{
    same conffiles /etc/beacond/beacond.conf "$(dpkg-deb --info "$scratch/built/$package" conffiles)"
}
ok 'beacond.conf is its conffile, and nothing else is' conffiles_are

depends_are()
{
    local depends name
    depends=", $(dpkg-deb -f "$scratch/built/$package" Depends),"
    for name in procps libevent-2.1-7 libjansson4 libpq5 libsqlite3-0 libssl3 libsystemd0 libwslay1 zlib1g; do
        echo "$depends" | grep -Eq ", $name(t64)?[ ,]" || {
            echo "# $name is not in $depends"
            return 1
        }
    done
    echo "$depends" | grep -q 'debconf' && echo "$depends" | grep -q 'systemd-sysusers'
}
ok 'it depends on the libraries, debconf, sysusers, and procps for its reload' depends_are

scripts_parse()
{
    local script
    dpkg-deb -e "$scratch/built/$package" "$scratch/control" || return
    for script in postinst prerm postrm; do
        sh -n "$scratch/control/$script" || return
        # debconf's library, and what debhelper has put in, are not ours to judge
        if command -v shellcheck >/dev/null; then
            shellcheck -s sh -S warning -e SC1091 "$debian/beacond.$script" || return
        fi
    done
}
ok 'its scripts parse' scripts_parse

debug_goes_with_it()
{
    local id
    dpkg-deb -x "$scratch/built/$package" "$scratch/root" || return
    id=$(readelf -n "$scratch/root/usr/bin/beacond" | sed -n 's/.*Build ID: \(..\)/\1\//p')
    [ -n "$id" ] &&
        dpkg-deb -c "$scratch/built/${package/beacond_/beacond-dbgsym_}" | grep "/$id.debug\$" >/dev/null
}
ok 'beacond-dbgsym has the symbols of just this program' debug_goes_with_it

hardened()
{
    BEACOND=$scratch/root/usr/bin/beacond TEST_CFLAGS='' \
        bash "$source_dir/tests/scripts/hardening.sh" >"$scratch/hardening" || return
    grep -q '^ok 11 ' "$scratch/hardening" && ! grep '^not ok' "$scratch/hardening" | sed 's/^/# /' | grep .
}
ok 'it is hardened as Debian wants it' hardened

runs()
{
    local program=$scratch/root/usr/bin/beacond
    "$program" --version | grep -qF "$version" &&
        "$program" check-config --config "$scratch/root/etc/beacond/beacond.conf" --database "$scratch/x.db" >"$scratch/checked" &&
        grep -qx 'database = /var/lib/beacond/beacond.db' "$scratch/root/etc/beacond/beacond.conf"
}
ok 'what is in it runs and takes its configuration, which names the database' runs

# --- long: other releases, a real service manager ------------------------------------------------

# build_in SUITE: the tarball's packages, made in a bare system of that release by a user who may nothing,
# the tests that a build daemon can run included; and another one of a version higher, whose default
# configuration differs. Both end in $scratch/SUITE.
build_in()
{
    local folder=$scratch/$1-build
    root_make "$1" "$folder" && mkdir -p "$folder/bare" "$scratch/$1" || return
    tar -C "$folder/bare" -xf "$tarball" && cp "$tarball" "$folder/bare" &&
        cp -R "$folder/bare/beacond-$version/contrib/debian" "$folder/bare/debian" || return
    told "$scratch/$1-deps.log" root_run "$folder" sh -ec '
        apt-get -qq update
        cd /bare && mkdir packaging && mv debian packaging
        apt-get -qq -y --no-install-recommends install dpkg-dev lintian
        apt-get -qq -y --no-install-recommends build-dep ./packaging
        useradd -m builder
        rm -rf packaging
        mv "$1" /bare/from
        chown -R builder /bare
    ' sh "/bare/beacond-$version" || return
    told "$scratch/$1-build.log" root_run "$folder" runuser -u builder -- sh -ec '
        cd /bare
        from/contrib/debian/build "$1"
        mkdir higher && cd higher
        tar -xf "../$1" && mv beacond-* beacond && cp -R beacond/contrib/debian beacond/debian
        cd beacond
        { printf "beacond (%s+higher) unstable; urgency=medium\n\n  * Higher.\n\n" "$2"
          sed -n "/^ -- /{p;q}" debian/changelog; echo; cat debian/changelog; } >changelog.new
        mv changelog.new debian/changelog
        echo "# The next version says this." >>contrib/beacond.conf
        DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -us -uc -b
    ' sh "$(basename "$tarball")" "$release" || return
    cp "$folder"/bare/*.deb "$folder"/bare/higher/*.deb "$scratch/$1"
}

# lints_in SUITE: by that release's lintian.
lints_in()
{
    lints root_run "$scratch/$1-build" runuser -u builder -- sh -c \
        "lintian --no-cfg --fail-on error,warning /bare/beacond_${release}_*.changes"
}

# boots SUITE: a bare system with systemd; what the package depends on is fetched, not installed.
boots()
{
    local folder=$scratch/$1-root
    root_make "$1" "$folder" && mkdir "$folder/packages" && cp "$scratch/$1"/*.deb "$folder/packages" &&
        cp -R "$debian/tests" "$folder/packages" || return
    told "$scratch/$1-prepare.log" root_run "$folder" sh -ec '
        apt-get -qq update
        apt-get -qq -y --no-install-recommends install systemd systemd-sysv dbus curl man-db
        apt-get -qq -y --no-install-recommends --download-only install "/packages/$1"
        rm -f /usr/sbin/policy-rc.d
    ' sh "$package" && boot_start "$folder"
}

apt() # apt COMMAND [ARGUMENT…]: in the booted system, without a network
{
    told "$scratch/apt.log" boot_run apt-get -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
}

within() # within COMMAND: a shell's, in the booted system
{
    told "$scratch/within.log" boot_run sh -ec "$1"
}

pid_in()
{
    boot_run systemctl show -P MainPID beacond.service
}

send='curl -fsS -d "{\"events\":[{\"id\":\"\",\"timestamp\":\"2024-05-01T00:00:0$N.000Z\",\"n\":$N}]}" \
    http://127.0.0.1:4242/_tracker/events'
total='curl -fsS "http://127.0.0.1:4242/_tracker?since=2024-05-01T00:00:00Z&until=2024-05-02T00:00:00Z&limit=0"'

upgraded()
{
    local before
    before=$(pid_in)
    # A configuration of their own is kept, and the daemon reads it.
    within 'echo "app-id = mine" >>/etc/beacond/beacond.conf; systemctl reload beacond.service' &&
        within "N=1; $send; N=2; $send" &&
        apt install "/packages/$higher" \
            -o Dpkg::Options::=--force-confold &&
        [ "$(pid_in)" != "$before" ] && [ "$(pid_in)" -gt 0 ] &&
        within "[ \"\$(dpkg-query -W -f '\${Version}' beacond)\" = '$release+higher' ]" &&
        within 'systemctl is-active beacond.service; grep -x "app-id = mine" /etc/beacond/beacond.conf' &&
        within 'grep "next version" /etc/beacond/beacond.conf.dpkg-dist; rm /etc/beacond/beacond.conf.dpkg-dist' &&
        within 'curl -fsS http://127.0.0.1:4242/_tracker/ping | grep "\"appId\":\"mine\""' &&
        within "$total | grep '\"total\":2,'"
}

removed()
{
    # With systemd's own socket in use: neither it nor the daemon is there afterwards.
    within 'systemctl stop beacond.service; systemctl start beacond.socket beacond.service' &&
        within "N=3; $send" && apt remove beacond &&
        within '! curl -sS http://127.0.0.1:4242/health; ! systemctl is-active beacond.socket beacond.service' &&
        within '[ -s /var/lib/beacond/beacond.db ]; [ -e /etc/beacond/keys ]; [ -e /etc/beacond/beacond.conf ]'
}

installed_again()
{
    apt install "/packages/$higher" && within "$total | grep '\"total\":3,'"
}

purged()
{
    apt purge beacond && within '[ -s /var/lib/beacond/beacond.db ]; [ ! -e /etc/beacond ]' &&
        apt install "/packages/$package" && within "$total | grep '\"total\":3,'" &&
        within 'echo beacond beacond/purge-data boolean true | debconf-set-selections' &&
        apt purge beacond && within '[ ! -e /var/lib/beacond ]; getent passwd _beacond' || return
    # Caches, of apt and of manual pages, are others' business.
    within '[ -z "$(find / -xdev \( -path /proc -o -path /packages -o -path /var/cache -o -path /var/log \) -prune \
        -o -name "*beacond*" -print | tee /dev/stderr)" ]'
}

long_of() # long_of SUITE
{
    ok "$1: packages are built in a bare system, their tests pass" build_in "$1"
    ok "$1: its lintian has no errors or warnings" lints_in "$1"
    ok "$1: a bare system boots" boots "$1"
    ok "$1: the package is installed with what it depends on" apt install "/packages/$package"
    ok "$1: autopkgtest service" told "$scratch/service.log" boot_run /packages/tests/service
    ok "$1: autopkgtest program" told "$scratch/program.log" boot_run /packages/tests/program
    ok "$1: an upgrade restarts it, and keeps events and a changed configuration" upgraded
    ok "$1: removing it stops it, and keeps them" removed
    ok "$1: installed again it has them again" installed_again
    ok "$1: purged it keeps events unless told otherwise; nothing else is left" purged
    boot_end
    rm -rf "$scratch/$1-root" "$scratch/$1-build"
}

if [ "${BEACOND_TEST_LONG:-0}" != 1 ]; then
    why=long
else
    why=$(boot_can)
fi
if [ -z "$why" ]; then
    for suite in ${BEACOND_SUITES-bookworm trixie}; do
        long_of "$suite"
    done
else
    test_count=$((test_count + 1))
    echo "ok $test_count - bare systems of Debian # SKIP $why"
fi
echo "1..$test_count"
