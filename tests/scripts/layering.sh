#!/bin/sh
# No include points the wrong way: base <- contract <- store, cache <- engine <- control,
# server <- commands; page sees base alone and is seen by server;
# options sees base and contract, main.c options and commands. And each library is seen by its own
# room alone.
cd "${srcdir:-.}/src" || exit 1
n=0

verdict() # verdict NAME BAD-LINES
{
    n=$((n + 1))
    if [ -z "$2" ]; then
        echo "ok $n - $1"
    else
        echo "$2" | sed 's/^/# /'
        echo "not ok $n - $1"
    fi
}

# room NAME ALLOWED…: files in NAME include our own headers from NAME and ALLOWED only.
room()
{
    name=$1
    rooms=$name
    shift
    for other; do
        rooms="$rooms|$other"
    done
    verdict "$name includes nothing but $(echo "$rooms" | tr '|' ' ')" "$(
        find "$name" -name '*.[ch]' -exec grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' {} + |
            grep -vE "\"($rooms)/[^\"]*\""
    )"
}

# only HEADERS PLACES WHAT: <HEADERS> is included by files below PLACES only (extended expressions).
only()
{
    verdict "$3" "$(
        find . -name '*.[ch]' ! -path "./store/*/sql.h" \
            -exec grep -HnE "#[[:space:]]*include[[:space:]]*[<\"]($1)" {} + |
            grep -vE "^[.]/($2)"
    )"
}

room base
room contract base
room cache base contract
room store base contract
room engine base contract store cache
room control base contract store engine
room page base
room server base contract store cache engine page
room options base contract
room commands base contract store cache engine control server options
verdict 'main.c includes nothing but options, commands and base' "$(
    grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' main.c |
        grep -vE '"(options|commands|base)/'
)"

only 'sqlite3' 'store/sqlite/' 'sqlite3.h is seen by store/sqlite alone'
only 'store/sqlite/' 'store/(sqlite/|ask[.]c|copy[.]c)' 'the headers of store/sqlite are seen by it, ask.c and copy.c alone'
only 'libpq-fe|libpq/' 'store/postgres/' 'libpq is seen by store/postgres alone'
only 'store/postgres/' 'store/postgres/' 'the headers of store/postgres are seen by it alone'
only 'store/ops[.]h' 'store/' 'store/ops.h is seen by the store alone'
only 'event2?/|event[.]h|evhttp' 'server/' 'libevent is seen by the server alone'
only 'openssl/|event2/bufferevent_ssl' 'server/(tls|secure)[.]c' 'OpenSSL is seen by server/tls.c and server/secure.c alone'
only 'jansson' 'contract/|engine/|control/|server/|commands/' 'jansson is not seen by base, store, cache, options'
only 'zlib' 'contract/|cache/|page/|server/' 'zlib is seen by contract, cache, page and server alone'
only 'systemd/' 'commands/(activation|notify)[.]c:' 'libsystemd is seen by commands/activation and commands/notify alone'
only 'wslay' 'contract/' 'wslay is seen by contract alone'

echo "1..$n"
