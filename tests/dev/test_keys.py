"""Keys of a terminal; tests/process/test_gateway_serve.py types some."""

from __future__ import annotations

import os
import pty
import sys

import pytest

from gateway.dev.keys import Keys
from gateway.dev.terminal import Terminal


class _Input:
    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd


def test_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "stdin", _Input(reading))
    with Keys(Terminal()) as keys:
        assert not keys.active
        assert keys.watched == []
    os.close(reading)
    os.close(writing)


def test_a_terminal_that_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the background a read would stop the process."""
    ours, theirs = pty.openpty()
    monkeypatch.setattr(sys, "stdin", _Input(theirs))
    with Keys(Terminal()) as keys:
        assert not keys.active
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp())
    with Keys(Terminal()) as keys:
        assert keys.watched == [theirs]
        os.write(ours, b"q")
        assert keys.read() == "q"
    assert not keys.active
    os.close(ours)
    os.close(theirs)
