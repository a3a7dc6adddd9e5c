from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.redis import REDIS, SERVERS, Redis


@pytest.fixture(params=SERVERS or ["none"], ids=lambda server: "redis" if server == REDIS else "valkey")
def redis(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Redis]:
    """A store of each kind that is installed here."""
    server = Redis(tmp_path, server=request.param)
    server.start()
    yield server
    server.kill()
