"""What a session answers while OpenSSL shakes hands; whole handshakes are tried in test_ssl."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from gateway.serving.server_names import ServerName, ServerNames
from gateway.stream.handshake import Handshake


def test_the_name_switches_the_server() -> None:
    class Tls:
        alpn = b"\x01a"

        def accept(self, engine: Any) -> int:
            return 7

    names = ServerNames()
    other = SimpleNamespace(tls=Tls())
    names.add(ServerName(b"other.example", other))
    session: Any = SimpleNamespace(server=SimpleNamespace(tls=None), address=SimpleNamespace(names=names))
    session.switch = lambda server: setattr(session, "server", server or session.server)
    engine: Any = SimpleNamespace(alpn=None)
    handshake = Handshake(session)
    for name in (None, b"", b"nobody", b"bad name"):
        assert handshake.choose(engine, name) == 0 and session.server is not other
    assert handshake.choose(engine, b"Other.Example") == 7
    assert session.server is other and engine.alpn == b"\x01a"
