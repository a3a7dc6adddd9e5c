"""Which component of a path stops whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.dev.diagnosis.path_walk import PASS, READ, WRITE, Component, Missing, denied, walk
from tests.dev.diagnosis.asking import open_folder


@pytest.mark.parametrize(
    ("mode", "uid", "gids", "wanted", "allowed"),
    [
        (0o700, 1, {9}, PASS, True),
        (0o077, 1, {2}, PASS, False),  # the owner's own bits hold for the owner
        (0o070, 3, {2}, WRITE, True),
        (0o707, 3, {2}, READ, False),
        (0o007, 3, {9}, WRITE, True),
        (0o000, 0, {0}, READ, True),
    ],
)
def test_modes(mode: int, uid: int, gids: set[int], wanted: int, allowed: bool) -> None:
    assert Component("/x", mode, 1, 2).allows(wanted, uid, gids) is allowed


def test_a_walk_follows_links() -> None:
    with open_folder() as folder:
        (folder / "real" / "deep").mkdir(parents=True)
        (folder / "link").symlink_to(folder / "real")
        (folder / "real" / "up").symlink_to("../real/deep")
        paths = [component.path for component in walk(f"{folder}/link/up")]
        assert paths[:2] == ["/", "/tmp"]
        assert paths[-2:] == [f"{folder}/real", f"{folder}/real/deep"]


def test_where_a_path_ends() -> None:
    with open_folder() as folder:
        with pytest.raises(Missing) as caught:
            walk(f"{folder}/a/b")
        assert (caught.value.path, caught.value.folder) == (f"{folder}/a", str(folder))


def test_who_denies() -> None:
    with open_folder() as folder:
        inner = folder / "in"
        inner.mkdir(0o755)
        file = inner / "file"
        file.write_text("")
        file.chmod(0o640)
        denial = denied(str(file), READ, 54321, set())
        assert denial is not None and (denial.component.path, denial.wanted) == (str(file), READ)
        inner.chmod(0o710)
        denial = denied(str(file), READ, 54321, set())
        assert denial is not None and (denial.component.path, denial.wanted) == (str(inner), PASS)
        assert denied(str(file), READ, 54321, {file.stat().st_gid}) is None


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path)
    assert [component.path for component in walk("./a")] == [".", "a"]
