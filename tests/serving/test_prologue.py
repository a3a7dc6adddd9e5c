from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import Any

import pytest

from gateway.serving.prologue import NoHeader, read_proxy_header

V1 = b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\n"
RESET = OSError(errno.ECONNRESET, "")


class Talking:
    """A session whose client sends these, b"" for an end; each None is a wait, and after the last nothing comes."""

    def __init__(self, sent: Iterable[bytes | OSError | None]) -> None:
        self.sent = list(sent)
        self.stream: Any = self
        self.logged: list[tuple[str, bytes, int]] = []

    def recv(self, limit: int) -> bytes | None:
        found = self.sent.pop(0) if self.sent else None
        if isinstance(found, OSError):
            raise found
        return found

    async def wait_readable(self, deadline: float) -> bool:
        assert deadline == 7.0
        return bool(self.sent)

    def log(self, level: str, message: bytes, error: OSError | None = None) -> None:
        self.logged.append((level, message, 0 if error is None or error.errno is None else error.errno))


@pytest.mark.parametrize("waits", [False, True])
async def test_byte_by_byte_and_what_comes_behind_it(waits: bool) -> None:
    whole = [bytes([byte]) for byte in V1[:-1]] + [V1[-1:] + b"QUIT\r\n"]
    session = Talking([part for each in whole for part in ((None, each) if waits else (each,))])
    header, behind = await read_proxy_header(session, 7.0)
    assert (header.source, header.source_port, behind, session.logged) == (b"192.0.2.1", 1111, b"QUIT\r\n", [])


@pytest.mark.parametrize(
    "sent, broken, logged",
    [
        ([b"EHLO there\r\n"], True, [("error", b'broken header: "EHLO there"', 0)]),
        ([b"PROXY ", b""], True, []),
        ([b""], True, []),
        ([b"PROXY ", None], False, [("info", b"client timed out", errno.ETIMEDOUT)]),
        ([b"PROXY ", RESET], False, [("info", b"recv() failed", errno.ECONNRESET)]),
    ],
)
async def test_no_header(sent: list[bytes | OSError | None], broken: bool, logged: list[Any]) -> None:
    session = Talking(sent)
    with pytest.raises(NoHeader) as caught:
        await read_proxy_header(session, 7.0)
    assert (caught.value.broken, session.logged) == (broken, logged)
