from __future__ import annotations

import socket
from pathlib import Path

from gateway.dev.failure_page import OUTPUT, FailurePage, LastWords


def test_answers_with_the_traceback_until_closed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        page = FailurePage(listener, "app:app does not load", "Error: <b>")
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(str(tmp_path / "s"))
                s.sendall(b"\0\0\0\0")
                s.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: s.recv(65536), b""))
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 500 ")
            assert b"Content-Length: %d" % len(body) in head
            assert b"<pre>Error: &lt;b&gt;</pre>" in body
        page.close()
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(tmp_path / "s"))
            assert listener.accept()[0].close() is None


def test_last_words_stay_few(tmp_path: Path) -> None:
    words = LastWords(tmp_path)
    for number in range(3000):
        words.add(f"{number} {'x' * 60}")
    kept = (tmp_path / OUTPUT).read_text().splitlines()
    assert kept[-1].startswith("2999 ")
    assert [int(line.split()[0]) for line in kept] == list(range(3000 - len(kept), 3000))
    assert 100 <= len(kept) < 1200


def test_last_words_without_a_folder(tmp_path: Path) -> None:
    LastWords(tmp_path / "gone").add("x")
    assert not (tmp_path / "gone").exists()
