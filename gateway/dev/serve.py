"""gateway serve and gateway proxy: a folder, or somebody else's server, with one command."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from gateway.config.parser import Source
from gateway.dev import browser_reload
from gateway.dev.foreground import CannotRun, Foreground, add_options, place
from gateway.dev.janitor import Janitor
from gateway.dev.run_conf import UPGRADE, Place, mime_types, own, proxied, quoted, whole
from gateway.dev.terminal import Terminal

_SERVE_EXAMPLES: Final = """\
examples:
  gateway serve                         this folder on http://127.0.0.1:8080/
  gateway serve dist --spa              what no file has gets /index.html: for routers in the browser
  gateway serve . --browse --https      with lists of the folders, on https://localhost:8443/
  gateway serve dist --print-conf       the configuration, for gateway -c or nginx -c
"""

_PROXY_EXAMPLES: Final = """\
examples:
  gateway proxy --to http://127.0.0.1:3000              on http://127.0.0.1:8080/, WebSockets too
  gateway proxy --to 3000 --https                       https://localhost:8443/ in front of it
  gateway proxy --to uwsgi://unix:/run/app/app.sock     an application that speaks uwsgi
  gateway proxy --to https://example.org --host 0.0.0.0 --port 9000
"""

# Schemes whose directive has another name.
_FAMILIES: Final = {"suwsgi": "uwsgi", "grpcs": "grpc"}
_SCHEMES: Final = ("http", "https", "uwsgi", "suwsgi", "fastcgi", "scgi", "grpc", "grpcs")


class Made(Foreground):
    """A server with a configuration that was made of the command line alone."""

    def __init__(
        self, options: argparse.Namespace, terminal: Terminal, made: Callable[[str], str], title: str,
        watched: Path | None = None,
    ) -> None:  # fmt: skip
        super().__init__(options, terminal)
        self._made = made
        self._watched = watched
        self.title = f"{self.server_name()}, {title}"

    def text(self, folder: Path) -> str:
        return self._made(browser_reload.location(folder) if self.options.reload else "")

    def before(self, source: Source, janitor: Janitor, stack: contextlib.ExitStack) -> None:
        if self.options.reload and self._watched is not None:
            self.watch_for_browsers(janitor.folder, [self._watched], stack)


def serve_command_line() -> argparse.ArgumentParser:
    """The command line of `serve`."""
    made = argparse.ArgumentParser(
        prog="gateway serve",
        description="Serve the files of a folder until Ctrl-C.",
        epilog=_SERVE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("folder", nargs="?", default=".", metavar="DIR", help="(this one)")
    made.add_argument("--browse", action="store_true", help="list folders that have no index.html")
    made.add_argument("--spa", action="store_true", help="answer with /index.html what no file has")
    made.add_argument("--cors", action="store_true", help="let pages of every origin read the files")
    add_options(made)
    return made


def proxy_command_line() -> argparse.ArgumentParser:
    """The command line of `proxy`."""
    made = argparse.ArgumentParser(
        prog="gateway proxy",
        description="Pass everything on to another server until Ctrl-C.",
        epilog=_PROXY_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--to", required=True, metavar="URL", help=f"{', '.join(_SCHEMES)}; a port alone is on this machine"
    )
    made.add_argument("--from", dest="listen", metavar="[HOST]:PORT", help="the same as --host and --port")
    add_options(made)
    return made


def folder_configuration(folder: Path, where: Place, *, browse: bool, spa: bool, cors: bool, more: str = "") -> str:
    """The nginx.conf of `gateway serve`; `more` is for its server block."""
    location = [f"root {quoted(str(folder))};", "index index.html;"]
    if browse:
        location += ["autoindex on;", "autoindex_exact_size off;"]
    if spa:
        location.append("try_files $uri $uri/ /index.html;")
    if cors:
        location.append("add_header Access-Control-Allow-Origin * always;")
    # What was built a moment ago is what is wanted in development.
    location.append("add_header Cache-Control no-cache;")
    text = "\n            ".join(location)
    body = f"        charset utf-8;\n{more}\n        location / {{\n            {text}\n        }}\n"
    return whole(f"# Made by: gateway serve {folder}\n", where, body, http=mime_types())


def proxy_configuration(target: str, where: Place) -> str:
    """The nginx.conf of `gateway proxy`. Errors: CannotRun."""
    scheme, address, path = _target(target)
    if scheme in ("http", "https"):
        lines = proxied(f"{scheme}://{address}{path}")
        if scheme == "https":
            name = address.partition(":")[0]
            lines = lines.replace("Host $http_host", "Host $proxy_host")
            lines += f"\n            proxy_ssl_server_name on;\n            proxy_ssl_name {name};"
        http = UPGRADE
    else:
        family = _FAMILIES.get(scheme, scheme)
        passed = address if scheme in ("uwsgi", "fastcgi", "scgi") else f"{scheme}://{address}"
        names = {"uwsgi": "uwsgi_params", "fastcgi": "fastcgi_params", "scgi": "scgi_params"}
        lines, http = f"{family}_pass {passed};", ""
        if family in names:
            lines = f"{own(names[family], 12)}\n            {lines}"
    body = f"        client_max_body_size 0;\n\n        location / {{\n            {lines}\n        }}\n"
    return whole(f"# Made by: gateway proxy --to {target}\n", where, body, http=http)


def _target(text: str) -> tuple[str, str, str]:
    """Scheme, address, path. Errors: CannotRun."""
    if text.isdigit():
        text = f"http://127.0.0.1:{text}"
    elif "://" not in text:
        text = f"http://{text}"
    if set(text) & set(" \t\"'\\;{}$"):
        raise CannotRun(f'"{text}" has characters that no address has')
    scheme, _, rest = text.partition("://")
    if scheme not in _SCHEMES:
        raise CannotRun(f'"{scheme}://" is none of {", ".join(f"{each}://" for each in _SCHEMES)}')
    if rest.startswith("unix:"):
        return scheme, rest, ""
    parts = urlsplit(text)
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise CannotRun(f'"{text}": {error}') from None
    if not host:
        raise CannotRun(f'"{text}" names no host: http://127.0.0.1:3000, or a port alone')
    if port is None and scheme not in ("http", "https", "grpc", "grpcs"):
        raise CannotRun(f'"{text}" names no port')
    return scheme, parts.netloc, parts.path.rstrip("/") and parts.path


def serve(argv: Sequence[str]) -> int:
    """Exit codes: 0 stopped by the user, 1 could not run, 2 wrong use."""
    options = serve_command_line().parse_args(argv)
    folder = Path(options.folder).resolve()

    def made(where: Place, more: str) -> str:
        if not folder.is_dir():
            raise CannotRun(f"{folder} is no folder")
        if "$" in str(folder):
            raise CannotRun(f'{folder}: "$" begins a variable in a configuration and has no escape')
        return folder_configuration(folder, where, browse=options.browse, spa=options.spa, cors=options.cors, more=more)

    return _run("serve", options, made, str(folder), folder)


def proxy(argv: Sequence[str]) -> int:
    """Exit codes: 0 stopped by the user, 1 could not run, 2 wrong use."""
    command_line = proxy_command_line()
    options = command_line.parse_args(argv)
    if options.listen is not None:
        host, _, port = options.listen.rpartition(":")
        if not port.isdigit():
            command_line.error(f"--from {options.listen}: it should look like :8080 or 127.0.0.1:8080")
        options.host, options.port = host.strip("[]") or options.host, int(port)
    if options.reload:
        command_line.error("--reload: nobody knows what the other server's pages are made of")
    made = lambda where, _: proxy_configuration(options.to, where)  # noqa: E731
    return _run("proxy", options, made, f"everything to {options.to}")


def _run(
    verb: str, options: argparse.Namespace, made: Callable[[Place, str], str], title: str, watched: Path | None = None
) -> int:
    terminal = Terminal()
    try:
        where = place(options, take=not options.print_conf)
        text = made(where, "")
        if options.print_conf:
            print(text, end="")
            return 0
        return Made(options, terminal, lambda more: made(where, more), title, watched).main()
    except CannotRun as why:
        terminal.complain(f"gateway {verb}: {why}")
        return 1
