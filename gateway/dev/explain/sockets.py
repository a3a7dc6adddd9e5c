"""Which listening socket a question comes to, and over what."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.dev.explain.question import Question
    from gateway.http.cycle import HttpCycle
    from gateway.http.listening import HttpListening


CLIENT_PORT: Final = 40000


class NotListening(Exception):
    """Nobody listens where the question goes; str() says where somebody does."""


@dataclass(frozen=True, slots=True)
class Place:
    """A listening socket, and the local address that a connection to it has."""

    listening: HttpListening
    local: tuple[bytes, int]  # an address, or a unix socket's path, and the port
    rank: int  # the lower the more exact

    @property
    def quic(self) -> bool:
        return self.listening.address.datagram


def place_of(cycle: HttpCycle, question: Question) -> Place:
    """QUIC's socket where HTTP/3 is asked for and spoken, else the one of TCP. Errors: NotListening."""
    found = [place for each in cycle.listenings if (place := _place(each, question)) is not None]
    if not found:
        where = ", ".join(_named(each) for each in cycle.listenings)
        if not where:
            raise NotListening("no server of this configuration listens")
        raise NotListening(f"nobody listens on port {question.port}; this configuration listens on {where}")
    wanted = [place for place in found if place.quic == (question.http == "3")]
    if not wanted and question.http != "3":
        raise NotListening(f"HTTP/3 alone is spoken on port {found[0].local[1]}: --http3 asks so")
    return min(wanted or found, key=lambda place: place.rank)


def packed(address: str) -> bytes:
    """An IP address as the kernel tells it of a datagram."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def sockaddr(client: str) -> bytes:
    """The raw address of a client, at a port that says nothing."""
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    head = family.to_bytes(2, "little") + CLIENT_PORT.to_bytes(2, "big")
    raw = socket.inet_pton(family, client)
    return head + raw + bytes(8) if family == socket.AF_INET else head + bytes(4) + raw + bytes(4)


def _place(listening: HttpListening, question: Question) -> Place | None:
    """None: it is on another port."""
    address = listening.address
    if address.family == socket.AF_UNIX:
        return None if question.port else Place(listening, (b"unix:" + str(address.address).encode(), 0), 3)
    host, port = str(address.address[0]), int(address.address[1])
    if question.port and port != question.port:
        return None
    named = question.host.strip("[]")
    rank = 0 if host == named else 1 if host in ("0.0.0.0", "::") else 2
    own = named if rank == 1 and _is_address(named) else host
    if host in ("0.0.0.0", "::") and not _is_address(named):
        own = "127.0.0.1" if host == "0.0.0.0" else "::1"
    return Place(listening, (own.encode(), port), rank)


def _named(listening: HttpListening) -> str:
    return listening.address.text + " quic" * listening.address.datagram


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False
