from __future__ import annotations

import contextlib
from typing import Any

import pytest
import trio

from gateway.stream.plan import Plan
from gateway.stream.preread import preread
from tests.stream_engine import serving


@pytest.mark.parametrize(("data", "status"), [(b"ab", b"003"), (b"a", b"200"), (b"", b"200"), (b"x" * 20, b"400")])
async def test_until_it_is_known(data: bytes, status: bytes) -> None:
    """An answer, the time's end, the client's end, and a buffer that is full."""
    seen: list[int] = []

    async def phases(session: Any) -> int:
        result = await preread(session, lambda got: 3 if b"b" in got else False)
        seen.append(result if isinstance(result, int) else -1)
        return 200

    conf = "server { listen 1; preread_buffer_size 10; preread_timeout 200ms; return x; }"
    async with serving(conf) as engine:
        engine.cycle.servers[0].plan = Plan([[phases]], None, [])
        async with engine.connect() as client:
            if data:
                await client.send_all(data)
            else:
                await client.send_eof()
            with trio.fail_after(5), contextlib.suppress(trio.BrokenResourceError):
                assert await client.receive_some() == b""
    assert seen == [int(status)]
