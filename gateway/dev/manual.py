"""gateway man, gateway completion: made of the verbs' own command lines, so that they cannot be old."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from typing import Final, NamedTuple

import gateway
from gateway.dev.verbs import NGINX_OPTIONS, OWN_OPTIONS, VERBS

SHELLS: Final = ("bash", "zsh", "fish")


class Option(NamedTuple):
    """One option of a verb."""

    flags: tuple[str, ...]
    metavar: str  # empty: it takes nothing
    choices: tuple[str, ...]
    what: str


def parser(verb: str) -> argparse.ArgumentParser:
    """The command line of a verb."""
    entry = VERBS[verb]
    made: argparse.ArgumentParser = getattr(importlib.import_module(entry.module), entry.parser)()
    return made


def options(made: argparse.ArgumentParser) -> list[Option]:
    """In the order of --help, without that."""
    found = []
    for action in made._actions:
        if not action.option_strings or isinstance(action, argparse._HelpAction):
            continue
        takes = action.nargs != 0
        metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
        choices = tuple(map(str, action.choices)) if action.choices else ()
        what = (action.help or "") % {"default": action.default} if action.help else ""
        shown = "|".join(choices) if choices else metavar
        found.append(Option(tuple(action.option_strings), shown if takes else "", choices, what))
    return found


def command_line_of(name: str, what: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=f"gateway {name}", description=what)


def man_command_line() -> argparse.ArgumentParser:
    """The command line of `man`."""
    return command_line_of("man", "Print the manual page: gateway man | man -l -")


def completion_command_line() -> argparse.ArgumentParser:
    """The command line of `completion`."""
    made = command_line_of("completion", 'Print completions for a shell. In bash: eval "$(gateway completion bash)"')
    made.add_argument("shell", choices=SHELLS)
    return made


def man(argv: Sequence[str]) -> int:
    man_command_line().parse_args(argv)
    print(page(), end="")
    return 0


def completion(argv: Sequence[str]) -> int:
    shell = completion_command_line().parse_args(argv).shell
    print({"bash": bash, "zsh": zsh, "fish": fish}[shell](), end="")
    return 0


# -- the manual page


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    escaped = "".join(char if char.isascii() else f"\\[u{ord(char):04X}]" for char in escaped)
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in escaped.splitlines())


def page() -> str:
    """gateway(8), in man(7)'s macros."""
    lines = [
        f'.TH GATEWAY 8 "" "gateway {gateway.__version__}" "System Administration"',
        ".SH NAME", "gateway \\- nginx for Python people: a front server that reads your own nginx.conf",
        ".SH SYNOPSIS",
        ".B gateway", "[\\fIoptions\\fR]", ".br", ".B gateway", "\\fIverb\\fR [\\fIarguments\\fR]",
        ".SH DESCRIPTION",
        _roff(
            f"With options, gateway is nginx {gateway.NGINX_VERSION}: it reads the same nginx.conf, answers with the "
            "same messages and exit codes, and reacts to the same signals. With a verb it does what nginx has not."
        ),
        ".SH OPTIONS",
    ]  # fmt: skip
    for letters, metavar, what in NGINX_OPTIONS:
        lines += [".TP", f".B {_roff(letters)}" + (f" \\fI{_roff(metavar)}\\fR" if metavar else ""), _roff(what)]
    for name, takes, what in OWN_OPTIONS:
        value = f"[{takes}]" if takes.startswith("=") else takes
        space = "" if takes.startswith("=") or not takes else " "
        lines += [".TP", f".B {_roff(name)}" + (f"{space}\\fI{_roff(value)}\\fR" if takes else ""), _roff(what)]
    lines.append(".SH VERBS")
    for name in VERBS:
        made = parser(name)
        usage = " ".join(made.format_usage().removeprefix("usage: ").split())
        lines += [f".SS {name}", f".B {_roff(usage)}", ".PP", _roff(made.description or "")]
        for option in options(made):
            flags = ", ".join(option.flags)
            lines += [".TP", f".B {_roff(flags)}" + (f" \\fI{_roff(option.metavar)}\\fR" if option.metavar else "")]
            lines.append(_roff(option.what or "\\&"))
    lines += [
        ".SH SIGNALS",
        _roff(
            "To the master: TERM, INT end at once; QUIT ends when the last request is done; HUP reads the "
            "configuration again; USR1 opens the logs again; USR2 starts a new binary beside; WINCH ends the "
            "workers of a master that is replaced."
        ),
        ".SH ENVIRONMENT",
        ".TP", ".B NO_COLOR, FORCE_COLOR", "No colours, or colours also where there is no terminal.",
        ".TP", ".B NOTIFY_SOCKET, LISTEN_FDS",
        "systemd's: it is told of the start, of reloads and of the end, and hands sockets over.",
        ".TP", ".B XDG_DATA_HOME", "Where the local authority of \\-\\-https stands (default: ~/.local/share).",
        ".SH FILES",
        ".TP", ".I ./nginx.conf, /etc/nginx/nginx.conf", "The configuration when \\-c names no other.",
        ".SH EXIT STATUS",
        "0 done, 1 the configuration or the system does not allow it, 2 wrong use of a verb.",
        ".SH SEE ALSO", ".BR nginx (8), uwsgi (1), systemd.service (5)",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


# -- completions


def _verbs_and_options() -> list[tuple[str, str, list[Option]]]:
    return [(name, entry.what, options(parser(name))) for name, entry in VERBS.items()]


def bash() -> str:
    verbs = " ".join([*VERBS, "start", "help"])
    cases = "\n".join(
        f'        {name}) words="{" ".join(flag for option in found for flag in option.flags)} --help" ;;'
        for name, _, found in _verbs_and_options()
    )
    plain = " ".join([*(letters for letters, _, _ in NGINX_OPTIONS), *_own_words()])
    return f"""\
# bash completion for gateway: made by `gateway completion bash`
_gateway() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} words
    COMPREPLY=()
    case $before in
        --color) COMPREPLY=($(compgen -W "auto always never" -- "$current")); return ;;
        -s) COMPREPLY=($(compgen -W "stop quit reopen reload" -- "$current")); return ;;
        -c | -e) COMPREPLY=($(compgen -f -- "$current")); return ;;
        -p) COMPREPLY=($(compgen -d -- "$current")); return ;;
        completion) COMPREPLY=($(compgen -W "{" ".join(SHELLS)}" -- "$current")); return ;;
    esac
    case ${{COMP_WORDS[1]}} in
{cases}
        help) words="{verbs}" ;;
        *) words="{plain}"; [ "$COMP_CWORD" = 1 ] && words="{verbs} $words" ;;
    esac
    case $current in
        -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
        *) [ "$COMP_CWORD" = 1 ] || [ "$before" = help ] && COMPREPLY=($(compgen -W "$words" -- "$current"))
           [ "$COMP_CWORD" = 1 ] || COMPREPLY+=($(compgen -f -- "$current")) ;;
    esac
}}
complete -o filenames -F _gateway gateway
"""


def _own_words() -> list[str]:
    """What is typed of our options; those that may have a value stand there with and without it."""
    words = []
    for name, takes, _ in OWN_OPTIONS:
        words += [name, f"{name}{takes}"] if takes.startswith("=") else [name]
    return words


def _zsh_quoted(text: str) -> str:
    return text.replace("'", "'\\''").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")


def zsh() -> str:
    shown = "\n".join(f"        '{name}:{_zsh_quoted(what)}'" for name, what, _ in _verbs_and_options())
    plain = "\n".join(
        f"            '{letters}[{_zsh_quoted(what)}]{f':{metavar}:{_zsh_action(letters)}' if metavar else ''}' \\"
        for letters, metavar, what in NGINX_OPTIONS
    )
    for name, takes, what in OWN_OPTIONS:
        shown = _zsh_quoted(what)
        if takes.startswith("="):
            plain += f"\n            '{name}[{shown}]' \\\n            '{name}{takes}[{shown}]' \\"
        else:
            value = f":{name[2:]}:({takes.replace('|', ' ')})" if takes else ""
            plain += f"\n            '{name}[{shown}]{value}' \\"
    cases = []
    for name, _, found in _verbs_and_options():
        lines = []
        for option in found:
            value = ""
            if option.metavar:
                value = f":{_zsh_quoted(option.metavar)}:" + (
                    f"({' '.join(option.choices)})" if option.choices else "_files"
                )
            lines += [f"                '*{flag}[{_zsh_quoted(option.what)}]{value}' \\" for flag in option.flags]
        rest = f"'1:shell:({' '.join(SHELLS)})'" if name == "completion" else "'*:file:_files'"
        cases.append("\n".join([f"        {name}) _arguments \\", *lines, f"                {rest} ;;"]))
    body = "\n".join(cases)
    return f"""\
#compdef gateway
# zsh completion for gateway: made by `gateway completion zsh`
_gateway() {{
    local -a verbs
    verbs=(
{shown}
        'start:serve as nginx would'
        'help:what a verb does'
    )
    if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
        _describe verb verbs
        return
    fi
    local verb=$words[2]
    case $verb in
        -*) _arguments \\
{plain}
            '*:file:_files'
            return ;;
    esac
    shift words
    (( CURRENT-- ))
    case $verb in
{body}
        help) _describe verb verbs ;;
    esac
}}
compdef _gateway gateway
"""


def _zsh_action(letters: str) -> str:
    return {"-s": "(stop quit reopen reload)", "-p": "_files -/"}.get(letters, "_files")


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish() -> str:
    lines = ["# fish completion for gateway: made by `gateway completion fish`"]
    first = "__fish_use_subcommand"
    for name, what, _ in _verbs_and_options():
        lines.append(f"complete -c gateway -n {first} -f -a {name} -d {_fish_quoted(what)}")
    lines += [
        f"complete -c gateway -n {first} -f -a start -d 'serve as nginx would'",
        f"complete -c gateway -n {first} -f -a help -d 'what a verb does'",
        f"complete -c gateway -n '__fish_seen_subcommand_from completion' -f -a '{' '.join(SHELLS)}'",
        f"complete -c gateway -n '__fish_seen_subcommand_from help' -f -a '{' '.join(VERBS)}'",
    ]
    for letters, metavar, what in NGINX_OPTIONS:
        words = " -x -a 'stop quit reopen reload'" if letters == "-s" else " -r" if metavar else ""
        lines.append(f"complete -c gateway -n {first} -s {letters[1:]}{words} -d {_fish_quoted(what)}")
    for name, takes, what in OWN_OPTIONS:
        words = f" -x -a '{takes.replace('|', ' ')}'" if takes and not takes.startswith("=") else ""
        lines.append(f"complete -c gateway -n {first} -l {name[2:]}{words} -d {_fish_quoted(what)}")
        if takes.startswith("="):
            lines.append(f"complete -c gateway -n {first} -f -a '{name}{takes}' -d {_fish_quoted(what)}")
    for name, _, found in _verbs_and_options():
        for option in found:
            flags = " ".join(f"-l {f[2:]}" if f.startswith("--") else f"-s {f[1:]}" for f in option.flags)
            value = " -r" if option.metavar else ""
            if option.choices:
                value = f" -x -a {_fish_quoted(' '.join(option.choices))}"
            seen = f"'__fish_seen_subcommand_from {name}'"
            lines.append(f"complete -c gateway -n {seen} {flags}{value} -d {_fish_quoted(option.what)}")
    return "\n".join(lines) + "\n"


def write(folder: str) -> None:
    """The files that packages install."""
    for name, text in (("gateway.8", page()), ("gateway.bash", bash()), ("_gateway", zsh()), ("gateway.fish", fish())):
        with open(f"{folder}/{name}", "w") as file:
            file.write(text)


if __name__ == "__main__":
    import sys

    write(sys.argv[2] if len(sys.argv) > 2 else "packaging")
