from __future__ import annotations

from tests.mail_engine import load_mail


class At:
    """A connection as far as the choice of its server asks it."""

    def __init__(self, address: bytes) -> None:
        self.address = address

    def local_address(self) -> tuple[bytes, int]:
        return self.address, 143


def test_each_address_has_its_server() -> None:
    cycle = load_mail("""
        auth_http 127.0.0.1:1;
        server { listen 127.0.0.1:143; server_name a; }
        server { listen *:143; server_name b; resolver off; resolver_timeout 2s; }
    """)
    (listening,) = cycle.listenings
    assert listening.at(At(b"127.0.0.1")).server.name == b"a"
    wild = listening.at(At(b"127.0.0.2"))
    assert wild.server.name == b"b" and wild.text == b"0.0.0.0:143"
    assert wild.server.resolver is None and wild.server.resolver_timeout == 2.0
    assert wild.server.error_log is not None
