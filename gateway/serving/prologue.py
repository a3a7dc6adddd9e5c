"""What a session of stream or mail may begin with: a PROXY protocol header."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Final, Protocol

from gateway.protocol.proxy_protocol import V2_MAX, ProxyHeader, parse

if TYPE_CHECKING:
    from gateway._fast.stream import Stream

_TIMED_OUT: Final = OSError(errno.ETIMEDOUT, "")


class NoHeader(Exception):
    """The session is over. `broken`: what came is none, or ended before its end; else nothing more came."""

    def __init__(self, broken: bool) -> None:
        super().__init__(broken)
        self.broken = broken


class Beginning(Protocol):
    """A session that has only its client's connection."""

    stream: Stream

    def log(self, level: str, message: bytes, error: OSError | None = None) -> Any: ...


async def read_proxy_header(session: Beginning, deadline: float) -> tuple[ProxyHeader, bytes]:
    """The header, and what came behind it. Errors: NoHeader, and the session's log says why, but for an end."""
    stream = session.stream
    data = b""
    while True:
        try:
            more = stream.recv(V2_MAX)
        except OSError as error:
            session.log("info", b"recv() failed", error)
            raise NoHeader(broken=False) from None
        if more is None:
            if not await stream.wait_readable(deadline):
                session.log("info", b"client timed out", _TIMED_OUT)
                raise NoHeader(broken=False)
            continue
        if not more:
            raise NoHeader(broken=True)
        data += more
        try:
            parsed = parse(data)
        except ValueError as error:
            session.log("error", str(error).encode("utf-8", "surrogateescape"))
            raise NoHeader(broken=True) from None
        if parsed is not None:
            header, used = parsed
            return header, data[used:]
