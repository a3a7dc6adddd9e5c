"""Sites as those write them who know: no rule has anything to say, nginx takes them, and all of it runs here."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.dev import compat
from gateway.dev.check.command import check, read
from tests.dev.check.outside import nginx_says
from tests.dev.check.sites import SITES, settle


@pytest.mark.parametrize("kept", SITES, ids=lambda kept: kept.stem)
def test_nothing_is_found(kept: Path, site: Path, tmp_path: Path) -> None:
    file = settle(kept, tmp_path, site)
    source = read(str(file), str(tmp_path))
    assert [f"{each.rule.id} {each.problem.where.line} {each.problem.text}" for each in check(source)] == []
    assert nginx_says(tmp_path) == ""
    found = compat.uses(source.statements.readable())
    assert [each.name for each in found if each.state == "refused"] == []
    assert all(each.why for each in found if each.state == "no effect")
