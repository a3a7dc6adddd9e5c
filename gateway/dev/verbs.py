"""The verbs of the command line, and nginx's options: what --help, completions and the manual page are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Verb:
    """A word of ours: the module is imported only when it is asked for."""

    module: str  # with main(arguments) -> exit code and command_line() -> argparse's parser
    group: str
    usage: str
    what: str
    function: str = "main"
    parser: str = "command_line"


# In the order of --help; completions and the man page are made of it, too.
VERBS: Final = {
    "run": Verb(
        "gateway.dev.run",
        "Develop",
        "[APP]",
        "an application in its app server, on http://127.0.0.1:8080/ until Ctrl-C",
    ),
    "serve": Verb("gateway.dev.serve", "Develop", "[DIR]", "the files of a folder", "serve", "serve_command_line"),
    "proxy": Verb(
        "gateway.dev.serve", "Develop", "--to URL", "everything to another server", "proxy", "proxy_command_line"
    ),
    "init": Verb(
        "gateway.dev.init", "Develop", "[APP]", "write nginx.conf and the app's unit for a server, with HTTPS"
    ),
    "trust": Verb("gateway.dev.trust", "Develop", "", "have this machine trust your local authority (--https)"),
    "untrust": Verb("gateway.dev.trust", "Develop", "", "and take that back", "untrust", "untrust_command_line"),
    "explain": Verb(
        "gateway.dev.explain.command", "Understand", "URL", "what a configuration does with a request, step by step"
    ),
    "check": Verb(
        "gateway.dev.check.command", "Understand", "", "what -t accepts and what will still hurt, with ways out"
    ),
    "compat": Verb("gateway.dev.compat", "Understand", "", "which directives run, have no effect here, are refused"),
    "tree": Verb(
        "gateway.dev.tree", "Understand", "", "servers by address, locations as they are tried, what holds in them"
    ),
    "top": Verb("gateway.dev.top", "Understand", "[URL]", "what goes on in a running server, second by second"),
    "fmt": Verb("gateway.dev.fmt", "Understand", "FILE", "one form for configuration files"),
    "lsp": Verb("gateway.dev.lsp.server", "Install", "", "for editors: mistakes, help and completion while one types"),
    "completion": Verb(
        "gateway.dev.manual",
        "Install",
        "SHELL",
        "completions for bash, zsh or fish",
        "completion",
        "completion_command_line",
    ),
    "man": Verb("gateway.dev.manual", "Install", "", "the manual page, gateway(8)", "man", "man_command_line"),
}

# Ours, before nginx's or in the place of a verb: name, what it takes ("=…": behind an equals sign, and it may be left
# out), what it does.
OWN_OPTIONS: Final = (
    ("--help", "", "verbs, options and examples on a page"),
    ("--version", "", "as -v"),
    ("--anonymize", "=names", "with -T: for a bug report, without secrets, or without names, hosts and addresses too"),
    ("--watch", "", "serve in the foreground, and read the configuration again when it changes"),
    ("--color", "auto|always|never", "in front of all else: what NO_COLOR and FORCE_COLOR say"),
)

# Letter, what it takes, what it does; -h prints them.
NGINX_OPTIONS: Final = (
    ("-?", "", "this help"),
    ("-h", "", "this help"),
    ("-v", "", "show version and exit"),
    ("-V", "", "show version and configure options then exit"),
    ("-t", "", "test configuration and exit"),
    ("-T", "", "test configuration, dump it and exit"),
    ("-q", "", "suppress non-error messages during configuration testing"),
    ("-s", "signal", "send signal to a master process: stop, quit, reopen, reload"),
    ("-p", "prefix", "set prefix path (default: the current directory)"),
    ("-e", "filename", "set error log file (default: logs/error.log if there is logs/, else stderr)"),
    ("-c", "filename", "set configuration file (default: ./nginx.conf, else /etc/nginx/nginx.conf)"),
    ("-g", "directives", "set global directives out of configuration file"),
)
