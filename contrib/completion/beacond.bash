# Completion of beacond for bash. Made by: beacond completion bash

# _beacond_value COMMAND OPTION: what stands behind the option, in $value. False: nothing does.
_beacond_value()
{
    case $1:$2 in
    export:--since) value=nothing ;;
    export:--until) value=nothing ;;
    export:--format) value='ndjson csv' ;;
    export:--order) value='oldest newest' ;;
    export:--output) value=files ;;
    tail:--since-seq) value=nothing ;;
    tail:--last) value=nothing ;;
    tail:--format) value='ndjson text' ;;
    rejects:--limit) value=nothing ;;
    prune:--before) value=nothing ;;
    prune:--older-than) value=nothing ;;
    forget:--user) value=nothing ;;
    forget:--session) value=nothing ;;
    migrate:--to) value=nothing ;;
    query:--since) value=nothing ;;
    query:--until) value=nothing ;;
    query:--limit) value=nothing ;;
    query:--format) value='table lines csv json' ;;
    query:--width) value=nothing ;;
    query:--show) value=nothing ;;
    *:--config) value=files ;;
    *:--listen) value=nothing ;;
    *:--admin-listen) value=nothing ;;
    *:--tls-cert) value=files ;;
    *:--tls-key) value=files ;;
    *:--admin-host) value=nothing ;;
    *:--prefix) value=nothing ;;
    *:--database) value=files ;;
    *:--node) value=nothing ;;
    *:--app-id) value=nothing ;;
    *:--dashboard) value=folders ;;
    *:--dashboard-route) value=nothing ;;
    *:--dashboard-auth) value='basic none' ;;
    *:--key) value=nothing ;;
    *:--key-file) value=files ;;
    *:--allow-origin) value=nothing ;;
    *:--beacon-origin) value=nothing ;;
    *:--trusted-proxy) value=nothing ;;
    *:--proxy-header) value='none x-forwarded-for forwarded' ;;
    *:--limit-events) value=nothing ;;
    *:--limit-bytes) value=nothing ;;
    *:--max-header) value=nothing ;;
    *:--max-body) value=nothing ;;
    *:--max-inflated) value=nothing ;;
    *:--max-message) value=nothing ;;
    *:--max-event) value=nothing ;;
    *:--max-depth) value=nothing ;;
    *:--max-events) value=nothing ;;
    *:--max-rejects) value=nothing ;;
    *:--max-rejects-size) value=nothing ;;
    *:--max-receiving) value=nothing ;;
    *:--max-connections) value=nothing ;;
    *:--max-reads) value=nothing ;;
    *:--max-push) value=nothing ;;
    *:--cache-events) value=nothing ;;
    *:--cache-bytes) value=nothing ;;
    *:--threads) value=nothing ;;
    *:--readers) value=nothing ;;
    *:--queue-size) value=nothing ;;
    *:--receipts-size) value=nothing ;;
    *:--hold) value=nothing ;;
    *:--drain) value=nothing ;;
    *:--timeout) value=nothing ;;
    *:--head-timeout) value=nothing ;;
    *:--body-timeout) value=nothing ;;
    *:--ping-interval) value=nothing ;;
    *:--retain) value=nothing ;;
    *:--retain-size) value=nothing ;;
    *:--min-free-disk) value=nothing ;;
    *:--synchronous) value='full normal off' ;;
    *:--log-level) value='error warn info debug' ;;
    *:--log-format) value='auto text json journal' ;;
    *) return 1 ;;
    esac
}

# _beacond_quoted BEFORE: names, a line each, behind BEFORE and so that the shell takes them for names.
_beacond_quoted()
{
    local name
    while IFS= read -r name; do
        printf '%s%q\n' "$1" "$name"
    done
}

_beacond()
{
    local current=${COMP_WORDS[COMP_CWORD]} command=serve flags option='' value='' before=''
    local first=1 at alone='--help --version'
    local -a operands=()
    COMPREPLY=()

    if [[ $COMP_CWORD -eq 1 && $current != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'serve check-config import export tail rejects prune forget backup migrate check stats query ready completion default-config' -- "$current")
        return
    fi
    if [[ ${COMP_WORDS[1]} != -* ]]; then
        command=${COMP_WORDS[1]}
        first=2
        alone=--help
    fi

    # bash makes a word of the = between a name and its value, unless COMP_WORDBREAKS was changed.
    for ((at = first; at < COMP_CWORD; at++)); do
        case ${COMP_WORDS[at]} in
        --*=*) ;;
        -*)
            _beacond_value "$command" "${COMP_WORDS[at]}" || continue
            option=${COMP_WORDS[at]}
            at=$((at + 1))
            if [[ ${COMP_WORDS[at]} = '=' && $at -lt $COMP_CWORD ]]; then
                at=$((at + 1))
            fi
            [[ $at -eq $COMP_CWORD ]] || option=
            ;;
        *) operands+=("${COMP_WORDS[at]}") ;;
        esac
    done
    if [[ -n $option && $current = '=' ]]; then
        current=
    elif [[ -z $option && $current = --*=* ]]; then
        option=${current%%=*}
        before=$option=
        current=${current#*=}
    fi

    case $command in
    check-config | serve)
        flags='--config --listen --admin-listen --tls-cert --tls-key --admin-host
            --prefix --database --node --app-id --dashboard --dashboard-route
            --dashboard-auth --key --key-file --allow-origin --beacon-origin --allow-keyless
            --trusted-proxy --proxy-header --limit-events --limit-bytes --max-header --max-body
            --max-inflated --max-message --max-event --max-depth --max-events --max-rejects
            --max-rejects-size --max-receiving --max-connections --max-reads --max-push --cache-events
            --cache-bytes --threads --readers --queue-size --receipts-size --hold
            --drain --timeout --head-timeout --body-timeout --ping-interval --retain
            --retain-size --min-free-disk --synchronous --log-level --log-format'
        ;;
    import)
        flags='--config --database --max-event --max-depth --max-rejects --max-rejects-size
            --receipts-size --synchronous --log-level --log-format'
        ;;
    export)
        flags='--since --until --format --order --output --force
            --config --database --log-level --log-format'
        ;;
    tail)
        flags='--since-seq --last --format --config --database --log-level
            --log-format'
        ;;
    rejects)
        flags='--json --limit --config --database --max-event --max-depth
            --max-rejects --max-rejects-size --receipts-size --synchronous --log-level --log-format'
        ;;
    prune)
        flags='--before --older-than --config --database --max-rejects --max-rejects-size
            --receipts-size --retain --retain-size --min-free-disk --synchronous --log-level
            --log-format'
        ;;
    forget)
        flags='--user --session --config --database --max-rejects --max-rejects-size
            --receipts-size --synchronous --log-level --log-format'
        ;;
    backup)
        flags='--force --config --database --log-level --log-format'
        ;;
    migrate)
        flags='--to --whole --config --database --max-rejects --max-rejects-size
            --synchronous --log-level --log-format'
        ;;
    check)
        flags='--quick --repair-tally --config --database --max-rejects --max-rejects-size
            --log-level --log-format'
        ;;
    stats)
        flags='--json --quick --config --database --log-level --log-format'
        ;;
    query)
        flags='--since --until --limit --format --width --show
            --config --database --log-level --log-format'
        ;;
    ready)
        flags='--config --listen --database --log-level --log-format'
        ;;
    completion)
        flags=''
        ;;
    default-config)
        flags=''
        ;;
    *) return ;;
    esac
    [[ $first -ne $COMP_CWORD ]] || flags+=" $alone"
    if [[ -n $option ]]; then
        _beacond_value "$command" "$option" || value=nothing
    elif [[ $current = -* ]]; then
        value=$flags
    else
        case $command:${operands[*]} in
        import:*) value=files ;;
        rejects:) value='list retry drop' ;;
        rejects:retry) value='all' ;;
        rejects:drop) value='all' ;;
        backup:) value=files ;;
        query:) value='apps around-error browsers clicks console customs events-per-day events-per-hour failed-requests funnel pages rejects routes session sessions sizes slowest-requests top-errors users-of-day' ;;
        completion:) value='bash zsh fish' ;;
        *) value=$flags ;;
        esac
    fi

    # bash itself knows quotes, tildes and variables in names of files.
    case $value$before in
    nothing*) ;;
    files) compopt -o default ;;
    folders) compopt -o dirnames ;;
    files*) mapfile -t COMPREPLY < <(compgen -f -- "$current" | _beacond_quoted "$before") ;;
    folders*) mapfile -t COMPREPLY < <(compgen -d -- "$current" | _beacond_quoted "$before") ;;
    *) mapfile -t COMPREPLY < <(compgen -P "$before" -W "$value" -- "$current") ;;
    esac
}

complete -F _beacond beacond
