"""Each case in its short form, on gateway alone: no bound is broken, and the log has no defect."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability import CASES
from tests.reliability.exhaustion import can_mount
from tests.reliability.figures import Case


@pytest.mark.timeout(240)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.area}-{case.name}".replace(" ", "-"))
def test_in_short(case: Case, tmp_path: Path) -> None:
    if case.root and not can_mount():
        pytest.skip("needs root, and mount")
    broken = [str(figure) for figure in case.run("gateway", tmp_path, 0.0) if not figure.holds]
    assert not broken
