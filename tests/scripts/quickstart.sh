#!/bin/bash
# contrib/quickstart starts a daemon, and the lines it tells people to try work and can be repeated.
# It is given the beacond that is built already.
. "${srcdir:-.}/tests/scripts/daemon.bash"
needs curl

export BEACOND="$beacond" BEACOND_LISTEN=127.0.0.1:0 BEACOND_DATABASE=./beacond.db

# line N: the N-th curl line that quickstart printed, with the port it really got.
line() { sed -n 's/^ *\(curl .*\)/\1/p' "$scratch/out" | sed -n "$1p" | sed "s/127[.]0[.]0[.]1:0/$address/"; }
send() { [[ $(eval "$(line 1)" 2>/dev/null) == *'"ok":true,"saved":1,'* ]]; }
read_back() { [[ $(eval "$(line 2)" 2>/dev/null) == *'"name":"hello"'*'"name":"hello"'*'"total":2'* ]]; }

ok 'quickstart runs the daemon' daemon_start "$source_dir/contrib/quickstart"
ok 'where it said the data is, it is' [ -s "$scratch/beacond.db" ]
ok 'its curl line sends an event' send
ok 'it can be repeated' send
ok 'the events come back' read_back
daemon_end
ok 'it stops in good order' [ "$daemon_status" = 0 ]

# A tree whose configure and make are done at once: the first run, and a later one.
tree=$scratch/tree
mkdir -p "$tree/contrib"
cp "$source_dir/contrib/quickstart" "$source_dir/contrib/packages.sh" "$tree/contrib"
cat >"$tree/configure" <<END
#!/bin/sh
mkdir -p src && printf 'all:\n\tln -sf %s src/beacond\n' '$beacond' >Makefile
END
chmod +x "$tree/configure"
unset BEACOND
for run in first second; do
    rm -f "$scratch/beacond.db"
    ok "the $run run builds it and has its data in the directory it is called in" \
        daemon_start "$tree/contrib/quickstart"
    ok "the $run run's data are there" [ -s "$scratch/beacond.db" ]
    daemon_end
done
unset BEACOND_LISTEN BEACOND_DATABASE
printf 'listen = 127.0.0.1:0\ndatabase = other.db\n' >"$scratch/beacond.conf"
ok 'with --config the file says where' daemon_start "$tree/contrib/quickstart" --config beacond.conf
ok 'its data are there' [ -s "$scratch/other.db" ]
daemon_end

# What one line asks for a later one must not forget: lists are set once and added to.
set_once()
{
    ! sed -n 's/^ *\(packages_[a-z]*\)=(.*/\1/p' "$source_dir/contrib/packages.sh" | LC_ALL=C sort | uniq -d | grep .
}
ok 'every list of packages.sh is set once' set_once

echo "1..$test_count"
