"""What connections ask while they shake hands: servers, protocols, sessions and tickets of our own."""

from __future__ import annotations

import os
from typing import Any

import pytest

from gateway._fast import tls_callbacks
from gateway._fast.errors import TlsFailure
from gateway._fast.tls_context import Context
from gateway._fast.tls_engine import Engine
from gateway.core.tls_sessions import FileTickets
from tests import certificates
from tests._fast.test_tls_engine import pair, shake


class Chooser:
    def __init__(self, answer: Any = 0, context: Context | None = None) -> None:
        self.answer = answer
        self.context = context
        self.names: list[bytes | None] = []

    def choose(self, engine: Engine, name: bytes | None) -> int:
        self.names.append(name)
        if isinstance(self.answer, BaseException):
            raise self.answer
        if self.context is not None:
            engine.switch(self.context)
        return int(self.answer)


def meet(server: Context, client: Context, chooser: Any = None, name: bytes | None = None, **more: Any) -> Any:
    ours, theirs = pair()
    one, other = Engine(server, ours.fileno()), Engine(client, theirs.fileno())
    one.chooser, one.alpn = chooser, more.get("alpn")
    if name is not None:
        other.set_server_name(name)
    if more.get("offered"):
        other.set_alpn(more["offered"])
    if more.get("session") is not None:
        other.set_session(more["session"])
    sessions: list[Any] = []
    other.on_session = sessions.append
    try:
        shake(other, one)
        assert one.send(b"x") and other.receive(1) == b"x"
        return one, other, sessions
    finally:
        ours.close()
        theirs.close()


def test_the_name_chooses_the_server() -> None:
    chooser = Chooser(context=certificates.server("other.example"))
    _, client, _ = meet(certificates.server(), certificates.client(), chooser, b"other.example")
    assert chooser.names == [b"other.example"]
    assert client.peer_certificate().matches(b"other.example")
    chooser = Chooser()
    _, client, _ = meet(certificates.server(), certificates.client(), chooser)
    assert chooser.names == [None] and client.peer_certificate().matches(b"localhost")


def test_a_server_that_rejects() -> None:
    with pytest.raises(TlsFailure, match=r"handshake rejected|unrecognized name"):
        meet(certificates.server(), certificates.client(), Chooser(112))


def test_a_crash_of_ours_is_raised_where_it_belongs() -> None:
    with pytest.raises(ZeroDivisionError):
        meet(certificates.server(), certificates.client(), Chooser(ZeroDivisionError()))


@pytest.mark.parametrize("size", [1, 255])
def test_long_names(size: int) -> None:
    chooser = Chooser()
    meet(certificates.server(), certificates.client(), chooser, b"a" * size)
    assert chooser.names == [b"a" * size]


def test_protocols() -> None:
    client = certificates.client()
    offered = b"\x08http/1.1\x02h2"
    one, other, _ = meet(certificates.server(), client, alpn=b"\x02h2\x08http/1.1", offered=offered)
    assert one.alpn_protocol() == other.alpn_protocol() == b"h2"  # the server's order
    one, _, _ = meet(certificates.server(), client, offered=offered)
    assert one.alpn_protocol() is None
    with pytest.raises(TlsFailure, match="no application protocol"):
        meet(certificates.server(), client, alpn=b"\x03foo", offered=offered)


class Sessions(dict[bytes, bytes]):
    def add(self, identity: bytes, data: bytes, timeout_s: int) -> None:
        assert timeout_s == 77
        self[identity] = data

    def find(self, identity: bytes) -> bytes | None:
        return self.get(identity)

    def remove(self, identity: bytes) -> None:
        self.pop(identity, None)


@pytest.mark.parametrize("version", [16, 32])
def test_sessions_without_tickets_are_in_the_shared_cache(version: int) -> None:
    kept = Sessions()

    def server() -> Context:
        made = certificates.server(protocols=version)
        made.set_session_timeout(77)
        made.set_session_context(b"HTTP", [])
        made.keep_sessions(-1)
        made.without_tickets()
        tls_callbacks.share_sessions(made, kept)
        return made

    client = certificates.client(protocols=version)
    tls_callbacks.hand_out_sessions(client)
    _, _, given = meet(server(), client)
    assert kept
    one, _, _ = meet(server(), client, session=given[-1])  # another context: another process would have one
    assert one.session_reused
    kept.clear()
    one, _, _ = meet(server(), client, session=given[-1])
    assert not one.session_reused


@pytest.mark.parametrize("version", [16, 32])
@pytest.mark.parametrize("size", [48, 80])
def test_tickets_of_our_keys(version: int, size: int) -> None:
    keys = [os.urandom(size), os.urandom(128 - size)]

    def server(*names: bytes) -> Context:
        made = certificates.server(protocols=version)
        made.set_session_context(b"HTTP", [])
        tls_callbacks.use_tickets(made, FileTickets(list(names)))
        return made

    client = certificates.client(protocols=version)
    tls_callbacks.hand_out_sessions(client)
    for names, reused in (((keys[0],), True), ((keys[1], keys[0]), True), ((keys[1],), False)):
        _, _, given = meet(server(keys[0]), client)
        one, _, _ = meet(server(*names), client, session=given[-1])
        assert one.session_reused is reused


class Staple:
    def __init__(self, answer: bytes | None) -> None:
        self.answered = answer
        self.asked: list[int] = []

    def answer(self, index: int) -> bytes | None:
        self.asked.append(index)
        return self.answered
