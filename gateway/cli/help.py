"""What gateway says of itself: --help, help VERB, and the first word to somebody who typed `gateway` alone."""

from __future__ import annotations

import difflib
import os
from typing import Final

# Verbs are modules with main(arguments) -> exit code; they are imported only when asked for.
VERBS: Final = {
    "run": "gateway.dev.run",
    "explain": "gateway.dev.explain.command",
    "check": "gateway.dev.check.command",
    "compat": "gateway.dev.compat",
    "fmt": "gateway.dev.fmt",
}

HELP: Final = """\
gateway: nginx for Python people. It serves with your own nginx.conf, in front of uWSGI, gunicorn and others.

Usage: gateway [options]          as nginx: serve with ./nginx.conf, else /etc/nginx/nginx.conf
       gateway VERB …             gateway help VERB says more

Develop
  run [APP]          an application in uWSGI or gunicorn, served on http://127.0.0.1:8080/ until Ctrl-C
Understand
  explain URL        what a configuration does with a request, step by step; nothing is sent
  check              what -t accepts and what will still hurt, with ways out
  compat             which directives run, which have no effect here, which are refused
  fmt FILE           one form for configuration files
Serve
  start              serve as nginx would, whatever stands in this folder

nginx's options (gateway -h): -t -T -q -s stop|quit|reopen|reload -c FILE -p DIR -e FILE -g TEXT -v -V

Examples:
  gateway run app:app --static /static=static
  gateway -t -c nginx.conf
  gateway -c nginx.conf -g 'daemon off;'
  gateway explain http://localhost:8080/static/app.css
  gateway check --fix

Environment: NO_COLOR, FORCE_COLOR; NOTIFY_SOCKET (systemd).
Files: ./nginx.conf, /etc/nginx/nginx.conf.
"""

FIRST_WORD: Final = (
    "there is no nginx.conf in this folder. Type one of these:",
    "  gateway run app:app              for a Python application",
    "  gateway -c /path/to/nginx.conf   with your own configuration (gateway start: with /etc/nginx/nginx.conf)",
)


# systemd's, of a service that it starts, and what a master that is upgraded hands on.
_NOT_TYPED: Final = ("INVOCATION_ID", "NOTIFY_SOCKET", "LISTEN_FDS", "NGINX")


def first_word_is_wanted(arguments: list[str]) -> bool:
    """Whether somebody typed `gateway` and nothing else, where nothing says what to serve."""
    return not arguments and not os.path.exists("nginx.conf") and not any(name in os.environ for name in _NOT_TYPED)


def unknown(word: str) -> str:
    """The answer to a verb that is none."""
    near = difflib.get_close_matches(word, [*VERBS, "help", "start"], 1)
    guess = f', did you mean "{near[0]}"?' if near else ""
    return f'there is no verb "{word}"{guess} (gateway --help)'
