"""`-s quit` and `-s stop` on a terminal: what the server still waits for, until it has ended."""

from __future__ import annotations

import os
import select
import time
from typing import Final

from gateway.core.logs import Log, say
from gateway.process import signals
from gateway.process.report import Asker

# What is over sooner needs no words.
_SILENT_S: Final = 1.0
# A master says each second what is left; a single process, or another program, says nothing.
_WORDLESS_S: Final = 3.0
_INTERRUPTED: Final = 130  # what a shell gives for SIGINT


def send_and_wait(name: str, pid: int, log: Log) -> int:
    """Send the signal and wait until the process is gone: 0. Without a terminal nginx's `-s` does not wait."""
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return 0 if signals.send(name, pid, log) else 1  # nginx's words for who is not there
    try:
        with Asker() as asker:
            if not signals.send(name, pid, log):
                return 1
            return _watch(pid, process, asker)
    finally:
        os.close(process)


def _watch(pid: int, process: int, asker: Asker) -> int:
    begin = time.monotonic()
    shown = ""
    try:
        while True:
            ready, _, _ = select.select([process, asker.fileno()], [], [], _SILENT_S)
            took = time.monotonic() - begin
            if process in ready:
                break
            heard = asker.fileno() in ready
            text = asker.heard(pid) if heard else ""
            if not heard and not shown and took >= _WORDLESS_S:
                text = f"waiting for process {pid} to end"
            if text and text != shown and took >= _SILENT_S:
                say(text)
                shown = text
    except KeyboardInterrupt:
        say(f"no longer waiting; process {pid} ends when it is ready, or at once after -s stop")
        return _INTERRUPTED
    if shown:
        say(f"ended after {took:.1f} s")
    return 0
