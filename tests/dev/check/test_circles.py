"""Circles: which of them are told, once each, and what is asked to find them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.dev.check.circles import ASKING
from gateway.dev.check.command import Found, check
from tests.dev.check.cases import CASES, load

BAD = [(id, text) for id in ASKING for text in CASES[id][0]]


def _found(folder: Path, site: Path, text: str) -> list[Found]:
    return check(load(folder, site, text), only=ASKING)


@pytest.mark.parametrize(("id", "text"), BAD)
def test_each_line_is_told_once(id: str, text: str, site: Path, tmp_path: Path) -> None:
    found = _found(tmp_path, site, text)
    wheres = [each.problem.where for each in found]
    assert len(set(wheres)) == len(wheres)
    assert id in {each.rule.id for each in found}


def test_the_way_round_is_shown(site: Path, tmp_path: Path) -> None:
    there, back = (
        f"server {{ listen 8080; server_name {a}; return 301 http://{b}:8080$request_uri; }}"
        for a, b in (("a.example", "www.a.example"), ("www.a.example", "a.example"))
    )
    (found,) = _found(tmp_path, site, f"{there}\n{back}")
    shown = "http://a.example:8080/ -> http://www.a.example:8080/ -> http://a.example:8080/"
    assert found.problem.text == f"redirects without end: {shown}"
    assert found.problem.where.line == 4


def test_who_has_asked_leaves_them_out(site: Path, tmp_path: Path) -> None:
    source = load(tmp_path, site, "server { listen 8080; location / { return 301 /; } }")
    assert "GW421" in {each.rule.id for each in check(source)}
    assert not {each.rule.id for each in check(source, skip=ASKING)} & set(ASKING)
