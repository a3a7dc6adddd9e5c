"""The verb: output, edits and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli import main

NOTE = "worker_processes auto; events {} http { server { listen 8080; gzip_types image/png text/css; } }\n"
WARN = "worker_processes auto; events {} http { server { listen 8080; location /a/ { alias /usr/share; } } }\n"


def _conf(folder: Path, text: str) -> str:
    file = folder / "site.conf"
    file.write_text(text)
    return str(file)


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-c", _conf(tmp_path, WARN)]) == 1
    assert main(["check", "-c", _conf(tmp_path, NOTE)]) == 0
    assert main(["check", "--strict", "-c", _conf(tmp_path, NOTE)]) == 1
    assert main(["check", "--strict", "--skip", "gw701", "-c", _conf(tmp_path, NOTE)]) == 0
    assert main(["check", "--only", "GW999"]) == 2
    assert main(["check", "-c", _conf(tmp_path, "events {} http { nonsense; }")]) == 1
    assert 'unknown directive "nonsense"' in capsys.readouterr().err


def test_a_zone_that_nobody_makes_is_none_of_the_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It reads well, and no server starts with it; the place is where it is used."""
    text = "events {}\nhttp { server { listen 8080; return 301 /a;\nlocation / { limit_req zone=a; } } }\n"
    assert main(["check", "--json", "-c", _conf(tmp_path, text)]) == 1
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["id"], one["line"], one["text"]) == ("GW016", 3, 'zero size shared memory zone "a"')
    small = text.replace("limit_req zone=a", "proxy_cache a")
    small = small.replace("http {", "http { proxy_cache_path c keys_zone=a:4k;")
    assert main(["check", "-c", _conf(tmp_path, small)]) == 1


def test_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = _conf(tmp_path, WARN)
    main(["check", "-c", conf])
    out = capsys.readouterr().out
    assert out.startswith(
        f'{conf}:1: warn: "/a/a" becomes "/usr/sharea": end the alias in a slash as well  [GW102 alias-'
    )
    assert (
        "+worker_processes auto; events {} http { server { listen 8080; location /a/ { alias /usr/share/; } } }" in out
    )
    assert out.endswith("\n1 warn; gateway help GW102 says more\n")
    assert Path(conf).read_text() == WARN


def test_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = _conf(tmp_path, WARN)
    assert main(["check", "--fix", "-c", conf]) == 0
    assert Path(conf).read_text() == WARN.replace("/usr/share;", "/usr/share/;")
    assert main(["check", "-c", conf]) == 0
    assert capsys.readouterr().out.endswith("nothing found\n")


def test_json_and_sarif(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = _conf(tmp_path, WARN)
    main(["check", "--json", "-c", conf])
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["id"], one["file"], one["line"], one["fixable"]) == ("GW102", conf, 1, True)
    main(["check", "--sarif", "-c", conf])
    run = json.loads(capsys.readouterr().out)["runs"][0]
    assert [each["ruleId"] for each in run["results"]] == ["GW102"]
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == conf
    assert [each["id"] for each in run["tool"]["driver"]["rules"]] == ["GW102"]


def test_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = _conf(tmp_path, WARN)
    main(["check", "--csv", "-c", conf])
    head, row = capsys.readouterr().out.splitlines()
    assert head == "id,name,severity,file,line,text"
    assert row.startswith("GW102,") and f",warn,{conf},1," in row


def test_what_does_not_load_has_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = _conf(tmp_path, "events {} http {\nservr { }\nroot /a /b;\n}")
    assert main(["check", "--json", "-c", conf]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(each["id"], each["name"], each["severity"]) for each in found] == [
        ("GW001", "unknown-directive", "error"), ("GW003", "number-of-arguments", "error"),
    ]  # fmt: skip
    assert found[0]["file"] == conf and found[0]["page"] == "mistakes.md#gw001-unknown-directive"
    assert main(["check", "--sarif", "-c", conf]) == 1
    run = json.loads(capsys.readouterr().out)["runs"][0]
    assert [each["ruleId"] for each in run["results"]] == ["GW001", "GW003"]
    assert main(["check", "-c", conf]) == 1
    said = capsys.readouterr().err
    assert "GW001: gateway help GW001 says more" in said and "GW003" in said


def test_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--rules"]) == 0
    assert "GW101  error  alias-traversal" in capsys.readouterr().out


@pytest.mark.parametrize("sample", ["nginx", "hardened"])
def test_good_samples_have_no_findings(sample: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A rule that cries wolf is worse than none."""
    data = Path(__file__).resolve().parents[2] / "data" / "check"
    assert main(["check", "--strict", "-c", str(data / f"{sample}.conf"), "-p", str(data)]) == 0
    assert capsys.readouterr().out == "nothing found\n"
