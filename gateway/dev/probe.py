"""Asks an app server one uwsgi request, to see whether it answers."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import Final

from gateway.dev.diagnosis.question import (
    OPTIONS,
    PING,
    PING_PATIENCE_S,
    Speech,
    heard_on_http,
    heard_on_ping,
)
from gateway.protocol.uwsgi import PlainEncoder

# OPTIONS: frameworks answer it without running a view, and any answer will do.
_PARAMS: Final = (
    (b"REQUEST_METHOD", b"OPTIONS"), (b"REQUEST_URI", b"/"), (b"PATH_INFO", b"/"), (b"SCRIPT_NAME", b""),
    (b"QUERY_STRING", b""), (b"CONTENT_TYPE", b""), (b"CONTENT_LENGTH", b"0"), (b"SERVER_PROTOCOL", b"HTTP/1.1"),
    (b"REQUEST_SCHEME", b"http"), (b"SERVER_NAME", b"localhost"), (b"SERVER_PORT", b"80"),
    (b"REMOTE_ADDR", b"127.0.0.1"), (b"REMOTE_PORT", b"0"), (b"HTTP_HOST", b"localhost"),
    (b"HTTP_USER_AGENT", b"gateway-probe"),
)  # fmt: skip
_HTTP_REQUEST: Final = (
    b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: gateway-probe\r\nConnection: close\r\n\r\n"
)
REQUEST: Final = PlainEncoder([(name, value, False) for name, value in _PARAMS]).encode(None, [])


class NoAnswer(Exception):
    """Why there was none; the text is for the user, `errno` is there when no connection was made."""

    def __init__(self, text: str, errno: int = 0) -> None:
        super().__init__(text)
        self.errno = errno


def ask_uwsgi(address: str | tuple[str, int], timeout_s: float, go_on: Callable[[], bool] = lambda: True) -> float:
    """Seconds until a uwsgi server's answer began; NoAnswer when there is none in time or go_on() says no."""
    begin = time.monotonic()
    answer = _answer(address, REQUEST, timeout_s, go_on)
    if not answer:
        raise NoAnswer("closes the connection without an answer to a uwsgi request")
    if answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400")):
        raise NoAnswer("answers 400: it speaks HTTP, not uwsgi")
    if not answer.startswith((b"HTTP/", b"Status:", b"Content-")):
        raise NoAnswer(f"answers with what is no response: {answer[:20]!r}")
    return time.monotonic() - begin


def ask_http(address: str | tuple[str, int], timeout_s: float, go_on: Callable[[], bool] = lambda: True) -> float:
    """The same of a server that speaks HTTP; OPTIONS again, so that no view runs."""
    begin = time.monotonic()
    answer = _answer(address, _HTTP_REQUEST, timeout_s, go_on)
    if not answer.startswith(b"HTTP/"):
        said = f"answers with what is no response: {answer[:20]!r}"
        raise NoAnswer(said if answer else "closes the connection without an answer to an HTTP request")
    return time.monotonic() - begin


def _answer(address: str | tuple[str, int], question: bytes, timeout_s: float, go_on: Callable[[], bool]) -> bytes:
    begin = time.monotonic()
    with connected(address, timeout_s) as s:
        try:
            s.sendall(question)
            s.settimeout(0.05)
            while True:
                try:
                    return s.recv(4096)
                except TimeoutError:
                    if not go_on():
                        raise NoAnswer("it ended before it answered") from None
                    if time.monotonic() - begin > timeout_s:
                        raise NoAnswer(f"takes the connection, and no answer in {timeout_s:g} s") from None
        except OSError as error:
            raise NoAnswer(f"closes the connection ({error.strerror})") from None


def ask_connection(address: str | tuple[str, int], timeout_s: float) -> float:
    """Seconds until a connection was made."""
    begin = time.monotonic()
    connected(address, timeout_s).close()
    return time.monotonic() - begin


def ask_speech(address: str | tuple[str, int], timeout_s: float) -> Speech | None:
    """Which protocol the peer speaks, None where it does not say; NoAnswer when it takes no connection."""
    answer = _exchanged(address, OPTIONS, timeout_s)
    heard = heard_on_http(answer)
    if heard and b" 500 " not in answer[:16]:
        return heard
    # gunicorn's uwsgi mode answers that too, and tells itself by the ping.
    return heard_on_ping(_exchanged(address, PING, PING_PATIENCE_S)) or heard


def _exchanged(address: str | tuple[str, int], question: bytes, timeout_s: float) -> bytes:
    """What begins the answer to these bytes."""
    with connected(address, timeout_s) as s, contextlib.suppress(OSError):
        s.sendall(question)
        return s.recv(4096)
    return b""


def connected(address: str | tuple[str, int], timeout_s: float) -> socket.socket:
    """A connected socket, or NoAnswer with the reason."""
    if isinstance(address, tuple):
        try:
            return socket.create_connection(address, timeout=timeout_s)
        except OSError as error:
            raise NoAnswer(_reason(error), error.errno or 0) from None
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(timeout_s)
    try:
        s.connect(address)
    except OSError as error:
        s.close()
        raise NoAnswer(_reason(error), error.errno or 0) from None
    return s


def _reason(error: OSError) -> str:
    with contextlib.suppress(AttributeError, TypeError):
        if error.strerror:
            return error.strerror
    return str(error) or type(error).__name__
