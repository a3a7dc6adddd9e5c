"""TLS towards an upstream that did not come about. (What plain HTTP servers answer: test_real_peers.)"""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from gateway.dev.diagnosis import handshakes
from gateway.dev.diagnosis.failure import Failure
from tests.dev.diagnosis.asking import explaining, named
from tests.fakes import farm


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 5, b""])
async def test_a_peer_without_tls(data: bytes, tmp_path: Path) -> None:
    async def plain(stream: trio.SocketStream) -> None:
        await stream.receive_some(4096)
        if data:
            await stream.send_all(data)

    async with farm(tmp_path) as peers:
        address = await peers.tcp(plain)
        async with explaining(f"location / {{ proxy_pass https://{address}; }}", tmp_path) as engine:
            assert (await engine.get("/")).status == 502
            text = await named(engine)
        assert f"write proxy_pass http://{address}; here" in text


class Named(Failure):
    family = "proxy"
    peer = "a:1"

    def __init__(self, message: bytes) -> None:
        self.message = message

    def setting(self, name: str, default: str) -> str:
        return f"{name} {default} (default)"


def test_a_peer_that_wants_a_name() -> None:
    text = handshakes.FAMILY.text(Named(b"SSL_do_handshake() failed (SSL: error:0A000458:tlsv1 unrecognized name)"))
    assert text is not None and "proxy_ssl_server_name off (default)" in text and "proxy_ssl_server_name on;" in text
    assert handshakes.FAMILY.text(Named(b"SSL_do_handshake() failed (SSL: no ciphers available)")) is None


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"SSL_do_handshake() failed (SSL: no protocols available)", "proxy_ssl_protocols TLSv1.2 TLSv1.3 (default)"),
        (b"SSL_do_handshake() failed (SSL: tlsv13 alert certificate required)", "write proxy_ssl_certificate and"),
        (b"upstream SSL certificate verify error: (10:certificate has expired)", "past its end"),
        (b"upstream SSL certificate verify error: (18:self-signed certificate)", "nobody but itself has signed"),
        (b"upstream SSL certificate verify error: (20:unable to get local issuer certificate)", "full chain"),
        (b'upstream SSL certificate does not match "a"', "write proxy_ssl_name NAME;"),
    ],
)
def test_why_a_peer_is_not_believed(message: bytes, words: str) -> None:
    text = handshakes.FAMILY.text(Named(message))
    assert text is not None and words in text and "ssl_verify off" not in text
