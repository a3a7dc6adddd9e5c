"""A gateway with a fixed answer and a port for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.running import GATEWAY, TRIVIAL, Running, free_port


@pytest.fixture(params=[TRIVIAL, GATEWAY], ids=["trivial", "gateway"])
def running(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    """Once with a server of a few lines, once with the http engine."""
    with Running(tmp_path, request.param) as one:
        yield one


@pytest.fixture
def trivial(tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path, TRIVIAL) as one:
        yield one


@pytest.fixture
def port() -> int:
    return free_port()
