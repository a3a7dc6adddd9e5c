"""Whom to believe about a client's address: `set_real_ip_from`, and what a PROXY protocol header tells."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from gateway.config.conf import UNSET
from gateway.core.networks import IPV4, UNIX_NETWORK, Network, address_text, parse_address, parse_network

if TYPE_CHECKING:
    from gateway.config.directive import Command
    from gateway.protocol.proxy_protocol import ProxyHeader


class Trusting(Protocol):
    """Settings with the proxies that are trusted."""

    proxies: list[Network]


def set_from(conf: Trusting, command: Command) -> None:
    """set_real_ip_from."""
    text = command.args[0]
    if conf.proxies is UNSET:
        conf.proxies = []
    if text == "unix:":
        conf.proxies.append(UNIX_NETWORK)
        return
    try:
        network, exact = parse_network(text)
    except ValueError:
        conf.proxies += _resolve(text, command)
        return
    if not exact:
        command.warn(f"low address bits of {text} are meaningless")
    conf.proxies.append(network)


def _resolve(name: str, command: Command) -> list[Network]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        command.fail(f'host not found in set_real_ip_from "{name}"')
    addresses = dict.fromkeys(parse_address(str(entry[4][0]).partition("%")[0].encode()) for entry in found)
    return [Network(*address, 32 if address.version == IPV4 else 128) for address in addresses if address is not None]


def told_by(header: ProxyHeader | None, peer: bytes, proxies: Sequence[Network]) -> tuple[bytes, int] | None:
    """The address and port that the header of this peer tells; None: the connection keeps what it has.

    An address that has a port in it is none, as in nginx's stream and mail; only http takes one there, too.
    """
    address = parse_address(peer)
    if header is None or address is None or not any(network.holds(address.plain) for network in proxies):
        return None
    source = parse_address(header.source)
    return None if source is None else (address_text(source), header.source_port)
