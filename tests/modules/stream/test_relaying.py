"""Where sessions go: upstreams that variables name."""

from __future__ import annotations

from pathlib import Path

from tests.fakes import Peer, farm
from tests.stream_engine import serving


def says(text: bytes) -> Peer:
    async def peer(stream: object) -> None:
        await stream.send_all(text)  # type: ignore[attr-defined]

    return peer


async def test_by_variables(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(says(b"here"))
        conf = f"""
            upstream group {{ server {address}; }}
            server {{ listen 1; set $to {address}; proxy_pass $to; }}
            server {{ listen 2; set $to group; proxy_pass $to; }}
            server {{ listen 3; set $to nowhere; proxy_pass $to; }}
            server {{ listen 4; set $to a.test:1; proxy_pass $to; }}
            server {{ listen 5; set $to a:b; proxy_pass $to; }}
        """
        async with serving(conf) as engine:
            assert [await engine.talk(listening=number) for number in range(5)] == [b"here", b"here", b"", b"", b""]
            assert engine.logged('no port in upstream "nowhere"')
            assert engine.logged("no resolver defined to resolve a.test")
            assert engine.logged('invalid port in upstream "a:b"')
