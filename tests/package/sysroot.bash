# sysroot.bash: what Debian has for another architecture, unpacked into a folder to compile and link
# against and to run programs with. Sourced; needs no root, and touches nothing outside of its folder: apt
# works there with lists, cache and a state of its own, in which nothing is installed.
# shellcheck shell=bash

# What sysroot_make fetches is kept below here.
sysroot_archive=${BEACOND_ROOTS-$PWD/tests/package/roots}

# sysroot_source: the line of this machine's Debian, of its own release.
sysroot_source()
{
    local site suite
    # apt's own placeholders, not the shell's
    # shellcheck disable=SC2016
    read -r site suite < <(apt-get indextargets --format '$(LABEL) $(REPO_URI) $(CODENAME)' 2>/dev/null |
        awk '$1 == "Debian" && $3 !~ /-/ { print $2, $3; exit }')
    [ -n "$site" ] && [ -n "$suite" ] || return 1
    echo "deb $site $suite main"
}

# sysroot_apt FOLDER ARCHITECTURE ARGUMENT…: apt-get, kept to FOLDER.
sysroot_apt()
{
    local folder=$1 architecture=$2
    shift 2
    apt-get -qq -o Dir::State="$folder/state" -o Dir::State::status="$folder/status" \
        -o Dir::Cache="$folder/cache" -o Dir::Etc::sourcelist="$folder/sources.list" \
        -o Dir::Etc::sourceparts="$folder/none" -o Dir::Etc::preferencesparts="$folder/none" \
        -o Dir::Log="$folder/log" -o Dpkg::Use-Pty=0 \
        -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" \
        -o APT::Sandbox::User= -o APT::Install-Recommends=false -o Acquire::Languages=none "$@"
}

# sysroot_make ARCHITECTURE FOLDER PACKAGE…: the packages and all they depend on, of Debian's
# ARCHITECTURE (arm64, armhf, s390x), in FOLDER.
sysroot_make()
{
    local architecture=$1 folder=$2 apt=$sysroot_archive/apt-$1 package
    shift 2
    mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/none" "$apt/log" || return 1
    : >"$apt/status" && sysroot_source >"$apt/sources.list" || return 1
    # apt asks the network for lists that are young as well, but fetches them only when they are old.
    sysroot_apt "$apt" "$architecture" update &&
        sysroot_apt "$apt" "$architecture" -y --download-only install "$@" || return 1
    # /lib is /usr/lib in an installed system, whatever the packages say.
    mkdir -p "$folder/usr/lib" "$folder/usr/bin" "$folder/usr/sbin" || return 1
    for package in lib bin sbin; do
        ln -s "usr/$package" "$folder/$package" || return 1
    done
    for package in "$apt"/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -C "$folder" -x --keep-directory-symlink || return 1
    done
}
