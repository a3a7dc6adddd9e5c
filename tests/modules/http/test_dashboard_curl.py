"""dashboard_curl: what is copied sends what was asked, and reads nothing of whoever types it."""

from __future__ import annotations

import shlex
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from gateway.modules.http.dashboard_curl import curl
from gateway.modules.http.request_history_body import Body

ENTRY: dict[str, Any] = {
    "method": "GET", "uri": "/a?x=1", "scheme": "http", "host": "a.example", "port": "80", "asked": [],
}  # fmt: skip


def words(**more: Any) -> list[str]:
    return shlex.split(curl({**ENTRY, **more}).command)


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, ["curl", "-i", "http://a.example/a?x=1"]),
        ({"method": "HEAD"}, ["curl", "-i", "-I", "http://a.example/a?x=1"]),
        ({"method": "DELETE", "port": "8080"}, ["curl", "-i", "-X", "DELETE", "http://a.example:8080/a?x=1"]),
        ({"scheme": "https", "port": "443"}, ["curl", "-i", "https://a.example/a?x=1"]),
        ({"asked": [("X-A", ""), ("Host", "b"), ("Expect", "x")]}, ["curl", "-i", "-H", "X-A;", "http://a.example/a?x=1"]),
        ({"uri": "/a[1]{2}"}, ["curl", "-i", "-g", "http://a.example/a[1]{2}"]),
        ({"uri": "/../a"}, ["curl", "-i", "--path-as-is", "http://a.example/../a"]),
        ({"uri": "/\udcff %ff'"}, ["curl", "-i", "http://a.example/%FF%20%ff'"]),
        (
            {"method": "POST", "body": Body(b"@/etc/passwd\n", 13)},
            ["curl", "-i", "-X", "POST", "-H", "Content-Type:", "--data-raw", "@/etc/passwd\n", "http://a.example/a?x=1"],
        ),
    ],
)  # fmt: skip
def test_what_is_typed(more: dict[str, Any], wanted: list[str]) -> None:
    assert words(**more) == wanted
    assert curl({**ENTRY, **more}).lacks == ()


def test_what_it_lacks_is_said() -> None:
    asked = [
        ("Cookie", "sid=****"), ("Authorization", "Basic ****"), ("X-Bytes", "\udcff"), ("@/etc/passwd", "x"),
        ("Content-Length", "5"), ("X-Good", "1"),
    ]  # fmt: skip
    made = curl({**ENTRY, "method": "POST", "uri": "/a?token=****", "asked": asked, "cut": True})
    assert made.lacks == (
        "Cookie", "Authorization", "X-Bytes", "@/etc/passwd", "its body", "what is masked in its URI",
        "what there was no room for",
    )  # fmt: skip
    assert [each for each in shlex.split(made.command) if each.startswith("X-") or "@" in each] == ["X-Good: 1"]
    for body in (Body(b"a", 2), Body(b"\xff\x00", 2), Body(b"a\0b", 3)):
        assert curl({**ENTRY, "method": "POST", "body": body}).lacks == ("its body",)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is wanted")
def test_a_shell_sends_it(tmp_path: Path) -> None:
    """With whatever a client may have sent, it comes again as it was."""
    (tmp_path / "secret").write_text("SECRET")
    uri = f"/../x;$(touch y)`id`'\"[1-3]{{a,b}}?q=a b&@{tmp_path}/secret#\udcff"
    fields = [("X-Quote", "'\"$(id)`id`\\"), ("X-At", f"@{tmp_path}/secret"), ("X-None", ""), ("User-Agent", "é")]
    data = f"@{tmp_path}/secret\n'$(id)`\r\nend".encode()
    heard = b""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answer() -> None:
            nonlocal heard
            server.settimeout(20)
            client, _ = server.accept()
            with client:
                client.settimeout(20)
                while data not in heard:
                    part = client.recv(65536)
                    if not part:
                        break
                    heard += part
                client.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        entry = {**ENTRY, "host": "127.0.0.1", "port": str(port), "method": "POST", "uri": uri, "asked": fields}
        made = curl({**entry, "body": Body(data, len(data))})
        subprocess.run(["sh", "-c", f"{made.command} -s"], cwd=tmp_path, check=True, timeout=30, capture_output=True)
        thread.join(30)
    head, _, body = heard.partition(b"\r\n\r\n")
    line, *lines = head.split(b"\r\n")
    shown = uri.partition("#")[0].replace(" ", "%20").replace('"', '"').encode("utf-8", "surrogateescape")
    assert line == b"POST %b HTTP/1.1" % shown
    for name, value in fields:
        assert f"{name}:{' ' if value else ''}{value}".encode() in lines
    assert body == data and b"SECRET" not in heard and not (tmp_path / "y").exists()
