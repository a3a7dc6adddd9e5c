"""limit_conn of the stream block."""

from __future__ import annotations

from pathlib import Path

import trio

from tests.fakes import Peer, farm
from tests.stream_engine import serving


def silent() -> Peer:
    async def peer(stream: object) -> None:
        await stream.send_all(b"here")  # type: ignore[attr-defined]
        await trio.sleep(60)

    return peer


async def test_sessions_of_a_key(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(silent())
        conf = f"""
            limit_conn_zone $binary_remote_addr zone=one:32k;
            server {{ listen 1; limit_conn one 1; proxy_pass {address}; }}
            server {{ listen 2; limit_conn one 1; limit_conn_log_level info; return "in $limit_conn_status"; }}
            server {{ listen 3; limit_conn one 1; limit_conn_dry_run on; return $limit_conn_status; }}
        """
        async with serving(conf) as engine:
            async with engine.connect() as client:
                assert await client.receive_some(4) == b"here"
                assert await engine.talk(listening=1) == b""
                assert await engine.talk(listening=2) == b"REJECTED_DRY_RUN"
            await engine.ended()
            assert await engine.talk(listening=1) == b"in PASSED"
            assert engine.logged('[info]') and engine.logged('limiting connections by zone "one"')
