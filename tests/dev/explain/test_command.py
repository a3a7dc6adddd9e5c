"""The verb: its output and its exit codes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from gateway.cli import main

CONF = "events {} http { server { listen 8080; server_name a.example; location / { return 204; } } }"


def _conf(folder: Path, text: str = CONF) -> str:
    file = folder / "site.conf"
    file.write_text(text)
    return str(file)


def test_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = _conf(tmp_path)
    assert main(["explain", "-c", conf, "http://a.example:8080/x"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "GET http://a.example:8080/x"
    assert f'server     a.example: its server_name is "a.example"  ({conf}:1)' in lines
    assert f"return     204  ({conf}:1)" in lines


def test_there_is_no_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc/none"])
    assert main(["explain", "-c", _conf(tmp_path), "/x"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("gateway explain: No usable temporary directory found in ['/proc/none']; TMPDIR names")


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "-c", _conf(tmp_path), "--json", "HEAD", "/x"]) == 0
    shown = json.loads(capsys.readouterr().out)
    kinds = [step["kind"] for step in shown["steps"]]
    assert kinds == ["listen", "server", "location", "return", "log", "answer"]
    assert shown["steps"][-1]["status"] == 204


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["ftp://x/"], 2, "no URL of http or https"),
        (["http://a.example:81/"], 1, "nobody listens on port 81"),
        (["/", "--from", "fe80::1%eth0"], 2, "wants an IP address without a zone"),
        (["/", "-c", ""], 2, "-c wants a file"),
    ],
)
def test_failures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, says: str
) -> None:
    assert main(["explain", "-c", _conf(tmp_path), *arguments]) == code
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("events {} http { include none.inc; server { listen 8080; } }", 'none.inc" failed (2: No such file'),
        ("events {} http { server { listen 8080 ssl; ssl_certificate /none; ssl_certificate_key /none; } }", "/none"),
    ],
)
def test_mistakes_that_leave_nothing_to_ask(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "-c", _conf(tmp_path, text), "/"]) == 1
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first.startswith("gateway: [emerg] ") and says in first
    assert last == f"gateway explain: no server of this configuration listens ({_conf(tmp_path, text)})"


def test_a_long_url_is_not_shown_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "-c", _conf(tmp_path), "/" + "a" * 65536]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("aaaa… (65553 characters)") and len(lines[0]) < 2100
    assert "answer     HTTP/1.1 414 Request-URI Too Large" in lines


def test_a_wrong_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = _conf(tmp_path, "events {} http { server { listen 8080; retrun 200; } }")
    assert main(["explain", "-c", conf, "/"]) == 1
    assert f'unknown directive "retrun" in {conf}:1' in capsys.readouterr().err
