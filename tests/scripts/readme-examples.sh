#!/bin/bash
# The commands and files that README shows do what it says: each is cut out of README and run against
# the daemon, with nothing changed but the port, and the paths and users that only an installation has.
. "${srcdir:-.}/tests/scripts/daemon.bash"
needs curl sqlite3 gzip

# example BEGINNING: the indented block of README whose first line begins so, without its indent.
example()
{
    awk -v begin="    $1" '
        !inside && index($0, begin) == 1 { inside = 1 }
        inside && /^    / { print substr($0, 5); next }
        inside { exit }
    ' "$source_dir/README"
}

# What the examples call, as it is here.
beacond() { "$beacond" "$@"; }
install() { command install "${@:5}"; } # without the four words for the owner
systemctl() { echo "systemctl $*"; }

# run BEGINNING [FILTER]: runs that example in the daemon's directory, its output through the filter,
# and leaves what it said in $said. Every line of it must succeed.
run()
{
    local command
    command=$(example "$1")
    [ -n "$command" ] || return 1
    command=${command//127.0.0.1:4242/$address}
    said=$(cd "$scratch" && (set -e; eval "${command//\/var\/backups/$scratch/backups}") 2>/dev/null | ${2:-cat}
        exit "${PIPESTATUS[0]}")
    local status=$?
    echo "${said//$'\n'/$'\n'# }" | sed '1s/^/# /'
    return $status
}

send() { run 'curl http://127.0.0.1:4242/_tracker/events' && [[ $said == *'"ok":true,"saved":1,'* ]]; }
read_back() { run "curl 'http://127.0.0.1:4242/_tracker?limit=5'" && [[ $said == *'"payload":{"name":"hello"}'*'"total":2'* ]]; }
watch() { run 'curl http://127.0.0.1:4242/readyz' && [[ $said == '{"ready":true}'*'beacond_build_info{version='* ]]; }
look() { run 'sqlite3 ' && [ "$(grep -c '|custom|info|try|me$' <<<"$said")" = 2 ]; }

# Logs of the plugin, as the examples name them.
recorded=$source_dir/tests/data/stock-client/shop-2026_11_20.log
lines=$(wc -l <"$recorded")
mkdir -p "$scratch/logs/shop" "$scratch/backups"
cp "$recorded" "$scratch/logs/shop"
gzip -c "$recorded" >"$scratch/old.log.gz"
cp "$recorded" "$scratch/events.ndjson"

import()
{
    run 'beacond import ' &&
        [[ $said == *"logs/shop/shop-2026_11_20.log: $lines lines, $lines stored, 0 already there, "* ]] &&
        [[ $said == *"standard input: $lines lines, 0 stored, $lines already there, "* ]]
}
post_lines() { run 'curl -X POST -T' && [[ $said == '{"ok":true,"saved":'"$lines"',"rejected":0,"duplicate":'"$lines"'}' ]]; }
export_both()
{
    run 'beacond export' && (cd "$scratch" && grep -Fqf november.ndjson events.ndjson &&
        head -n 1 november.csv | grep -q '^seq,received,timestamp,')
}
# Its first line alone: it would go on for ever.
follow()
{
    local command
    command=$(example 'beacond tail' | head -n 1)
    said=$(cd "$scratch" && eval "$command" 2>/dev/null | head -n 1)
    [[ $said == 20*' info '* || $said == 20*' warn '* || $said == 20*' error '* ]]
}
stream()
{
    local command head
    command=$(example 'beacond tail' | sed -n 's/^curl/exec curl -s/p')
    exec 4< <(eval "${command//127.0.0.1:4242/$address}")
    local curl_pid=$!
    IFS= read -r -t 60 -u 4 head
    kill "$curl_pid"
    exec 4<&-
    [[ $head == retry:* ]]
}
count_days() { run "curl 'http://127.0.0.1:4242/_tracker/stats" && [[ $said == '{"state":"ready",'*'"step":"day","total":'*'Z",'* ]]; }
rejects() { run 'beacond rejects' && [ "$said" = '0 stored, 0 already there, 0 kept' ]; }
retain() { example 'retain = ' >"$scratch/retain.conf" && (cd "$scratch" && "$beacond" check-config --config retain.conf >/dev/null); }
prune() { run 'beacond prune' && [[ $said == *' events erased, '*' bytes freed' ]]; }
forget()
{
    run 'beacond forget' && [[ $said == 'erased: user "user_42", '* ]] &&
        [ "$(sqlite3 -readonly "$scratch/beacond.db" "select count(*) from event_fields where userId = 'user_42'")" = 0 ]
}
backup() { run 'beacond backup' && [[ $said == *'/beacond.db: '*' events, '*' bytes, complete and looked through' ]]; }
look_again() { run 'beacond stats' && [[ $said == *'events by type'*'ok    tally: right, '* ]]; }
restored() { run "curl 'http://127.0.0.1:4242/_tracker?limit=5'" && [[ $said == *'"payload":{"name":"hello"}'* ]]; }
restore()
{
    printf 'no database any more' | dd of="$scratch/beacond.db" conv=notrunc 2>/dev/null
    run 'beacond check --database' && [[ $said == *'systemctl start beacond' ]]
}

ok 'the daemon starts' daemon_start "$beacond" serve --listen 127.0.0.1:0 --database beacond.db
ok 'the curl line sends an event' send
ok 'it can be repeated' send
ok 'the events come back' read_back
ok 'it can be watched' watch
ok 'sqlite3 shows them while the daemon runs' look
ok 'log files are imported, and once alone' import
ok 'lines are sent with curl' post_lines
ok 'what was stored is exported' export_both
ok 'it is followed' follow
ok 'as a stream, too' stream
ok 'it is counted' count_days
ok 'there are no rejects' rejects
ok 'the retention options are right' retain
ok 'what is old is erased' prune
ok 'a user is forgotten' forget
ok 'a backup is made' backup
ok 'the database is whole' look_again
daemon_end
ok 'and stops in good order' [ "$daemon_status" = 0 ]
ok 'a damaged database is replaced by the backup' restore
ok 'with which the daemon starts' daemon_start "$beacond" serve --listen 127.0.0.1:0 --database beacond.db
ok 'and gives the events back' restored
daemon_end

(umask 077 && example "# keys:" >"$scratch/keys")
example 'listen = 127' >"$scratch/beacond.conf"
check_config() { (cd "$scratch" && "$beacond" check-config --config beacond.conf); }
ok 'beacond.conf of the README is right' check_config

# The keys are the ones of the plugin's settings, with the scopes the text gives them.
write_path=$(sed -n "s|.*writeEndpoint: 'https://[^/]*\(/.*\)',|\1|p" "$source_dir/README")
read_path=$(sed -n "s|.*readEndpoint: 'https://[^/]*\(/.*\)',|\1|p" "$source_dir/README")
ping_path=$(sed -n "s|.*pingEndpoint: 'https://[^/]*\(/.*\)',|\1|p" "$source_dir/README")
site_key=$(sed -n "s|.*apiKey: '\(.*\)',|\1|p" "$source_dir/README")
my_key=$(sed -n 's/^\(.*\):query$/\1/p' "$scratch/keys")
body='{"type":"ingest","events":[]}'
status() { [ "$(curl -s -o /dev/null -w '%{http_code}' "${@:2}")" = "$1" ]; }

sed -i 's/^listen = .*/listen = 127.0.0.1:0/; s/^database = .*/database = keyed.db/' "$scratch/beacond.conf"
ok 'and the daemon runs with it' daemon_start "$beacond" serve --config beacond.conf
ok 'writeEndpoint takes a beacon' status 200 -d "$body" "http://$address$write_path"
ok 'writeEndpoint takes a keyed batch' status 200 -d "$body" -H "X-Tracker-Key: $site_key" "http://$address$write_path"
ok 'readEndpoint refuses the key of the site' status 403 -H "X-Tracker-Key: $site_key" "http://$address$read_path"
ok 'readEndpoint answers the other key' status 200 -H "X-Tracker-Key: $my_key" "http://$address$read_path"
ok 'pingEndpoint answers' status 200 "http://$address$ping_path"

echo "1..$test_count"
