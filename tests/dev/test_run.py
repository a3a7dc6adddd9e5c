"""What of gateway run needs no processes; tests/process/test_gateway_run.py has the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.parser import parse
from gateway.dev.run import main


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
        ([], "gateway run: no app.py, wsgi.py, main.py or asgi.py in "),
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


def test_reload_needs_a_configuration_of_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "app.py").write_text("def app(environ, start): ...")
    (folder / "nginx.conf").write_text("events {}")
    assert main(["-c", "nginx.conf", "--reload"]) == 1
    assert "--reload changes pages by a configuration of its own" in capsys.readouterr().err


def test_wrong_option() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--nonsense"])
    assert ended.value.code == 2


def test_processes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--processes", "0"])
    assert ended.value.code == 2
    assert "it takes at least 1" in capsys.readouterr().err


def test_an_asgi_application_is_proxied(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "main.py").write_text("async def app(scope, receive, send): ...")
    assert main(["--print-conf"]) == 0
    text = capsys.readouterr().out
    assert "proxy_pass http://unix:" in text
    assert "uvicorn --uds" in text
    assert parse(text).error is None
