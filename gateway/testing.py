"""gateway in your tests: your own nginx.conf, on free ports, with Python callables for the application servers.

    with gateway.testing.serve("nginx.conf", upstreams={"app": app}) as server:
        assert server.get("/static/a.css").status == 200

`upstreams` has WSGI or ASGI applications, by the name of an `upstream` block or by the address in a `*_pass`.
A fixture for pytest, `gateway_server`, comes with the package. Nothing is left behind: the process, its folder and its
sockets go with the block.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import gateway
from gateway.config.parser import Source, Statement, load, parse
from gateway.dev.callables import Served
from gateway.dev.run_conf import quoted

_PATIENCE_S: Final = 60.0
_PASSES: Final = {"uwsgi_pass": "uwsgi", "proxy_pass": "http"}


class GatewayFailed(Exception):
    """It did not start; the text is what it said."""


@dataclass(slots=True)
class Response:
    """An answer, read whole."""

    status: int
    headers: dict[str, str]  # names in small letters
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


@dataclass(slots=True)
class Server:
    """A gateway that serves; what it logs is `log`."""

    folder: Path
    ports: dict[str, int] = field(default_factory=dict)  # the addresses that stand in `listen`, and where they are now
    secure: set[str] = field(default_factory=set)

    @property
    def log(self) -> str:
        """The error log, as far as the configuration names no file of its own for it."""
        with contextlib.suppress(OSError):
            return (self.folder / "error.log").read_text("utf-8", "replace")
        return ""

    def url(self, path: str = "/", listen: str = "") -> str:
        """Of the first `listen`, or of the one that is named as it stands in the configuration."""
        where = listen or next(iter(self.ports))
        scheme = "https" if where in self.secure else "http"
        return f"{scheme}://127.0.0.1:{self.ports[where]}{path}"

    def get(self, path: str = "/", **more: Any) -> Response:
        return self.request("GET", path, **more)

    def request(
        self, method: str, path: str, *, host: str = "localhost", body: bytes | None = None,
        headers: Mapping[str, str] | None = None, listen: str = "",
    ) -> Response:  # fmt: skip
        """One request over a connection of its own; certificates are not looked at."""
        parts = urlsplit(self.url(path, listen))
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            connection = http.client.HTTPSConnection(parts.netloc, timeout=_PATIENCE_S, context=context)
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=_PATIENCE_S)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Host": host, **(headers or {})})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Response(answer.status, found, answer.read())


@contextlib.contextmanager
def serve(
    conf: str | os.PathLike[str] = "nginx.conf", *, upstreams: Mapping[str, Callable[..., Any]] | None = None
) -> Iterator[Server]:
    """Serve with this file, or with this text if it has a `{`. Errors: GatewayFailed, ConfigError."""
    given = os.fspath(conf)
    source = parse(given, "nginx.conf", conf_prefix=f"{os.getcwd()}/") if "{" in given else load(os.path.abspath(given))
    if source.error is not None:
        raise source.error
    with contextlib.ExitStack() as stack:
        # The path of a unix socket has at most 107 bytes.
        folder = Path(tempfile.mkdtemp(prefix="gateway-test-", dir=None if len(tempfile.gettempdir()) < 60 else "/tmp"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        beside = Path.cwd() if "{" in given else Path(given).resolve().parent
        for each in beside.iterdir():
            if each.name not in ("nginx.conf", "error.log", "logs"):
                (folder / each.name).symlink_to(each)
        server = Server(folder)
        rewriting = _Rewriting(server, dict(upstreams or {}), stack)
        (folder / "nginx.conf").write_text(rewriting.text(source), "utf-8", "surrogateescape")
        stack.callback(_stop, _start(server))
        yield server


class _Rewriting:
    """The configuration again, with other ports and other peers."""

    def __init__(self, server: Server, upstreams: dict[str, Callable[..., Any]], stack: contextlib.ExitStack) -> None:
        self._server = server
        self._upstreams = upstreams
        self._stack = stack
        self._sockets: dict[tuple[str, str], str] = {}  # by upstream and protocol

    def text(self, source: Source) -> str:
        names = {statement.name for statement in source.statements}
        own = [] if "pid" in names else [f"pid {self._server.folder}/pid;"]
        if os.geteuid() == 0 and "user" not in names:
            own.append("user root;")
        if "error_log" not in names:
            own.append("error_log error.log info;")
        made = "\n".join([*own, *(line for each in source.statements for line in self._lines(each, 0))])
        unused = set(self._upstreams) - {name for name, _ in self._sockets}
        if unused:
            raise GatewayFailed(f"nothing in the configuration passes to {', '.join(sorted(unused))}")
        return made + "\n"

    def _lines(self, statement: Statement, depth: int) -> Iterator[str]:
        name, arguments = statement.name, list(statement.args)
        if name in ("daemon", "master_process", "pid", "include"):
            if name != "include":
                return
        elif name == "listen":
            arguments[0] = self._listen(arguments)
        elif name in _PASSES and arguments:
            arguments[0] = self._pass(_PASSES[name], arguments[0])
        indent = "    " * depth
        words = " ".join(map(quoted, [name, *arguments]))
        if statement.block is None:
            yield f"{indent}{words};"
            return
        yield f"{indent}{words} {{"
        for each in statement.block:
            yield from self._lines(each, depth + 1)
        yield f"{indent}}}"

    def _listen(self, arguments: list[str]) -> str:
        address = arguments[0]
        if address.startswith("unix:") or "udp" in arguments:
            return address
        ports = self._server.ports
        if address not in ports:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                ports[address] = probe.getsockname()[1]
        if "ssl" in arguments:
            self._server.secure.add(address)
        return f"127.0.0.1:{ports[address]}"

    def _pass(self, protocol: str, target: str) -> str:
        scheme, sign, rest = target.rpartition("://")
        name, slash, path = rest.partition("/") if not rest.startswith("unix:") else (rest, "", "")
        application = self._upstreams.get(name)
        if application is None:
            return target
        key = name, protocol
        if key not in self._sockets:
            place = str(self._server.folder / f"{len(self._sockets)}.peer")
            self._stack.enter_context(Served(application, place, protocol))
            self._sockets[key] = place
        made = f"unix:{self._sockets[key]}"
        if protocol == "uwsgi":
            return made
        return f"{scheme + sign if scheme == 'http' else 'http://'}{made}{':' + slash + path if slash else ''}"


def _start(server: Server) -> subprocess.Popen[str]:
    """A process that accepts: it says so itself, as to a service manager."""
    folder = server.folder
    root = Path(gateway.__file__).parent.parent
    environment = {**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), "NO_COLOR": "1"}
    if root.name != "site-packages":  # from a checkout
        environment["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-P", "-m", "gateway", "-p", f"{folder}/", "-c", f"{folder}/nginx.conf", "-e", "stderr"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard, (folder / "said").open("w+") as said:
        heard.bind(str(folder / "notify"))
        heard.settimeout(0.05)
        process = subprocess.Popen(
            [*command, "-g", "daemon off;"], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=said,
            stderr=said, text=True,
        )  # fmt: skip
        end = time.monotonic() + _PATIENCE_S
        while True:
            with contextlib.suppress(TimeoutError):
                if b"READY=1" in heard.recv(4096):
                    return process
            if process.poll() is not None or time.monotonic() > end:
                _stop(process)
                said.seek(0)
                raise GatewayFailed(said.read().strip() or "it said nothing")


def _stop(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGQUIT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
