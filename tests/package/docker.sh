#!/bin/bash
# contrib/docker: the Dockerfile agrees with the program, with contrib/packages.sh and with itself.
# BEACOND_TEST_LONG=1 builds the image with buildah, from a base made by debootstrap, and runs it as its user:
# ingest, a restart with the volume kept, the health check. Docker's own engine is not tried.
. "${srcdir:-.}/tests/scripts/daemon.bash"
. "$source_dir/tests/package/root.bash"
# shellcheck source=contrib/packages.sh
. "$source_dir/contrib/packages.sh"

version=$("$beacond" --version | sed -n '1s/.* //p')
docker=$source_dir/contrib/docker
# Lines that were continued as one.
dockerfile=$(sed -e ':a' -e '/\\$/N; s/\\\n *//; ta' "$docker/Dockerfile" | grep -v '^#')
why=
if [ "${BEACOND_TEST_LONG-}" != 1 ]; then
    why=long
elif ! command -v buildah >/dev/null; then
    why='buildah is not installed'
else
    why=$(root_can)
fi

long() # long WHAT COMMAND…
{
    if [ -z "$why" ]; then
        ok "$@"
    else
        test_count=$((test_count + 1))
        echo "ok $test_count - $1 # SKIP $why"
    fi
}

# stage N: what its RUN installs, a package a line
stage()
{
    grep '^RUN apt-get' <<<"$dockerfile" | sed -n "$1s/.*--no-install-recommends//p" | sed 's/&&.*//' |
        tr -s ' ' '\n' | grep . | LC_ALL=C sort
}

build_packages()
{
    diff <(stage 1) <(printf '%s\n' "${packages_build[@]}" | LC_ALL=C sort)
}

# On the release that the image is of the program itself tells which libraries it needs. systemd's is left
# out of the image.
runtime_packages()
{
    local library package
    grep -q '^VERSION_CODENAME=bookworm' /etc/os-release || return 0
    readelf -d "$beacond" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -v -e systemd -e 'san[.]' |
        while read -r library; do
            library=$(readlink -f "$(ldd "$beacond" | awk -v name="$library" '$1 == name { print $3 }')")
            # dpkg knows some by the name they had before /lib was /usr/lib.
            package=$(dpkg -S "$library" "${library#/usr}" 2>/dev/null | head -n 1 | cut -d: -f1)
            [ "$package" = libc6 ] || grep -qx "$package" <(stage 2) || {
                echo "# $package"
                return 1
            }
        done
}

agrees()
{
    local port user
    port=$(sed -n 's/^EXPOSE //p' <<<"$dockerfile")
    user=$(sed -n 's/^USER //p' <<<"$dockerfile")
    grep -q "127[.]0[.]0[.]1:$port" < <("$beacond" --help) &&
        grep -q "BEACOND_LISTEN=0.0.0.0:$port " <<<"$dockerfile" &&
        grep -q -- "--uid ${user%:*} --gid ${user#*:} " <<<"$dockerfile" && [ "${user%:*}" -ge 1000 ] &&
        grep -q "user ${user%:*}" "$docker/README" && grep -q "chown ${user%:*} " "$docker/compose.yml" &&
        grep -q '^STOPSIGNAL SIGTERM' <<<"$dockerfile" &&
        [ "$(grep -c '^VOLUME /var/lib/beacond$' <<<"$dockerfile")" -eq 1 ] &&
        "$beacond" ready --help >/dev/null
}

composed()
{
    python3 - "$docker/compose.yml" <<'END'
import sys, os, yaml
path = sys.argv[1]
with open(path, encoding="utf-8") as file:
    compose = yaml.safe_load(file)
service = compose["services"]["beacond"]
context = os.path.join(os.path.dirname(path), service["build"]["context"])
assert os.path.exists(os.path.join(context, service["build"]["dockerfile"])), context
assert service["volumes"] == ["data:/var/lib/beacond"] and "data" in compose["volumes"]
assert set(service["secrets"]) <= set(compose["secrets"])
assert service["environment"]["BEACOND_KEY_FILE"] == "/run/secrets/keys"
END
}

# --- the image, for real -------------------------------------------------------------------------

export BUILDAH_ISOLATION=chroot
tool() # tool COMMAND…: buildah with storage of its own
{
    local command=$1
    shift
    local global=(--root "$scratch/store" --runroot "$scratch/run" --storage-driver vfs)
    buildah "${global[@]}" "$command" "$@"
}

logged() # logged COMMAND…: as tool, its output shown when it fails
{
    tool "$@" >"$scratch/tool.log" 2>&1 && return
    tail -n 30 "$scratch/tool.log"
    return 1
}

based()
{
    mkdir -p "$scratch/base/root" "$scratch/store" "$scratch/run" && root_make bookworm "$scratch/base/root" &&
        echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$scratch/policy" &&
        printf 'FROM scratch\nCOPY root/ /\n' >"$scratch/base/Dockerfile" &&
        logged bud --signature-policy "$scratch/policy" -t docker.io/library/debian:bookworm-slim "$scratch/base"
}

built()
{
    mkdir "$scratch/context" && cp -R "$source_dir/." "$scratch/context" && rm -rf "$scratch/context/build" &&
        logged bud --signature-policy "$scratch/policy" --pull-never -t beacond \
            -f "$scratch/context/contrib/docker/Dockerfile" "$scratch/context" || return 1
    container=$(tool from --signature-policy "$scratch/policy" --pull-never beacond) &&
        image=$(tool mount "$container") && chroot "$image" /usr/bin/beacond --version | grep -qx "beacond $version"
}

# What an engine would do with it: as its user, its environment, its folder, as the first process of its own.
inside() # inside ENVIRONMENT… -- COMMAND…: as the image's user
{
    local environment=(BEACOND_LISTEN=127.0.0.1:0 BEACOND_DATABASE=/var/lib/beacond/beacond.db)
    while [ "$1" != -- ]; do
        environment+=("$1")
        shift
    done
    shift
    exec unshare --mount --pid --fork --kill-child chroot --userspec=10042:10042 "$image" \
        env -i -C /var/lib/beacond "${environment[@]}" "$@"
}

keyless()
{
    (inside BEACOND_LISTEN=0.0.0.0:0 -- /usr/bin/beacond serve) 2>"$scratch/keyless"
    [ $? -eq 78 ] && grep -q key "$scratch/keyless"
}

starts()
{
    daemon_start bash -c "$(declare -f inside); image=$image; inside BEACOND_KEY=secret -- /usr/bin/beacond serve"
}

healthy()
{
    (inside -- /usr/bin/beacond ready)
}

unhealthy()
{
    (inside -- /usr/bin/beacond ready)
    [ $? -eq 1 ]
}

ingests()
{
    curl -sf -H 'X-Tracker-Key: secret' -H 'Content-Type: application/json' \
        -d '{"events":[{"timestamp":"2026-01-02T03:04:05.678Z"}]}' "http://$address/_tracker/events" |
        grep -q '"saved":1' && [ "$(stat -c %u "$image/var/lib/beacond/beacond.db")" = 10042 ]
}

# The order to end goes to the daemon itself, whose parent is unshare.
ended()
{
    kill "$(pgrep -P "$daemon_pid" | head -n 1)" || return 1
    wait "$daemon_pid"
    local status=$?
    daemon_pid=
    [ $status -eq 0 ]
}

kept()
{
    starts && curl -sf -H 'X-Tracker-Key: secret' "http://$address/_tracker?limit=0" | grep -q '"total":1' && ended
}

ok 'it builds with what contrib/packages.sh names' build_packages
ok 'the image has the libraries that the program needs' runtime_packages
ok 'port, user, volume and health check agree' agrees
if python3 -c 'import yaml' 2>/dev/null; then
    ok 'compose.yml says what is there' composed
else
    test_count=$((test_count + 1))
    echo "ok $test_count - compose.yml says what is there # SKIP python3-yaml is not installed"
fi
long 'a base image is made' based
long 'the image is built' built
long 'without a key it refuses to listen for others' keyless
long 'with one it starts' starts
long 'its health check says so' healthy
long 'it stores, as its user' ingests
long 'it ends in order' ended
long 'its health check says that, too' unhealthy
long 'what it stored is there at the next start' kept
[ -z "${image-}" ] || tool umount "$container" >/dev/null
echo "1..$test_count"
