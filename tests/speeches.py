"""How fake peers of each protocol hear a request and say an answer."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import h11
import trio

from gateway.protocol import fastcgi, scgi, uwsgi


@dataclass
class Asked:
    """What a peer was sent."""

    modifiers: tuple[int, int] = (0, 0)
    params: dict[bytes, bytes] = field(default_factory=dict)
    pairs: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    method: bytes = b""
    records: list[tuple[int, bytes]] = field(default_factory=list)  # FastCGI's


Read = Callable[[trio.SocketStream], Awaitable[Asked | None]]


@dataclass(frozen=True)
class Speech:
    """One protocol. `answer(head, body)` makes an answer of header fields with their line ends, and a body."""

    name: str
    read: Read
    answer: Callable[[bytes, bytes], bytes]
    settings: str = ""  # what a location needs beside *_pass
    keeps: str = ""  # what it needs for kept connections; "": there are none

    @property
    def ok(self) -> bytes:
        return self.answer(b"Content-Type: text/plain\r\nContent-Length: 3\r\n", b"ok\n")

    def passing(self, to: str) -> str:
        """The directives of a location that asks such a peer."""
        return f"{self.name}_pass {'http://' if self.name == 'proxy' else ''}{to}; {self.settings}"


async def read_uwsgi(stream: trio.SocketStream) -> Asked | None:
    data = b""
    while len(data) < 4 or len(data) < 4 + struct.unpack_from("<H", data, 1)[0]:
        more = await stream.receive_some(65536)
        if not more:
            return None
        data += more
    try:
        modifier1, modifier2, pairs, body = uwsgi.decode(data)
    except uwsgi.BadPacket:  # another protocol's words: uWSGI closes
        return None
    return await _with_body(stream, Asked((modifier1, modifier2), dict(pairs), pairs, body))


async def read_scgi(stream: trio.SocketStream) -> Asked | None:
    data = b""
    while (decoded := scgi.decode(data)) is None:
        more = await stream.receive_some(65536)
        if not more:
            return None
        data += more
    pairs, body = decoded
    return await _with_body(stream, Asked(params=dict(pairs), pairs=pairs, body=body))


async def _with_body(stream: trio.SocketStream, asked: Asked) -> Asked | None:
    """Read the rest of the body that CONTENT_LENGTH announces."""
    wanted = int(asked.params.get(b"CONTENT_LENGTH") or 0)
    while len(asked.body) < wanted:
        more = await stream.receive_some(65536)
        if not more:
            return None
        asked.body += more
    return asked


def records(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Cut FastCGI records; (type, content) of each, and what is left."""
    found = []
    while len(data) >= 8:
        version, kind, request_id, length, padding = struct.unpack_from(">BBHHBx", data)
        assert version == 1 and request_id == 1, data[:8]
        end = 8 + length + padding
        if len(data) < end:
            break
        found.append((kind, data[8 : 8 + length]))
        data = data[end:]
    return found, data


def params_of(content: bytes) -> list[tuple[bytes, bytes]]:
    """Decode the content of PARAMS records."""
    pairs = []
    at = 0
    while at < len(content):
        lengths = []
        for _ in range(2):
            if content[at] < 128:
                lengths.append(content[at])
                at += 1
            else:
                lengths.append(struct.unpack_from(">I", content, at)[0] & 0x7FFFFFFF)
                at += 4
        name_end = at + lengths[0]
        pairs.append((content[at:name_end], content[name_end : name_end + lengths[1]]))
        at = name_end + lengths[1]
    return pairs


async def read_fastcgi(stream: trio.SocketStream) -> Asked | None:
    asked = Asked()
    data = b""
    while (fastcgi.STDIN, b"") not in asked.records:
        more = await stream.receive_some(65536)
        if not more:
            return None
        found, data = records(data + more)
        asked.records += found
    asked.pairs = params_of(b"".join(content for kind, content in asked.records if kind == fastcgi.PARAMS))
    asked.params = dict(asked.pairs)
    asked.body = b"".join(content for kind, content in asked.records if kind == fastcgi.STDIN)
    return asked


async def read_http(stream: trio.SocketStream) -> Asked | None:
    parser = h11.Connection(h11.SERVER)
    asked = Asked()
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            data = await stream.receive_some(65536)
            if not data:
                return None
            parser.receive_data(data)
        elif isinstance(event, h11.Request):
            asked.method = event.method
            asked.pairs = list(event.headers)
            asked.params = dict(asked.pairs)
        elif isinstance(event, h11.Data):
            asked.body += bytes(event.data)
        else:
            return asked


async def read_memcached(stream: trio.SocketStream) -> Asked | None:
    data = b""
    while not data.endswith(b"\r\n"):
        more = await stream.receive_some(65536)
        if not more:
            return None
        data += more
    return Asked(method=b"get", params={b"key": data[4:-2]})


def stdout(text: bytes) -> bytes:
    """All of a FastCGI answer."""
    return fastcgi.record(fastcgi.STDOUT, text) + fastcgi.record(fastcgi.STDOUT) + END


END = fastcgi.record(fastcgi.END_REQUEST, bytes(8))

UWSGI = Speech("uwsgi", read_uwsgi, lambda head, body: b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body)
SCGI = Speech("scgi", read_scgi, lambda head, body: b"Status: 200 OK\r\n" + head + b"\r\n" + body)
HTTP = Speech("proxy", read_http, lambda head, body: b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body, keeps=" ")
FASTCGI = Speech(
    "fastcgi",
    read_fastcgi,
    lambda head, body: stdout(b"Status: 200 OK\r\n" + head + b"\r\n" + body),
    settings="fastcgi_param REQUEST_METHOD $request_method;",
    keeps="fastcgi_keep_conn on;",
)
MEMCACHED = Speech(
    "memcached",
    read_memcached,
    lambda head, body: b"VALUE the%%20key 0 %d\r\n%b\r\nEND\r\n" % (len(body), body),
    settings='set $memcached_key "the key"; default_type text/plain;',
    keeps=" ",
)
HTTP_LIKE = (UWSGI, HTTP, FASTCGI, SCGI)
ALL = (*HTTP_LIKE, MEMCACHED)
