"""nginx's words about signals."""

from __future__ import annotations

import os
import signal

from gateway.process import signals
from tests.process.memory_log import memory_log


def test_lines() -> None:
    assert signals.describe(1, 7, ", reconfiguring") == "signal 1 (SIGHUP) received from 7, reconfiguring"
    assert signals.describe(17, 0, "") == "signal 17 (SIGCHLD) received"
    assert signals.describe(29, 0, "") == "signal 29 (SIGIO) received"


def test_sent_to_nobody() -> None:
    log, lines = memory_log()
    assert not signals.send("reopen", 4194303, log)
    assert lines == ["[alert] kill(4194303, 10) failed (3: No such process)"]


def test_sent() -> None:
    log, lines = memory_log()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        assert signals.send("reload", os.getpid(), log)
        info = signal.sigtimedwait({signal.SIGHUP}, 5)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert info is not None
    assert info.si_pid == os.getpid()
    assert lines == []
