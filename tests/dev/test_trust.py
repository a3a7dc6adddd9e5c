"""gateway trust, with the stores of a home folder of its own; the system's is never touched."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.dev import trust
from gateway.dev.authority import Authority


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


def _system(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store as Debian has it, in a folder."""
    (folder / "store").mkdir()
    (folder / "bin").mkdir()
    update = folder / "bin" / "update-store"
    update.write_text(f"#!/bin/sh\nls {folder}/store > {folder}/updated\n")
    update.chmod(0o755)
    monkeypatch.setattr(trust, "_SYSTEMS", ((str(folder / "store"), "local.crt", (str(update),)),))
    monkeypatch.setattr(trust.os, "geteuid", lambda: 0)
    return folder / "updated"


def test_the_system(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    updated = _system(home, monkeypatch)
    assert not Authority.of_user().believed
    assert trust.main([]) == 0
    assert Authority.of_user().believed
    assert updated.read_text() == "local.crt\n"
    assert (home / "store" / "local.crt").read_text() == Authority.of_user().file.read_text()
    assert trust.untrust([]) == 0
    assert updated.read_text() == ""
    assert not Authority.of_user().believed
    assert "has it no more" in capsys.readouterr().out


def test_what_needs_root_is_said(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _system(home, monkeypatch)
    monkeypatch.setattr(trust.os, "geteuid", lambda: 1000)
    assert trust.main([]) == 1
    assert not Authority.of_user().believed
    assert "that needs root: sudo install -m 644" in capsys.readouterr().out


def test_a_system_that_nobody_knows(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trust, "_SYSTEMS", ())
    assert trust.main([]) == 1
    assert "no store that is known" in capsys.readouterr().out


def test_nothing_to_take_back(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trust.untrust(["--no-system"]) == 0
    assert capsys.readouterr().out == "there is no local authority\n"


def test_no_browser_is_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not to find one looks like success, and the browser goes on warning."""
    assert trust.main(["--no-system"]) == 0
    assert "browsers: none has a store below " in capsys.readouterr().out
    assert not Authority.of_user().believed
    assert trust.untrust(["--no-system"]) == 0
    assert capsys.readouterr().out.startswith("  browsers: none has a store below ")
    assert trust.main(["--no-system", "--no-browsers"]) == 0
    assert "browsers" not in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("certutil") is None, reason="certutil is missing")
def test_a_browsers_store(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    subprocess.run(["certutil", "-d", f"sql:{store}", "-N", "--empty-password"], check=True)
    for _ in range(2):
        assert trust.main(["--no-system"]) == 0
    listed = ["certutil", "-d", f"sql:{store}", "-L"]
    assert "gateway local authority" in subprocess.run(listed, capture_output=True, text=True, check=True).stdout
    assert trust.untrust(["--no-system"]) == 0
    assert "gateway local authority" not in subprocess.run(listed, capture_output=True, text=True, check=True).stdout


def test_a_browser_without_its_tool(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = home / ".mozilla" / "firefox" / "x.default"
    store.mkdir(parents=True)
    (store / "cert9.db").touch()
    monkeypatch.setattr(trust.shutil, "which", lambda *_, **__: None)
    assert trust.main(["--no-system"]) == 1
    assert "libnss3-tools" in capsys.readouterr().out
