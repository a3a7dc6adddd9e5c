"""Python callables in the place of application servers, for tests: WSGI and ASGI on a unix socket."""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from typing import Any, Final

_MOST: Final = 1 << 16


class Served:
    """Serves while it is entered, each connection in a thread of its own."""

    def __init__(self, application: Callable[..., Any], path: str, protocol: str) -> None:
        self._application = application
        self._protocol = protocol
        self._asgi = _is_asgi(application)
        if self._asgi and protocol != "http":
            raise ValueError("an ASGI application stands behind proxy_pass, which speaks HTTP")
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._stop: Callable[[], None] = lambda: None

    def __enter__(self) -> Served:
        self._listener.bind(self._path)
        os.chmod(self._path, 0o666)
        self._listener.listen(128)
        if self._asgi:
            self._stop = _serve_asgi(self._application, self._listener)
        else:
            threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reading, contextlib.suppress(OSError):
            read = _read_uwsgi if self._protocol == "uwsgi" else _read_http
            environ = read(reading)
            if environ is None:
                return
            try:
                connection.sendall(_called(self._application, environ))
            except Exception:
                text = traceback.format_exc()
                print(text, file=sys.stderr)
                head = (
                    f"HTTP/1.1 500 Internal Server Error\r\nContent-Length: {len(text.encode())}\r\nConnection: close"
                )
                connection.sendall(f"{head}\r\nContent-Type: text/plain\r\n\r\n{text}".encode())
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(_MOST):
                pass  # what is not read would turn the close into a reset


def _is_asgi(application: Callable[..., Any]) -> bool:
    call = application if inspect.isroutine(application) else getattr(application, "__call__", application)  # noqa: B004
    return inspect.iscoroutinefunction(call)


def _called(application: Callable[..., Any], environ: dict[str, Any]) -> bytes:
    """A WSGI application's whole answer."""
    head: list[Any] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], error: Any = None) -> Callable[[bytes], None]:
        head[:] = [status, headers]
        return written.append

    result: Iterable[bytes] = application(environ, start_response)
    try:
        written += result
    finally:
        if hasattr(result, "close"):
            result.close()
    body = b"".join(written)
    lines = [f"HTTP/1.1 {head[0]}", *(f"{name}: {value}" for name, value in head[1]), "Connection: close"]
    if not any(name.lower() == "content-length" for name, _ in head[1]):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _read_uwsgi(reading: io.BufferedReader) -> dict[str, Any] | None:
    head = reading.read(4)
    if len(head) < 4:
        return None
    data = reading.read(int.from_bytes(head[1:3], "little"))
    environ: dict[str, Any] = {}
    at = 0
    while at < len(data):
        words = []
        for _ in range(2):
            size = int.from_bytes(data[at : at + 2], "little")
            words.append(data[at + 2 : at + 2 + size].decode("latin-1"))
            at += 2 + size
        environ[words[0]] = words[1]
    return _completed(environ, reading)


def _read_http(reading: io.BufferedReader) -> dict[str, Any] | None:
    line = reading.readline().decode("latin-1").split()
    if len(line) != 3:
        return None
    path, _, query = line[1].partition("?")
    from urllib.parse import unquote_to_bytes

    environ: dict[str, Any] = {
        "REQUEST_METHOD": line[0], "PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "QUERY_STRING": query,
        "SERVER_PROTOCOL": line[2], "SERVER_NAME": "localhost", "SERVER_PORT": "80", "REQUEST_URI": line[1],
    }  # fmt: skip
    while (field := reading.readline().strip().decode("latin-1")) != "":
        name, _, value = field.partition(":")
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value.strip()
    return _completed(environ, reading)


def _completed(environ: dict[str, Any], reading: io.BufferedReader) -> dict[str, Any]:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return {
        "SCRIPT_NAME": "", **environ, "wsgi.version": (1, 0), "wsgi.input": io.BytesIO(reading.read(length)),
        "wsgi.url_scheme": environ.get("HTTP_X_FORWARDED_PROTO") or environ.get("REQUEST_SCHEME") or "http",
        "wsgi.errors": sys.stderr, "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
    }  # fmt: skip


def _serve_asgi(application: Callable[..., Any], listener: socket.socket) -> Callable[[], None]:
    """By uvicorn, in a thread; what ends it."""
    import uvicorn

    config = uvicorn.Config(
        application, log_level="warning", access_log=False, forwarded_allow_ips="*", lifespan="auto"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()

    def stop() -> None:
        server.should_exit = True
        thread.join(10)

    return stop
