"""Which protocol a peer speaks, by asking it: with uwsgi's ping, with HTTP's least request, with TLS's hello.

uWSGI answers the ping, and closes on HTTP; gunicorn's uwsgi mode answers both with its own HTTP 500. An HTTP server is
silent on the ping, since it waits for the end of a line, and answers the other. A peer that is busy says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from gateway.core.transport import connect

if TYPE_CHECKING:
    from gateway.core.lane import Lane

Speech = Literal["uwsgi", "HTTP", "TLS"]

PING: Final = b"d\0\0\0"  # modifier1 100, no variables
# Without a host some frameworks make one of where they listen: of a socket's path comes a traceback on the terminal.
OPTIONS: Final = b"OPTIONS * HTTP/1.0\r\nHost: localhost\r\n\r\n"
# A ClientHello of TLS 1.2 with two cipher suites and no name: who speaks TLS answers it, with an alert at the least.
HELLO: Final = b"\x16\x03\x01\x00\x31\x01\x00\x00\x2d\x03\x03%b\0\x00\x04\xc0\x2f\x00\x9c\x01\0\0\0" % bytes(range(32))

# Both are answered without any work; a server that takes longer is busy, and that is all we learn.
PING_PATIENCE_S: Final = 0.3
HTTP_PATIENCE_S: Final = 1.0


def heard_on_ping(answer: bytes) -> Speech | None:
    """What the answer to PING says."""
    if answer.startswith((b"d\0\0", b"HTTP/1.1 500", b"HTTP/1.0 500")):
        return "uwsgi"
    return "HTTP" if answer.startswith(b"HTTP/") else None


def heard_on_http(answer: bytes) -> Speech | None:
    """What the answer to OPTIONS says, when PING was met with silence."""
    return "HTTP" if answer.startswith(b"HTTP/") else None


def heard_on_hello(answer: bytes) -> Speech | None:
    """What the answer to HELLO says: a record of a handshake, or an alert."""
    return "TLS" if answer.startswith((b"\x16\x03", b"\x15\x03")) else None


async def ask(lane: Lane, sockaddr: bytes) -> Speech | None:
    """Ask from a fibre of the lane; None: no answer that says it. Cancelled: the connection is closed."""
    heard = heard_on_ping(await _answer(lane, sockaddr, PING, PING_PATIENCE_S))
    heard = heard or heard_on_http(await _answer(lane, sockaddr, OPTIONS, HTTP_PATIENCE_S))
    return heard or heard_on_hello(await _answer(lane, sockaddr, HELLO, PING_PATIENCE_S))


async def _answer(lane: Lane, sockaddr: bytes, question: bytes, patience_s: float) -> bytes:
    deadline = lane.now + patience_s
    try:
        stream: Any = connect(lane, sockaddr)
    except OSError:
        return b""
    try:
        if not await stream.wait_connected(deadline):
            return b""
        stream.send(question)
        answer = b""
        while len(answer) < 12 and await stream.wait_readable(deadline):
            data = stream.recv(4096)
            if data == b"":
                break
            answer += data or b""
        return answer
    except OSError:
        return b""
    finally:
        stream.close()
