"""Programs that people use, against a running gateway: WebDAV, DNS through stream, mail, films."""

from __future__ import annotations

import contextlib
import imaplib
import json
import os
import poplib
import shutil
import smtplib
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.process.running import GATEWAY, Running, free_port

_PATIENCE_S = 60


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@contextlib.contextmanager
def serving(folder: Path, text: str) -> Iterator[None]:
    user = "user root;" if os.geteuid() == 0 else ""
    paths = " ".join(f"{name}_temp_path temp_{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"{user} pid nginx.pid; error_log error.log info; events {{ }}\n{text.replace('@TEMP@', paths)}\n"
    )
    with Running(folder, GATEWAY) as running:
        running.start()
        yield
        running.end()


def run(*words: object, text: str | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in words], input=text, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
    )
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


# -- WebDAV ------------------------------------------------------------------------------------------------------------

_DAV = """http { access_log off; @TEMP@ server { listen 127.0.0.1:@PORT@; root dav; client_max_body_size 10m;
location / { dav_methods PUT DELETE MKCOL COPY MOVE; create_full_put_path on; dav_access user:rw group:r;
autoindex on; } } }"""


@pytest.fixture
def dav(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "dav").mkdir()
    port = free_port()
    with serving(tmp_path, _DAV.replace("@PORT@", str(port))):
        yield f"http://127.0.0.1:{port}"


@needs("curl")
def test_webdav_with_curl(dav: str, tmp_path: Path) -> None:
    there, data = tmp_path / "dav", os.urandom(300_000)
    (tmp_path / "up").write_bytes(data)

    def curl(*words: object) -> str:
        return run("curl", "-sS", "-o", tmp_path / "answer", "-w", "%{http_code}", *words)

    assert curl("-T", tmp_path / "up", f"{dav}/new/folder/file") == "201"
    assert (there / "new/folder/file").read_bytes() == data
    assert curl("-T", tmp_path / "up", f"{dav}/new/folder/file") == "204"
    assert curl("-T", tmp_path / "up", "-H", "Transfer-Encoding: chunked", f"{dav}/chunked") == "201"
    assert curl("-X", "MKCOL", f"{dav}/made/") == "201"
    assert curl("-X", "MKCOL", f"{dav}/made/") == "405"
    assert curl("-X", "COPY", "-H", f"Destination: {dav}/made/copy", f"{dav}/chunked") == "204"
    assert curl("-X", "MOVE", "-H", f"Destination: {dav}/moved", f"{dav}/made/copy") == "204"
    assert curl("-X", "COPY", "-H", "Overwrite: F", "-H", f"Destination: {dav}/moved", f"{dav}/chunked") == "412"
    assert (there / "moved").read_bytes() == data and not (there / "made/copy").exists()
    assert curl("-X", "DELETE", f"{dav}/moved") == "204"
    assert curl("-X", "DELETE", f"{dav}/moved") == "404"
    assert curl("-X", "DELETE", f"{dav}/new/") == "204"
    assert sorted(path.name for path in there.iterdir()) == ["chunked", "made"]
    assert curl(f"{dav}/chunked") == "200" and (tmp_path / "answer").read_bytes() == data


@needs("rclone")
def test_a_folder_by_rclone(dav: str, tmp_path: Path) -> None:
    """nginx's module has no PROPFIND (cadaver and rclone's webdav find nothing): rclone reads autoindex's listing."""
    there = tmp_path / "dav"
    for number in range(12):
        (there / f"d{number % 3}").mkdir(exist_ok=True)
        (there / f"d{number % 3}" / f"f {number}").write_bytes(bytes([number]) * 5000)
    (tmp_path / "rclone.conf").write_text(f"[web]\ntype = http\nurl = {dav}\n")
    run("rclone", "--config", tmp_path / "rclone.conf", "copy", "web:", tmp_path / "copied")
    copied = {str(p.relative_to(tmp_path / "copied")): p.read_bytes() for p in (tmp_path / "copied").rglob("f *")}
    assert copied == {f"d{n % 3}/f {n}": bytes([n]) * 5000 for n in range(12)}


# -- DNS through stream ------------------------------------------------------------------------------------------------


def _answer(query: bytes) -> bytes:
    """An A record of 192.0.2.7 for whatever was asked, with the question as it came."""
    end = query.index(0, 12) + 5
    head = query[:2] + struct.pack("!HHHHH", 0x8580, 1, 1, 0, 0)
    return head + query[12:end] + struct.pack("!HHHIH4s", 0xC00C, 1, 1, 60, 4, bytes([192, 0, 2, 7]))


@needs("dig")
def test_dig_through_udp_and_tcp(tmp_path: Path) -> None:
    port = free_port()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        datagrams.bind(listener.getsockname())

        def over_udp() -> None:
            with contextlib.suppress(OSError):
                while True:
                    data, client = datagrams.recvfrom(4096)
                    if data == b"end":
                        return
                    datagrams.sendto(_answer(data), client)

        def over_tcp() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client, client.makefile("rb") as file:
                        size = file.read(2)
                        if len(size) < 2:
                            return
                        reply = _answer(file.read(int.from_bytes(size, "big")))
                        client.sendall(struct.pack("!H", len(reply)) + reply)

        threads = [threading.Thread(target=each, daemon=True) for each in (over_udp, over_tcp)]
        for thread in threads:
            thread.start()
        text = f"""stream {{ upstream dns {{ server 127.0.0.1:{listener.getsockname()[1]}; }}
        server {{ listen 127.0.0.1:{port} udp reuseport; proxy_pass dns; proxy_responses 1; proxy_timeout 30s; }}
        server {{ listen 127.0.0.1:{port}; proxy_pass dns; }} }}"""
        with serving(tmp_path, text):
            for how in ("+notcp", "+tcp"):
                for number in range(5):
                    said = run("dig", "+short", how, "+time=20", "@127.0.0.1", "-p", port, f"host{number}.example", "A")
                    assert said.strip() == "192.0.2.7"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last, socket.create_connection(listener.getsockname()):
            last.sendto(b"end", datagrams.getsockname())
        for thread in threads:
            thread.join(_PATIENCE_S)
            assert not thread.is_alive()


# -- mail --------------------------------------------------------------------------------------------------------------


class _MailServer:
    """Says what is in `replies` to a line that begins so; a line of smtp's DATA is taken until the dot."""

    def __init__(self, greeting: bytes, reply: Callable[[bytes], bytes]) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.greeting, self.reply = greeting, reply
        self.got: list[bytes] = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        client, _ = self.listener.accept()
        with client, client.makefile("rb") as file, contextlib.suppress(ConnectionError):
            client.sendall(self.greeting)
            for line in file:
                self.got.append(line)
                client.sendall(self.reply(line))

    def close(self) -> None:
        self.listener.close()
        self.thread.join(_PATIENCE_S)


class _Imap:
    """Takes LOGIN with literals, as a proxy sends it."""

    def __init__(self) -> None:
        self.tag = b""

    def __call__(self, line: bytes) -> bytes:
        if not self.tag:
            self.tag, _, words = line.partition(b" ")
        else:
            words = line
        if line.endswith(b"}\r\n"):
            return b"+ go on\r\n"
        tag, self.tag = self.tag, b""
        if words.startswith(b"SELECT"):
            return b"* 3 EXISTS\r\n" + tag + b" OK done\r\n"
        return (b"* BYE\r\n" if words.startswith(b"LOGOUT") else b"") + tag + b" OK done\r\n"


def _pop3(line: bytes) -> bytes:
    return b"+OK 2 320\r\n" if line.startswith(b"STAT") else b"+OK\r\n"


class _Smtp:
    def __init__(self) -> None:
        self.in_data = False

    def __call__(self, line: bytes) -> bytes:
        if self.in_data:
            self.in_data = line != b".\r\n"
            return b"" if self.in_data else b"250 taken\r\n"
        self.in_data = line.upper().startswith(b"DATA")
        if self.in_data:
            return b"354 go on\r\n"
        return b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 fine\r\n"


@contextlib.contextmanager
def _auth(port: int) -> Iterator[int]:
    """Lets `user` with `secret` in, and says where."""

    class Auth(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers["Auth-User"] == "user" and self.headers["Auth-Pass"] == "secret"
            self.send_response(200)
            self.send_header("Auth-Status", "OK" if known else "Invalid login or password")
            if known:
                self.send_header("Auth-Server", "127.0.0.1")
                self.send_header("Auth-Port", str(port))
            else:
                self.send_header("Auth-Wait", "1")
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Not to stderr."""

    server = HTTPServer(("127.0.0.1", 0), Auth)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(_PATIENCE_S)


@contextlib.contextmanager
def _mail(folder: Path, protocol: str, backend: _MailServer, more: str = "") -> Iterator[int]:
    port = free_port()
    with _auth(backend.port) as auth:
        text = f"""mail {{ auth_http 127.0.0.1:{auth}/; server_name front.example; {more}
        server {{ listen 127.0.0.1:{port}; protocol {protocol}; proxy on; }} }}"""
        with serving(folder, text):
            yield port
    backend.close()


def test_imaplib(tmp_path: Path) -> None:
    backend = _MailServer(b"* OK ready\r\n", _Imap())
    with _mail(tmp_path, "imap", backend, "imap_auth login plain;") as port:
        refused = imaplib.IMAP4("127.0.0.1", port, timeout=_PATIENCE_S)
        with refused, pytest.raises(imaplib.IMAP4.error):
            refused.login("user", "wrong")
        with imaplib.IMAP4("127.0.0.1", port, timeout=_PATIENCE_S) as client:
            assert client.login("user", "secret")[0] == "OK"
            assert client.select("INBOX") == ("OK", [b"3"])
    assert any(b"LOGIN" in line for line in backend.got) and b"secret\r\n" in backend.got


def test_poplib(tmp_path: Path) -> None:
    backend = _MailServer(b"+OK ready\r\n", _pop3)
    with _mail(tmp_path, "pop3", backend, "pop3_auth plain apop;") as port:
        client = poplib.POP3("127.0.0.1", port, timeout=_PATIENCE_S)
        client.user("user")
        client.pass_("secret")
        assert client.stat() == (2, 320)
        client.quit()
    assert b"PASS secret\r\n" in backend.got


def test_smtplib(tmp_path: Path) -> None:
    backend = _MailServer(b"220 ready\r\n", _Smtp())
    settings = "smtp_auth login plain; smtp_capabilities SIZE; xclient off;"
    with (
        _mail(tmp_path, "smtp", backend, settings) as port,
        smtplib.SMTP("127.0.0.1", port, timeout=_PATIENCE_S) as client,
    ):
        client.login("user", "secret")
        assert client.sendmail("a@example.org", ["b@example.org"], "Subject: hello\r\n\r\nof many\r\nlines") == {}
    # Python 3.13 writes the verb's words in another case.
    got = [line.lower() for line in backend.got]
    assert b"subject: hello\r\n" in got and b"rcpt to:<b@example.org>\r\n" in got


# -- films -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def film(tmp_path: Path) -> Iterator[str]:
    """Ten seconds with a key frame in each."""
    (tmp_path / "films").mkdir()
    run("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=duration=10:size=64x48:rate=10", "-g", "10",
        "-pix_fmt", "yuv420p", "-movflags", "+faststart", tmp_path / "films" / "a.mp4")  # fmt: skip
    port = free_port()
    text = f"""http {{ access_log off; @TEMP@ server {{ listen 127.0.0.1:{port}; root films;
    location / {{ mp4; mp4_start_key_frame on; }} }} }}"""
    with serving(tmp_path, text):
        yield f"http://127.0.0.1:{port}/a.mp4"


def _seconds(url: str) -> float:
    told = json.loads(run("ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "json", url))
    return float(told["format"]["duration"])


@needs("ffmpeg")
@needs("ffprobe")
def test_ffmpeg(film: str, tmp_path: Path) -> None:
    assert _seconds(film) == pytest.approx(10, abs=0.2)
    assert _seconds(film + "?start=4") == pytest.approx(6, abs=0.3)
    assert _seconds(film + "?start=2&end=5") == pytest.approx(3, abs=0.3)
    # every frame of the rest can be shown
    said = run("ffmpeg", "-v", "error", "-i", film + "?start=7", "-f", "framecrc", "-")
    assert len([line for line in said.splitlines() if not line.startswith("#")]) == pytest.approx(30, abs=3)
    # a seek: ffmpeg asks for ranges, as players do
    said = run("ffmpeg", "-v", "error", "-ss", "8", "-i", film, "-f", "framecrc", "-")
    assert len([line for line in said.splitlines() if not line.startswith("#")]) == 20


@needs("ffmpeg")
@needs("curl")
def test_ranges_as_a_player_asks(film: str, tmp_path: Path) -> None:
    """First the whole as a range without an end, then the end, then places in the middle."""
    whole = (tmp_path / "films" / "a.mp4").read_bytes()
    size = len(whole)
    for asked, first, last in (
        ("0-", 0, size - 1), (f"{size - 500}-", size - 500, size - 1), ("-500", size - 500, size - 1),
        ("1000-1999", 1000, 1999), (f"{size - 10}-{size + 10}", size - 10, size - 1),
    ):  # fmt: skip
        head = run("curl", "-sS", "-r", asked, "-D", "-", "-o", tmp_path / "part", film)
        assert "206" in head.splitlines()[0] and f"bytes {first}-{last}/{size}" in head
        assert (tmp_path / "part").read_bytes() == whole[first : last + 1]
    head = run("curl", "-sS", "-r", f"{size}-", "-D", "-", "-o", tmp_path / "part", film)
    assert "416" in head.splitlines()[0] and f"bytes */{size}" in head
