from __future__ import annotations

from gateway.modules.mail import MAIL_MODULES


def test_protocols() -> None:
    protocols = [module.protocol for module in MAIL_MODULES if module.protocol is not None]
    assert [protocol.alpn for protocol in protocols] == [b"pop3", b"imap", b"smtp"]
    ports = [port for protocol in protocols for port in protocol.ports]
    assert len(set(ports)) == len(ports)
