"""The first word, help, and verbs that are none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.cli.help import HELP, first_word_is_wanted
from gateway.dev.verbs import VERBS


def _gateway(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {
        k: v for k, v in os.environ.items() if k not in ("INVOCATION_ID", "NOTIFY_SOCKET", "LISTEN_FDS", "NGINX")
    }
    environment |= {"PYTHONPATH": str(Path(__file__).resolve().parents[2]), **more}
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_the_first_word(tmp_path: Path) -> None:
    """An empty folder: three lines, and nothing is served."""
    said = _gateway(tmp_path)
    assert said.returncode == 2
    assert said.stderr.count("\n") == 3
    assert "gateway run app:app" in said.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("-t",), ("-p", "."), ("-q",)])
def test_options_ask_for_nginx(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "nginx.conf").write_text("nonsense;")
    said = _gateway(tmp_path, *arguments)
    assert 'unknown directive "nonsense"' in said.stderr


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == HELP
    assert HELP.count("\n") < 40
    assert [verb for verb in VERBS if f"\n  {verb} " not in HELP] == []
    assert main(["help"]) == 0
    with pytest.raises(SystemExit) as ended:
        main(["help", "check"])
    assert ended.value.code == 0
    assert "usage: gateway check" in capsys.readouterr().out


def test_nearest_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runn"]) == 2
    assert capsys.readouterr().err == ""  # said past Python's streams, as nginx does
    assert main(["help", "nothing-like-it"]) == 2


def test_what_is_said(tmp_path: Path) -> None:
    assert (
        _gateway(tmp_path, "runn").stderr == 'gateway: there is no verb "runn", did you mean "run"? (gateway --help)\n'
    )
    assert _gateway(tmp_path, "--version").stderr.startswith("gateway version: gateway/")


def test_a_service_manager_asks_for_nginx(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("INVOCATION_ID", "NOTIFY_SOCKET", "LISTEN_FDS", "NGINX"):
        monkeypatch.delenv(name, raising=False)
    assert first_word_is_wanted([])
    assert not first_word_is_wanted(["-q"])
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/x")
    assert not first_word_is_wanted([])
    monkeypatch.delenv("NOTIFY_SOCKET")
    (tmp_path / "nginx.conf").write_text("")
    assert not first_word_is_wanted([])


@pytest.mark.parametrize("words", [["--color", "never"], ["--color=never"]])
def test_color(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert main([*words, "help"]) == 0
    assert os.environ.pop("NO_COLOR") == "1"
    assert "FORCE_COLOR" not in os.environ
    assert main(["--color", "sometimes", "help"]) == 2
    assert main(["--color=always", "help"]) == 0
    assert os.environ.pop("FORCE_COLOR") == "1"


def test_a_mistake_is_one_line(tmp_path: Path) -> None:
    said = _gateway(tmp_path, "run", "--nonsense")
    assert said.returncode == 2
    assert said.stderr == "gateway run: unrecognized arguments: --nonsense (try gateway run --help)\n"


def test_anonymize_goes_with_a_dump(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--anonymize", "-t"]) == 2
    assert "--anonymize goes with -T" in capfd.readouterr().err
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{ map $uri $token {{ /a hunter2; }} }}\n")
    assert main(["-T", "--anonymize", "-p", str(tmp_path), "-c", str(conf)]) == 0
    said = capfd.readouterr().out
    assert f"# configuration file {conf}:" in said and "map $uri $token { /a ****; }" in said
