"""openssl: what a context keeps of its clients' sessions."""

from __future__ import annotations

import contextlib
import ssl

import pytest

from gateway.core.openssl import limit_sessions
from tests import certificates


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None) -> ssl.SSLObject:
    """A handshake in memory; the client's end, after it has read the server's tickets."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, session=session, server_hostname="localhost")
    ends = [theirs, ours]
    while ends:
        for end in list(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                pass
    ours.write(b"x")
    assert theirs.read(1) == b"x"
    # without close_notify a session is forgotten
    with contextlib.suppress(ssl.SSLWantReadError):
        theirs.unwrap()
    ours.unwrap()
    return theirs


@pytest.mark.parametrize("sessions", [0, 2, 100])
def test_so_many_are_kept(sessions: int) -> None:
    server, client = certificates.server_context("localhost"), certificates.client_context()
    server.maximum_version = client.maximum_version = ssl.TLSVersion.TLSv1_2
    server.options |= ssl.OP_NO_TICKET
    assert limit_sessions(server, sessions, 300)
    last = None
    for _ in range(5):
        last = handshake(server, client, None).session
    kept = server.session_stats()["number"]
    assert kept == 5 if sessions == 100 else kept <= sessions
    assert handshake(server, client, last).session_reused == bool(sessions)


def test_tickets_need_no_memory() -> None:
    server, client = certificates.server_context("localhost"), certificates.client_context()
    assert limit_sessions(server, 0, 300)
    session = handshake(server, client, None).session
    assert handshake(server, client, session).session_reused
    assert server.session_stats()["number"] == 0
