from __future__ import annotations

import pytest

from tests.mail_engine import PEER, UNIX_PEER, serving

HEADER = b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\n"


@pytest.mark.parametrize(
    ("more", "header", "peer", "address"),
    [
        ("", HEADER, PEER, "127.0.0.1"),
        ("set_real_ip_from 127.0.0.0/8;", HEADER, PEER, "192.0.2.1"),
        ("set_real_ip_from 10.0.0.0/8;", HEADER, PEER, "127.0.0.1"),
        ("set_real_ip_from 127.0.0.0/8;", b"PROXY UNKNOWN\r\n", PEER, "127.0.0.1"),
        ("set_real_ip_from 127.0.0.0/8;", HEADER.replace(b"0.2.1 ", b"0.2.1:7777 "), PEER, "127.0.0.1"),
        ("set_real_ip_from unix:;", HEADER, UNIX_PEER, "192.0.2.1"),
    ],
)
async def test_of_whom_is_trusted(more: str, header: bytes, peer: bytes, address: str) -> None:
    conf = f"server {{ listen 143 proxy_protocol; {more} }}"
    async with serving(conf) as engine, engine.client(0, peer) as client:
        engine.auth.answer = lambda question: {"Auth-Status": "no"}
        await client.send(header)
        await client.line()
        await client.say(b"a LOGIN u p")
        assert engine.auth.asked[0]["Client-IP"] == address
        assert engine.logged(f"while in http auth state, client: {address}, server")
