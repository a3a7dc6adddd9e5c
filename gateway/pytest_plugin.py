"""The fixture `gateway_server` for pytest: gateway.testing.serve() that ends with the test."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway.testing import Server, serve


@pytest.fixture
def gateway_server() -> Iterator[Callable[..., Server]]:
    """Call it as gateway.testing.serve(); all that was started ends with the test."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: Any, **options: Any) -> Server:
            return stack.enter_context(serve(*arguments, **options))

        yield start
