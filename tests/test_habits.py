"""docs/habits.md: all of them, each with a state, a way to see it, and a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def rows() -> list[list[str]]:
    lines = (ROOT / "docs" / "habits.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in cells if row[0].isdigit()]


def test_there_are_twenty_five() -> None:
    assert [int(row[0]) for row in rows()] == list(range(1, 26))


def test_each_says_where_it_stands() -> None:
    for number, habit, state, see, held in rows():
        assert habit, number
        assert state == "yes" or state == "no" or state.startswith("partly: "), number
        assert (see == "") == (state == "no"), number
        assert (held == "none") == (state == "no"), number


def test_what_holds_it_is_there() -> None:
    for number, *_, held in rows():
        if held == "none":
            continue
        file, _, name = held.partition("::")
        path = ROOT / file
        assert path.exists(), number
        if name:
            assert re.search(rf"^(async )?def {name}\(", path.read_text(), re.M), number
