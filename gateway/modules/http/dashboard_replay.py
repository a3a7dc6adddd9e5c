"""The inspector's replay: a request that request_history has kept comes again, over a connection of the server's own.

It is a socket pair whose other end is served as an accepted connection of the same listening socket, from the client's
address: TLS, HTTP/2, the choice of the server, limits and access rules all take place. What was masked was never kept,
and is left out; a body is sent where all of it was kept (`body=` of request_history).
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from gateway.core.lane import Stream
from gateway.http.connection import Connection, begin
from gateway.http.handshake import Handshake
from gateway.modules.http.request_history import Replay
from gateway.modules.http.request_history_record import MASK
from gateway.protocol import http2_frames
from gateway.upstream.exchange.http2_whole import data_frames, request_frames

if TYPE_CHECKING:
    import trio

    from gateway.http.client import Client
    from gateway.http.cycle import HttpCycle
    from gateway.http.listening import HttpListening
    from gateway.http.request import Request
    from gateway.modules.http.request_history import History
    from gateway.modules.http.request_history_body import Body

SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
_ANSWERED_WITHIN_S: Final = 10.0  # longer than this the page does not wait for it
_AT_MOST_S: Final = 60.0
_LOOK_S: Final = 0.1
_MOST_AT_ONCE: Final = 16
_NOT_AGAIN: Final = frozenset(("expect",))
_NOT_WITH_A_BODY: Final = frozenset(("expect", "content-length", "transfer-encoding"))
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_TARGET: Final = re.compile(r"[\x00-\x20\x7f]")
_MASKED_ARGUMENT: Final = re.compile(rf"(?<=[?&])([^=&#\s]*)={re.escape(MASK)}&?")


@dataclass(slots=True)
class Again:
    """What would be sent of a record; `why_not` says why nothing can be."""

    method: str
    target: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)  # names of fields, and of arguments behind a "?"
    differs: list[str] = field(default_factory=list)  # what else is not as it was
    why_not: str = ""
    body: bytes = b""

    @property
    def safe(self) -> bool:
        return self.method in SAFE


def again(entry: dict[str, Any], cycle: HttpCycle, own: Client, size: int) -> Again:
    """What a record, kept in `size` bytes at most, can be sent as."""
    made = Again(str(entry.get("method", "")))
    target = str(entry.get("uri", ""))
    asked: list[tuple[str, str]] = list(entry.get("asked", ()))
    body: Body | None = entry.get("body")
    if not _TOKEN.fullmatch(made.method) or made.method == "CONNECT" or not target or _NO_TARGET.search(target):
        made.why_not = "it was no request that a client can send"
    elif entry.get("cut") and len(target) >= size // 4:
        made.why_not = "not all of its URI was kept (the size= of request_history)"
    elif body is not None and body.why_not_whole:
        made.why_not = body.why_not_whole
    elif body is None and _had_body(entry, asked):
        made.why_not = "it had a body, which was not kept"
    elif _listening(entry, cycle, own) is None:
        made.why_not = f"nobody listens for {entry.get('scheme')} on port {entry.get('port', 'none')} any more"
    if made.why_not:
        return made
    made.left_out += [f"?{name}" for name in _MASKED_ARGUMENT.findall(target)]
    made.target = _MASKED_ARGUMENT.sub("", target)
    if made.left_out:
        made.target = made.target.rstrip("?&")
    for name, value in asked:
        if MASK in value:
            made.left_out.append(name)
        elif name.lower() not in (_NOT_AGAIN if body is None else _NOT_WITH_A_BODY):
            made.fields.append((name, value))
    if body is not None:
        made.body = body.data
        made.fields.append(("Content-Length", str(len(made.body))))
    made.differs += _at_connection(entry)
    if entry.get("cut"):
        made.differs.append("some of its fields may be missing: the size= of request_history had no room for them")
    return made


def _at_connection(entry: dict[str, Any]) -> list[str]:
    """What the connection has not that the client's had."""
    found = ["$remote_port is 0: the client's port was not kept"]
    if entry.get("scheme") == "https":
        found.append("no client certificate is sent")
    protocol = str(entry.get("protocol", ""))
    body: Body | None = entry.get("body")
    if protocol.startswith("HTTP/3"):
        found.append("it came over HTTP/3, and goes over HTTP/1.1")
    elif protocol.startswith("HTTP/2") and not _over_http2(entry):
        size = len(body.data) if body is not None else 0
        found.append(f"it came over HTTP/2, and goes over HTTP/1.1: its body of {size:,} bytes is above a first window")
    return found


def _over_http2(entry: dict[str, Any]) -> bool:
    """Whether it goes so: all of the body is sent at once, which a window of HTTP/2 has to have room for."""
    body: Body | None = entry.get("body")
    fits = body is None or len(body.data) <= http2_frames.DEFAULT_WINDOW
    return fits and str(entry.get("protocol", "")).startswith("HTTP/2")


def _had_body(entry: dict[str, Any], asked: list[tuple[str, str]]) -> bool:
    named = {name.lower(): value.strip() for name, value in asked}
    if "transfer-encoding" in named:
        return True
    if "content-length" in named:
        return named["content-length"].strip("0") != ""
    # streams of HTTP/2 and 3 need not say it
    return "content-type" in named and str(entry.get("protocol", "")).startswith(("HTTP/2", "HTTP/3"))


def _listening(entry: dict[str, Any], cycle: HttpCycle, own: Client) -> HttpListening | None:
    """The socket that it came to, or one of the same port; the page's own before others, and those with its server."""
    port = str(entry.get("port", "0"))
    server = str(entry.get("server", "")).encode("utf-8", "surrogateescape")
    secure = entry.get("scheme") == "https"
    found: list[tuple[int, HttpListening]] = []
    for listening in cycle.listenings:
        address = listening.address
        here = "0" if address.family == socket.AF_UNIX else str(address.address[1])
        if address.datagram or here != port:
            continue
        for servers in listening.servers.values():
            if servers.ssl == secure:
                known = any(each.server_name == server for each in servers.servers)
                found.append((2 * known + (listening is own.listening), listening))
    return max(found, key=lambda each: each[0])[1] if found else None


# -- who may -----------------------------------------------------------------------------------------------------------


def token(secret: bytes, id: str) -> str:
    """What the form of this request's page has in it."""
    return hmac.new(secret, id.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()[:32]


def is_token(secret: bytes, id: str, given: str) -> bool:
    return hmac.compare_digest(token(secret, id).encode(), given.encode("utf-8", "surrogateescape"))


# -- sending -----------------------------------------------------------------------------------------------------------


class Busy(Exception):
    """Too many of them are under way, or no connection is left."""


async def send(request: Request, history: History, entry: dict[str, Any], made: Again) -> int:
    """Send it, on behalf of the page's request. The number of the new record; 0: it is not (yet) in the ring.

    It goes on after that, as long as it takes, but not for ever. Awaited in a Trio task. Errors: Busy.
    """
    import trio

    client = request.connection
    listening = _listening(entry, request.cycle, client)
    worker = client.worker
    if history.replays is None:
        history.replays = {}
    if listening is None or len(history.replays) >= _MOST_AT_ONCE or not worker.admit():
        raise Busy
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    name, raw = _peer(str(entry.get("client", "")))
    connection = Connection(worker, Stream(worker.lane, theirs.detach()), raw, listening)
    _place(connection, entry, client)
    ended = trio.Event()
    replay = history.replays[connection.number] = Replay(str(entry.get("id", "")).encode(), ended.set)
    begin(connection)

    async def run() -> None:
        try:
            with trio.move_on_after(_AT_MOST_S):
                await _exchange(ours, connection, entry, made, name, ended)
        finally:
            if history.replays is not None:
                history.replays.pop(connection.number, None)
                history.replays = history.replays or None
            ended.set()

    worker.nursery.start_soon(run)
    with trio.move_on_after(_ANSWERED_WITHIN_S):
        await ended.wait()
    return replay.number


def _peer(text: str) -> tuple[str, bytes]:
    """The client's address, as text and as the kernel would tell it; its port was not kept."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "", int(socket.AF_UNIX).to_bytes(2, "little")
    if address.version == 4:
        return text, int(socket.AF_INET).to_bytes(2, "little") + bytes(2) + address.packed + bytes(8)
    return text, int(socket.AF_INET6).to_bytes(2, "little") + bytes(2) + bytes(4) + address.packed + bytes(4)


def _place(connection: Connection, entry: dict[str, Any], own: Client) -> None:
    """Where the client has connected to, which the pair of sockets does not tell."""
    listening = connection.listening
    address = listening.address
    if address.family == socket.AF_UNIX:
        connection.local = b"unix:" + str(address.address).encode("utf-8", "surrogateescape"), 0
        return
    host, port = str(address.address[0]), int(address.address[1])
    if own.listening is listening:
        connection.local = own.local_address()
    elif ipaddress.ip_address(host).is_unspecified:
        connection.local = b"::1" if ":" in host else b"127.0.0.1", port
    else:
        connection.local = host.encode(), port
    if listening.only is None:
        # it was opened as if it had come to the wildcard
        servers = listening.servers_for(connection)
        connection.server = servers.default
        connection.handshake = Handshake(connection) if servers.ssl else None


async def _exchange(
    ours: socket.socket, connection: Connection, entry: dict[str, Any], made: Again, client: str, ended: trio.Event
) -> None:
    import trio

    stream: trio.abc.Stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
    http2 = _over_http2(entry)
    failures = (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError, OSError)
    async with stream, _closing(stream):
        with contextlib.suppress(*failures):
            if connection.listening.proxy_protocol:
                await stream.send_all(_proxy_header(connection, client))
            if entry.get("scheme") == "https":
                stream = _secured(stream, str(entry.get("host", "")), http2=http2)
            await stream.send_all(_as_http2(entry, made) if http2 else _as_http1(entry, made))
            came = False
            while not ended.is_set():
                with trio.move_on_after(_LOOK_S) as look:
                    data = await stream.receive_some()
                    if not data or (not came and data.startswith(b"HTTP/1.1 101")):
                        break  # what was agreed on with the first client is not spoken here
                    came = True
                if look.cancelled_caught and came and _waits(connection):
                    break
    with trio.move_on_after(1):
        await ended.wait()


@contextlib.asynccontextmanager
async def _closing(stream: trio.abc.Stream) -> AsyncIterator[None]:
    """Close it without a word: whoever is at the other end is ourselves."""
    import trio

    try:
        yield
    finally:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)


def _waits(connection: Connection) -> bool:
    """Whether the server is through with what it was sent: its location's requests are not kept, so nobody says it."""
    others = connection.worker.connections
    same = [each for each in others if getattr(each, "number", 0) == connection.number]
    return all(each.waits_since >= 0 for each in same)


def _proxy_header(connection: Connection, client: str) -> bytes:
    local, port = connection.local_address()
    if not client or local.startswith(b"unix:"):
        return b"PROXY UNKNOWN\r\n"
    kind = b"TCP6" if ":" in client else b"TCP4"
    return b"PROXY %b %b %b 0 %d\r\n" % (kind, client.encode(), local, port)


def _secured(stream: trio.abc.Stream, host: str, *, http2: bool) -> trio.abc.Stream:
    import trio

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"] if http2 else ["http/1.1"])
    name = host if re.fullmatch(r"[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*", host) else None
    return trio.SSLStream(stream, context, server_hostname=name, https_compatible=True)


def _host(entry: dict[str, Any], made: Again) -> str:
    named = [value for name, value in made.fields if name.lower() == "host"]
    return named[0] if named else str(entry.get("host", ""))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _as_http1(entry: dict[str, Any], made: Again) -> bytes:
    protocol = str(entry.get("protocol", ""))
    if protocol in ("", "HTTP/0.9"):
        return _bytes(f"{made.method} {made.target}\r\n")
    if protocol.startswith(("HTTP/2", "HTTP/3")):
        protocol = "HTTP/1.1"
    lines = [f"{made.method} {made.target} {protocol}"]
    if protocol != "HTTP/1.0" and not any(name.lower() == "host" for name, _ in made.fields):
        lines.append(f"Host: {_host(entry, made)}")
    lines += [f"{name}: {value}" for name, value in made.fields]
    return _bytes("\r\n".join(lines) + "\r\n\r\n") + made.body


def _as_http2(entry: dict[str, Any], made: Again) -> bytes:
    secure = entry.get("scheme") == "https"
    fields, host, body = made.fields, _host(entry, made), made.body
    head = request_frames(made.method, made.target, host, fields, secure=secure, ends=not body)
    return head + data_frames(body, ends=True) if body else head
