#!/bin/sh
# tarball.sh: what `make dist` packs with, so that the same sources give the same bytes, whoever makes the
# tarball, where and when.
#
#   tarball.sh --date SOURCES     the time that everything in it bears, in seconds since 1970:
#                                 SOURCE_DATE_EPOCH; or that of the last commit; or, in an unpacked tarball,
#                                 which knows no commits, that of NEWS, which is the same
#   tarball.sh SOURCES FOLDER     FOLDER as a tar archive on standard output
#
# Order, owner and modes are set, which takes GNU tar; any other packs as well, but not reproducibly.
LC_ALL=C
export LC_ALL

date_of() # date_of SOURCES
{
    if [ -n "$SOURCE_DATE_EPOCH" ]; then
        echo "$SOURCE_DATE_EPOCH"
    elif [ -e "$1/.git" ]; then
        git -C "$1" log -1 --format=%ct && return
        echo 'make dist: git does not tell when the last commit was made: set SOURCE_DATE_EPOCH' >&2
        return 1
    else
        date -r "$1/NEWS" +%s
    fi
}

if [ "$1" = --date ]; then
    date_of "$2"
    exit
fi
date=$(date_of "$1") || exit 1
case $(tar --version 2>/dev/null) in
*'GNU tar'*)
    # What the caller's umask has taken from group and others is given back.
    exec tar --format=ustar --sort=name --mtime="@$date" --owner=0 --group=0 --numeric-owner \
        --mode=u+rwX,go=u,go-w --hard-dereference -chf - "$2"
    ;;
*)
    echo 'make dist: this is not GNU tar; the tarball will differ from that of others' >&2
    exec tar -chf - "$2"
    ;;
esac
