"""Configurations and requests made at random, and what nginx itself says that it does with them in its debug log."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.dev.explain.findings import show
from gateway.dev.explain.packets import Packet
from gateway.dev.explain.witness import Incoming
from gateway.http.status import REASONS, error_page

_WORDS = ("a", "b", "docs", "img", "api", "old", "index.html", "x.php", "y.txt", "z.css")
_FILE = re.compile(r'http filename: "((?:.|\n)*?)"$', re.M)
# The locations that were chosen, and those that were named, in their order.
_PLACE = re.compile(r'(?:using configuration "(.*)"|using location: (@\S+) ".*)$', re.M)
_COMPLAINT = re.compile(r"\[(?:warn|error|crit|alert)\] (.*)$", re.M)
_REWRITTEN = re.compile(r'rewritten data: "(.*)", args: "(.*)", client: ', re.M)
PROTOCOLS: Final = ("proxy", "uwsgi", "fastcgi", "scgi", "memcached", "grpc")


class Recorder:
    """Listens on a unix socket for each protocol, and keeps what arrives."""

    def __init__(self, folder: Path) -> None:
        self.packets: list[Packet] = []
        self.answer: list[tuple[str, str]] = []  # fields of the next answer, which it has not from us
        self.paths = {protocol: folder / f"{protocol}.sock" for protocol in PROTOCOLS}
        self._sockets: list[socket.socket] = []

    @contextlib.contextmanager
    def listening(self) -> Iterator[Recorder]:
        threads = []
        for protocol, path in self.paths.items():
            listener = socket.socket(socket.AF_UNIX)
            path.unlink(missing_ok=True)
            listener.bind(str(path))
            path.chmod(0o666)
            listener.listen(16)
            self._sockets.append(listener)
            threads.append(threading.Thread(target=self._accept, args=(protocol, listener), daemon=True))
            threads[-1].start()
        try:
            yield self
        finally:
            for listener in self._sockets:
                listener.shutdown(socket.SHUT_RDWR)
                listener.close()
            self._sockets.clear()
            for thread in threads:
                thread.join(5)

    def _accept(self, protocol: str, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._serve, args=(protocol, connection), daemon=True).start()

    def _serve(self, protocol: str, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(30)
            incoming = Incoming({protocol}, self.answer)
            while part := connection.recv(65536):
                packet = incoming.feed(part)
                if packet is not None:
                    self.packets.append(packet)
                    head = packet.line.startswith("HEAD ") and packet.protocol == "http"
                    answer = packet.answer.partition(b"\r\n\r\n")
                    connection.sendall(b"".join(answer[:2]) if head else packet.answer)
                    if protocol != "proxy":  # whose connections are kept: an end of them would race with the next
                        connection.shutdown(socket.SHUT_WR)

    def wait_for(self, count: int) -> None:
        """So many packets, for a while: what a post_action sends may come behind the answer's end."""
        until = time.monotonic() + 2
        while len(self.packets) < count and time.monotonic() < until:
            time.sleep(0.01)

    def taken(self) -> list[Packet]:
        packets, self.packets = self.packets, []
        return packets


@dataclass(frozen=True)
class Asked:
    """A request: its fields as lines, without Host; `answer`: fields that the application's answer has."""

    method: str
    target: str
    host: str
    fields: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()


@dataclass
class Case:
    """An http block's inside for a port, and requests."""

    http: str
    requests: list[Asked] = field(default_factory=list)


def make(seed: int, site: Path, recorder: Recorder, port: int, count: int = 25) -> Case:
    """One configuration of several servers and locations; the same seed makes the same."""
    rng = random.Random(seed)
    servers = [_server(rng, number, site, recorder, port) for number in range(rng.randint(1, 3))]
    targets = []
    for _ in range(count):
        path = "/" + "/".join(rng.choice(_WORDS) for _ in range(rng.randint(0, 3)))
        path += rng.choice(["", "/", ""]) if path != "/" else ""
        query = rng.choice(["", "", "?k=1", "?k=two&x=%20", "?"])
        host = rng.choice(["s0.example", "s1.example", "www.s2.example", "other", "a.s0.example"])
        targets.append(Asked(rng.choice(["GET", "GET", "HEAD", "DELETE"]), path + query, host))
    return Case("\n".join(servers), targets)


def _server(rng: random.Random, number: int, site: Path, recorder: Recorder, port: int) -> str:
    names = [f"s{number}.example", f"*.s{number}.example", f"~^www[.]s{number}"]
    rng.shuffle(names)
    lines = [f"server {{ listen 127.0.0.1:{port}; server_name {' '.join(names[: rng.randint(1, 3)])};"]
    if rng.random() < 0.7:
        lines.append(f"root {site};")
    if rng.random() < 0.2:
        lines.append("rewrite ^/old/(.*)$ /docs/$1;")
    used = set()
    for _ in range(rng.randint(1, 6)):
        text = _location(rng, site, recorder, 0)
        name = text.partition("{")[0].replace("^~ ", "")  # to nginx it is the same location with or without
        if name not in used:
            used.add(name)
            lines.append(text)
    lines.append(f"location @app {{ {_pass(rng, recorder, uri=False)} }}")
    return "\n".join([*lines, "}"])


def _location(rng: random.Random, site: Path, recorder: Recorder, depth: int) -> str:
    kind = rng.choice(["", "", "", "= ", "^~ ", "~ ", "~* "])
    word = rng.choice(_WORDS)
    if kind.startswith("~"):
        name = rng.choice([rf"\.{word[-3:]}$", f"^/{word}", rf"^/{word}/(?<rest>.*)$", "(a|b)"])
    else:
        name = rng.choice([f"/{word}", f"/{word}/", "/"])
    inside = _inside(rng, site, recorder, regex=kind.startswith("~"), name=name)
    return f"location {kind}{name} {{ {inside} }}"


def _inside(rng: random.Random, site: Path, recorder: Recorder, *, regex: bool, name: str) -> str:
    lines = []
    if rng.random() < 0.2:
        lines.append('if ($arg_k = "1") { set $seen yes; }')
    if rng.random() < 0.2:
        lines.append(rng.choice([
            "rewrite ^/(\\w+)/(.*)$ /$2/$1 last;", "rewrite ^(.*)/$ $1 break;", "rewrite ^/a /b?new=1;",
            "rewrite ^/img /docs? last;",
        ]))  # fmt: skip
    choice = rng.random()
    if choice < 0.35:
        lines.append(_pass(rng, recorder, uri=not regex and rng.random() < 0.5, name=name))
    elif choice < 0.5:
        lines.append(rng.choice(["return 204;", "return 404;", "return 302 /docs/;", 'return 200 "text $uri";']))
    elif choice < 0.75:
        lines.append(rng.choice([
            "try_files $uri $uri/ @app;", "try_files $uri /docs/index.html;", "try_files $uri $uri/ =404;",
            "try_files /docs$uri $uri @app;",
        ]))  # fmt: skip
    elif choice < 0.85 and not regex:
        lines.append(f"alias {site}/docs{'/' if name.endswith('/') else ''};")
    if rng.random() < 0.1:
        lines.append("deny all;")
    return " ".join(lines)


def _pass(rng: random.Random, recorder: Recorder, *, uri: bool, name: str = "/") -> str:
    protocol = rng.choice(["proxy", "uwsgi", "fastcgi", "scgi"])
    path = recorder.paths[protocol]
    if protocol == "proxy":
        tail = rng.choice([":/", ":/base/", ":/base", ":/base?"]) if uri else ""
        # what newer versions do by default
        own = 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;'
        return f"proxy_pass http://unix:{path}{tail}; {own}"
    params = "\n".join(
        f"{protocol}_param {key} {value};"
        for key, value in (
            ("REQUEST_METHOD", "$request_method"), ("REQUEST_URI", "$request_uri"), ("DOCUMENT_URI", "$document_uri"),
            ("QUERY_STRING", "$query_string"), ("SCRIPT_NAME", "$fastcgi_script_name"), ("NAME", "$server_name"),
            ("FILE", "$request_filename"), ("SEEN", "$seen_or_not"),
        )
    )  # fmt: skip
    params = params.replace("$seen_or_not", "$arg_k")
    return f"{protocol}_pass unix:{path}; {params}"


@dataclass
class Truth:
    """What was done with one request; of the answer, the fields that do not tell the time or the server's name."""

    status: int
    fields: list[str]
    packets: list[tuple[str, list[tuple[str, str]]]]
    signature: bytes = field(default=b"", compare=False)  # the server's name, which pages of its own end with
    locations: list[str] = field(default_factory=list)
    file: str | None = None
    rewritten: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list, compare=False)  # of the error log


_OTHERWISE: Final = ("date:", "server:", "expires:")
_AGE: Final = re.compile(r"(?<=max-age=)\d+")  # `expires modified` counts from when the file was made
_BOUNDARY: Final = re.compile(r"(?<=boundary=)\d{20}$")  # a number of the process


def of_answer(head: str, packets: list[Packet]) -> Truth:
    """What a client and the upstreams saw."""
    line, *fields = head.split("\r\n")
    shown = sorted((packet.line, sorted(packet.pairs)) for packet in packets)
    named = [text.partition(": ")[2] for text in fields if text.lower().startswith("server:")]
    signature = "".join(named).encode()
    status = int(line.split()[1]) if line else 0
    return Truth(status, kept(status, fields, signature), shown, signature)


def kept(status: int, fields: list[str], signature: bytes) -> list[str]:
    """Without what tells the time; a page that the server makes is measured without the server's name."""
    fields = [_BOUNDARY.sub("…", text) for text in fields if not text.lower().startswith(_OTHERWISE)]
    fields = [_AGE.sub(lambda age: f"{-(-int(age[0]) // 60)} minutes", text) for text in fields]
    if status < 300 or not signature:
        return fields
    pages = {error_page(code, signature) for code in (*REASONS, *range(494, 499))} - {None}
    lengths = {f"content-length: {len(page)}": len(page) - len(signature) for page in pages if page is not None}
    return [
        f"Content-Length: {lengths[text.lower()]} and the name" if text.lower() in lengths else text for text in fields
    ]


def add_debug_log(truth: Truth, text: str) -> None:
    """nginx's own words: the locations in their order, the file that the static module opened, what was rewritten."""
    files = _FILE.findall(text)
    truth.file = show(files[-1].encode()) if files else None
    truth.locations = [chosen or named for chosen, named in _PLACE.findall(text)]
    truth.complaints = _COMPLAINT.findall(text)
    truth.rewritten = [uri + ("?" + args if args else "") for uri, args in _REWRITTEN.findall(text)]


def make_site(folder: Path) -> None:
    """Files that some of the requests find."""
    for name in ("docs/index.html", "docs/y.txt", "a/index.html", "img/z.css", "x.php", "index.html", "docs/docs/a"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
