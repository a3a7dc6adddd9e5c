"""What is asked of the kernel for a process; its title is seen in tests/process."""

from __future__ import annotations

import os
from pathlib import Path

from gateway._fast.process import arguments


def test_arguments_lie_where_the_kernel_says() -> None:
    stat = Path("/proc/self/stat").read_bytes()
    start, size = arguments(stat)
    command = Path("/proc/self/cmdline").read_bytes()
    assert start
    assert size == len(command)
    with open("/proc/self/mem", "rb") as memory:
        memory.seek(start)
        assert memory.read(size) == command


def test_a_name_with_blanks_and_brackets_moves_nothing() -> None:
    stat = b"7 (a) (b c) S " + b" ".join(b"%d" % number for number in range(4, 53))
    assert arguments(stat) == (48, 1)


def test_an_emulator_writes_fewer_fields() -> None:
    pid = os.getpid()
    assert arguments(b"%d (python3) R %d 0 0 0 -1" % (pid, os.getppid())) == (0, 0)
