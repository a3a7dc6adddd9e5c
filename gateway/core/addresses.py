"""Addresses as configurations write them: `listen`'s, and `host:port` of upstreams; nginx's ngx_parse_url."""

from __future__ import annotations

import ipaddress
import socket

from gateway.config.text import for_system, to_bytes
from gateway.core.listening import ListenAddress, address_text
from gateway.core.networks import plain_ipv4


class AddressError(ValueError):
    """An address that cannot be used; str() is nginx's reason, such as "invalid port"."""


def parse_listen(text: str) -> list[ListenAddress]:
    """The socket addresses of a `listen`: one, or as many as a host name has."""
    if text.lower().startswith("unix:"):
        path = text[5:]
        if not path:
            raise AddressError("no path in the unix domain socket")
        if "\0" in path:
            raise AddressError("NUL byte in the path of the unix domain socket")
        if len(path.encode("utf-8", "surrogateescape")) > 107:
            raise AddressError("too long path in the unix domain socket")
        return [ListenAddress(socket.AF_UNIX, path, f"unix:{path}")]
    host, ports = _split(text)
    if host == "*":
        host = "0.0.0.0"
    if host == "[]":
        raise AddressError("no host")
    if host.startswith("["):
        try:
            found = [(int(socket.AF_INET6), str(ipaddress.IPv6Address(host[1:-1])))]
        except ValueError:
            raise AddressError("invalid IPv6 address") from None
    else:
        found = _literal(host) or resolve(host)
    return [_listen(family, address, port) for family, address in found for port in ports]


def _literal(host: str) -> list[tuple[int, str]]:
    plain = plain_ipv4(to_bytes(host))
    return [] if plain is None else [(int(socket.AF_INET), plain)]


def resolve(host: str) -> list[tuple[int, str]]:
    """(family, numeric address) of a name, by the system's resolver, at load time."""
    try:
        found = socket.getaddrinfo(for_system(host), None, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        raise AddressError("host not found") from None
    return list(dict.fromkeys((int(family), str(address[0])) for family, _, _, _, address in found))


def parse_server(text: str, default_port: int) -> list[tuple[int, tuple[str, int]]]:
    """(family, (numeric address, port)) of a `host[:port]` to connect to: one, or as many as a host name has."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise AddressError("invalid host")
        try:
            found = [(int(socket.AF_INET6), str(ipaddress.IPv6Address(host)))]
        except ValueError:
            raise AddressError("invalid IPv6 address") from None
    else:
        host, colon, rest = text.partition(":")
        rest = colon + rest
        if "/" in text or "?" in text:
            raise AddressError("invalid host")
        found = _literal(host) if host else []
    port = parse_port(rest[1:]) if rest else default_port
    if not host:  # of "::1" it is the port that is wrong
        raise AddressError("no host")
    return [(family, (address, port)) for family, address in found or resolve(host)]


def _listen(family: int, host: str, port: int) -> ListenAddress:
    return ListenAddress(family, (host, port), address_text(family, (host, port)))


def _split(text: str) -> tuple[str, range]:
    """Host and ports; a bare number or range is a port, a bare host is on port 80."""
    if text.startswith("["):
        end = text.find("]")
        if end < 0:
            raise AddressError("invalid host")
        rest = text[end + 1 :]
        if not rest:
            return text, range(80, 81)
        if not rest.startswith(":"):
            raise AddressError("invalid host")
        return text[: end + 1], _ports(rest[1:])
    if not text:
        raise AddressError("no host")
    if "/" in text or "?" in text:
        raise AddressError("invalid host")
    host, colon, port = text.partition(":")
    if colon:
        wanted = _ports(port)
        if not host:
            raise AddressError("no host")
        return host, wanted
    # What is too long for a number is a name to nginx.
    if all(part.isascii() and part.isdigit() and len(part) < 19 for part in text.split("-", 1)):
        return "*", _ports(text)
    return text, range(80, 81)


def _ports(text: str) -> range:
    """`80` or `8000-8010`."""
    first, dash, last = text.partition("-")
    upper = parse_port(last) if dash else 0
    lower = parse_port(first)
    if dash and lower > upper:
        raise AddressError("invalid port range")
    return range(lower, (upper or lower) + 1)


def parse_port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise AddressError("invalid port")
    return int(text)
