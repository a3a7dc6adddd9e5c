"""Ways out as changes of lines; test_server.py has an editor that asks."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config.errors import Where
from gateway.dev.check.edits import Edit
from gateway.dev.lsp.actions import actions, changed, way_out


def made(text: str, edit: dict[str, Any]) -> str:
    """What an editor makes of it."""
    lines = text.split("\n")
    at = [sum(len(line) + 1 for line in lines[: end["line"]]) + end["character"] for end in edit["range"].values()]
    return f"{text[: at[0]]}{edit['newText']}{text[at[1] :]}"


TEXTS = ["", "\n", "a", "a\n", "a\nb", "a\nb\n", "a\nx\nb\n", "b\n", "a\na\n", "a\na\na\n", "x\na\nb", "a\nb\nc"]


@pytest.mark.parametrize("before", TEXTS)
@pytest.mark.parametrize("after", TEXTS)
def test_the_change_makes_the_one_of_the_other(before: str, after: str) -> None:
    assert made(before, changed(before, after)) == after


def test_only_lines_that_are_others() -> None:
    edit = changed("a;\nb;\nc;\n", "a;\nx;\nc;\n")
    assert edit == {
        "range": {"start": {"line": 1, "character": 0}, "end": {"line": 2, "character": 0}},
        "newText": "x;\n",
    }


def test_what_is_offered(tmp_path: Any) -> None:
    file = tmp_path / "a.conf"
    file.write_text("gzip on;\ngzip_vary off;\n")
    data = way_out("mend", [Edit(Where(str(file), 2), "gzip_vary on")])
    lines = {"start": {"line": 1, "character": 0}, "end": {"line": 1, "character": 9}}
    known: list[dict[str, Any]] = [{"range": lines, "data": data}, {"range": lines}]
    (one,) = actions(known, {"range": lines}, lambda name: file.read_text())
    (edit,) = one["edit"]["changes"][file.as_uri()]
    assert one["title"] == "mend" and made(file.read_text(), edit) == "gzip on;\ngzip_vary on;\n"
    assert actions(known, {"range": lines, "context": {"only": ["quickfix"]}}, lambda name: file.read_text())
    assert not actions(known, {"range": lines, "context": {"only": ["refactor"]}}, lambda name: file.read_text())
    elsewhere = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}
    assert not actions(known, {"range": elsewhere}, lambda name: file.read_text())
    assert not actions(known, {"range": lines}, lambda name: "another text")


def test_nothing_to_offer(tmp_path: Any) -> None:
    assert way_out("mend", [Edit(Where("", 1), "x")]) is None
    assert way_out("mend", []) is None
