"""Each variable says what it is, on the command line and on its page."""

from __future__ import annotations

import pytest

from gateway.cli import main
from gateway.dev import reference_pages, variables


def test_every_variable_has_its_sentence() -> None:
    everything = variables.everything()
    assert len(everything) > 150
    for name, entries in everything.items():
        for each in entries:
            assert each.what.endswith("."), (name, each.area)


def test_every_sentence_is_of_a_variable() -> None:
    for name, area in variables.table():
        assert any(area in ("", each.area) for each in variables.everything()[name]), name


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("$request_location", ["$request_location  (a variable of http's request_history)", "  in       http"]),
        ("HOST", ["$host  (", "  in       http"]),
        ("${remote_addr}", ["  in       http and stream"]),
        ("$status", ["The status of the answer.", "How the session ended"]),
        ("$http_x_api_key", ["$http_NAME  ("]),
        ("$sent_http_content_type", ["$sent_http_content_type  ("]),
    ],
)
def test_what_it_says(name: str, parts: list[str]) -> None:
    assert all(part in variables.text(name) for part in parts), variables.text(name)


def test_what_none_is() -> None:
    assert variables.text("$requestlocation") == ""
    assert variables.nearest("$requestlocation") == "$request_location"
    assert variables.nearest("$qqqqqqqq") == ""


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "$request_location"]) == 0
    assert "The location that answers" in capsys.readouterr().out
    assert main(["help", "request_uri"]) == 0
    assert main(["help", "$requestlocation"]) == 2


def test_pages() -> None:
    pages = reference_pages.pages()
    index = pages["variables.md"]
    for name, entries in variables.everything().items():
        file = f"variable-{name.rstrip('_')}-NAME.md" if entries[0].family else f"variable-{name}.md"
        assert pages[file].startswith(f"# {entries[0].written}\n")
        assert f"]({file})" in index
    assert "## In stream" in pages["variable-status.md"]
