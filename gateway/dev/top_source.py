"""Where a running server tells of itself: the dashboard or the API of its configuration, asked as any client may."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from gateway.config import parser
from gateway.dev.run_conf import DASHBOARD
from gateway.process import options as process_options

if TYPE_CHECKING:
    from gateway.config.parser import Statement

Data = dict[str, Any]

_WITHIN_S: Final = 5
_OF_RUN: Final = f"http://127.0.0.1:8080{DASHBOARD}"
_API_VERSION: Final = 9
# NGINX Plus's paths; what a server has not is left out.
_RESOURCES: Final = {
    "nginx": "nginx", "connections": "connections", "requests": "http/requests", "workers": "workers",
    "upstreams": "http/upstreams", "server_zones": "http/server_zones", "location_zones": "http/location_zones",
    "limit_reqs": "http/limit_reqs", "limit_conns": "http/limit_conns", "caches": "http/caches",
}  # fmt: skip


class NoSource(Exception):
    """Nobody tells; the text is for the user."""


def of(url: str) -> Callable[[], Data]:
    """Asks a dashboard's or an API's address once each time it is called. Errors: NoSource."""
    found: list[Callable[[], Data]] = []

    def look() -> Data:
        if not found:
            found.append(_kind(url))
        return found[0]()

    return look


def _kind(url: str) -> Callable[[], Data]:
    base = url if url.endswith("/") else f"{url}/"
    status, data = ask(f"{base}data.json")
    if status == 200 and "connections" in data:
        return lambda: _got(f"{base}data.json")
    for api in (base, f"{base}{_API_VERSION}/"):
        if ask(f"{api}connections")[0] == 200:
            return lambda: _of_api(api)
    if status in (401, 403):
        raise NoSource(f"{base} answers {status}: its allow, deny or auth_basic keeps this machine out")
    raise NoSource(f"{url} is neither a dashboard nor an api (it answers {status})")


def _got(url: str) -> Data:
    status, data = ask(url)
    if status != 200:
        raise NoSource(f"{url} answers {status}")
    found: Data = data
    return found


def _of_api(base: str) -> Data:
    answers = {name: ask(f"{base}{path}") for name, path in _RESOURCES.items()}
    return {name: data for name, (status, data) in answers.items() if status == 200}


def ask(url: str) -> tuple[int, Any]:
    """Status and what the body holds, nothing if that is no JSON. Errors: NoSource."""
    connection, path = _connection(url)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise NoSource(f"{url}: {why}") from None
    finally:
        connection.close()
    try:
        return answer.status, json.loads(body)
    except ValueError:
        return answer.status, {}


class _ToPath(http.client.HTTPConnection):
    """To a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_WITHIN_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connection(url: str) -> tuple[http.client.HTTPConnection, str]:
    """`http://`, `https://`, or `unix:/socket:/path`."""
    if url.startswith("unix:"):
        socket_path, _, path = url[5:].partition(":")
        return _ToPath(socket_path), path or "/"
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if parts.scheme not in ("http", "https") or not host:
        raise NoSource(f'"{url}" should look like http://127.0.0.1:8080/gw/')
    path = parts.path or "/"
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, port or 80, timeout=_WITHIN_S), path
    # Figures of one's own server: its certificate names the site, not the address that is asked here.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port or 443, timeout=_WITHIN_S, context=context), path


def addresses(conf: str | None, prefix: str | None = None) -> list[str]:
    """Where a configuration has a dashboard or the API, dashboards first; else `gateway run`'s. Errors: NoSource."""
    if conf is not None and not conf.startswith("/"):
        conf = str(Path.cwd() / conf)
    try:
        where = process_options.resolve(conf_file=conf, prefix=prefix, test=True, quiet=True)
    except process_options.NoConfiguration:
        return [_OF_RUN]
    source = parser.load(where.conf_file, mend=True)
    found = [*_served(source.statements.readable(), [])]
    if not found and conf is not None:
        raise NoSource(f"{where.conf_file} has neither a location with dashboard nor one with api; put one there")
    found.sort(key=lambda one: one[0] != "dashboard")
    return [url for _, url in found] or [_OF_RUN]


def _served(block: list[Statement], around: list[Statement]) -> Iterator[tuple[str, str]]:
    for statement in block:
        if statement.name in ("dashboard", "api") and around and around[-1].name == "location":
            yield from ((statement.name, f"{place}{_path(around[-1])}") for place in _places(around))
        elif statement.block is not None and statement.name in ("http", "server", "location"):
            yield from _served(statement.block.readable(), [*around, statement])


def _path(location: Statement) -> str:
    return location.args[-1] if location.args and location.args[-1].startswith("/") else "/"


def _places(around: list[Statement]) -> Iterator[str]:
    server = next(each for each in around if each.name == "server")
    lines = [each.args for each in server.block or [] if each.name == "listen" and each.args]
    for address, *parameters in lines or [["80"]]:
        if "quic" in parameters:
            continue
        if address.startswith("unix:"):
            yield f"{address}:"
            continue
        host, _, port = address.rpartition(":") if not address.endswith("]") else (address, "", "80")
        if not host and not port.isdigit():
            host, port = port, "80"
        host = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
        yield f"{'https' if 'ssl' in parameters else 'http'}://{host}:{port}"
