#!/bin/bash
# make install: what goes where (distcheck asks for the units as well), that a configuration which is there
# is kept, and that uninstall leaves nothing but such a one.
. "${srcdir:-.}/tests/scripts/daemon.bash"
needs make
[ -e Makefile ] || {
    echo '1..0 # SKIP no build directory'
    exit 0
}
root=$scratch/root
# As a package is made, wherever this build is told to go.
where=(prefix=/usr sysconfdir=/etc datadir=/usr/share datarootdir=/usr/share mandir=/usr/share/man
    docdir=/usr/share/doc/beacond bindir=/usr/bin pkgdatadir=/usr/share/beacond sqldir=/usr/share/beacond/sql
    bashcompletiondir=/usr/share/bash-completion/completions zshcompletiondir=/usr/share/zsh/site-functions
    fishcompletiondir=/usr/share/fish/vendor_completions.d DESTDIR="$root")
# What configure was not asked for it leaves out.
for what in systemdsystemunitdir:systemd/system sysusersdir:sysusers.d tmpfilesdir:tmpfiles.d; do
    grep -qx "${what%%:*} = no" Makefile || where+=("${what%%:*}=/usr/lib/${what#*:}")
done
asked() { [[ " ${where[*]} " = *" $1="* ]]; }

# Nothing is made anew: other tests use what is there.
made() { make -s "${where[@]}" "$1" >"$scratch/said" 2>&1 || { tail -n 20 "$scratch/said" | sed 's/^/# /' && false; }; }
installed() { (cd "$root" && find . -type f -printf '%m %P\n' | LC_ALL=C sort -k 2); }

expected()
{
    local file
    cat <<END
644 etc/beacond/beacond.conf
755 usr/bin/beacond
644 usr/share/bash-completion/completions/beacond
644 usr/share/doc/beacond/COPYING
644 usr/share/doc/beacond/NEWS
644 usr/share/doc/beacond/README
644 usr/share/doc/beacond/SECURITY
644 usr/share/doc/beacond/examples/caddy/Caddyfile
644 usr/share/doc/beacond/examples/grafana/beacond.json
644 usr/share/doc/beacond/examples/nginx/beacond.conf
644 usr/share/doc/beacond/examples/prometheus/alerts.yml
644 usr/share/fish/vendor_completions.d/beacond.fish
644 usr/share/zsh/site-functions/_beacond
END
    for file in "$source_dir"/man/*.[1-9]; do
        echo "644 usr/share/man/man${file##*.}/${file##*/}"
    done
    if asked systemdsystemunitdir; then
        printf '644 usr/lib/systemd/system/beacond%s\n' .service .socket -admin.socket
    fi
    if asked sysusersdir; then
        echo '644 usr/lib/sysusers.d/beacond.conf'
    fi
    if asked tmpfilesdir; then
        echo '644 usr/lib/tmpfiles.d/beacond.conf'
    fi
    (cd "$source_dir/sql" && find . -name '*.sql' -printf '644 usr/share/beacond/sql/%P\n')
}

as_expected()
{
    diff <(expected | LC_ALL=C sort -k 2) <(installed) | sed 's/^/# /'
    [ "$(expected | LC_ALL=C sort -k 2)" = "$(installed)" ]
}

same() { cmp "$root/$1" "$source_dir/$2"; }
manuals() { local file; for file in "$root"/usr/share/man/man*/*; do man -l "$file" >/dev/null || return; done; }
bash_completes()
{
    [ "$(bash -c '. "$1" && COMP_WORDS=(beacond ser) COMP_CWORD=1 && _beacond && echo "${COMPREPLY[*]}"' \
        bash "$root/usr/share/bash-completion/completions/beacond")" = serve ]
}
keeps()
{
    echo 'app-id = mine' >"$root/etc/beacond/beacond.conf"
    made install && grep -qx "keeping $root/etc/beacond/beacond.conf" "$scratch/said" &&
        [ "$(cat "$root/etc/beacond/beacond.conf")" = 'app-id = mine' ]
}
keeps_changed() { made uninstall && [ "$(installed)" = '644 etc/beacond/beacond.conf' ]; }
leaves_nothing() { rm -r "$root" && made install && made uninstall && [ -z "$(installed)" ]; }

ok 'make install works' made install
ok 'everything is where it belongs, and nothing else' as_expected
ok 'the program runs' "$root/usr/bin/beacond" --version
ok 'the configuration is right' "$root/usr/bin/beacond" check-config --config "$root/etc/beacond/beacond.conf"
ok 'the completions are those of the tree' same usr/share/fish/vendor_completions.d/beacond.fish contrib/completion/beacond.fish
ok 'bash completes by the one that is installed' bash_completes
if command -v man >/dev/null; then
    ok 'the manuals can be read' manuals
fi
ok 'make install keeps a configuration' keeps
ok 'make uninstall leaves one that was changed, and nothing else' keeps_changed
ok 'make uninstall leaves nothing' leaves_nothing
echo "1..$test_count"
