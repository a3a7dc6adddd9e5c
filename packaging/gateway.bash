# bash completion for gateway: made by `gateway completion bash`
_gateway() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words
    COMPREPLY=()
    case $before in
        --color) COMPREPLY=($(compgen -W "auto always never" -- "$current")); return ;;
        -s) COMPREPLY=($(compgen -W "stop quit reopen reload" -- "$current")); return ;;
        -c | -e) COMPREPLY=($(compgen -f -- "$current")); return ;;
        -p) COMPREPLY=($(compgen -d -- "$current")); return ;;
        completion) COMPREPLY=($(compgen -W "bash zsh fish" -- "$current")); return ;;
    esac
    case ${COMP_WORDS[1]} in
        run) words="--static --processes -c --bodies --host --port --strict-port --https --reload --open --print-conf --json --server --while-parent --help" ;;
        serve) words="--browse --spa --cors --host --port --strict-port --https --reload --open --print-conf --json --server --while-parent --help" ;;
        proxy) words="--to --from --host --port --strict-port --https --reload --open --print-conf --json --server --while-parent --help" ;;
        init) words="--domain --email --certificate --static --processes --user --print --help" ;;
        trust) words="--no-system --no-browsers --help" ;;
        untrust) words="--no-system --no-browsers --help" ;;
        explain) words="-c -p -g -H -d --data --answer --http2 --http3 --http1.1 --early-data --from --id --json --help" ;;
        check) words="-c -p -g --strict --fix --only --skip --rules --json --csv --sarif --help" ;;
        compat) words="-c -p --from --all --json --csv --anonymize --help" ;;
        tree) words="-c -p --inherited --json --help" ;;
        top) words="-c -p --interval --once --json --csv --help" ;;
        fmt) words="--write -w --check --diff --help" ;;
        lsp) words="-c --stdio --help" ;;
        completion) words=" --help" ;;
        man) words=" --help" ;;
        help) words="run serve proxy init trust untrust explain check compat tree top fmt lsp completion man start help" ;;
        *) words="-? -h -v -V -t -T -q -s -p -e -c -g --help --version --anonymize --anonymize=names --watch --color"; [ "$COMP_CWORD" = 1 ] && words="run serve proxy init trust untrust explain check compat tree top fmt lsp completion man start help $words" ;;
    esac
    case $current in
        -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
        *) [ "$COMP_CWORD" = 1 ] || [ "$before" = help ] && COMPREPLY=($(compgen -W "$words" -- "$current"))
           [ "$COMP_CWORD" = 1 ] || COMPREPLY+=($(compgen -f -- "$current")) ;;
    esac
}
complete -o filenames -F _gateway gateway
