from __future__ import annotations

from tests.stream_engine import UNIX_PEER, serving

TEXT = "'$remote_addr:$remote_port $realip_remote_addr:$realip_remote_port'"
HEADER = b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\n"


async def test_of_whom_is_trusted() -> None:
    conf = f"""
        server {{ listen 1 proxy_protocol; return {TEXT}; }}
        server {{ listen 2 proxy_protocol; set_real_ip_from 127.0.0.0/8; return {TEXT}; }}
        server {{ listen 3 proxy_protocol; set_real_ip_from unix:; return {TEXT}; }}
    """
    async with serving(conf) as engine:
        assert await engine.talk(HEADER) == b"127.0.0.1:40000 127.0.0.1:40000"
        assert await engine.talk(HEADER, 1) == b"192.0.2.1:1111 127.0.0.1:40000"
        assert await engine.talk(b"PROXY UNKNOWN\r\n", 1) == b"127.0.0.1:40000 127.0.0.1:40000"
        with_port = HEADER.replace(b"0.2.1 ", b"0.2.1:7777 ")  # which http takes, and nginx's stream does not
        assert await engine.talk(with_port, 1) == b"127.0.0.1:40000 127.0.0.1:40000"
        assert await engine.talk(HEADER, 2) == b"127.0.0.1:40000 127.0.0.1:40000"
        assert await engine.talk(HEADER, 2, UNIX_PEER) == b"192.0.2.1:1111 unix::"


async def test_rules_hold_for_the_real_address() -> None:
    conf = "server { listen 1 proxy_protocol; set_real_ip_from 127.0.0.1; deny 192.0.2.1; return hi; }"
    async with serving(conf) as engine:
        assert await engine.talk(HEADER) == b""
        assert await engine.talk(HEADER.replace(b"192.0.2.1", b"192.0.2.3")) == b"hi"
