"""Each case in its short form, on gateway alone: no bound is broken, and the log has no defect."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.reliability import CASES
from tests.reliability.exhaustion import can_mount
from tests.reliability.figures import Case, Figure

_TRIES: Final = 3  # of what a busy machine may do to a bound of time


@pytest.mark.timeout(500)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.area}-{case.name}".replace(" ", "-"))
def test_in_short(case: Case, tmp_path: Path) -> None:
    if case.root and not can_mount():
        pytest.skip("needs root, and mount")
    broken: list[Figure] = []
    for number in range(_TRIES):
        folder = tmp_path / str(number)
        folder.mkdir()
        broken = [figure for figure in case.run("gateway", folder, 0.0) if not figure.holds]
        assert not [str(figure) for figure in broken if not figure.timed]
        if not broken:
            break
    assert not [str(figure) for figure in broken]
