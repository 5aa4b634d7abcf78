#!/bin/bash
# The tarball: the same sources give the same bytes, whoever makes it, when and where; and the release
# steps of HACKING. With BEACOND_TEST_LONG=1 also from two clones, and the program built twice.
long=${BEACOND_TEST_LONG:-0} # which daemon.bash takes out of the environment
. "${srcdir:-.}/tests/scripts/daemon.bash"
# shellcheck source=tests/package/tarball.bash
. "$source_dir/tests/package/tarball.bash"
needs git make tar gpg
tar --version | grep -q 'GNU tar' || { echo '1..0 # SKIP no GNU tar' && exit 0; }

build=$PWD
version=$(sed -n 's/^AC_INIT(\[beacond\], \[\(.*\)\])$/\1/p' "$source_dir/configure.ac")
name=beacond-$version
unset SOURCE_DATE_EPOCH
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null

# Nobody else's keys; the daemons of gpg go with its folder.
export GNUPGHOME=$scratch/gpg
gpg_end()
{
    gpgconf --kill all 2>/dev/null
    daemon_clean
}
trap gpg_end EXIT

quiet() # quiet COMMAND…: what it says only when it fails
{
    "$@" >"$scratch/said" 2>&1 || {
        tail -n 25 "$scratch/said" | sed 's/^/# /'
        return 1
    }
}

made() # made FOLDER NAME: a tarball of that build, kept under that name
{
    tarball_make "$scratch" "$1" && mv "$scratch/$name.tar.gz" "$scratch/$2.tar.gz"
}

made_elsewhere() # made_elsewhere FOLDER NAME: by somebody who lives otherwise
{
    (
        umask 077
        export TZ=Asia/Tokyo LC_ALL=C LANGUAGE=ja GZIP=-1 TAR_OPTIONS=--owner=games
        made "$1" "$2"
    )
}

same() { cmp "$scratch/$1" "$scratch/$2"; }

# Every file of root's, of the same time, open to read, and none that only a build leaves.
members()
{
    local date
    date=$(TZ=UTC0 date -d "@$(sh "$source_dir/contrib/tarball.sh" --date "$source_dir")" '+%Y-%m-%d %H:%M:%S') || return 1
    TZ=UTC0 tar --full-time --numeric-owner -tvzf "$scratch/first.tar.gz" | awk -v date="$date" '
        ($1 != "drwxr-xr-x" && $1 != "-rw-r--r--" && $1 != "-rwxr-xr-x") || $2 != "0/0" || $4 " " $5 != date ||
            $6 ~ /(~|[.][oa]|check_[a-z_]*[.]log|[.]trs|[.]pyc|[.]swp|\/sql[.]h|\/text[.]h)$/ { print "# " $0; bad = 1 }
        END { exit bad || NR < 300 }'
}

# What git knows is in the tarball; the rest of it are the build system's own files, and those that have the
# version put in.
complete()
{
    tar -tzf "$scratch/first.tar.gz" | sed -e 's,^[^/]*/,,' -e '/\/$/d' -e '/^$/d' | LC_ALL=C sort >"$scratch/members"
    {
        git -C "$checkout" ls-files | LC_ALL=C sort | LC_ALL=C comm -23 - "$scratch/members"
        git -C "$checkout" ls-files -co --exclude-standard | LC_ALL=C sort | LC_ALL=C comm -13 - "$scratch/members" |
            grep -Evx 'Makefile\.in|aclocal\.m4|configure|build-aux/.*|contrib/alpine/APKBUILD|contrib/rpm/beacond\.spec'
    } >"$scratch/odd"
    sed 's/^/# /' "$scratch/odd"
    [ ! -s "$scratch/odd" ]
}

configured() # configured FOLDER: in place
{
    (cd "$1" && quiet ./configure -q)
}

an_epoch_is_obeyed()
{
    mkdir "$scratch/small" && : >"$scratch/small/file" || return 1
    (cd "$scratch" && SOURCE_DATE_EPOCH=1000000000 sh "$source_dir/contrib/tarball.sh" . small) |
        TZ=UTC0 tar --full-time -tvf - | awk '$4 != "2001-09-09" || $5 != "01:46:40" { bad = 1 } END { exit bad || NR != 2 }'
}

ok 'a tarball is made' made "$build" first
ok 'and another by somebody else: byte for byte the same' made_elsewhere "$build" second
ok 'they are' same first.tar.gz second.tar.gz
ok 'its members are sorted out: owner, modes, time' members
# contrib/test builds a copy of the checkout, without what git keeps, and says where that is.
checkout=${BEACOND_CHECKOUT-$source_dir}
if git -C "$checkout" rev-parse --show-toplevel 2>/dev/null | grep -Fqx "$checkout"; then
    ok 'whatever git knows is in it, and nothing else' complete
else
    test_count=$((test_count + 1))
    echo "ok $test_count - whatever git knows is in it # SKIP the sources are no clone"
fi
ok 'SOURCE_DATE_EPOCH is obeyed' an_epoch_is_obeyed
mkdir "$scratch/unpacked"
ok 'it unpacks' tar -C "$scratch/unpacked" -xzf "$scratch/first.tar.gz"
tree=$scratch/unpacked/$name

# --- a release, as HACKING says it is made ---------------------------------------------------------

# step WORDS: runs the first line of HACKING, Releases, that has these words.
step()
{
    local line
    line=$(sed -n '/^Releases$/,/^Compatibility$/s/^    //p' "$source_dir/HACKING" | grep -F -m 1 -- "$1") || {
        echo "# HACKING has no line with: $1"
        return 1
    }
    (cd "$scratch/repository" && eval "$line") >"$scratch/said" 2>&1 || {
        sed 's/^/# /' "$scratch/said"
        return 1
    }
}

# A repository of these sources, somebody's key, and a branch elsewhere to push to.
release_begin()
{
    mkdir -m 700 "$GNUPGHOME" && cp -R "$tree" "$scratch/repository" || return 1
    gpg --batch --quiet --passphrase '' --quick-gen-key 'beacond test <release@beacond.example>' ed25519 sign 1d || return 1
    (
        cd "$scratch/repository" || exit 1
        # What autoreconf has made is none of git's.
        rm -rf configure Makefile.in aclocal.m4 build-aux
        git init -q -b main . && git config user.name 'beacond test' && git config user.email release@beacond.example &&
            git add -A . && git commit -qm sources &&
            git init -q --bare "$scratch/elsewhere.git" && git remote add origin "$scratch/elsewhere.git" &&
            sed "2,\$s/^$version (.*/$version (2026-12-01)/" NEWS >new && mv new NEWS
    )
}

forged() # forged COMMAND…: what was changed afterwards does not pass
{
    (cd "$scratch/repository" && printf x >>"$name.tar.gz") || return 1
    ! step "$@" >"$scratch/refused"
}

ok 'a repository and a key' quiet release_begin
ok 'the release is committed' step 'git commit -S'
ok 'and tagged' step 'git tag -s'
ok 'the tag is signed' step 'git verify-tag'
cp "$scratch/first.tar.gz" "$scratch/repository/$name.tar.gz"
ok 'the tarball is summed up' step 'sha256sum "beacond'
ok 'and signed' step 'gpg --armor --detach-sign'
ok 'branch and tag are pushed' step 'git push origin'
ok 'its signature is verified' step 'gpg --verify'
ok 'and its sum' step 'sha256sum -c'
ok 'a forged tarball has no signature' forged 'gpg --verify'
ok 'and no sum' forged 'sha256sum -c'

if [ "$long" != 1 ]; then
    for what in 'the unpacked tarball makes itself' 'two clones make the same' 'and build the same program'; do
        test_count=$((test_count + 1))
        echo "ok $test_count - $what # SKIP long"
    done
    echo "1..$test_count"
    exit 0
fi

# --- two people, each with a clone of the tag ------------------------------------------------------

remade()
{
    configured "$tree" && made_elsewhere "$tree" again && same first.tar.gz again.tar.gz
}

# cloned FOLDER NAME: the steps from clone to tarball.
cloned()
{
    mkdir -p "$(dirname "$1")"
    quiet git clone -q --branch "v$version" "$scratch/elsewhere.git" "$1" &&
        (cd "$1" && quiet autoreconf -fi && quiet ./configure -q CFLAGS=-O1) && made "$1" "$2"
}

cloned_twice()
{
    cloned "$scratch/one" one || return 1
    (umask 077 && export TZ=Asia/Tokyo LANGUAGE=ja && cloned "$scratch/a/deeper/folder" two) || return 1
    same one.tar.gz two.tar.gz
}

# In place here, beside the sources there; the path of neither is in it.
built_twice()
{
    local other=$scratch/a/elsewhere/build
    mkdir -p "$other" && tar -C "$scratch/a/elsewhere" -xzf "$scratch/two.tar.gz" || return 1
    quiet make -C "$scratch/one" -s -j2 || return 1
    (cd "$other" && quiet "../$name/configure" -q CFLAGS=-O1 && quiet make -s -j2) || return 1
    cmp "$scratch/one/src/beacond" "$other/src/beacond" && ! grep -aqF "$scratch" "$other/src/beacond"
}

ok 'the unpacked tarball makes itself' remade
ok 'two clones make the same' cloned_twice
ok 'and build the same program' built_twice
echo "1..$test_count"
