#!/bin/sh
# The manuals and the option table name the same options: flags in beacond.8, config file names in
# beacond.conf.5, each described once, with the default that `beacond --help` tells, and nothing that
# is not there.
beacond=${BEACOND:-./src/beacond}
man=${srcdir:-.}/man
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

if ! "$beacond" --help >"$work/help"; then
    echo "Bail out! $beacond --help failed"
    exit 1
fi

# name<TAB>default, as --help tells: the flag's line and the help line behind it.
awk '/^  --/ { name = substr($1, 3); getline; fallback = ""
        if (match($0, / \(default [^)]*\)$/))
            fallback = substr($0, RSTART + 10, RLENGTH - 11)
        print name "\t" fallback }' "$work/help" |
    # where this build's configure was told to; the manual has a package's
    sed 's|^\(config\t\).*/beacond/beacond[.]conf$|\1/etc/beacond/beacond.conf|' | sort >"$work/table"
cut -f 1 "$work/table" >"$work/options"

# Flags of single commands, which the manual may name.
awk '/^Commands:/ { listed = 1; next } listed && NF == 0 { exit } listed { print $1 }' "$work/help" |
    while read -r command; do
        "$beacond" "$command" --help
    done | sed -n 's/^  --\([a-z][a-z-]*\).*/\1/p' | sort -u >"$work/flags"

# items FILE REQUEST: the names of the list items `.It REQUEST name`, those that describe an option.
items()
{
    sed '/^[.]Sh COMMANDS/,/^[.]S[hs] [A-Z]/d' "$1" | sed -n "s/^[.]It $2\([a-z][a-z-]*\).*/\1/p"
}

# mentions FILE REQUEST: every name in the markup of options.
mentions()
{
    grep '^[.]' "$1" | grep -oE "(^[.]| )$2[a-z][a-z-]*" | sed "s/.*$2//"
}

# defaults FILE REQUEST: name<TAB>default of every described option, "Default: X." with or without
# markup around X.
defaults()
{
    awk -v item="^[.]It $2" '
        $0 ~ item { name = $0; sub(item, "", name); sub(/[ =].*/, "", name); next }
        /^[.]S[hs]/ { name = "" }
        name != "" && /^Default:/ {
            value = $0
            if (value == "Default:") { getline; value = $0; sub(/^[.]Cm /, "", value); sub(/ [.]$/, "", value) }
            sub(/^Default: /, "", value)
            sub(/[.]$/, "", value)
            print name "\t" value
        }' "$1"
}

n=0
verdict() # verdict SENTENCE BAD-LINES
{
    n=$((n + 1))
    if [ -z "$2" ]; then
        echo "ok $n - $1"
    else
        echo "$2" | sed 's/^/# /'
        echo "not ok $n - $1"
    fi
}

manual() # manual FILE REQUEST NAMES-THAT-ARE-NO-OPTION…
{
    file=$man/$1
    request=$2
    name=$1
    shift 2
    items "$file" "$request" | sort >"$work/items"
    verdict "$name describes every option of the table" "$(comm -23 "$work/expected" "$work/items")"
    verdict "$name describes no option twice" "$(uniq -d "$work/items")"
    printf '%s\n' "$@" | sort -u - "$work/options" "$work/flags" >"$work/known"
    mentions "$file" "$request" | sort -u >"$work/mentions"
    verdict "$name names no option that is not in the table" \
        "$(comm -13 "$work/known" "$work/mentions")"
    # "none", "no" and "empty" are words for no default; a default may be explained behind a comma.
    defaults "$file" "$request" | sort >"$work/defaults"
    verdict "$name tells every default as it is" "$(
        awk -F '\t' 'NR == FNR { told[$1] = $2; has[$1] = 1; next }
            $1 in described || !($1 in has) { next }
            { described[$1] = 1; words = told[$1]; sub(/(,| in the) .*/, "", words)
              if (words != $2 && words ~ /^(none|none listed|no|empty)$/) words = ""
              if (words != $2) print $1 ": the manual says \"" words "\", the table \"" $2 "\"" }' \
            "$work/defaults" "$work/table"
        cut -f 1 "$work/defaults" | sort -u | comm -13 - "$work/expected" | sed 's/$/: no default is told/'
    )"
}

verdict 'beacond --help lists the options' "$([ -s "$work/options" ] || echo 'none found')"

cp "$work/options" "$work/expected"
# shellcheck disable=SC2046
manual beacond.8 'Fl -' help version name $(cat "$work/flags")
grep -v '^config$' "$work/options" >"$work/expected"
manual beacond.conf.5 'Ic '

# The other pages refer to flags and name no other; they describe none.
for page in beacond-schema.5 beacond-protocol.7; do
    sort -u "$work/options" "$work/flags" >"$work/known"
    mentions "$man/$page" 'Fl -' | sort -u >"$work/mentions"
    verdict "$page names no option that is not in the table" "$(comm -13 "$work/known" "$work/mentions")"
done

# Variables that the manuals name belong to options, or end in NAME, the word for any.
sed -n 's/.*BEACOND_\([A-Z][A-Z_]*\).*/\1/p' "$man"/*.[1-9] |
    tr 'A-Z_' 'a-z-' | sort -u >"$work/variables"
verdict 'the manuals name no environment variable that is not there' \
    "$(comm -13 "$work/options" "$work/variables")"

echo "1..$n"
