from __future__ import annotations

from typing import Any

import pytest

from gateway.core.proxy_header import header
from gateway.protocol.proxy_protocol import ALPN, AUTHORITY, SSL, parse, parse_tlvs


class Certificate:
    def __init__(self, subject: bytes) -> None:
        self._subject = subject

    def subject(self) -> bytes:
        return self._subject


class Engine:
    """A client's TLS as far as a header tells of it."""

    session_reused = False
    ocsp_problem: str | None = None

    def __init__(self, certificate: Certificate | None = None) -> None:
        self._certificate = certificate

    def server_name(self) -> bytes:
        return b"a.example"

    def alpn_protocol(self) -> bytes | None:
        return b"h2"

    def version(self) -> bytes:
        return b"TLSv1.3"

    def cipher(self) -> bytes:
        return b"TLS_AES_256_GCM_SHA384"

    def peer_certificate(self) -> Certificate | None:
        return self._certificate

    def verify_result(self) -> int:
        return 0


class Stream:
    def __init__(self, ssl: Any) -> None:
        self.ssl = ssl


class Session:
    def __init__(self, ssl: Engine | None = None) -> None:
        self.stream = Stream(ssl)

    @property
    def connection(self) -> Session:
        return self

    def remote(self) -> tuple[bytes, int]:
        return b"192.0.2.1", 1111

    def local_address(self) -> tuple[bytes, int]:
        return b"192.0.2.2", 443


def test_version_1() -> None:
    assert header(1, Session()) == b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 443\r\n"


def test_version_2_without_tls() -> None:
    found = parse(header(2, Session()))
    assert found is not None
    assert (found[0].source, found[0].source_port) == (b"192.0.2.1", 1111)
    assert list(found[0].tlvs) == [3]


def test_what_is_known_of_tls() -> None:
    found = parse(header(2, Session(Engine())))
    assert found is not None
    tlvs = found[0].tlvs
    assert (tlvs[AUTHORITY], tlvs[ALPN]) == (b"a.example", b"h2")
    assert tlvs[SSL][:5] == b"\1\0\0\0\1"  # TLS, and no certificate
    assert parse_tlvs(tlvs[SSL][5:]) == {0x21: b"TLSv1.3", 0x23: b"TLS_AES_256_GCM_SHA384"}


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        (b"CN=client", b"client"),
        (b"O=a\\,CN=no,CN=c\\C3\\BC\\\\x\\,y,L=z", "cü\\x,y".encode()),
        (b"O=x+CN=two", b"two"),
        (b"O=x", None),
    ],
)
def test_of_a_certificate(subject: bytes, name: bytes | None) -> None:
    engine = Engine(Certificate(subject))
    found = parse(header(2, Session(engine)))
    assert found is not None
    value = found[0].tlvs[SSL]
    assert value[:5] == b"\7\0\0\0\0"
    assert parse_tlvs(value[5:]).get(0x22) == name
    engine.session_reused, engine.ocsp_problem = True, "revoked"
    found = parse(header(2, Session(engine)))
    assert found is not None and found[0].tlvs[SSL][:5] == b"\5\0\0\0\x17"
