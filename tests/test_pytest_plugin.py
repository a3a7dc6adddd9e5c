from __future__ import annotations

from collections.abc import Callable

from gateway.pytest_plugin import gateway_server
from gateway.testing import Server

__all__ = ["gateway_server"]


def test_the_fixture(gateway_server: Callable[..., Server]) -> None:
    server = gateway_server('events {} http { server { listen 80; return 200 "it serves"; } }')
    assert server.get("/").text == "it serves"
