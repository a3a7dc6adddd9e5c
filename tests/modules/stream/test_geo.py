from __future__ import annotations

from tests.stream_engine import serving


async def test_by_the_clients_address_and_by_another() -> None:
    conf = """
        geo $here { default no; 127.0.0.0/8 yes; }
        geo $proxy_protocol_addr $there { default no; 192.0.2.0/24 yes; }
        server { listen 1 proxy_protocol; return "$here $there"; }
    """
    async with serving(conf) as engine:
        assert await engine.talk(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n") == b"yes yes"
        assert await engine.talk(b"PROXY TCP4 192.0.3.1 192.0.2.2 1 2\r\n") == b"yes no"
