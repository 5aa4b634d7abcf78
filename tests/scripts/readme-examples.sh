#!/bin/bash
# The commands and files that README shows do what it says: each is cut out of README and run against
# the daemon, with nothing changed but the port, and the paths and users that only an installation has.
# What is not run here stands below, with the reason; nothing else in README is indented like an example.
. "${srcdir:-.}/tests/scripts/daemon.bash"
# shellcheck source=tests/scripts/readme.bash
. "$source_dir/tests/scripts/readme.bash"
needs curl sqlite3 gzip openssl

# shellcheck disable=SC2016 # as they stand in README
elsewhere=(
    './contrib/quickstart|tests/package/newcomer.sh runs it'
    'trackerPlugin({|the plugin reads it; its URLs and its key are tried below'
    'dashboard: { enabled|the plugin reads it'
    'name=events|tests/package/newcomer.sh runs it, and all of that section'
    'apt-get -y install ./beacond|tests/package/deb.sh installs it'
    '. contrib/packages.sh|newcomer.sh'
    'umask 077|newcomer.sh'
    'cat >/etc/beacond/beacond.conf|newcomer.sh'
    'apt-get -y install nginx|newcomer.sh'
    'apt-get -y install caddy|it asks a public authority; tests/e2e/proxies.py runs Caddy with the example'
    'curl "https://$name/_tracker/ping"|newcomer.sh'
    'install -d -m 750|newcomer.sh'
    '[Socket]|newcomer.sh'
    'systemctl stop beacond|newcomer.sh'
    'beacond      beside it|a table'
    'create role|tests/e2e/manual_examples.py runs it, out of the manual'
    'database = postgresql|that too'
    'beacond migrate|tests/e2e/migrate.py tries it, with a server that is there'
    'events a day|a table; its figures are tried below'
    'memory, resident|a table, of what tests/bench/sizes.py measures'
)

readme_blocks "$scratch/blocks"

# example BEGINNING: that block; it counts as run.
example()
{
    local file
    file=$(readme_block "$1")
    [ -n "$file" ] && cat "$file" && : >"$scratch/ran.${file##*/}"
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
query()
{
    run 'beacond query' && [[ $said == *$'\ntop-errors '*'-- The most frequent errors, '*$'\ncount  sessions '*,*,* ]]
}
by_type() { run "sqlite3 -readonly beacond.db 'select appId, type" && grep -qx 'try|custom|2' <<<"$said"; }
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
ok 'they are counted with sqlite3' by_type
ok 'ready queries answer' query
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
check_config() { (cd "$scratch" && eval "$(example 'beacond check-config' | head -n 1)" >/dev/null); }
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
command=$(example 'beacond check-config' | sed -n '2s/^beacond //p')
# shellcheck disable=SC2086 # words
ok 'and the daemon runs with it' daemon_start "$beacond" $command
ok 'writeEndpoint takes a beacon' status 200 -d "$body" "http://$address$write_path"
ok 'writeEndpoint takes a keyed batch' status 200 -d "$body" -H "X-Tracker-Key: $site_key" "http://$address$write_path"
ok 'readEndpoint refuses the key of the site' status 403 -H "X-Tracker-Key: $site_key" "http://$address$read_path"
ok 'readEndpoint answers the other key' status 200 -H "X-Tracker-Key: $my_key" "http://$address$read_path"
ok 'pingEndpoint answers' status 200 "http://$address$ping_path"

daemon_end

# settings BEGINNING [MORE]: these lines of beacond.conf are right, with what they name in place.
mkdir -p "$scratch/srv/dashboard/dist/_dashboard" "$scratch/etc/beacond"
(umask 077 && cp "$scratch/keys" "$scratch/etc/beacond/keys" && cd "$scratch/etc/beacond" &&
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout privkey.pem \
        -out fullchain.pem -days 2 -subj /CN=events.example.org 2>/dev/null)
: >"$scratch/srv/dashboard/dist/_dashboard/index.html"
settings()
{
    example "$1" | sed "s|= /|= $scratch/|" >"$scratch/settings.conf"
    [ -s "$scratch/settings.conf" ] && "$beacond" check-config --config "$scratch/settings.conf" >"$scratch/said" 2>&1 && return
    # A program without OpenSSL says so.
    grep -q 'built without OpenSSL' "$scratch/said" || ! sed 's/^/# /' "$scratch/said"
}
for beginning in 'dashboard = ' 'allow-origin = ' 'limit-events = ' 'listen = 0.0.0.0:443' 'admin-listen = ' 'retain = '; do
    ok "settings are right: $beginning" settings "$beginning"
done

# What is deployed: the file between the lines of cat and END.
deployed()
{
    sed -n '/^cat >/,/^END$/{ //d; s|= /var|= '"$scratch"'/var|; p; }' "$(readme_block 'cat >/etc/beacond/beacond.conf')" >"$scratch/deployed.conf"
    mkdir -p "$scratch/var/lib/beacond"
    "$beacond" check-config --config "$scratch/deployed.conf" >/dev/null
}
ok 'the deployed beacond.conf is right' deployed

# What 30 days of so many events take, at 690 bytes, and a backup at 32 MB a second.
sizes()
{
    grep -q 'takes 690 in the database' "$source_dir/README" && grep -q 'at most 32 MB a second' "$source_dir/README" || return 1
    awk 'NR > 1 {
        gsub(",", "", $1); gsub(",", "", $2); events = $1 * 30; bytes = events * 690; rows++
        unit["M,"] = 1e6; unit["G,"] = 1e9; unit["GB"] = 1e9; unit["TB"] = 1e12; unit["min"] = 60; unit["h"] = 3600
        if (wrong($2, $1 / 86400) || wrong($3 * unit[$4], events) || wrong($5 * unit[$6], bytes) ||
            wrong($7 * unit[$8], bytes) || wrong($9 * unit[$10], bytes / 32e6)) { print "# " $0; bad = 1 }
    } END { exit bad || rows < 4 }
    function wrong(said, is) { said += 0; return said < is * 0.83 || said > is * 1.17 }' "$(readme_block 'events a day')"
}
ok 'the table of sizes is what 690 bytes an event come to' sizes

tour()
{
    local path folder first status=0
    while read -r first rest; do
        folder=${first%/*}/
        for path in "$first" ${rest:+$(grep -oE '^[a-z]+\.h' <<<"$rest")}; do
            path=${path%,}
            [ -e "$source_dir/$path" ] || [ -e "$source_dir/$folder$path" ] || { echo "# $path"; status=1; }
        done
    done < <(example 'man/beacond-protocol.7')
    return $status
}
ok 'what the tour of the source names is there' tour

# Nothing is left over, and nothing that is named above has gone.
told()
{
    local file one what status=0
    for one in "${elsewhere[@]}"; do
        file=$(readme_block "${one%%|*}")
        if [ -z "$file" ]; then
            echo "# no longer in README: ${one%%|*}"
            status=1
        else
            echo "# not run here: ${one%%|*}: ${one#*|}"
            : >"$scratch/ran.${file##*/}"
        fi
    done
    for file in "$scratch"/blocks/*; do
        [ -e "$scratch/ran.${file##*/}" ] && continue
        read -r what <"$file"
        echo "# neither run nor named: $what"
        status=1
    done
    return $status
}
ok 'every example is run, or named here' told

echo "1..$test_count"
