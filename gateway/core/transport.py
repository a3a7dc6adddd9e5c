"""Connections that this side opens: addresses as the kernel has them, and connect()."""

from __future__ import annotations

import errno
import select
import socket
import struct
from typing import Final

from gateway._fast.lane import connect_raw
from gateway._fast.stream import Stream
from gateway.core.lane import Lane

# Errors of connect() that are the network's daily life (ngx_connection_error); others mean our own side, or a
# configuration that cannot work. EAGAIN: a unix socket's backlog is full.
ORDINARY: Final = frozenset(
    {
        errno.ECONNREFUSED,
        errno.EAGAIN,
        errno.ECONNRESET,
        errno.ECONNABORTED,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ETIMEDOUT,
        errno.EPIPE,
        errno.ENOTCONN,
    }
)


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


def has_input(fd: int) -> bool:
    """Whether something waits to be read, or the peer has closed: a look that takes nothing off."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))
