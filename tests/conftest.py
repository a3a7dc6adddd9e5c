"""What all tests find."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import pytest

from tests import products


@pytest.fixture(scope="session", autouse=True)
def localhost_has_an_address() -> Any:
    """A bare container may have no /etc/hosts: names are looked up by some tests, and this one has to be known."""
    with contextlib.suppress(OSError):
        socket.getaddrinfo("localhost", 80)
        yield
        return
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        return real("127.0.0.1" if host in ("localhost", b"localhost") else host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield


def pytest_configure(config: pytest.Config) -> None:
    sentence = products.stale()
    if sentence is not None:
        pytest.exit(sentence, returncode=4)
