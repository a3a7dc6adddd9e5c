"""--watch: which files are looked at, and what becomes of a change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.dev import watch
from gateway.dev.watch import CannotWatch, Files


def later(path: Path, text: str) -> None:
    """Write it, at another time than before, however coarse the clock of the file system is."""
    path.write_text(text)
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 10_000_000))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "a.conf").write_text("server { listen 1; }\n")
    (tmp_path / "nginx.conf").write_text("events {} http { include sites/*.conf; }\n")
    return tmp_path


def test_the_file_and_what_it_includes(folder: Path) -> None:
    files = Files(str(folder / "nginx.conf"))
    assert files.changed() == []
    later(folder / "sites" / "a.conf", "server { listen 2; }\n")
    assert files.changed() == [str(folder / "sites" / "a.conf")]
    assert files.changed() == []
    later(folder / "nginx.conf", "events {} http { include sites/*.conf; server { } }\n")
    assert files.changed() == [str(folder / "nginx.conf")]


def test_a_file_that_comes_and_one_that_goes(folder: Path) -> None:
    files = Files(str(folder / "nginx.conf"))
    (folder / "sites" / "b.conf").write_text("server { listen 3; }\n")
    os.utime(folder / "sites", ns=(1, 1))
    assert files.changed() == [str(folder / "sites" / "b.conf")]
    (folder / "sites" / "a.conf").unlink()
    os.utime(folder / "sites", ns=(2, 2))
    assert files.changed() == [str(folder / "sites" / "a.conf")]


def test_what_is_only_touched_or_stands_beside_it(folder: Path) -> None:
    files = Files(str(folder / "nginx.conf"))
    later(folder / "nginx.conf", (folder / "nginx.conf").read_text())
    assert files.changed() == []
    (folder / "error.log").write_text("a line")
    (folder / "app.py").write_text("")
    assert files.changed() == []


def test_a_mistake_does_not_end_it(folder: Path) -> None:
    files = Files(str(folder / "nginx.conf"))
    later(folder / "nginx.conf", "events {} http { include sites/*.conf;")
    assert files.changed() == [str(folder / "nginx.conf")]
    later(folder / "nginx.conf", "events {} http { include sites/*.conf; }\n\n")
    assert files.changed() == [str(folder / "nginx.conf")]


def test_python_that_it_imports(folder: Path) -> None:
    (folder / "nginx.conf").write_text("events {} http { py_import hello; }\n")
    (folder / "hello.py").write_text("")
    files = Files(str(folder / "nginx.conf"))
    later(folder / "hello.py", "x = 1\n")
    assert files.changed() == [str(folder / "hello.py")]


class Changes(Files):
    def __init__(self, *names: str) -> None:
        self.names = list(names)

    def changed(self) -> list[str]:
        return self.names


@pytest.mark.parametrize(
    ("names", "wrong", "said", "reloads"),
    [
        ([], "", [], 0),
        (["a"], "", ["gateway: a changed, the configuration is read again"], 1),
        (["a", "b", "c"], "", ["gateway: a and 2 more changed, the configuration is read again"], 1),
        (["a"], "[emerg] x", ["[emerg] x\ngateway: a changed, and the server goes on as it was"], 0),
    ],
)
def test_what_becomes_of_a_change(names: list[str], wrong: str, said: list[str], reloads: int) -> None:
    heard: list[str] = []
    reloaded: list[int] = []
    watch.watch(Changes(*names), lambda: wrong, lambda: reloaded.append(1), heard.append)
    assert (heard, len(reloaded)) == (said, reloads)


def test_a_daemon_is_not_watched(folder: Path) -> None:
    (folder / "nginx.conf").write_text("daemon on; events {}\n")
    with pytest.raises(CannotWatch, match='take "daemon on" out'):
        watch.begin(str(folder / "nginx.conf"), [], "")


@pytest.mark.parametrize(
    ("text", "given", "made"),
    [("", "", "daemon off; "), ("", "user root;", "daemon off; user root;"), ("daemon off;", "", ""),
     ("", "daemon off;", "daemon off;")],
)  # fmt: skip
def test_it_stays_in_the_foreground(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, given: str, made: str
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(watch.subprocess, "run", lambda command, check: started.append(command))
    (folder / "nginx.conf").write_text(f"{text} events {{}}\n")
    assert watch.begin(str(folder / "nginx.conf"), ["-c", "nginx.conf"], given) == made
    assert started[0][-4:] == [str(os.getpid()), str(folder / "nginx.conf"), "-c", "nginx.conf"]
