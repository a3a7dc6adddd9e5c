from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import Peer, farm
from tests.protocol.test_client_hello import hello
from tests.stream_engine import serving

SHOWN = "return $ssl_preread_server_name/$ssl_preread_protocol/$ssl_preread_alpn_protocols;"


@pytest.mark.parametrize("size", [1, 7, 100000])
async def test_what_is_asked_for(size: int) -> None:
    data = hello("Example.com")
    async with serving(f"server {{ listen 1; ssl_preread on; {SHOWN} }}") as engine, engine.connect() as client:
        for at in range(0, len(data), size):
            await client.send_all(data[at : at + size])
        assert await client.receive_some() == b"example.com/TLSv1.3/h2,http/1.1"


async def test_what_is_no_tls_is_passed_on_all_the_same() -> None:
    async with serving(f"server {{ listen 1; ssl_preread on; {SHOWN} }}") as engine:
        assert await engine.talk(b"GET / HTTP/1.1\r\n") == b"//"


def taking(received: list[bytes]) -> Peer:
    async def peer(stream: object) -> None:
        received.append(await stream.receive_some())  # type: ignore[attr-defined]
        await stream.send_all(b"done")  # type: ignore[attr-defined]

    return peer


async def test_the_name_chooses_the_server_and_no_byte_is_lost(tmp_path: Path) -> None:
    received: list[bytes] = []
    data = hello("b.example")
    async with farm(tmp_path) as peers:
        conf = f"""
            server {{ listen 1; server_name a.example; ssl_preread on; return a; }}
            server {{ listen 1; server_name *.example; proxy_pass {await peers.tcp(taking(received))}; }}
        """
        async with serving(conf) as engine:
            assert await engine.talk(data) == b"done" and received == [data]
            assert await engine.talk(hello("a.example")) == b"a"


async def test_of_a_hello_that_never_ends_the_variables_are_empty_and_not_unknown(tmp_path: Path) -> None:
    conf = f"""log_format f "[$ssl_preread_server_name][$ssl_preread_protocol]"; access_log {tmp_path}/$protocol f;
        server {{ listen 1; ssl_preread on; preread_timeout 100ms; return x; }}"""
    async with serving(conf) as engine:
        assert await engine.talk(b"\x16\x03") == b""
        await engine.ended()
        assert await engine.talk(b"GET / HTTP/1.1\r\n") == b"x"
        await engine.ended()
        assert (tmp_path / "TCP").read_text() == "[][]\n[-][-]\n"


async def test_limits() -> None:
    conf = "server { listen 1; ssl_preread on; preread_buffer_size 100; preread_timeout 200ms; return x; }"
    async with serving(conf) as engine:
        assert await engine.talk(hello()[:200]) == b""
        assert engine.logged("preread buffer full while prereading client data")
        assert await engine.talk(b"\x16\x03") == b""
