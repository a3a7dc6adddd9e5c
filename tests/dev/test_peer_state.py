"""Whether a peer answers, asked over real sockets."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.dev.diagnosis.question import PING
from gateway.dev.peer_state import Peer, State, state, states


@pytest.mark.parametrize(
    ("answer", "fine", "says"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True, "answers uwsgi"),
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\n", True, "answers uwsgi"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False, "speaks HTTP, not uwsgi"),
        (b"", False, "without an answer"),
        (b"\0\0\0", False, "no response"),
    ],
)
def test_state_of_a_uwsgi_peer(tmp_path: Path, answer: bytes, fine: bool, says: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        found = state(Peer("uwsgi", "unix:s", "s"), tmp_path)
        thread.join()
    assert found[0] is fine
    assert says in found[1]


def test_state_of_a_missing_socket(tmp_path: Path) -> None:
    found = state(Peer("uwsgi", "unix:s", "s"), tmp_path)
    assert found[:2] == (False, "does not answer: No such file or directory")
    assert found.cause.startswith(f"nobody listens on {tmp_path}/s: the file does not exist")


@contextlib.contextmanager
def answering(ping: bytes, other: bytes) -> Iterator[tuple[str, int]]:
    """A peer that answers each connection once, with the first to PING and the other to all else; b"" is a close."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        data = connection.recv(65536)
                        connection.sendall(ping if data == PING else other)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_http() -> None:
    with answering(b"", b"HTTP/1.1 404 Not Found\r\n\r\n") as address:
        found = state(Peer("proxy", "x", address), Path("/"))
    assert found.fine and found.word.startswith("answers HTTP (")


def test_http_is_meant_and_uwsgi_is_there() -> None:
    with answering(b"d\0\0\x01", b"") as address:
        found = state(Peer("proxy", f"127.0.0.1:{address[1]}", address), Path("/"))
    assert found[:2] == (False, "speaks another protocol")
    assert found.cause.startswith(f"127.0.0.1:{address[1]} speaks uwsgi, not HTTP")


def test_uwsgi_is_meant_and_http_is_there() -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        found = state(Peer("uwsgi", f"127.0.0.1:{address[1]}", address), Path("/"))
    assert not found.fine
    assert found.cause.startswith(f"127.0.0.1:{address[1]} speaks HTTP, not uwsgi")


def test_what_is_not_asked_has_to_take_connections(tmp_path: Path) -> None:
    with answering(b"", b"") as address:
        found = states([Peer("fastcgi", "x", address), Peer("proxy", "x", address, tls=True)], tmp_path)
    assert [(one.fine, one.word.partition(" (")[0]) for one in found] == [(True, "takes connections")] * 2


def test_a_refusal(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    found = state(Peer("proxy", f"127.0.0.1:{port}", ("127.0.0.1", port)), tmp_path)
    assert found[:2] == (False, "does not answer: Connection refused")
    assert found.cause.startswith(f"nobody listens on 127.0.0.1:{port}")


def test_nobody_to_ask() -> None:
    assert states([], Path("/")) == []
    assert State(True, "x").cause == ""
