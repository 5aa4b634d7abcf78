#!/bin/bash
# The commands and files that README shows do what it says: each is cut out of README and run against
# the daemon, with nothing changed but the port.
. "${srcdir:-.}/tests/scripts/daemon.bash"
needs curl sqlite3

# example BEGINNING: the indented block of README whose first line begins so, without its indent.
example()
{
    awk -v begin="    $1" '
        !inside && index($0, begin) == 1 { inside = 1 }
        inside && /^    / { print substr($0, 5); next }
        inside { exit }
    ' "$source_dir/README"
}

# run BEGINNING: runs that example in the daemon's directory, and leaves what it said in $said.
run()
{
    local command
    command=$(example "$1")
    [ -n "$command" ] || return 1
    said=$(cd "$scratch" && eval "${command//127.0.0.1:4242/$address}" 2>/dev/null)
    local status=$?
    echo "${said//$'\n'/$'\n'# }" | sed '1s/^/# /'
    return $status
}

send() { run 'curl http://127.0.0.1:4242/_tracker/events' && [[ $said == *'"ok":true,"saved":1,'* ]]; }
read_back() { run "curl 'http://127.0.0.1:4242/_tracker?limit=5'" && [[ $said == *'"payload":{"name":"hello"}'*'"total":2'* ]]; }
look() { run 'sqlite3 ' && [ "$(grep -c '|custom|info|try|me$' <<<"$said")" = 2 ]; }

ok 'the daemon starts' daemon_start "$beacond" serve --listen 127.0.0.1:0 --database beacond.db
ok 'the curl line sends an event' send
ok 'it can be repeated' send
ok 'the events come back' read_back
ok 'sqlite3 shows them while the daemon runs' look
daemon_end
ok 'and stops in good order' [ "$daemon_status" = 0 ]

(umask 077 && example "# keys:" >"$scratch/keys")
example 'listen = ' >"$scratch/beacond.conf"
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
