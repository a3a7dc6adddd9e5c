"""hash of the stream block."""

from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from gateway.upstream.peers.hashing import HashChoice
from tests.stream_engine import load_stream, serving

TEXT = "upstream u { %s; server 127.0.0.1:1; server 127.0.0.1:2; } server { listen 1; return a; }"


async def test_method() -> None:
    async with serving(TEXT % "hash $remote_addr") as engine:
        upstream = engine.cycle.upstreams.all[0]

        class Session:
            def remote(self) -> tuple[bytes, int]:
                return b"127.0.0.1", 1

            connection = property(lambda self: self)

        assert isinstance(upstream.choose(Session()), HashChoice)


def test_refused() -> None:
    with pytest.raises(ConfigError, match="invalid"):
        load_stream(TEXT % "hash key other")
