"""What the socket does not take at once, and what it has not got yet."""

from __future__ import annotations

import os
import socket

from gateway._fast.tls_engine import Engine
from tests import certificates
from tests._fast.test_tls_engine import pair, shake


def test_records_are_kept_until_the_socket_takes_them() -> None:
    ours, theirs = pair()
    for one in (ours, theirs):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    server, client = Engine(certificates.server(), ours.fileno()), Engine(certificates.client(), theirs.fileno())
    shake(client, server)
    data = os.urandom(300_000)
    assert server.send(data) is False  # none is lost: OpenSSL wrote all of them
    received = b""
    while len(received) < len(data):
        part = client.receive(65536)
        if part:
            received += part
        else:
            server.flush_out()
    assert received == data and server.flush_out() is True
    ours.close()
    theirs.close()


def test_a_peer_that_is_gone() -> None:
    ours, theirs = pair()
    server, client = Engine(certificates.server(), ours.fileno()), Engine(certificates.client(), theirs.fileno())
    shake(client, server)
    assert client.receive(10) is None  # its tickets
    theirs.close()
    assert server.receive(10) == b""  # without close_notify, as many do it
    for _ in range(3):
        try:
            server.send(b"x")
        except OSError as error:
            assert error.errno in (32, 104)
            break
    else:
        raise AssertionError("a write into nothing")
    ours.close()


def test_what_was_received_before_comes_first() -> None:
    ours, theirs = pair()
    client = Engine(certificates.client(), theirs.fileno())
    assert client.do_handshake() is None
    hello = ours.recv(65536)
    server = Engine(certificates.server(), ours.fileno(), hello)
    shake(client, server)
    ours.close()
    theirs.close()
