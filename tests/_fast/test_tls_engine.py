"""Engines over socket pairs, without a lane: both ends are gateway's."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from gateway._fast.errors import TlsFailure
from gateway._fast.openssl import version_number
from gateway._fast.tls_engine import Engine, alive
from tests import certificates


def pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


def shake(one: Engine, other: Engine) -> None:
    done = [False, False]
    for _ in range(20):
        for index, engine in enumerate((one, other)):
            if not done[index]:
                done[index] = engine.do_handshake() is True
        if all(done):
            return
    raise AssertionError("no end of the handshake")


def test_what_is_known_of_a_connection() -> None:
    ours, theirs = pair()
    server, client = Engine(certificates.server(), ours.fileno()), Engine(certificates.client(), theirs.fileno())
    server.alpn = b"\x02h2"
    client.set_server_name(b"localhost")
    assert server.handshaking
    shake(client, server)
    assert server.version() == client.version() == b"TLSv1.3" and not server.handshaking
    assert server.cipher() == client.cipher() and (server.cipher() or b"").startswith(b"TLS_")
    assert b"TLS_AES_256_GCM_SHA384" in server.ciphers().split(b":")
    assert server.curve() in (server.curves() or b"").split(b":") and server.curve()
    assert server.sigalgs().startswith(b"0x") or b":" in server.sigalgs()
    # of both sides' signatures OpenSSL tells from 3.5 on; the client made none
    told = (b"rsa_pss_rsae_sha256", b"ecdsa_secp256r1_sha256") if version_number() >= 0x30500000 else (None,)
    assert server.sigalg() in told and client.peer_sigalg() in told and server.peer_sigalg() is None
    assert server.server_name() == b"localhost" and server.alpn_protocol() is None
    assert not server.session_reused and len(server.session_id() or b"") in (0, 64)
    assert server.peer_certificate() is None
    certificate = client.peer_certificate()
    assert certificate is not None and certificate.matches(b"localhost") and client.verify_result() != 0
    assert client.send(b"question") and server.receive(100) == b"question" and server.receive(100) is None
    server.free()
    client.free()
    ours.close()
    theirs.close()


def test_sessions_go_on() -> None:
    context = certificates.client()
    given: list[Any] = []
    from gateway._fast import tls_callbacks

    tls_callbacks.hand_out_sessions(context)
    server_context = certificates.server()
    reused = []
    for _ in range(2):
        ours, theirs = pair()
        server, client = Engine(server_context, ours.fileno()), Engine(context, theirs.fileno())
        client.on_session = given.append
        if given:
            client.set_session(given[-1])
        shake(client, server)
        assert server.send(b"x") and client.receive(10) == b"x"
        reused.append((server.session_reused, client.session_reused))
        ours.close()
        theirs.close()
    assert reused == [(False, False), (True, True)]


def test_failures() -> None:
    ours, theirs = pair()
    server = Engine(certificates.server(), ours.fileno(), b"\x16\x03\x01\x00\x05hello")
    with pytest.raises(TlsFailure, match=r"SSL_do_handshake\(\) failed \(SSL: error:") as caught:
        server.do_handshake()
    assert caught.value.reason and not caught.value.left
    theirs.close()
    other = Engine(certificates.server(), ours.fileno())
    with pytest.raises(TlsFailure, match="peer closed connection in SSL handshake") as caught:
        other.do_handshake()
    assert caught.value.left and not caught.value.reason
    ours.close()


def test_none_is_left() -> None:
    before = alive()
    ours, theirs = pair()
    engine = Engine(certificates.server(), ours.fileno())
    assert alive() == before + 1
    del engine
    assert alive() == before
    ours.close()
    theirs.close()
