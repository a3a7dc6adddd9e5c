"""outline: which blocks are around a place."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import Where
from gateway.config.outline import Outline, context_of
from gateway.config.parser import load, parse


@pytest.mark.parametrize(
    ("names", "context"),
    [
        ([], "main"),
        (["events"], "events"),
        (["http", "server", "location", "location"], "location"),
        (["http", "server", "if"], "if in server"),
        (["http", "server", "location", "if"], "if in location"),
        (["http", "upstream"], "upstream"),
        (["stream"], "stream"),
        (["stream", "server"], "stream server"),
        (["mail", "server"], "mail server"),
    ],
)
def test_context_of(names: list[str], context: str) -> None:
    assert context_of(names) == context


def test_path_goes_through_includes(tmp_path: Path) -> None:
    (tmp_path / "main").write_text("events {}\nhttp {\n  include site;\n}")
    (tmp_path / "site").write_text("server {\n  location / {\n    root /;\n  }\n}")
    source = load(str(tmp_path / "main"))
    outline = Outline(source.files, source.included)
    path = outline.path(Where(f"{tmp_path}/site", 3, 5))
    assert [reading.tokens[0].text for reading in path] == ["http", "server", "location"]
    assert outline.included_at(f"{tmp_path}/site") == Where(f"{tmp_path}/main", 3, 3)


def test_find_gives_the_directive_that_a_word_is_of() -> None:
    source = parse("a b\n  c;\nd;")
    outline = Outline(source.files, source.included)
    found = outline.find(Where("nginx.conf", 2, 3))
    assert found and found.reading.tokens[0].text == "a"
    assert outline.find(Where("nginx.conf", 9, 1)) is None


def test_a_file_that_is_not_there_is_empty() -> None:
    outline = Outline([], {})
    assert outline.statements("/nonexistent/x") == []
    assert outline.lines("/nonexistent/x") == [b""]
