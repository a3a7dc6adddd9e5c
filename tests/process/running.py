"""Starting real gateway processes for tests, and seeing that nothing of them is left."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.ports import free_port as free_port

ROOT = Path(__file__).resolve().parents[2]
TRIVIAL = (sys.executable, str(Path(__file__).with_name("trivial.py")))
GATEWAY = (sys.executable, "-m", "gateway")


def until(condition: Callable[..., Any], what: str, limit_s: float = 15.0) -> Any:
    """The condition's first true value; a failure names what was waited for."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {limit_s} s for {what}")


def pid_in(file: Path) -> int:
    """The id in a pid file; 0 where there is none: it is renamed, and written, while somebody looks."""
    try:
        return int(file.read_text().strip() or 0)
    except FileNotFoundError:
        return 0


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def fetch(address: tuple[str, int] | str, path: str = "/", timeout: float = 10.0) -> str:
    """The body of one answer over a connection of its own."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as connection:
        connection.settimeout(timeout)
        connection.connect(address)
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        return read_answer(connection)


def read_answer(connection: socket.socket) -> str:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(4096)
        if not more:
            raise ConnectionError(f"the connection ended after {data!r}")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    assert length is not None, head
    while len(body) < int(length[1]):
        more = connection.recv(4096)
        if not more:
            raise ConnectionError("the body ended early")
        body += more
    return body.decode()


class Running:
    """A gateway in a folder of its own; `with` starts nothing and kills what is left."""

    def __init__(self, folder: Path, command: Sequence[str] = TRIVIAL) -> None:
        self.folder = folder
        self.command = command
        self.process: subprocess.Popen[bytes] | None = None
        self.seen: set[int] = set()
        self.raises = False  # the test asks for exceptions of ours; else none may be in the log
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("NGINX", "LISTEN_"))},
            "PYTHONPATH": str(ROOT),
        }

    def __enter__(self) -> Running:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.remember()
        if self.process is not None:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
            if self.process.stderr is not None:
                self.process.stderr.close()
        with contextlib.suppress(OSError, ValueError):
            self.seen.add(self.pid)
        for pid in self.seen:
            if alive(pid):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        if kind is None and not self.raises:
            defects = self.logged(r".*(?:Traceback|internal error|cause: not found out).*")
            assert not defects, defects[:3]

    def arguments(self, *more: str) -> list[str]:
        return [*self.command, "-p", f"{self.folder}/", "-c", "nginx.conf", "-e", "error.log", *more]

    def configure(self, main: str, *listens: str, answer: str = "hello", pid: str = "nginx.pid") -> None:
        """Write a configuration that gives this answer on these addresses."""
        head = f"pid {pid}; error_log error.log debug;\n{main}"
        if self.command == GATEWAY:
            text = "".join(f"listen {listen}; " for listen in listens)
            locations = f'location / {{ return 200 "{answer}"; }}'
            # The workers must be able to reopen logs in pytest's folders.
            head = "user root; " * (os.geteuid() == 0) + head
            tail = f"events {{ }} http {{ server {{ {text} {locations} }} }}"
        else:
            tail = "".join(f"listen {listen}; " for listen in listens) + f"answer {answer};"
        (self.folder / "nginx.conf").write_text(head + "\n" + tail)

    def start(self, *more: str, wait: bool = True, **options: Any) -> subprocess.Popen[bytes]:
        """Start in the foreground, or in the background where the configuration says daemon."""
        self.process = subprocess.Popen(
            self.arguments(*more), env=self.environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, **options
        )
        if wait:
            until(lambda: self.workers or (self.process is not None and self.process.poll()), "the first worker")
        return self.process

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        """Run to the end, as -t and -s do."""
        return subprocess.run(
            self.arguments(*more), env=self.environment, capture_output=True, text=True, timeout=30, check=False
        )

    @property
    def pid(self) -> int:
        return int((self.folder / "nginx.pid").read_text())

    @property
    def workers(self) -> list[int]:
        """The workers that serve by now."""
        try:
            return [child for child in children(self.pid) if title(child) == "gateway: worker process"]
        except (OSError, ValueError):
            return []

    def remember(self) -> None:
        """Note who is there, to see later that nobody stays."""
        with contextlib.suppress(OSError, ValueError):
            for pid in (self.pid, *children(self.pid)):
                self.seen.update((pid, *children(pid)))

    def send(self, number: signal.Signals) -> None:
        self.remember()
        os.kill(self.pid, number)

    def end(self, number: signal.Signals = signal.SIGQUIT) -> None:
        """Tell the master to end and see that all are gone, the pid file too."""
        pid = self.pid
        self.send(number)
        if self.process is not None and self.process.pid == pid:
            assert self.process.wait(15) == 0
        until(lambda: not any(alive(one) for one in self.seen), "all processes to end")
        assert not (self.folder / "nginx.pid").exists()

    @property
    def log(self) -> str:
        file = self.folder / "error.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def logged(self, pattern: str) -> list[str]:
        return re.findall(pattern, self.log)

    def no_alerts(self) -> None:
        alerts = re.findall(r".*\[(?:alert|crit|emerg)\].*", self.log)
        if alerts:
            raise AssertionError("\n".join(alerts))


def title(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().rstrip(b"\0").decode()
    except OSError:
        return ""


@contextlib.contextmanager
def listening(family: int, address: Any) -> Iterator[socket.socket]:
    with socket.socket(family) as server:
        server.bind(address)
        server.listen(16)
        yield server
