"""Each rule finds what it is for, nothing where there is nothing, and its way out is one."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from gateway.config.parser import Source
from gateway.dev.check.command import check, edited, read
from gateway.dev.check.rule import RULES

DATA = tomllib.loads((Path(__file__).resolve().parents[2] / "data" / "check" / "rules.toml").read_text())
CASES: dict[str, tuple[list[str], list[str]]] = {id: (case["bad"], case["good"]) for id, case in DATA.items()}
CONF = Path(__file__).resolve().parents[3] / "gateway" / "conf"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("x")
    (folder / "hidden" / ".git").mkdir(parents=True)
    _certificate(folder, "cert.pem", "key.pem", 365)
    _certificate(folder, "old.pem", "old-key.pem", 3)
    (folder / "open-key.pem").write_bytes((folder / "key.pem").read_bytes())
    (folder / "open-key.pem").chmod(0o644)
    (folder / "key.pem").chmod(0o600)
    (folder / "old-key.pem").chmod(0o600)
    return folder


_SELF_SIGNED = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost"


def _certificate(folder: Path, cert: str, key: str, days: int) -> None:
    command = _SELF_SIGNED.split()
    command += ["-days", str(days), "-keyout", str(folder / key), "-out", str(folder / cert)]
    subprocess.run(command, check=True, capture_output=True)


def _read(folder: Path, site: Path, text: str) -> Source:
    """Load a case as the configuration of a folder that has the usual parameter files."""
    for name in ("uwsgi_params", "fastcgi_params"):
        (folder / name).write_bytes((CONF / name).read_bytes())
    text = text.replace("SITE", str(site))
    whole = text.removeprefix("main:") if text.startswith("main:") else f"events {{}}\nhttp {{\n{text}\n}}\n"
    file = folder / "nginx.conf"
    file.write_text(whole)
    return read(str(file), str(folder))


def _ids(source: Source) -> set[str]:
    return {found.rule.id for found in check(source)}


def test_each_rule_has_cases() -> None:
    assert sorted(CASES) == sorted(RULES)
    assert all(bad and good for bad, good in CASES.values())
    assert all(rule.reason and rule.name for rule in RULES.values())


BAD = [(id, text) for id, (bad, _) in CASES.items() for text in bad]
GOOD = [(id, text) for id, (_, good) in CASES.items() for text in good]


@pytest.mark.parametrize(("id", "text"), BAD)
def test_it_is_found_and_mended(id: str, text: str, site: Path, tmp_path: Path) -> None:
    source = _read(tmp_path, site, text)
    found = [each for each in check(source) if each.rule.id == id]
    assert found
    assert all(each.problem.where.file == str(tmp_path / "nginx.conf") for each in found)
    if not any(each.problem.edits for each in found):
        return
    changes = edited(found)
    assert changes
    for file, (_, after) in changes.items():
        Path(file).write_text(after)
    mended = read(str(tmp_path / "nginx.conf"), str(tmp_path))
    assert id not in _ids(mended), (tmp_path / "nginx.conf").read_text()


@pytest.mark.parametrize(("id", "text"), GOOD)
def test_no_false_alarm(id: str, text: str, site: Path, tmp_path: Path) -> None:
    assert id not in _ids(_read(tmp_path, site, text))
