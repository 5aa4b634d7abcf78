# Completion of beacond for fish. Made by: beacond completion fish

# The command that the line has: none at its place, serve where options stand instead.
function __beacond_command
    set -l words (commandline -opc)
    if not set -q words[2]
        echo none
    else if string match -q -- '-*' $words[2]
        echo options
    else
        echo $words[2]
    end
end

function __beacond_is
    contains -- (__beacond_command) $argv
end

# Whether the word at hand is the first behind the command, or behind beacond.
function __beacond_first
    set -l words (commandline -opc)
    test (count $words) -eq 1; or test (count $words) -eq 2; and not __beacond_is options
end

# Whether these, and no others, are the operands so far. Flags in front of their value count as one.
function __beacond_behind
    set -l words (commandline -opc)
    set -l operands
    set -l value no
    for word in $words[3..-1]
        if test $value = yes
            set value no
        else if string match -q -- '-*' $word
            contains -- $word $__beacond_valued; and set value yes
        else
            set -a operands $word
        end
    end
    test "$operands" = "$argv"
end

set -g __beacond_valued \
    --since \
    --until \
    --format \
    --order \
    --output \
    --since-seq \
    --last \
    --format \
    --limit \
    --before \
    --older-than \
    --user \
    --session \
    --to \
    --since \
    --until \
    --limit \
    --format \
    --width \
    --show \
    --config \
    --listen \
    --admin-listen \
    --tls-cert \
    --tls-key \
    --admin-host \
    --prefix \
    --database \
    --node \
    --app-id \
    --dashboard \
    --dashboard-route \
    --dashboard-auth \
    --key \
    --key-file \
    --allow-origin \
    --beacon-origin \
    --trusted-proxy \
    --proxy-header \
    --limit-events \
    --limit-bytes \
    --max-header \
    --max-body \
    --max-inflated \
    --max-message \
    --max-event \
    --max-depth \
    --max-events \
    --max-rejects \
    --max-rejects-size \
    --max-receiving \
    --max-connections \
    --max-reads \
    --max-push \
    --cache-events \
    --cache-bytes \
    --threads \
    --readers \
    --queue-size \
    --receipts-size \
    --hold \
    --drain \
    --timeout \
    --head-timeout \
    --body-timeout \
    --ping-interval \
    --retain \
    --retain-size \
    --min-free-disk \
    --synchronous \
    --log-level \
    --log-format

complete -c beacond -f
complete -c beacond -n '__beacond_is none' -a serve -d 'run the daemon (the default)'
complete -c beacond -n '__beacond_is none' -a check-config -d 'check options and files, then end'
complete -c beacond -n '__beacond_is none' -a import -d 'store the events of log files'
complete -c beacond -n '__beacond_is none' -a export -d 'write events out, with or without a running daemon'
complete -c beacond -n '__beacond_is none' -a tail -d 'write each event as it is stored'
complete -c beacond -n '__beacond_is none' -a rejects -d 'list what could not be stored, read it anew, or delete it'
complete -c beacond -n '__beacond_is none' -a prune -d 'erase old events; without a flag, those that the retain options name'
complete -c beacond -n '__beacond_is none' -a forget -d 'erase all events of one user or session, and every trace of them'
complete -c beacond -n '__beacond_is none' -a backup -d 'copy the database to FILE, whether a daemon runs or not'
complete -c beacond -n '__beacond_is none' -a migrate -d 'move the database into PostgreSQL, while the daemon goes on'
complete -c beacond -n '__beacond_is none' -a check -d 'say whether the database is whole; exit 1 when it is not'
complete -c beacond -n '__beacond_is none' -a stats -d 'tell what the database holds and how large it is'
complete -c beacond -n '__beacond_is none' -a query -d 'answer a ready question about the events, or list those there are'
complete -c beacond -n '__beacond_is none' -a ready -d 'say whether the daemon takes events now'
complete -c beacond -n '__beacond_is none' -a completion -d 'print what makes a shell complete command lines'
complete -c beacond -n '__beacond_is none' -a default-config -d 'print a configuration file with every option in it'



complete -c beacond -n '__beacond_is import' -F

complete -c beacond -n '__beacond_is export' -l since -x -d 'events from this time on; default: the oldest'
complete -c beacond -n '__beacond_is export' -l until -x -d 'up to and including this time; default: the newest'
complete -c beacond -n '__beacond_is export' -l format -x -a 'ndjson csv' -d 'an event a line as it was sent, or a table; default ndjson'
complete -c beacond -n '__beacond_is export' -l order -x -a 'oldest newest' -d 'which comes first; default oldest'
complete -c beacond -n '__beacond_is export' -l output -r -F -d 'write to this file, which appears when it is whole; default: standard output'
complete -c beacond -n '__beacond_is export' -l force -d 'replace the file if there is one'

complete -c beacond -n '__beacond_is tail' -l since-seq -x -d 'begin behind the event with this number'
complete -c beacond -n '__beacond_is tail' -l last -x -d 'begin with the newest so many events; default: with what comes from now on'
complete -c beacond -n '__beacond_is tail' -l format -x -a 'ndjson text' -d 'an event a line as it was sent, or a short text; default ndjson'

complete -c beacond -n '__beacond_is rejects' -l json -d 'list: a JSON object a line, with all that was sent'
complete -c beacond -n '__beacond_is rejects' -l limit -x -d 'list: at most so many, the oldest; default: all'
complete -c beacond -n '__beacond_is rejects; and __beacond_behind' -a 'list retry drop'
complete -c beacond -n '__beacond_is rejects; and __beacond_behind retry' -a 'all'
complete -c beacond -n '__beacond_is rejects; and __beacond_behind drop' -a 'all'

complete -c beacond -n '__beacond_is prune' -l before -x -d 'erase events dated before this time'
complete -c beacond -n '__beacond_is prune' -l older-than -x -d 'erase events dated longer ago, such as 30d'

complete -c beacond -n '__beacond_is forget' -l user -x -d 'erase every event whose userId is this'
complete -c beacond -n '__beacond_is forget' -l session -x -d 'erase every event whose sessionId is this'

complete -c beacond -n '__beacond_is backup' -l force -d 'replace FILE if there is one'
complete -c beacond -n '__beacond_is backup; and __beacond_behind' -F

complete -c beacond -n '__beacond_is migrate' -l to -x -d 'the database that it is to go to: postgresql://…'
complete -c beacond -n '__beacond_is migrate' -l whole -d 'compare all events, also those that an earlier run has compared'

complete -c beacond -n '__beacond_is check' -l quick -d 'don\'t compare indexes with their tables'
complete -c beacond -n '__beacond_is check' -l repair-tally -d 'count the events anew where the tally is wrong'

complete -c beacond -n '__beacond_is stats' -l json -d 'one JSON object instead of text'
complete -c beacond -n '__beacond_is stats' -l quick -d 'only what is known without going through the events'

complete -c beacond -n '__beacond_is query' -l since -x -d 'events from this time on, or from so long ago: 36h, 7d; default: 1d'
complete -c beacond -n '__beacond_is query' -l until -x -d 'up to and including this time; default: no end'
complete -c beacond -n '__beacond_is query' -l limit -x -d 'rows at most, 0 for all; each query has its default'
complete -c beacond -n '__beacond_is query' -l format -x -a 'table lines csv json' -d 'a table that fits the terminal, a value a line, or whole for programs; default table'
complete -c beacond -n '__beacond_is query' -l width -x -d 'columns of a table, 0 for any; default: those of the terminal, else 120'
complete -c beacond -n '__beacond_is query' -l show -x -d 'print that query, which tells its parameters, or views, the tables it can use'
complete -c beacond -n '__beacond_is query; and __beacond_behind' -a 'apps around-error browsers clicks console customs events-per-day events-per-hour failed-requests funnel pages rejects routes session sessions sizes slowest-requests top-errors users-of-day'


complete -c beacond -n '__beacond_is completion; and __beacond_behind' -a 'bash zsh fish'


complete -c beacond -n '__beacond_is none options serve check-config import export tail rejects prune forget backup migrate check stats query ready' -l config -r -F -d 'read options from this file; \'\': from none'
complete -c beacond -n '__beacond_is none options serve check-config ready' -l listen -x -d 'IPv4:PORT, [IPv6]:PORT or unix:PATH to serve on; repeatable'
complete -c beacond -n '__beacond_is none options serve check-config' -l admin-listen -x -d 'where /metrics and the probes are served to whoever can reach it; repeatable'
complete -c beacond -n '__beacond_is none options serve check-config' -l tls-cert -r -F -d 'a chain of certificates (PEM): every TCP address of listen speaks TLS'
complete -c beacond -n '__beacond_is none options serve check-config' -l tls-key -r -F -d 'the key of the certificate (PEM, without a password)'
complete -c beacond -n '__beacond_is none options serve check-config' -l admin-host -x -d 'a host name by which admin-listen may be asked; repeatable'
complete -c beacond -n '__beacond_is none options serve check-config' -l prefix -x -d 'what the paths of all routes begin with; repeatable'
complete -c beacond -n '__beacond_is none options serve check-config import export tail rejects prune forget backup migrate check stats query ready' -l database -r -F -d 'an SQLite file, which serve and import make, or postgresql://HOST/NAME'
complete -c beacond -n '__beacond_is none options serve check-config' -l node -x -d 'what this daemon is called among those that share a PostgreSQL database'
complete -c beacond -n '__beacond_is none options serve check-config' -l app-id -x -d 'appId that ping answers with'
complete -c beacond -n '__beacond_is none options serve check-config' -l dashboard -x -a '(__fish_complete_directories)' -d 'serve the plugin\'s dashboard, the _dashboard folder of a build'
complete -c beacond -n '__beacond_is none options serve check-config' -l dashboard-route -x -d 'where it is served'
complete -c beacond -n '__beacond_is none options serve check-config' -l dashboard-auth -x -a 'basic none' -d 'basic: its files need a key with the query scope as password; none: they don\'t'
complete -c beacond -n '__beacond_is none options serve check-config' -l key -x -d 'a key and its scopes, ingest or query; shows in ps: prefer key-file; repeatable'
complete -c beacond -n '__beacond_is none options serve check-config' -l key-file -r -F -d 'more keys from this file, one a line'
complete -c beacond -n '__beacond_is none options serve check-config' -l allow-origin -x -d 'an origin, or *.example.org, whose pages may use the daemon; repeatable'
complete -c beacond -n '__beacond_is none options serve check-config' -l beacon-origin -x -d 'an origin whose pages may send events without a key; repeatable'
complete -c beacond -n '__beacond_is none options serve check-config' -l allow-keyless -d 'serve other machines although there is no key'
complete -c beacond -n '__beacond_is none options serve check-config' -l trusted-proxy -x -d 'an address, network or unix whose proxy-header is believed; repeatable'
complete -c beacond -n '__beacond_is none options serve check-config' -l proxy-header -x -a 'none x-forwarded-for forwarded' -d 'x-forwarded-for or forwarded: where trusted proxies tell the client\'s address'
complete -c beacond -n '__beacond_is none options serve check-config' -l limit-events -x -d 'events a second from one client address; 0: no limit'
complete -c beacond -n '__beacond_is none options serve check-config' -l limit-bytes -x -d 'bytes a second from one client address; 0: no limit'
complete -c beacond -n '__beacond_is none options serve check-config' -l max-header -x -d 'request line and headers'
complete -c beacond -n '__beacond_is none options serve check-config' -l max-body -x -d 'a body as it is sent'
complete -c beacond -n '__beacond_is none options serve check-config' -l max-inflated -x -d 'a compressed body once inflated'
complete -c beacond -n '__beacond_is none options serve check-config' -l max-message -x -d 'a WebSocket message once inflated'
complete -c beacond -n '__beacond_is none options serve check-config import rejects' -l max-event -x -d 'one event'
complete -c beacond -n '__beacond_is none options serve check-config import rejects' -l max-depth -x -d 'levels of nesting in an event'
complete -c beacond -n '__beacond_is none options serve check-config' -l max-events -x -d 'events in one answer'
complete -c beacond -n '__beacond_is none options serve check-config import rejects prune forget migrate check' -l max-rejects -x -d 'events that could not be stored, kept for inspection'
complete -c beacond -n '__beacond_is none options serve check-config import rejects prune forget migrate check' -l max-rejects-size -x -d 'bytes of those'
complete -c beacond -n '__beacond_is none options serve check-config' -l max-receiving -x -d 'requests that are not whole yet, all together'
complete -c beacond -n '__beacond_is none options serve check-config' -l max-connections -x -d 'connections at once'
complete -c beacond -n '__beacond_is none options serve check-config' -l max-reads -x -d 'answers under way at once'
complete -c beacond -n '__beacond_is none options serve check-config' -l max-push -x -d 'pushes that wait for one WebSocket'
complete -c beacond -n '__beacond_is none options serve check-config' -l cache-events -x -d 'newest events that are kept in memory; 0: none'
complete -c beacond -n '__beacond_is none options serve check-config' -l cache-bytes -x -d 'memory for them; 0: none'
complete -c beacond -n '__beacond_is none options serve check-config' -l threads -x -d 'network threads; 0: one per processor, at most 8'
complete -c beacond -n '__beacond_is none options serve check-config' -l readers -x -d 'threads that read the database'
complete -c beacond -n '__beacond_is none options serve check-config' -l queue-size -x -d 'batches waiting to be committed'
complete -c beacond -n '__beacond_is none options serve check-config import rejects prune forget' -l receipts-size -x -d 'receipts, by which batches sent again are recognised'
complete -c beacond -n '__beacond_is none options serve check-config' -l hold -x -d 'how long a request waits for a full queue or a failing disk before 503'
complete -c beacond -n '__beacond_is none options serve check-config' -l drain -x -d 'how long a shutdown waits for requests in flight'
complete -c beacond -n '__beacond_is none options serve check-config' -l timeout -x -d 'silence after which a connection is closed'
complete -c beacond -n '__beacond_is none options serve check-config' -l head-timeout -x -d 'how long the head of a request may take'
complete -c beacond -n '__beacond_is none options serve check-config' -l body-timeout -x -d 'how long the body of a request may take'
complete -c beacond -n '__beacond_is none options serve check-config' -l ping-interval -x -d 'silence after which a WebSocket is pinged; 0s: never'
complete -c beacond -n '__beacond_is none options serve check-config prune' -l retain -x -d 'events dated longer ago are erased; 0s: none is'
complete -c beacond -n '__beacond_is none options serve check-config prune' -l retain-size -x -d 'the oldest events are erased while the database uses more; 0: never'
complete -c beacond -n '__beacond_is none options serve check-config prune' -l min-free-disk -x -d 'the oldest events are erased while its disk has less room; 0: never'
complete -c beacond -n '__beacond_is none options serve check-config import rejects prune forget migrate' -l synchronous -x -a 'full normal off' -d 'full, normal or off: what of the data is on the disk when 200 is sent'
complete -c beacond -n '__beacond_is none options serve check-config import export tail rejects prune forget backup migrate check stats query ready' -l log-level -x -a 'error warn info debug' -d 'error, warn, info or debug'
complete -c beacond -n '__beacond_is none options serve check-config import export tail rejects prune forget backup migrate check stats query ready' -l log-format -x -a 'auto text json journal' -d 'auto, text, json or journal'
complete -c beacond -n '__beacond_first; and __beacond_is none serve check-config import export tail rejects prune forget backup migrate check stats query ready completion default-config' -l help -d 'tell how it is used'
complete -c beacond -n '__beacond_is none' -l version -d 'tell which version it is'
