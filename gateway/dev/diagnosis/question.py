"""Which protocol a peer speaks, by asking it: uwsgi's ping, HTTP's least request, TLS's hello, FastCGI's question.

uWSGI answers the ping, and closes on HTTP; gunicorn's uwsgi mode answers both with its own HTTP 500. An HTTP server is
silent on the ping, since it waits for the end of a line, and answers the other. A peer that is busy says nothing.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, Literal

from gateway.core.transport import connect

if TYPE_CHECKING:
    from gateway.core.lane import Lane

Speech = Literal["uwsgi", "HTTP", "TLS", "FastCGI"]

PING: Final = b"d\0\0\0"  # modifier1 100, no variables
# Without a host some frameworks make one of where they listen: of a socket's path comes a traceback on the terminal.
OPTIONS: Final = b"OPTIONS * HTTP/1.0\r\nHost: localhost\r\n\r\n"


def _client_hello() -> bytes:
    """One that any server of today takes up (RFC 8446, 4.1.2): some, as asyncio's, close without an alert else."""
    extensions = (
        (10, b"\0\x04\0\x1d\0\x17"),  # supported_groups: x25519, secp256r1
        (11, b"\x01\0"),  # ec_point_formats: uncompressed
        (13, b"\0\x0c\x08\x04\x04\x03\x04\x01\x05\x03\x06\x01\x08\x07"),  # signature_algorithms: RSA, ECDSA, Ed25519
        (43, b"\x04\x03\x04\x03\x03"),  # supported_versions: 1.3, 1.2
        (51, struct.pack(">HHH", 36, 29, 32) + bytes(range(9, 41))),  # key_share: any 32 bytes are a key of x25519
    )
    suites = b"\x13\x01\x13\x02\xc0\x2b\xc0\x2f\x00\x9c"
    tail = b"".join(struct.pack(">HH", kind, len(data)) + data for kind, data in extensions)
    body = b"\x03\x03" + bytes(range(32)) + b"\0"  # TLS 1.2, as all say; random; no session
    body += struct.pack(">H", len(suites)) + suites + b"\x01\0" + struct.pack(">H", len(tail)) + tail
    message = b"\x01\0" + struct.pack(">H", len(body)) + body
    return b"\x16\x03\x01" + struct.pack(">H", len(message)) + message


HELLO: Final = _client_hello()
# FCGI_GET_VALUES with one name, and no more: who speaks FastCGI answers FCGI_GET_VALUES_RESULT.
VALUES: Final = b"\x01\x09\0\0\0\x11\0\0" + b"\x0f\0FCGI_MPXS_CONNS"

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


def heard_on_values(answer: bytes) -> Speech | None:
    """What the answer to VALUES says."""
    return "FastCGI" if answer.startswith(b"\x01\x0a") else None


async def ask(lane: Lane, sockaddr: bytes) -> Speech | None:
    """Ask from a fibre of the lane; None: no answer that says it. Cancelled: the connection is closed."""
    heard = heard_on_ping(await _answer(lane, sockaddr, PING, PING_PATIENCE_S))
    heard = heard or heard_on_http(await _answer(lane, sockaddr, OPTIONS, HTTP_PATIENCE_S))
    heard = heard or heard_on_hello(await _answer(lane, sockaddr, HELLO, PING_PATIENCE_S))
    return heard or heard_on_values(await _answer(lane, sockaddr, VALUES, PING_PATIENCE_S))


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
