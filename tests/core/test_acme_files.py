"""Where ACME keeps what it has: a folder, or memory that processes share."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.core import acme_files
from gateway.core.acme_files import Files, Folder, Memory


@pytest.fixture(params=["folder", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return Folder(str(tmp_path)) if request.param == "folder" else Memory()


def in_child(work: Callable[[], bool]) -> bool:
    pid = os.fork()
    if not pid:
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_texts(files: Files) -> None:
    assert not files.has("a")
    for wrong in (files.read, files.remove):
        with pytest.raises(FileNotFoundError):
            wrong("a")
    files.write("a", "one")
    files.write("b", "é" * 5000)
    files.write("a", "two")
    assert files.has("a") and files.read("a") == "two" and files.read("b") == "é" * 5000
    files.remove("b")
    assert not files.has("b") and files.has("a")


def test_another_process_writes(files: Files) -> None:
    assert not files.has("a")

    def write() -> bool:
        files.write("a", "the child's")
        return files.read("a") == "the child's"

    assert in_child(write)
    assert files.read("a") == "the child's"


def test_the_duty(files: Files, tmp_path: Path) -> None:
    assert files.take_duty("x")

    def another() -> bool:
        other = files if isinstance(files, Memory) else Folder(str(tmp_path))
        return other.take_duty("x")

    assert not in_child(another)
    files.drop_duty()
    assert in_child(another)  # and who ends gives it back
    assert in_child(another)


def test_a_reference_is_what_tls_loads(tmp_path: Path) -> None:
    memory, folder = Memory(), Folder(str(tmp_path))
    memory.write("a.pem", "text")
    assert memory.reference("a.pem") == "data:text"
    assert folder.reference("a.pem") == f"{tmp_path}/a.pem"


def test_writers_and_readers_at_once() -> None:
    """No reader sees half of a text, whoever writes: two threads here, and another process."""
    memory = Memory()
    memory.write("a", "0" * 9000)

    def write(digit: str) -> None:
        for _ in range(200):
            memory.write("a", digit * 9000)

    def another() -> bool:
        write("3")
        return True

    threads = [threading.Thread(target=write, args=(digit,)) for digit in "12"]
    for thread in threads:
        thread.start()
    pid = os.fork()
    if not pid:
        # The lock of threads may be held by one that this process has not.
        memory._turn = threading.Lock()
        write("3")
        os._exit(0)
    seen = {memory.read("a") for _ in range(500)}
    for thread in threads:
        thread.join(60)
    assert os.waitpid(pid, 0)[1] == 0
    assert all(len(text) == 9000 and len(set(text)) == 1 for text in seen)


def test_a_reload_goes_on_with_it() -> None:
    first = acme_files.memory_of("a name of this test")
    first.write("account.key", "k")
    assert acme_files.memory_of("a name of this test").read("account.key") == "k"
    assert not acme_files.memory_of("another of this test").has("account.key")
