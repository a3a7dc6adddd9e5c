"""A DNS server on loopback whose records a test changes as it goes; dnspython reads and writes its messages."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections import defaultdict
from collections.abc import AsyncIterator, Callable

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import trio


class DnsServer:
    """`records[name, type]` are texts of rdata; what is not there is an empty answer."""

    def __init__(self) -> None:
        self.port = 0
        self.records: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.ttl = 60
        self.codes: dict[str, str] = {}  # name -> code that it is answered with
        self.silent = False
        self.silent_names: set[str] = set()
        self.too_long: set[str] = set()  # names whose answers do not fit into a datagram
        self.alter: Callable[[bytes], bytes] = lambda data: data  # of the next answers, before they are sent
        self.asked: list[tuple[str, str]] = []
        self.over_tcp: list[tuple[str, str]] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def answer(self, data: bytes, *, tcp: bool = False) -> bytes | None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        (self.over_tcp if tcp else self.asked).append((name, kind))
        if self.silent or name in self.silent_names:
            return None
        reply = dns.message.make_response(query, recursion_available=True)
        reply.set_rcode(dns.rcode.from_text(self.codes.get(name, "NOERROR")))
        if name in self.too_long and not tcp:
            reply.flags |= dns.flags.TC
        else:
            for type_ in ("CNAME", kind):
                if texts := self.records.get((name, type_)):
                    reply.answer.append(dns.rrset.from_text_list(question.name, self.ttl, "IN", type_, texts))
        return self.alter(reply.to_wire())

    async def _datagrams(self, wire: trio.socket.SocketType) -> None:
        while True:
            data, client = await wire.recvfrom(65535)
            reply = self.answer(data)
            if reply is not None:
                await wire.sendto(reply, client)

    async def _connection(self, stream: trio.SocketStream) -> None:
        received = b""
        async for data in stream:
            received += data
            while len(received) >= 2 and len(received) >= 2 + int.from_bytes(received[:2], "big"):
                end = 2 + int.from_bytes(received[:2], "big")
                reply = self.answer(received[2:end], tcp=True)
                received = received[end:]
                if reply is not None:
                    await stream.send_all(struct.pack("!H", len(reply)) + reply)


@contextlib.asynccontextmanager
async def dns_server() -> AsyncIterator[DnsServer]:
    """A server on a port of 127.0.0.1, by UDP and TCP."""
    server = DnsServer()
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server.port = listener.socket.getsockname()[1]
    with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        await wire.bind(("127.0.0.1", server.port))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server._datagrams, wire)
            nursery.start_soon(trio.serve_listeners, server._connection, [listener])
            yield server
            nursery.cancel_scope.cancel()
