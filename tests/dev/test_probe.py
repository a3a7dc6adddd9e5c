from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from gateway.dev.probe import REQUEST, NoAnswer, ask_connection, ask_speech, ask_uwsgi
from gateway.protocol.uwsgi import decode


def test_request_is_a_packet() -> None:
    modifier1, modifier2, pairs, rest = decode(REQUEST)
    assert (modifier1, modifier2, rest) == (0, 0, b"")
    assert dict(pairs)[b"REQUEST_METHOD"] == b"OPTIONS"


@pytest.fixture
def listener(tmp_path: Path) -> socket.socket:
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(tmp_path / "s"))
    s.listen()
    return s


def test_gives_up_when_told(listener: socket.socket, tmp_path: Path) -> None:
    with listener, pytest.raises(NoAnswer, match="ended before"):
        ask_uwsgi(str(tmp_path / "s"), 10, lambda: False)


def test_gives_up_in_time(listener: socket.socket, tmp_path: Path) -> None:
    begin = time.monotonic()
    with listener, pytest.raises(NoAnswer, match="takes the connection, and no answer"):
        ask_uwsgi(str(tmp_path / "s"), 0.1)
    assert time.monotonic() - begin < 5


def test_connection(listener: socket.socket, tmp_path: Path) -> None:
    with listener:
        assert ask_connection(str(tmp_path / "s"), 1) < 1
    with pytest.raises(NoAnswer, match="Connection refused"):
        ask_connection(str(tmp_path / "s"), 1)


@pytest.mark.parametrize(
    ("answers", "speech"),
    [
        ([b"HTTP/1.0 200 OK\r\n\r\n"], "HTTP"),
        ([b"HTTP/1.1 500 Internal Server Error\r\n\r\n"] * 2, "uwsgi"),
        ([b"", b"d\0\0\x01"], "uwsgi"),
        ([b"", b""], None),
    ],
)
def test_which_protocol(listener: socket.socket, tmp_path: Path, answers: list[bytes], speech: str | None) -> None:
    def serve() -> None:
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

    with listener:
        thread = threading.Thread(target=serve)
        thread.start()
        assert ask_speech(str(tmp_path / "s"), 5) == speech
        thread.join()


def test_name_that_does_not_resolve() -> None:
    with pytest.raises(NoAnswer):
        ask_connection(("host.invalid.", 80), 1)
