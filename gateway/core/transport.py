"""Connections that this side opens, and what a transport is: a Stream, plain or with TLS over it.

What is compiled (connections, exchanges) holds a Stream: TlsStream (core/tls.py) is a subclass, whose methods take
their place.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Protocol

from gateway._fast.file_slice import FileSlice
from gateway._fast.lane import connect_raw
from gateway._fast.stream import Stream
from gateway.core.lane import Lane


class Transport(Protocol):
    """What connections and exchanges use of a Stream; a TLS transport has the same face over a Stream of its own.

    `readable` is True while recv() may have something, a TLS record that was already decrypted included.
    """

    handler: Callable[[], object] | None
    on_deadline: Callable[[], object] | None
    on_crash: Callable[[Exception], object] | None
    deadline: float
    error: int

    @property
    def readable(self) -> bool: ...
    @property
    def peer_closed(self) -> bool: ...
    @property
    def connecting(self) -> bool: ...
    @property
    def closed(self) -> bool: ...
    @property
    def pending(self) -> int: ...
    @property
    def sent(self) -> int: ...
    @property
    def received(self) -> int: ...

    def recv(self, limit: int = 65536) -> bytes | None: ...
    def write(self, data: bytes | FileSlice) -> None: ...
    def send(self, data: bytes) -> int: ...
    def flush(self) -> int: ...
    def limit_rate(self, rate: int, after: int = 0, *, start: float = 0.0, base: int = -1) -> None: ...
    def shutdown_write(self) -> None: ...
    def close(self, reset: bool = False) -> None: ...
    def wait_readable(self, deadline: float = 0.0) -> Awaitable[bool]: ...
    def wait_room(self, below: int = 1, deadline: float = 0.0) -> Awaitable[bool]: ...
    def wait_connected(self, deadline: float = 0.0) -> Awaitable[bool]: ...


def pack_tcp(host: str, port: int) -> bytes:
    """The raw sockaddr of a numeric address; made once per peer, since every connection needs it."""
    if ":" in host:
        address, _, scope = host.strip("[]").partition("%")
        scope_id = socket.if_nametoindex(scope) if scope else 0
        packed = socket.inet_pton(socket.AF_INET6, address)
        return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI16s", port, 0, packed) + struct.pack("=I", scope_id)
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, socket.inet_pton(socket.AF_INET, host))


def pack_unix(path: bytes) -> bytes:
    """The raw sockaddr of a unix socket; a path of 108 bytes or more does not fit."""
    if len(path) > 107:
        raise ValueError("too long path in the unix domain socket")
    return struct.pack("=H", socket.AF_UNIX) + path + b"\0"


def connect(
    lane: Lane,
    address: bytes,
    *,
    bind: bytes | None = None,
    keepalive: bool = False,
    nodelay: bool = True,
    transparent: bool = False,
) -> Stream:
    """Begin a connection to a raw sockaddr; OSError when it fails at once, else `connecting` tells when it is done."""
    return connect_raw(lane, address, bind, keepalive=keepalive, nodelay=nodelay, transparent=transparent)


def connect_tcp(
    lane: Lane,
    host: str,
    port: int,
    *,
    bind: tuple[str, int] | None = None,
    keepalive: bool = False,
    nodelay: bool = True,
    transparent: bool = False,
) -> Stream:
    """As connect(), from a numeric address."""
    local = None if bind is None else pack_tcp(*bind)
    return connect_raw(lane, pack_tcp(host, port), local, keepalive=keepalive, nodelay=nodelay, transparent=transparent)


def connect_unix(lane: Lane, path: bytes) -> Stream:
    """As connect(), to a unix socket; a full backlog is EAGAIN at once."""
    return connect_raw(lane, pack_unix(path))


def has_input(fd: int) -> bool:
    """Whether something waits to be read, or the peer has closed: a look that takes nothing off."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))
