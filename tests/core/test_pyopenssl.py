"""pyopenssl: the stream that asks for client certificates, with records that come together."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

import trio

from tests import certificates
from tests.engine import serving


async def test_all_records_of_one_segment_are_read(tmp_path: Path) -> None:
    """The client's end of the handshake and two records come at once, and nothing after them."""
    chain, key = certificates.write(tmp_path)
    conf = (
        f"server {{ listen 127.0.0.1:8080 ssl; ssl_certificate {chain}; ssl_certificate_key {key}; "
        "ssl_verify_client optional_no_ca; location / { return 200 hello; } }"
    )
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = certificates.client_context().wrap_bio(received, sent, server_hostname="localhost")
    async with serving(conf) as engine, engine.connect() as stream:
        with trio.fail_after(5):
            while True:
                try:
                    client.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    await stream.send_all(sent.read())
                    received.write(await stream.receive_some())
            client.write(b"GET / HTTP/1.1\r\n")
            client.write(b"Host: localhost\r\nConnection: close\r\n\r\n")
            await stream.send_all(sent.read())
            answer = b""
            while not answer.endswith(b"hello"):
                data = await stream.receive_some()
                assert data, answer
                received.write(data)
                with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                    answer += client.read(65536)
                    answer += client.read(65536)
            assert answer.startswith(b"HTTP/1.1 200 OK")
