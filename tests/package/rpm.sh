#!/bin/bash
# contrib/rpm: the spec of the tarball with Debian's rpmbuild. BEACOND_TEST_LONG=1 builds packages and runs
# what is in them. What Fedora's macros do, and what openSUSE calls its packages, is not tried here.
. "${srcdir:-.}/tests/scripts/daemon.bash"
# shellcheck source=tests/package/tarball.bash
. "$source_dir/tests/package/tarball.bash"
needs make rpmbuild rpmspec rpm rpm2cpio cpio

version=$("$beacond" --version | sed -n '1s/.* //p')
top=$scratch/top
spec=$top/beacond.spec
macros=(--define "_topdir $top" --define "_dbpath $scratch/rpmdb" --define 'dist .test')

long() # long WHAT COMMAND…: one test that takes minutes
{
    if [ "${BEACOND_TEST_LONG-}" = 1 ]; then
        ok "$@"
    else
        test_count=$((test_count + 1))
        echo "ok $test_count - $1 # SKIP long"
    fi
}

made()
{
    mkdir -p "$top" && cp "$source_dir/contrib/rpm/beacond.spec.in" "$top" &&
        sed "s|@VERSION@|$version|g" "$top/beacond.spec.in" >"$spec" && ! grep -n '@[A-Z]*@' "$spec"
}

versioned()
{
    [ "$(rpmspec -q "${macros[@]}" --srpm --qf '%{NAME} %{VERSION} %{LICENSE}' "$spec")" = "beacond $version MIT" ]
}

# What configure asks for with PKG_CHECK_MODULES, the spec asks rpm for.
required()
{
    local module wanted
    wanted=$(rpmspec -q "${macros[@]}" --buildrequires "$spec") || return 1
    # words, not lines
    # shellcheck disable=SC2013
    for module in $(sed -n 's/^ *PKG_CHECK_MODULES(\[[A-Z]*\], \[\([^]]*\)\].*/\1/p' "$source_dir/configure.ac" |
        sed 's/>= *[0-9.]*//g'); do
        grep -q "^pkgconfig($module) " <<<"$wanted" || {
            echo "# pkgconfig($module)"
            return 1
        }
    done
}

# Without packages of this system's that rpm knows of: it has none.
built()
{
    tarball_make "$scratch" || return 1
    rpmbuild -tb --nodeps "${macros[@]}" "$scratch/beacond-$version.tar.gz" >"$scratch/rpmbuild.log" 2>&1 || {
        tail -n 40 "$scratch/rpmbuild.log"
        return 1
    }
    package=$(find "$top/RPMS" -name "beacond-$version-1.test.*.rpm")
    [ -n "$package" ]
}

# rpmbuild fails when something is installed that the spec does not list; here: what is listed is right.
listed()
{
    local man=usr/share/man
    rpm -qp --qf '[%{FILEMODES:perms} %{FILEUSERNAME} %{FILEFLAGS:fflags} %{FILENAMES}\n]' "$package" |
        sed 's/  */ /g' >"$scratch/listed"
    grep -E ' /(etc|var|usr/bin|usr/lib)/' "$scratch/listed" | grep -v '/\.build-id' >"$scratch/fixed"
    diff - "$scratch/fixed" <<END || return 1
drwxr-xr-x root /etc/beacond
-rw-r--r-- root cn /etc/beacond/beacond.conf
-rwxr-xr-x root /usr/bin/beacond
-rw-r--r-- root /usr/lib/systemd/system/beacond-admin.socket
-rw-r--r-- root /usr/lib/systemd/system/beacond.service
-rw-r--r-- root /usr/lib/systemd/system/beacond.socket
-rw-r--r-- root /usr/lib/sysusers.d/beacond.conf
-rw-r--r-- root /usr/lib/tmpfiles.d/beacond.conf
drwx------ _beacond /var/lib/beacond
END
    for file in /usr/share/beacond/sql/0001-schema.sql "/$man/man8/beacond.8" "/$man/man5/beacond.conf.5" \
        /usr/share/bash-completion/completions/beacond /usr/share/zsh/site-functions/_beacond \
        /usr/share/fish/vendor_completions.d/beacond.fish /usr/share/doc/beacond/README; do
        # Fedora's rpmbuild compresses manuals, Debian's does not.
        grep -Eq "^-rw-r--r-- root [a-z]* *$file(\.gz)?\$" "$scratch/listed" || {
            echo "# $file"
            return 1
        }
    done
}

installed()
{
    mkdir -p "$scratch/root" && (cd "$scratch/root" && rpm2cpio "$package" | cpio -idm --quiet) || return 1
    "$scratch/root/usr/bin/beacond" --version | grep -qx "beacond $version" &&
        "$scratch/root/usr/bin/beacond" check-config --config "$scratch/root/etc/beacond/beacond.conf" \
            >/dev/null &&
        grep -q '^ExecStart=/usr/bin/beacond serve --config /etc/beacond/beacond.conf' \
            "$scratch/root/usr/lib/systemd/system/beacond.service"
}

serves()
{
    daemon_start "$scratch/root/usr/bin/beacond" --listen 127.0.0.1:0 --database "$scratch/x.db" || return 1
    "$scratch/root/usr/bin/beacond" ready --database "$scratch/x.db"
    local ready=$?
    daemon_end
    [ $ready -eq 0 ] && [ "$daemon_status" -eq 0 ]
}

ok 'the spec gets its version' made
ok 'rpm reads it' versioned
ok 'it asks for what configure asks for' required
long 'packages are built from the tarball alone' built
long 'they hold what they should, each with its mode and owner' listed
long 'an unpacked one runs' installed
long 'and serves' serves
echo "1..$test_count"
