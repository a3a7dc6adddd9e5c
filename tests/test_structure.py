"""The project's structure: modules against nginx's table of directives, source files against their tests."""

from __future__ import annotations

from gateway.config import known
from tests import structure


def test_declarations_are_nginxs() -> None:
    """Names, contexts, numbers of arguments and blocks; a directive of our own belongs in known.OWN."""
    assert structure.complaints() == []


def test_no_directive_is_declared_twice() -> None:
    seen: dict[tuple[str, str], int] = {}
    for directive in structure.declared():
        for context in structure.contexts(directive):
            seen[directive.name, context] = seen.get((directive.name, context), 0) + 1
    assert [place for place, times in seen.items() if times > 1] == []


def test_own_directives_are_not_nginxs() -> None:
    assert [name for name in known.OWN if name in known.table()] == []
    declared = {directive.name for directive in structure.declared()}
    assert [name for name in known.OWN if name not in declared] == []


def test_each_directive_is_built_or_listed() -> None:
    """nginx's directives that no module has stand in tests/data/structure/not_built.txt, and nothing else does."""
    assert set(structure.not_built()) == structure.listed("not_built.txt")


def test_each_source_file_has_its_test() -> None:
    """gateway/a/b.py has tests/a/test_b.py, or a line in tests/data/structure/without_test.txt for the time being."""
    assert set(structure.without_test()) == structure.listed("without_test.txt")
