from __future__ import annotations

import re

from gateway import NGINX_VERSION
from tests.stream_engine import UNIX_PEER, load_stream, serving


async def test_variables() -> None:
    names = "remote_addr remote_port server_port bytes_received bytes_sent status connection nginx_version protocol"
    text = " ".join(f"{name}=${name}" for name in names.split())
    async with serving(f"server {{ listen 1; return '{text}'; }}") as engine:
        expected = (
            "remote_addr=127.0.0.1 remote_port=40000 server_port= bytes_received=0 bytes_sent=0 status=000 connection=1"
            f" nginx_version={NGINX_VERSION} protocol=TCP"
        )
        assert (await engine.talk()).decode() == expected


async def test_times() -> None:
    async with serving("server { listen 1; return '$session_time|$msec|$time_iso8601|$time_local'; }") as engine:
        session, msec, iso, local = (await engine.talk()).decode().split("|")
        assert re.fullmatch(r"\d+\.\d{3}", session) and re.fullmatch(r"\d+\.\d{3}", msec)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", iso)
        assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}", local)


async def test_binary_remote_addr() -> None:
    async with serving("server { listen 1; return $binary_remote_addr; }") as engine:
        assert await engine.talk() == bytes([127, 0, 0, 1])
        assert await engine.talk(peer=UNIX_PEER) == b"unix:"


def test_settings_are_inherited() -> None:
    servers = "server { listen 1; return a; } server { listen 2; tcp_nodelay on; return b; }"
    cycle = load_stream("tcp_nodelay off;" + servers)
    assert [server.core.tcp_nodelay for server in cycle.servers] == [False, True]
    assert [server.core.proxy_protocol_timeout for server in cycle.servers] == [30.0, 30.0]
