from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.config.parser import parse
from gateway.dev.browser_reload import PATH, SOCKET, Browsers, location

WITHIN_S = 30


@pytest.fixture
def browsers(tmp_path: Path) -> Iterator[Browsers]:
    made = Browsers(tmp_path)
    yield made
    made.close()


def asked(folder: Path, path: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(WITHIN_S)
    client.connect(str(folder / SOCKET))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return client


def until(client: socket.socket, end: bytes) -> bytes:
    said = b""
    while not said.endswith(end):
        data = client.recv(4096)
        assert data, said
        said += data
    return said


def whole(client: socket.socket) -> bytes:
    with client:
        said = b""
        while data := client.recv(4096):
            said += data
        return said


def test_the_script(browsers: Browsers, tmp_path: Path) -> None:
    answer = whole(asked(tmp_path, f"{PATH}.js?x"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Type: text/javascript" in head and f"Content-Length: {len(body)}".encode() in head
    assert f'new EventSource("{PATH}")'.encode() in body
    assert whole(asked(tmp_path, "/other")).startswith(b"HTTP/1.1 404 ")


def test_events(browsers: Browsers, tmp_path: Path) -> None:
    with asked(tmp_path, PATH) as one, asked(tmp_path, PATH) as two:
        first = until(one, b"\n\n")
        until(two, b"\n\n")
        assert b"text/event-stream" in first and b"event: state\ndata: " in first
        assert browsers.changed([Path("a.css"), Path("b.html")]) == 2
        told = until(one, b"\n\n")
        assert told.startswith(b"event: state\n") and told == until(two, b"\n\n")
        assert told.split(b"data: ")[1] != first.split(b"data: ")[1]
        browsers.changed([Path("a.css")])
        assert until(one, b"\n\n").startswith(b"event: style\n")


def test_who_has_gone_is_not_told(browsers: Browsers, tmp_path: Path) -> None:
    gone = asked(tmp_path, PATH)
    until(gone, b"\n\n")
    gone.close()
    with asked(tmp_path, PATH) as stays:
        until(stays, b"\n\n")
        while browsers.changed([Path("a.html")]) > 1:  # the thread has not seen its end yet, or this finds it
            until(stays, b"\n\n")
        until(stays, b"\n\n")


def test_what_the_server_has_for_it(tmp_path: Path) -> None:
    source = parse(f"events {{}} http {{ server {{ {location(tmp_path)} }} }}")
    assert source.error is None
