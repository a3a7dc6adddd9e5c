"""Processes on their cores, CPU time and memory of a whole process tree, the C helpers."""

from __future__ import annotations

import compileall
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = (CORES[0], CORES[1]) if len(CORES) > 1 else (CORES[0], CORES[0])


class Refused(Exception):
    """The server does not start with this configuration; the text is what it said."""


_fixed: set[int] = set()


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def fixed_port() -> int:
    """A port for all of a run, for what must know it before a server starts.

    Below those that the kernel gives to connections: the load's own would take it sooner or later, between two servers.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        if port in _fixed:
            continue
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(type=kind) as s:
                    s.bind(("127.0.0.1", port))
        except OSError:
            continue
        _fixed.add(port)
        return port


def tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found = [pid]
    for each in found:
        for task in _listdir(f"/proc/{each}/task"):
            with contextlib.suppress(OSError):
                found += map(int, Path(f"/proc/{each}/task/{task}/children").read_text().split())
    return found


def cpu_ns(pids: Sequence[int]) -> int:
    """CPU time so far, user and system, in nanoseconds (/proc/PID/stat counts in ticks of 10 ms)."""
    total = 0
    for pid in pids:
        for task in _listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                total += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
    return total


def memory(pid: int, field: str) -> int:
    """Bytes of a field of smaps_rollup (Pss) or status (VmHWM)."""
    file = "status" if field.startswith("Vm") else "smaps_rollup"
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


def _listdir(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


class Process:
    """A child on one core, in a process group of its own, gone with all its children when closed."""

    def __init__(self, argv: Sequence[str], core: int, folder: Path, name: str) -> None:
        self.log = folder / f"{name}.out"
        with self.log.open("wb") as out:
            self.popen = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder, process_group=0,
                preexec_fn=lambda: os.sched_setaffinity(0, {core}),
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self.popen.pid

    def said(self) -> str:
        return self.log.read_text(errors="replace").strip()

    def close(self, sign: int = signal.SIGTERM) -> None:
        members = tree(self.pid)
        if self.popen.poll() is None:
            self.popen.send_signal(sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(5)
        for pid in members:
            if pid == self.pid or Path(f"/proc/{pid}").exists():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait()


@dataclass(frozen=True)
class Subject:
    """A server under test: nginx's command line is all that is asked of it."""

    name: str
    command: tuple[str, ...]

    def serves(self, workload: Any) -> bool:
        return True

    def argv(self, lab: Lab, workload: Any, folder: Path, port: int) -> list[str]:
        """Its command for this workload, once its configuration is in the folder."""
        path = folder / "nginx.conf"
        path.write_text(workload.configuration(lab, port))
        return [*self.command, "-p", f"{folder}/", "-c", str(path), "-e", "stderr"]


class Server:
    """A subject, started in a folder of its own."""

    def __init__(self, subject: Subject, folder: Path, argv: list[str], port: int) -> None:
        self.subject, self.port, self.folder = subject, port, folder
        begin = time.perf_counter()
        self.process = Process(argv, SERVER_CORE, folder, subject.name)
        try:
            self._wait()
        except BaseException:
            self.process.close()
            raise
        self.start_s = time.perf_counter() - begin
        time.sleep(0.2)

    def _wait(self) -> None:
        for _ in range(15000):
            if self.process.popen.poll() is not None:
                raise Refused(self.process.said().partition("\n")[0] or f"exit {self.process.popen.returncode}")
            if self.answers("/"):
                return
            time.sleep(0.002)
        raise Refused("no answer in 30 s: " + self.process.said()[-300:])

    def answers(self, path: str) -> bytes:
        """The whole answer to a plain GET on a new connection, b"" when there is none."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as s:
                s.sendall(b"GET %b HTTP/1.1\r\nHost: first\r\nConnection: close\r\n\r\n" % path.encode())
                return b"".join(iter(lambda: s.recv(65536), b""))
        except OSError:
            return b""

    def pids(self) -> list[int]:
        return tree(self.process.pid)

    def workers(self) -> list[int]:
        return self.pids()[1:] or self.pids()

    def close(self) -> None:
        self.process.close()


class Lab:
    """Folders, helpers and the load client for one run."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.warm_s = 0.5  # of load before each measurement
        self.folder = Path(tempfile.mkdtemp(prefix="gateway-bench-"))
        # A worker that gave up root still has to read the files below.
        self.folder.chmod(0o755)
        self.files = self.folder / "files"
        self.files.mkdir()
        for name in ("client", "responder"):
            self.program(name)

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def program(self, name: str, *libraries: str) -> Path:
        """One of those here that are in C."""
        path = self.folder / name
        if not path.exists():
            compiler = os.environ.get("CC", "cc")
            subprocess.run([compiler, "-O2", "-o", path, HERE / f"{name}.c", *libraries], check=True)
        return path

    def file(self, name: str, size: int, *, text: str = "") -> Path:
        """A file of zeros, of a `list` in HTML (zlib's level 1 makes a sixth of it) or of `prose` (two fifths)."""
        path = self.files / name
        if not path.exists():
            with path.open("wb") as f:
                if text == "list":
                    words = [f"<li class=item{i * 7919 % 89}>{i * i % 977:x}</li>\n" for i in range(size // 16)]
                    f.write("".join(words).encode()[:size])
                elif text == "prose":
                    f.write((ROOT / "gateway" / "DESIGN.md").read_bytes()[:size])
                f.truncate(size)
        return path

    def request(self, path: str = "/", *, host: str = "first", method: str = "GET", fields: Sequence[str] = (),
                body: bytes = b"") -> Path:  # fmt: skip
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "User-Agent: bench", "Accept: */*", *fields]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        handle, name = tempfile.mkstemp(dir=self.folder, prefix="request-")
        with os.fdopen(handle, "wb") as f:
            f.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return Path(name)

    def client_argv(self, server: Server, request: Path, *options: object) -> list[str]:
        return [str(self.folder / "client"), *map(str, options), str(server.port), str(request)]

    def client(self, server: Server, request: Path, *options: object, check: bool = True) -> dict[str, Any]:
        """Run the load client to its end and return what it counted."""
        done = subprocess.run(
            self.client_argv(server, request, *options), stdout=subprocess.PIPE, text=True, check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}),
        )  # fmt: skip
        counted: dict[str, Any] = json.loads(done.stdout)
        if check and (counted["wrong_status"] or counted["broken"] or not counted["requests"]):
            raise Refused(f"wrong answers: {done.stdout.strip()}")
        return counted

    def by_others(self, load: Callable[..., dict[str, Any]], seconds: float) -> dict[str, Any]:
        """A load that other programs make, for so many seconds."""
        return load(seconds)

    @contextlib.contextmanager
    def upstream(self, protocol: str, address: str, size: int = 6) -> Iterator[None]:
        process = Process([str(self.folder / "responder"), protocol, address, str(size)], LOAD_CORE, self.folder,
                          "responder")  # fmt: skip
        try:
            yield
        finally:
            process.close()

    @contextlib.contextmanager
    def server(self, subject: Subject, workload: Any) -> Iterator[Server]:
        """The workload's server, on a port of its own."""
        folder = Path(tempfile.mkdtemp(dir=self.folder, prefix=f"{subject.name}-"))
        folder.chmod(0o755)
        port = free_port()
        server = Server(subject, folder, subject.argv(self, workload, folder, port), port)
        try:
            yield server
        finally:
            server.close()


def measured(server: Server, run: Any) -> tuple[dict[str, Any], float]:
    """Run a load; what it counted, and the CPU seconds of the server's process tree meanwhile."""
    pids = server.pids()
    before = cpu_ns(pids)
    counted = run()
    cpu_s = (cpu_ns(pids) - before) / 1e9
    if server.pids() != pids:
        raise Refused("a worker was replaced while measuring: " + server.process.said()[-300:])
    return counted, cpu_s


def default_gateway() -> str:
    """The installed command beside this Python; where there is none, this checkout."""
    # as pip leaves an installed one: a start is not to compile the sources, whatever this shell says of bytecode
    compileall.compile_dir(ROOT / "gateway", quiet=2)
    beside = Path(sys.executable).parent / "gateway"
    if beside.exists():
        return str(beside)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return f"{sys.executable} -m gateway"
