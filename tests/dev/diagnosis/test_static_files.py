"""404 and 403 of files: the rule that made the name, and what would have found one."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from gateway.dev.diagnosis import static_files
from tests.dev.diagnosis.asking import cause, causes, explaining, open_folder


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "style.css").write_text("x")
    return tmp_path


async def test_root_where_alias_was_meant(site: Path) -> None:
    async with explaining(f"location /static/ {{ root {site}/static; }}", site) as engine:
        assert (await engine.get("/static/style.css")).status == 404
        assert f'root {site}/static (nginx.conf:4) and the URI "/static/style.css" behind it' in cause(engine)
        assert f"{site}/static/style.css does exist" in cause(engine)
        assert f"alias {site}/static/; in its place" in cause(engine)


async def test_alias_where_root_was_meant(site: Path) -> None:
    async with explaining(f"location /static/ {{ alias {site}/; }}", site) as engine:
        assert (await engine.get("/static/style.css")).status == 404
        assert f'alias {site}/ (nginx.conf:4) in the place of "/static/" in the URI' in cause(engine)
        assert f"with root {site}/; in the place of alias" in cause(engine)


@pytest.mark.parametrize(
    ("name", "alias", "words"),
    [
        ("/s/", "static", "the location ends in a slash and its alias does not: write alias {site}/static/;"),
        ("/s", "static/", "the alias ends in a slash and its location does not: write alias {site}/static;"),
    ],
)
async def test_a_slash_on_one_side(site: Path, name: str, alias: str, words: str) -> None:
    async with explaining(f"location {name} {{ alias {site}/{alias}; }}", site) as engine:
        assert (await engine.get("/s/styles.css")).status == 404
        assert words.format(site=site) in cause(engine)


async def test_a_like_name(site: Path) -> None:
    async with explaining(f"root {site};", site) as engine:
        assert (await engine.get("/static/styles.css")).status == 404
        assert f"{site}/static has no styles.css, but style.css" in cause(engine)
        await engine.get("/nowhere/x")
        assert f"{site} has no nowhere" in causes(engine)[1]


async def test_a_regular_expressions_alias(site: Path) -> None:
    async with explaining(f"location ~ ^/s/(.*) {{ alias {site}/$1; }}", site) as engine:
        await engine.get("/s/none")
        assert f"the name is alias {site}/$1 (nginx.conf:4);" in cause(engine)


async def test_no_index(site: Path) -> None:
    (site / "index.php").write_text("")
    async with explaining(f"root {site}; index a.html b.html;", site) as engine:
        assert (await engine.get("/")).status == 403
        assert f"index a.html b.html (nginx.conf:4): {site}/ has none of them (there is index.php)" in cause(engine)
        await engine.get("/static/")
        assert len(causes(engine)) == 2


async def test_a_scanner_gets_few_causes(site: Path) -> None:
    async with explaining(f"root {site};", site) as engine:
        for number in range(30):
            await engine.get(f"/{number}/x")
        assert len(causes(engine)) == 10


def test_a_folder_that_may_not_be_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_folder() as folder:
        (folder / "private").mkdir(0o700)
        (folder / "private" / "x").write_text("")
        monkeypatch.setattr(os, "geteuid", lambda: 54321)
        text = static_files._denial(f"{folder}/private/x")
        assert f"uid 54321 (54321) may not pass {folder}/private (drwx------" in text
        (folder / "private").chmod(0o755)
        (folder / "private" / "x").chmod(0o600)
        assert f"may not read {folder}/private/x (-rw-------" in static_files._denial(f"{folder}/private/x")
        (folder / "private" / "x").chmod(0o644)
        assert "SELinux" in static_files._denial(f"{folder}/private/x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root passes everywhere")
async def test_403(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    (tmp_path / "x").chmod(0)
    async with explaining(f"root {tmp_path};", tmp_path) as engine:
        assert (await engine.get("/x")).status == 403
        assert "may not read" in cause(engine)
        assert errno.EACCES
