#!/bin/sh
# What the tree has of what the program prints: completions and the default configuration. They are in the
# tree so that a build need not run what it has built.
beacond=${BEACOND:-./src/beacond}
contrib=${srcdir:-.}/contrib
printed=$(mktemp) || exit 1
trap 'rm -f "$printed"' EXIT
n=0

same() # same FILE ARGUMENT…
{
    n=$((n + 1))
    file=$1
    shift
    # Neither the environment nor a configuration has a say in it.
    if BEACOND_DATABASE=/nowhere BEACOND_CONFIG=/nowhere BEACOND_MAX_BODY=x "$beacond" "$@" >"$printed" &&
        diff "$contrib/$file" "$printed" | sed 's/^/# /' && cmp -s "$contrib/$file" "$printed"; then
        echo "ok $n - contrib/$file is what beacond $* prints"
    else
        echo "not ok $n - contrib/$file is what beacond $* prints: make regenerate"
    fi
}

same completion/beacond.bash completion bash
same completion/_beacond completion zsh
same completion/beacond.fish completion fish
same beacond.conf default-config
echo "1..$n"
