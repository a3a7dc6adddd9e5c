"""The same configuration on a real nginx and on gateway, side by side, as processes with ports of their own.

In a configuration `@PORT@` … `@PORT3@` are a side's own ports, `@SITE@` the folder that both serve, `@OWN@` a folder of
each side's own. Answers are compared byte for byte after `view` has taken out what must differ.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from tests.conformance.differences import expected
from tests.conformance.reference import NGINX, free_port

_ROOT = Path(__file__).resolve().parents[2]
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_NAME = re.compile(rb"(?<=<hr><center>)(?:nginx|gateway)(?:/[0-9.]+)?(?=</center>)")
_BOUNDARY = re.compile(rb"boundary=(\d{20})")
_LONG_AGE = re.compile(rb"max-age=\d{10,}")  # counted from a file's date: it differs by the second
_HTTP_DATE = re.compile(rb"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")


@dataclass
class Side:
    """One of the two servers."""

    name: str
    folder: Path
    ports: list[int]
    process: subprocess.Popen[bytes] | None = None
    patience: float = 5.0  # how long an answer is waited for

    @property
    def port(self) -> int:
        return self.ports[0]

    def fetch(self, data: bytes | list[bytes], port: int = 0, *, half_close: bool = True, unix: str = "") -> bytes:
        """Send bytes and read until the server closes; by default our side is shut after sending, which ends
        keep-alive. A list is sent part by part, each after an answer to the one before has begun."""
        with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as connection:
            connection.settimeout(self.patience)
            if unix:
                connection.connect(str(self.folder / unix))
            else:
                connection.connect(("127.0.0.1", self.ports[port]))
            received = b""
            try:
                parts = [data] if isinstance(data, bytes) else data
                for number, part in enumerate(parts):
                    if number:
                        received += connection.recv(65536)
                    connection.sendall(part)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
                while chunk := connection.recv(65536):
                    received += chunk
            except TimeoutError:
                received += b"<still open>"
            except ConnectionError:
                pass
            return received

    def log(self) -> str:
        return (self.folder / "error.log").read_text(errors="replace")

    def alerts(self) -> list[str]:
        return re.findall(r".*(?:\[(?:alert|emerg)\]|Traceback).*", self.log())


@dataclass
class Pair:
    theirs: Side
    ours: Side

    def each(self, action: Callable[[Side], object]) -> None:
        for side in (self.theirs, self.ours):
            action(side)

    def compare(
        self,
        requests: Iterable[bytes],
        *,
        port: int = 0,
        known: str = "",
        clean: Callable[[bytes], bytes] | None = None,
        threads: int = 64,
        part: bool = False,
    ) -> None:
        """Fail with the requests that the two answer differently.

        `known` names the differences that are meant (differences.py); one that has gone is a failure too, unless these
        are only a part of the requests.
        """
        table = expected(known)
        used: set[bytes] = set()

        def both(request: bytes) -> tuple[bytes, bytes, bytes]:
            answers = []
            for side in (self.theirs, self.ours):
                # nginx may cut an answer short once a client is half closed
                half_close = b"\r\nConnection: close" not in request
                answer = view(side.fetch(request, port, half_close=half_close), side, head=request[:5] == b"HEAD ")
                answers.append(clean(answer) if clean is not None else answer)
            return request, answers[0], answers[1]

        found = {}
        with ThreadPoolExecutor(threads) as pool:
            for request, theirs, ours in pool.map(both, list(requests)):
                if theirs == ours:
                    continue
                reasons = [each.pattern for each in table if each.matches(request)]
                used.update(reasons)
                if not reasons:
                    found[request] = (theirs, ours)
        if found:
            raise AssertionError(f"{len(found)} differ:" + _shown(found))
        gone = {each.pattern for each in table if not each.sometimes} - used
        if gone and not part:
            raise AssertionError(f"no differences any more: {sorted(gone)}")


def view(answer: bytes, side: Side, *, head: bool = False) -> bytes:
    """What is compared of a stream of answers: all but dates of now, the server's name, its ports, and framing."""
    parts = []
    while answer:
        if not answer.startswith(b"HTTP/1.1 "):
            parts.append(_NAME.sub(b"NAME", answer))
            break
        head_bytes, _, answer = answer.partition(b"\r\n\r\n")
        fields = head_bytes.split(b"\r\n")
        status = int(head_bytes[9:12])
        body, answer = _body(fields, status, answer, head)
        parts.append(_view_one(fields, status, body, side, head))
    return b"\n\n".join(parts)


def _value(fields: list[bytes], name: bytes) -> bytes | None:
    for line in fields[1:]:
        if line.lower().startswith(name + b":"):
            return line.partition(b":")[2].strip()
    return None


def _body(fields: list[bytes], status: int, data: bytes, head: bool) -> tuple[bytes, bytes]:
    """Cut a body off the stream: (the body, what follows)."""
    if status < 200 or status in (204, 304) or head:
        return b"", data
    length = _value(fields, b"content-length")
    if length is not None:
        return data[: int(length)], data[int(length) :]
    if _value(fields, b"transfer-encoding") != b"chunked":
        return data, b""
    found = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        if not size:
            return found + b"<cut>", data
        count = int(size, 16)
        if not count:
            trailers, _, data = (b"\r\n" + data).partition(b"\r\n\r\n")
            return found + (b"<trailers>" + trailers if trailers else b""), data
        found += data[:count]
        data = data[count + 2 :]


def _view_one(fields: list[bytes], status: int, body: bytes, side: Side, head: bool) -> bytes:
    length = _value(fields, b"content-length")
    name = _NAME.search(body)
    page = (_value(fields, b"content-type") or b"").startswith(b"text/html")
    cut = 0
    if name is not None:
        cut = len(name[0])
    elif head and status >= 300 and page and not _value(fields, b"etag"):
        cut = len(_value(fields, b"server") or b"")  # the page that is not shown names the server
    if b"content-encoding: gzip" in [line.lower() for line in fields] and body:
        with contextlib.suppress(zlib.error):  # an application may only say that it is
            body = b"<gzip>" + zlib.decompress(body, 31)
    boundary = _BOUNDARY.search(_value(fields, b"content-type") or b"")
    out = []
    for line in fields:
        lower = line.lower()
        if lower.startswith((b"date:", b"server:")):
            line = line.partition(b":")[0]  # that it is there, and where
        elif cut and lower.startswith(b"content-length:"):
            line = b"Content-Length: %d" % (int(length or 0) - cut)
        out.append(line)
    text = b"\n".join(out) + b"\n\n" + _NAME.sub(b"NAME", body)
    if boundary is not None:
        text = text.replace(boundary[1], b"BOUNDARY")
    for number, port in enumerate(side.ports):
        text = re.sub(rb"\b%d\b" % port, b"PORT%d" % number, text)
    text = text.replace(os.fsencode(side.folder), b"OWN")
    text = _LONG_AGE.sub(b"max-age=<long>", text)
    return _HTTP_DATE.sub(_moment, text)


def _moment(match: re.Match[bytes]) -> bytes:
    """A date that was made of the present one; a second may pass between the two answers."""
    if match[0].endswith(b"23:55:55 GMT"):
        return match[0]  # expires max
    distance = parsedate_to_datetime(match[0].decode()).timestamp() - time.time()
    return match[0] if distance < -600_000 else b"<later>" if distance > 20 else b"<now>"


@contextlib.contextmanager
def pair(folder: Path, http: str, *, main: str = "") -> Iterator[Pair]:
    """Both servers with this http block, until the block is left; then no alert may be in either log."""
    sides = []
    with contextlib.ExitStack() as stack:
        for name in ("nginx", "gateway"):
            own = folder / name
            own.mkdir()
            sides.append(Side(name, own, [free_port() for _ in range(3)]))
        for side in sides:
            stack.enter_context(_serving(side, folder, http, main))
        yield Pair(*sides)
    for side in sides:
        assert side.alerts() == []


@contextlib.contextmanager
def _serving(side: Side, site: Path, http: str, main: str) -> Iterator[None]:
    own = side.folder
    for number, port in enumerate(side.ports, 1):
        http = http.replace("@PORT@" if number == 1 else f"@PORT{number}@", str(port))
    http = http.replace("@SITE@", str(site)).replace("@OWN@", str(own))
    paths = "".join(f"{name}_temp_path {own}/{name};\n" for name in _TEMPORARY)
    (own / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {own}/pid; error_log {own}/error.log info;\n{main}\n"
        f"events {{ }}\nhttp {{ access_log off;\n{paths}\n{http}\n}}\n"
    )
    command = [str(NGINX)] if side.name == "nginx" else [sys.executable, "-m", "gateway"]
    side.process = process = subprocess.Popen(
        [*command, "-p", f"{own}/", "-e", f"{own}/error.log", "-c", f"{own}/nginx.conf"],
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )
    try:
        _wait_for(side)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


def _wait_for(side: Side) -> None:
    process = side.process
    assert process is not None
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"{side.name}: {process.communicate()[1].decode()}")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", side.port), timeout=5).close()
            return
        time.sleep(0.02)
    raise AssertionError(f"{side.name} does not listen")


def get(target: str, *headers: str, method: str = "GET", host: str = "localhost", version: str = "1.1") -> bytes:
    """A request as bytes, that ends the connection."""
    lines = [f"{method} {target} HTTP/{version}", f"Host: {host}", "Connection: close", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def _shown(found: dict[bytes, tuple[bytes, bytes]]) -> str:
    """Differences, readable in a failure."""
    return "".join(
        f"\n--- {request.decode('latin-1')!r:.300}\nnginx:   {theirs!r:.1200}\ngateway: {ours!r:.1200}\n"
        for request, (theirs, ours) in found.items()
    )
