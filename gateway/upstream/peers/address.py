"""Addresses of peers: from the text of a configuration or a variable, with nginx's words for what is wrong."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gateway.config.units import number_of
from gateway.core.networks import plain_ipv4
from gateway.core.transport import pack_tcp, pack_unix


@dataclass(frozen=True, slots=True)
class Address:
    """A socket address: packed for the kernel, and as nginx prints it: `127.0.0.1:80`, `[::1]:80`, `unix:/path`."""

    sockaddr: bytes
    name: bytes

    @property
    def is_unix(self) -> bool:
        return self.name.startswith(b"unix:")

    def for_socket(self) -> tuple[int, Any]:
        """The family, and the address as Python's own sockets want it."""
        raw = self.sockaddr
        family = int.from_bytes(raw[:2], sys.byteorder)
        if family == socket.AF_UNIX:
            return family, self.name[5:]
        port = int.from_bytes(raw[2:4], "big")
        if family == socket.AF_INET:
            return family, (socket.inet_ntop(family, raw[4:8]), port)
        return family, (socket.inet_ntop(family, raw[8:24]), port, 0, int.from_bytes(raw[24:28], sys.byteorder))


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed `host:port` or `unix:path`; `address` is None where the host is a name."""

    text: bytes
    host: bytes
    port: int
    no_port: bool
    address: Address | None


def unix_address(path: bytes) -> Address:
    """Errors: ValueError with nginx's words."""
    if not path:
        raise ValueError("no path in the unix domain socket")
    if b"\0" in path:
        raise ValueError("NUL byte in the path of the unix domain socket")
    return Address(pack_unix(path), b"unix:" + path)


def inet_address(host: str, port: int) -> Address:
    """The address of an IP literal, without brackets, IPv6 with `%zone` where it needs one. Errors: OSError."""
    sockaddr = pack_tcp(host, port)
    if ":" in host:
        plain = socket.inet_ntop(socket.AF_INET6, sockaddr[8:24])
        return Address(sockaddr, b"[%s]:%d" % (plain.encode(), port))
    return Address(sockaddr, b"%s:%d" % (host.encode(), port))


def with_port(address: Address, port: int) -> Address:
    """The same IP address with another port."""
    family = int.from_bytes(address.sockaddr[:2], sys.byteorder)
    if address.is_unix:
        return address
    host = address.sockaddr[4:8] if family == socket.AF_INET else address.sockaddr[8:24]
    text = socket.inet_ntop(family, host)
    return Address(
        address.sockaddr[:2] + port.to_bytes(2, "big") + address.sockaddr[4:],
        b"%s:%d" % ((b"[%s]" if ":" in text else b"%s") % text.encode(), port),
    )


def _port(text: bytes) -> int:
    if not text.isdigit() or not 1 <= number_of(text) <= 65535:
        raise ValueError("invalid port")
    return number_of(text)


def parse_target(text: bytes, default_port: int = 0) -> Target:
    """`host[:port]`, `[v6][:port]` or `unix:path`, as nginx's ngx_parse_url. Errors: ValueError with its words."""
    if text[:5].lower() == b"unix:":
        address = unix_address(text[5:])
        return Target(text, text[5:], 0, False, address)
    if text.startswith(b"["):
        host, bracket, rest = text[1:].partition(b"]")
        if not bracket:
            raise ValueError("invalid host")
        if rest.startswith(b":"):
            port, no_port = _port(rest[1:]), False
        elif rest:
            raise ValueError("invalid host")
        else:
            port, no_port = default_port, True
        if not host:
            raise ValueError("no host")
        try:
            return Target(text, b"[" + host + b"]", port, no_port, inet_address(host.decode("ascii"), port))
        except (OSError, ValueError):
            raise ValueError("invalid IPv6 address") from None
    if b"/" in text or b"?" in text:
        raise ValueError("invalid host")
    host, colon, digits = text.partition(b":")
    port, no_port = (_port(digits), False) if colon else (default_port, True)
    if not host:
        raise ValueError("no host")
    literal = plain_ipv4(host)
    return Target(text, host, port, no_port, None if literal is None else inet_address(literal, port))


def resolve(host: bytes, port: int) -> list[Address]:
    """All stream addresses of a name, from the system, at load; IPv4 first as in nginx. Errors: ValueError."""
    try:
        if b"\0" in host:
            raise ValueError(host)
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except (OSError, ValueError):
        raise ValueError("host not found") from None
    return from_addrinfo(found, port)


def from_addrinfo(found: Iterable[tuple[object, ...]], port: int) -> list[Address]:
    """Addresses from what getaddrinfo gave, without repeats."""
    addresses: list[Address] = []
    for wanted in (socket.AF_INET, socket.AF_INET6):
        for family, _, _, _, sockaddr in found:
            if family == wanted and isinstance(sockaddr, tuple):
                address = inet_address(sockaddr[0], port)
                if address not in addresses:
                    addresses.append(address)
    if not addresses:
        raise ValueError("host not found")
    return addresses


def parse_local(text: bytes) -> Address | None:
    """The address of a `*_bind`: an IP with or without a port; None if it is none."""
    try:
        target = parse_target(text)
    except ValueError:
        return None
    return target.address if target.address is not None and not target.address.is_unix else None
