"""A server under test, gateway or nginx, with what can be measured of its processes from outside."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.process.running import ROOT, alive, children, free_port, title, until

GATEWAY = (sys.executable, "-m", "gateway")
NGINX = os.environ.get("NGINX_BINARY") or shutil.which("nginx")

# Debian's nginx has its stream block in a module of its own.
_STREAM = Path("/usr/lib/nginx/modules/ngx_stream_module.so")

_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
# What no log may have, whatever is done to a server.
_DEFECT = re.compile(r".*(?:Traceback|internal error|cause: not found out|\[emerg\]|\[alert\]).*")


@dataclass
class Server:
    """Runs from `with serving(…)` on. Ports are named in its configuration as @0@, @1@, …; @HOME@ is its folder."""

    name: str
    folder: Path
    ports: list[int]
    process: subprocess.Popen[bytes]
    allowed: list[str] = field(default_factory=list)  # patterns of lines that a case brings about on purpose

    @property
    def port(self) -> int:
        return self.ports[0]

    @property
    def workers(self) -> list[int]:
        """Those that serve and those that end; nginx has processes of another kind beside them."""
        return [pid for pid in children(self.process.pid) if alive(pid) and "worker process" in title(pid)]

    @property
    def log(self) -> str:
        return (self.folder / "error.log").read_text(errors="replace")

    def defects(self) -> list[str]:
        """Lines of the error log that must not be there."""
        lines = (match[0] for match in _DEFECT.finditer(self.log))
        return [line for line in lines if not any(re.search(pattern, line) for pattern in self.allowed)]

    def memory(self) -> int:
        """Bytes that its processes hold for themselves; of the worst moment so far it says nothing."""
        return sum(_field(pid, "RssAnon") for pid in [self.process.pid, *self.workers])

    def descriptors(self) -> int:
        return sum(len(_listed(f"/proc/{pid}/fd")) for pid in self.workers)

    def files(self) -> int:
        """Temporary files: those with a name, and those that only a descriptor holds."""
        named = sum(len(files) for kind in _TEMPORARY for _, _, files in os.walk(self.folder / kind))
        held = 0
        for pid in self.workers:
            for descriptor in _listed(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    held += str(self.folder) in (target := os.readlink(f"/proc/{pid}/fd/{descriptor}")) and (
                        target.endswith("(deleted)")
                    )
        return named + held

    def cpu_s(self) -> float:
        """Seconds of CPU of its workers."""
        total = 0
        for pid in self.workers:
            with contextlib.suppress(OSError, IndexError):
                words = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
                total += int(words[11]) + int(words[12])
        return total / os.sysconf("SC_CLK_TCK")

    def reload(self) -> None:
        """Begin a reload, and wait until the new worker serves."""
        before = set(self.workers)
        self.process.send_signal(signal.SIGHUP)
        until(lambda: set(self.workers) - before, "a new worker", 60)

    def settle(self, limit_s: float = 30.0) -> None:
        """Until no connection but one of ours is left."""
        until(lambda: self.active() <= 1, "the connections to end", limit_s)

    def active(self) -> int:
        """Connections that are open, as stub_status at /status counts them."""
        with contextlib.suppress(OSError, TypeError):
            return int(re.search(rb"Active connections: (\d+)", self.ask(b"GET /status HTTP/1.0\r\n\r\n"))[1])  # type: ignore[index]
        return 1 << 20

    def ask(self, data: bytes, port: int | None = None, timeout_s: float = 30.0) -> bytes:
        """Send bytes, and read until the server closes."""
        with socket.create_connection(("127.0.0.1", port or self.port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            received = b""
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
                while part := connection.recv(65536):
                    received += part
            return received

    def get(self, path: str, timeout_s: float = 30.0) -> tuple[int, bytes]:
        """Status and body of one answer."""
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        head, _, body = self.ask(request.encode(), timeout_s=timeout_s).partition(b"\r\n\r\n")
        return (int(head[9:12]) if head[:5] == b"HTTP/" else 0), body


@contextlib.contextmanager
def serving(
    name: str, folder: Path, http: str, *, main: str = "", events: str = "", tail: str = "", connections: int = 2000
) -> Iterator[Server]:
    """One worker with this http block until the block is left; then it must end, and its log have no defect."""
    home = folder / name
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    ports = [free_port() for _ in range(4)]
    paths = "".join(f"{kind}_temp_path @HOME@/{kind}; " for kind in _TEMPORARY)
    if name == "nginx" and "stream {" in tail and _STREAM.exists():
        main = f"load_module {_STREAM}; {main}"
    text = f"""daemon off; pid @HOME@/pid; error_log @HOME@/error.log info; {main}
        events {{ worker_connections {connections}; {events} }}
        http {{ access_log off; {paths} {http} }}
        {tail}"""
    if name == "nginx" and not nginx_has_http2():
        text = text.replace("http2 on;", "")
    if os.geteuid() == 0:
        text = "user root;\n" + text
    text = text.replace("@HOME@", str(home))
    for number, port in enumerate(ports):
        text = text.replace(f"@{number}@", str(port))
    (home / "nginx.conf").write_text(text)
    (home / "error.log").touch()
    command = [*(GATEWAY if name == "gateway" else (str(NGINX),)), "-p", f"{home}/", "-c", f"{home}/nginx.conf"]
    process = subprocess.Popen(
        [*command, "-e", f"{home}/error.log"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**{key: value for key, value in os.environ.items() if key != "NGINX"}, "PYTHONPATH": str(ROOT)},
    )
    server = Server(name, home, ports, process)
    ended = False
    try:
        until(lambda: _takes(ports[0]) or process.poll() is not None, f"{name} to listen", 60)
        assert process.poll() is None, server.log
        until(lambda: server.workers, "a worker", 60)
        yield server
        process.send_signal(signal.SIGQUIT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
            ended = True
    finally:
        pids = [process.pid, *server.workers]
        if process.poll() is None:
            process.kill()
        process.wait()
        for pid in pids[1:]:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
    assert ended, f"{name} did not end: {server.log[-2000:]}"
    defects = server.defects()
    assert not defects or name == "nginx", defects[:5]


@functools.cache
def nginx_has_http2() -> bool:
    """Whether it takes `http2 on` (since 1.25.1): before, a port without TLS spoke either HTTP/1 or HTTP/2."""
    asked = subprocess.run([str(NGINX), "-v"], capture_output=True, text=True, check=False).stderr
    found = re.search(r"/(\d+)\.(\d+)\.(\d+)", asked)
    return found is not None and tuple(map(int, found.groups())) >= (1, 25, 1)


@functools.cache
def nginx_has_http3() -> bool:
    """Whether it was built with QUIC."""
    asked = subprocess.run([str(NGINX), "-V"], capture_output=True, text=True, check=False).stderr
    return "http_v3_module" in asked


def _takes(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _field(pid: int, name: str) -> int:
    with contextlib.suppress(OSError, TypeError):
        found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) * 1024 if found else 0
    return 0


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
