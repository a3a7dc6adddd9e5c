"""What gateway says of itself: --help, help VERB, and the first word to somebody who typed `gateway` alone."""

from __future__ import annotations

import os
from typing import Final

from gateway.dev.verbs import OWN_OPTIONS, VERBS

_HEAD: Final = """\
gateway: nginx for Python people. It serves with your own nginx.conf, in front of uWSGI, uvicorn and others.

Usage: gateway [options]          as nginx: serve with ./nginx.conf, else /etc/nginx/nginx.conf
       gateway VERB …             gateway help VERB says more, gateway help DIRECTIVE too
"""
_TAIL: Final = """\
nginx's options (gateway -h): -t -T -q -s stop|quit|reopen|reload -c FILE -p DIR -e FILE -g TEXT -v -V

Examples:
  gateway run app:app --https
  gateway serve dist --spa
  gateway -c nginx.conf -g 'daemon off;'
  gateway explain http://localhost:8080/static/app.css

%s
Environment: NOTIFY_SOCKET, LISTEN_FDS (systemd). Files: ./nginx.conf, /etc/nginx/nginx.conf.
"""
_TOLD: Final = ("--watch",)  # of our options without a value; who reads this knows the others
_START: Final = ("start", "serve as nginx would, whatever stands in this folder")


def _help() -> str:
    lines = [_HEAD]
    groups = dict.fromkeys(verb.group for verb in VERBS.values())
    for group in groups:
        lines.append(f"{group}")
        for name, verb in VERBS.items():
            if verb.group == group:
                lines.append(f"  {f'{name} {verb.usage}':<18} {verb.what}")
        if group == "Understand":
            lines += ["Serve", f"  {_START[0]:<18} {_START[1]}"]
    shown = [(f"{name}{_taken(takes)}", what) for name, takes, what in OWN_OPTIONS if takes or name in _TOLD]
    return "\n".join([*lines, "", _TAIL % "\n".join(f"{left:<28} {what}" for left, what in shown)])


def _taken(takes: str) -> str:
    return f"[{takes}]" if takes.startswith("=") else f" {takes}" if takes else ""


HELP: Final = _help()

FIRST_WORD: Final = (
    "there is no nginx.conf in this folder. Type one of these:",
    "  gateway run app:app              for a Python application (gateway serve: for the files of this folder)",
    "  gateway -c /path/to/nginx.conf   with your own configuration (gateway start: with /etc/nginx/nginx.conf)",
)


# systemd's, of a service that it starts, and what a master that is upgraded hands on.
_NOT_TYPED: Final = ("INVOCATION_ID", "NOTIFY_SOCKET", "LISTEN_FDS", "NGINX")


def first_word_is_wanted(arguments: list[str]) -> bool:
    """Whether somebody typed `gateway` and nothing else, where nothing says what to serve."""
    return not arguments and not os.path.exists("nginx.conf") and not any(name in os.environ for name in _NOT_TYPED)


def unknown(word: str, directive: str = "") -> str:
    """The answer to a verb that is none; `help` knows a directive that may have been meant."""
    import difflib

    near = difflib.get_close_matches(word, [*VERBS, "help", "start"], 1) or [directive]
    guess = f', did you mean "{near[0]}"?' if near[0] else ""
    return f'there is no verb "{word}"{guess} (gateway --help)'
