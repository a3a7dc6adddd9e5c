"""nginx's words about signals."""

from __future__ import annotations

import os
import subprocess
import sys

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
    """To a process of its own: a blocked signal would reach whichever thread of this one does not block it."""
    log, lines = memory_log()
    program = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP}); print(flush=True); "
    program += "print(signal.sigwaitinfo({signal.SIGHUP}).si_pid)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"\n"  # it is ready
        assert signals.send("reload", child.pid, log)
        assert child.stdout.read() == b"%d\n" % os.getpid()
    assert child.returncode == 0
    assert lines == []
