from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from gateway.dev.child import Child


class NoJanitor:
    def __init__(self) -> None:
        self.groups: set[int] = set()

    def watch(self, group: int) -> None:
        self.groups.add(group)

    def forget(self, group: int) -> None:
        self.groups.discard(group)


def child(code: str, folder: Path, lines: list[str]) -> tuple[Child, NoJanitor]:
    janitor = NoJanitor()
    started = Child([sys.executable, "-c", code], folder=folder, janitor=janitor, line=lines.append)  # type: ignore[arg-type]
    return started, janitor


def until(lines: list[str], count: int) -> None:
    end = time.monotonic() + 10
    while len(lines) < count:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_lines_and_ending(tmp_path: Path) -> None:
    lines: list[str] = []
    started, janitor = child("print('one'); print('two'); raise SystemExit(3)", tmp_path, lines)
    assert janitor.groups == {started.pid}
    end = time.monotonic() + 10
    while started.running:
        assert time.monotonic() < end
        time.sleep(0.01)
    started.finished()
    started.stop()
    assert lines == ["one", "two"]
    assert started.ending == "ended with code 3"
    assert not started.running
    assert janitor.groups == set()


def test_stop_ends_the_whole_group(tmp_path: Path) -> None:
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pid = os.fork()\n"
        "print(pid, flush=True) if pid else None\n"
        "time.sleep(60)\n"
    )
    lines: list[str] = []
    started, _ = child(code, tmp_path, lines)
    until(lines, 1)
    assert os.getpgid(int(lines[0])) == started.pid != os.getpgrp()
    started.stop(patience_s=0.1)
    assert started.ending == "was ended by SIGKILL"
    with pytest.raises(ProcessLookupError):
        while True:
            # A killed orphan stays for a moment, until its new parent has waited for it.
            os.killpg(started.pid, 0)
            time.sleep(0.01)
