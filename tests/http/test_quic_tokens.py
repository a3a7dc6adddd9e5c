"""Tokens that prove where a client is."""

from __future__ import annotations

import socket
import time

import pytest

pytest.importorskip("aioquic")

from gateway.core.transport import pack_tcp
from gateway.http import quic_tokens
from gateway.http.quic_tokens import Shown, Tokens, WrongToken, place_of

FOUR, SIX = pack_tcp("192.0.2.1", 1000), pack_tcp("2001:db8::1", 1000)


def test_where_somebody_is() -> None:
    assert place_of(FOUR, port=False) == socket.inet_aton("192.0.2.1")
    assert place_of(SIX, port=False) == socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    assert place_of(FOUR, port=True) != place_of(pack_tcp("192.0.2.1", 1001), port=True)


@pytest.mark.parametrize("peer", [FOUR, SIX])
def test_of_retry(peer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens(b"")
    token = tokens.for_retry(peer, b"first id", b"chosen id")
    assert tokens.read(token, peer, b"chosen id") == Shown(b"first id")
    assert Tokens(b"").read(token, peer, b"chosen id") == Shown(b"first id"), "another worker"
    other_port = peer[:2] + b"\x00\x01" + peer[4:]
    for peer_now, chosen in ((other_port, b"chosen id"), (peer, b"another id")):
        with pytest.raises(WrongToken, match="invalid address validation token"):
            tokens.read(token, peer_now, chosen)
    later = time.time() + 4
    monkeypatch.setattr(quic_tokens.time, "time", lambda: later)
    with pytest.raises(WrongToken):
        tokens.read(token, peer, b"chosen id")


def test_of_new_token(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens(b"key")
    token = tokens.for_later(FOUR)
    assert Tokens(b"key").read(token, pack_tcp("192.0.2.1", 7), b"any") == Shown(None), "another machine, another port"
    assert tokens.read(token, pack_tcp("192.0.2.2", 1000), b"any") is None
    later = time.time() + 601
    monkeypatch.setattr(quic_tokens.time, "time", lambda: later)
    assert tokens.read(token, FOUR, b"any") is None


@pytest.mark.parametrize("token", [b"", b"x", bytes(12), bytes(100)])
def test_what_is_none(token: bytes) -> None:
    with pytest.raises(WrongToken, match="cannot decrypt token"):
        Tokens(b"").read(token, FOUR, b"id")
    with pytest.raises(WrongToken):
        Tokens(b"other").read(Tokens(b"key").for_later(FOUR), FOUR, b"id")


def test_of_a_reset() -> None:
    tokens = Tokens(b"key")
    assert len(tokens.for_reset(b"id")) == 16
    assert tokens.for_reset(b"id") == Tokens(b"key").for_reset(b"id") != tokens.for_reset(b"other")
