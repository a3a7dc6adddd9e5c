"""What of gateway run needs no processes; tests/process/test_gateway_run.py has the rest."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from gateway.config.parser import parse
from gateway.dev.run import CannotRun, _check_port, _reachable, main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_print_conf(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "app.py").write_text("app = 1")
    (folder / "files").mkdir()
    assert main(["--print-conf", "--port", "9000", "--static", "/s=files"]) == 0
    text = capsys.readouterr().out
    assert parse(text).error is None
    assert "listen 127.0.0.1:9000;" in text
    assert f"alias {folder}/files/;" in text


def test_print_conf_of_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "app.py").write_text("app = 1")
    (folder / "my.conf").write_text("events {}\n")
    assert main(["app", "-c", "my.conf", "--print-conf"]) == 0
    assert capsys.readouterr().out == "events {}\n"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "gateway run: no app.py or wsgi.py or main.py in "),
        (["x.py"], "gateway run: there is no file "),
        (["app:app", "--static", "x"], 'gateway run: "x" should look like /static=DIR'),
    ],
)
def test_says_in_one_line_what_is_wrong(argv: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(says)
    assert err.count("\n") == 1


def test_wrong_option() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--nonsense"])
    assert ended.value.code == 2


def test_check_port() -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        with pytest.raises(CannotRun, match=f"port {port}: .*; try --port {port + 1}"):
            _check_port(port)
    _check_port(port)
    with pytest.raises(CannotRun, match="is no port"):
        _check_port(70000)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("*:80", ("127.0.0.1", 80)),
        ("0.0.0.0:81", ("127.0.0.1", 81)),
        ("[::]:80", ("::1", 80)),
        ("[::1]:8080", ("::1", 8080)),
        ("unix:/x", "/x"),
        ("host:$port", None),
    ],
)
def test_reachable(address: str, expected: object) -> None:
    assert _reachable(address) == expected
