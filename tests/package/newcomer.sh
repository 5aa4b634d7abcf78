#!/bin/bash
# A newcomer with a bare Debian: README's first screen and its section "From nothing to https", word by
# word as they stand there, in a booted system of each release (BEACOND_SUITES) that has git and nothing
# else, up to an event that came through nginx over https; then contrib/test, of which BEACOND_STEPS
# says how much ("gcc"; "" is all of it). What all of it wrote goes to the folder BEACOND_KEEP, if set.
long=${BEACOND_TEST_LONG:-0} steps=${BEACOND_STEPS-gcc} suites=${BEACOND_SUITES-bookworm trixie} keep=${BEACOND_KEEP-}
roots=${BEACOND_ROOTS-$PWD/tests/package/roots}
. "${srcdir:-.}/tests/scripts/daemon.bash" # which has the environment forget BEACOND_…
export BEACOND_ROOTS="$roots"
# shellcheck source=tests/scripts/readme.bash
. "$source_dir/tests/scripts/readme.bash"
# shellcheck source=tests/package/root.bash
. "$source_dir/tests/package/root.bash"
# shellcheck source=tests/package/boot.bash
. "$source_dir/tests/package/boot.bash"
# shellcheck source=tests/package/tarball.bash
. "$source_dir/tests/package/tarball.bash"
# shellcheck source=contrib/packages.sh
. "$source_dir/contrib/packages.sh"

# All that is done otherwise than README says. The booted system has no network: what apt installs there was
# fetched before, and its name stands in its own hosts.
replacements()
{
    cat <<'END'
certbot certonly --webroot -w /var/www/html -d "$name"
    mkdir -p "/etc/letsencrypt/live/$name"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$name" -addext "subjectAltName=DNS:$name" -keyout "/etc/letsencrypt/live/$name/privkey.pem" -out "/etc/letsencrypt/live/$name/fullchain.pem"
    cp "/etc/letsencrypt/live/$name/fullchain.pem" /usr/local/share/ca-certificates/newcomer.crt
    update-ca-certificates
END
}

if [ $long != 1 ]; then
    echo '1..0 # SKIP long'
    exit 0
fi
why=$(boot_can)
if [ -n "$why" ]; then
    echo "1..0 # SKIP $why"
    exit 0
fi
newcomer_clean()
{
    boot_end
    daemon_clean
}
trap newcomer_clean EXIT
readme_blocks "$scratch/blocks"

# told LOG COMMAND…: its output goes there, and its end here when it fails.
told()
{
    local log=$1
    shift
    "$@" >"$log" 2>&1 </dev/null && return
    tail -n 40 "$log" | sed 's/^/# /'
    return 1
}

block() # block BEGINNING: what stands in it; fails when there is none
{
    local file
    file=$(readme_block "$1")
    [ -n "$file" ] && cat "$file" || echo "echo 'README has no block: $1'; false"
}

# The folder that a newcomer has: a checkout, or where these sources are none an unpacked tarball.
sources_into()
{
    if git -C "$source_dir" archive HEAD >"$scratch/sources.tar" 2>/dev/null; then
        tar -C "$1" -xf "$scratch/sources.tar"
    else
        tarball_make "$scratch" && tar -C "$1" --strip-components=1 -xf "$scratch"/beacond-*.tar.gz
    fi
}

# comes SUITE: a machine as it is handed over (init, git), with what README has apt install fetched.
comes()
{
    local fetched
    fetched="${packages_build[*]} ${packages_try[*]} $(sed -n 's/^packages_install .*}" *//p; s/^apt-get -y install \([a-z].*\)/\1/p' "$scratch"/blocks/* |
        tr '\n' ' ')"
    root_make "$1" "$folder" && mkdir "$folder/srv/beacond" && sources_into "$folder/srv/beacond" &&
        echo '127.0.0.1 localhost events.example.org' >"$folder/etc/hosts" || return
    echo "# fetched: $fetched"
    # shellcheck disable=SC2016
    told "$folder.prepare" root_run "$folder" sh -ec '
        apt-get -qq update
        apt-get -qq -y --no-install-recommends install systemd systemd-sysv dbus git
        for package in $1; do
            apt-get -qq -y --download-only install "$package"
        done
        apt-get -qq -y --download-only install $1
        rm -f /usr/sbin/policy-rc.d
        # the kernel and its modules are those of this machine
        ln -s /dev/null /etc/systemd/system/systemd-modules-load.service
    ' sh "$fetched"
}

# typed COMMANDS: as typed in a shell in the folder, up to the first that fails.
typed()
{
    boot_run bash -exc "cd /srv/beacond; $1"
}

# command_of NAME: the command as the first screen has it, without what it says about it.
command_of()
{
    block './contrib/quickstart' | sed -n "s|^\\(\\./contrib/$1\\)  .*|\\1|p"
}

quickstart_serves()
{
    local patience=$((SECONDS + 3600))
    quickstart=$(command_of quickstart)
    [ -n "$quickstart" ] || return
    boot_run bash -c "cd /srv/beacond; echo \$\$ >/run/quickstart; exec $quickstart" >"$folder.quickstart" 2>&1 </dev/null &
    quickstart=$!
    until grep -q ' ready$' "$folder.quickstart"; do
        kill -0 $quickstart 2>/dev/null && [ $SECONDS -lt $patience ] || {
            tail -n 40 "$folder.quickstart" | sed 's/^/# /'
            return 1
        }
        sleep 0.5
    done
}
sends() { told "$folder.said" typed "$(block 'curl http://127.0.0.1:4242/_tracker/events')" && grep -q '"ok":true,"saved":1,' "$folder.said"; }
reads_back() { told "$folder.said" typed "$(block "curl 'http://127.0.0.1:4242/_tracker?limit=5'")" && grep -q '"payload":{"name":"hello"}' "$folder.said"; }
sees_rows() { told "$folder.said" typed "$(block 'sqlite3 -readonly')" && grep -q '|custom|info|try|me$' "$folder.said"; }
sees_page() { told "$folder.said" typed 'curl -fsS http://127.0.0.1:4242/' && grep -q '<title>' "$folder.said"; }
ends_it() { boot_run sh -c 'kill -INT $(cat /run/quickstart)' && wait $quickstart; }

# deploys: the blocks of the section, in their order, in one shell; then what they leave.
deployment()
{
    local beginning
    for beginning in name=events '. contrib/packages.sh' 'umask 077' 'cat >/etc/beacond/beacond.conf' \
        'apt-get -y install nginx' 'curl "https://$name/_tracker/ping"'; do
        block "$beginning"
    done | awk '
        FILENAME != "-" && /^[^ ]/ { wanted = $0; next }
        FILENAME != "-" { instead[wanted] = instead[wanted] substr($0, 5) "\n"; next }
        $0 in instead { printf "%s", instead[$0]; used[$0] = 1; next }
        { print }
        END { for (line in instead) if (!(line in used)) print "echo \"README has no line: \"; false" }
    ' <(replacements) -
}
deploys()
{
    deployment >"$folder/srv/beacond.deployment"
    told "$folder.deployed" boot_run bash -exc 'cd /srv/beacond; . /srv/beacond.deployment' && return
    boot_run journalctl --no-pager -u beacond -u nginx | tail -n 20 | sed 's/^/# /'
    return 1
}
pinged() { grep -q '^{"ok":true,"appId":"","mode":"http"' "$folder.deployed"; }
stored() { grep -q '"ok":true,"saved":1,"rejected":0,"duplicate":0' "$folder.deployed"; }
answered() { grep -q '"payload":{"name":"first"},"meta":{}}\],"total":1,' "$folder.deployed"; }
counted() { grep -Eq '^first +1 +1' "$folder.deployed"; }
# From the section's end: everything as after a restart of the machine, and what strangers may not.
closed()
{
    told "$folder.said" typed '
        systemctl is-enabled beacond nginx
        systemctl restart beacond
        [ "$(curl -s -o /dev/null -w "%{http_code}" https://events.example.org/_tracker)" = 401 ]
        site=$(sed -n "s/:ingest$//p" /etc/beacond/keys)
        [ "$(curl -s -o /dev/null -w "%{http_code}" -H "X-Tracker-Key: $site" https://events.example.org/_tracker)" = 403 ]
        [ "$(curl -s -o /dev/null -w "%{http_code}" http://events.example.org/)" = 301 ]
        ! grep -r "$site" /var/log/nginx
        ! runuser -u nobody -- ls /run/beacond
        ! runuser -u nobody -- cat /etc/beacond/keys'
}

# systemd's own socket instead, and the line for those without systemd.
activates()
{
    told "$folder.said" typed "
        mkdir -p /etc/systemd/system/beacond.socket.d
        cat >/etc/systemd/system/beacond.socket.d/override.conf <<'END'
$(block '[Socket]')
END
        systemctl daemon-reload
        $(block 'systemctl stop beacond')
        [ \"\$(stat -c '%a %U %G' /run/beacond/beacond.sock)\" = '660 root _beacond' ]
        curl -fsS https://events.example.org/_tracker/ping
        $(block 'install -d -m 750')
        [ \"\$(stat -c '%a %U %G' /run/beacond)\" = '750 _beacond _beacond' ]
        curl -fsS https://events.example.org/_tracker/ping"
}

# In the folder with this machine's network: it installs what it needs, and so does npm.
tests()
{
    local test
    test=$(command_of test)
    [ -n "$test" ] || return
    # shellcheck disable=SC2016
    # A machine has terminals and shared memory, which the folder has not.
    told "$folder.test" root_run "$folder" bash -c 'mkdir -p /dev/pts /dev/shm &&
        mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts &&
        mount -t tmpfs -o mode=1777 tmpfs /dev/shm && cd /srv/beacond && exec $1' bash "$test $steps"
    local status=$?
    tail -n 30 "$folder.test" | grep -E '^(skipped|failed): |passed,|^== ' | sed 's/^/# /'
    return $status
}

newcomer() # newcomer SUITE
{
    ok "$1: a bare system with git and these sources" comes "$1"
    ok "$1: it boots" boot_start "$folder"
    # What is behind it would be tried on nothing.
    [ -n "$boot_shell" ] || return
    ok "$1: ./contrib/quickstart installs, builds and serves" quickstart_serves
    ok "$1: the curl line sends an event" sends
    ok "$1: the next one reads it back" reads_back
    ok "$1: sqlite3 shows it" sees_rows
    ok "$1: the page is there" sees_page
    ok "$1: Ctrl-C ends it" ends_it
    ok "$1: from nothing to https, every line of it" deploys
    ok "$1: the ping came over https" pinged
    ok "$1: the event was stored" stored
    ok "$1: and read back with the other key" answered
    ok "$1: beacond query finds it" counted
    ok "$1: it comes again by itself, and is closed to strangers" closed
    ok "$1: systemd's own socket takes its place" activates
    boot_end
    ok "$1: ./contrib/test $steps passes" tests
}

for suite in $suites; do
    folder=$scratch/$suite
    newcomer "$suite"
    [ -z "$keep" ] || cp "$folder".* "$keep"
    rm -rf "$folder"
done
echo "1..$test_count"
