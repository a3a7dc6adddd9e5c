from __future__ import annotations

from gateway.dev import notes, reference


def test_all_are_of_directives_that_there_are() -> None:
    names = set(reference.names())
    assert {name for name, _ in notes.table()} <= names


def test_nothing_is_said_of_what_is_not_known() -> None:
    assert notes.note("no_such_directive", "http") == notes.Note("", "")
