"""What the project is made of, held against what it should be; `python -m tests.structure` rewrites the lists.

The lists in tests/data/structure name what is still to come: nginx's directives that no module has, and source files
that have no test of their own. A line too many does no harm until the next rewriting, so that people who work side by
side do not stand in each other's way; a line missing fails a test.
"""

from __future__ import annotations

from pathlib import Path

from gateway.config import known
from gateway.config.directive import Arguments, Directive
from gateway.config.known import Known
from gateway.config.loader import CONTEXT_NAMES
from gateway.modules import MODULES

TESTS = Path(__file__).parent
SOURCES = TESTS.parent / "gateway"
LISTS = TESTS / "data" / "structure"

# Read by the parser itself.
_BY_THE_PARSER = {"include"}


def declared() -> list[Directive]:
    """List the directives of all modules."""
    return [directive for module in MODULES for directive in module.directives]  # type: ignore[attr-defined]


def contexts(directive: Directive) -> set[str]:
    """Name a directive's contexts as the table does."""
    return {name for context, name in CONTEXT_NAMES.items() if context & directive.contexts}


def matches(entry: Known) -> list[Directive]:
    """Find what is declared for an entry of the table."""
    return [
        directive for directive in declared() if directive.name == entry.name and contexts(directive) & entry.contexts
    ]


def accepts(arguments: Arguments) -> set[int]:
    """List the numbers of arguments that are allowed, as far as nginx can tell them apart."""
    return {count for count in range(8) if arguments.allows(count)}


def complaints() -> list[str]:
    """Say where a declaration and nginx's table differ."""
    found = []
    for directive in declared():
        entries = known.table().get(directive.name, ())
        places = {context for entry in entries for context in entry.contexts}
        if directive.name not in known.OWN and (extra := contexts(directive) - places):
            found.append(f"{directive.name}: nginx does not have it in {', '.join(sorted(extra))}")
    for entries in known.table().values():
        for entry in entries:
            found += _differences(entry, matches(entry))
    return found


def _differences(entry: Known, directives: list[Directive]) -> list[str]:
    if not directives:
        return []
    name = f"{entry.name} ({entry.module})"
    found = []
    if missing := entry.contexts - {context for directive in directives for context in contexts(directive)}:
        found.append(f"{name}: not declared in {', '.join(sorted(missing))}")
    more = len(known.OWN_PARAMETERS.get((entry.module, entry.name), ()))
    counts = {count + own for count in range(8) if entry.takes(count) for own in range(more + 1)}
    for directive in directives:
        if accepts(directive.arguments) != counts:
            found.append(f"{name}: takes {entry.arguments}, declared for {sorted(accepts(directive.arguments))}")
        if directive.arguments.is_flag != (entry.arguments == "flag"):
            found.append(f"{name}: takes {entry.arguments}, which is {'not ' * directive.arguments.is_flag}a flag")
        if directive.block != entry.block:
            found.append(f"{name}: {'opens a block' if entry.block else 'has no block'} in nginx")
    return found


def not_built() -> list[str]:
    """List the entries of the table that no module declares, but for those without effect."""
    return sorted(
        f"{entry.module} {entry.name}"
        for entries in known.table().values()
        for entry in entries
        if not entry.no_effect and entry.name not in _BY_THE_PARSER and not matches(entry)
    )


def without_test() -> list[str]:
    """List the source files that have no test file of the same name; for compiled ones, it may be in any folder."""
    everywhere = {path.name for path in TESTS.rglob("test_*.py")}
    missing = []
    for path in [*SOURCES.rglob("*.py"), *SOURCES.rglob("*.pyx")]:
        relative = path.relative_to(SOURCES)
        if path.stem.startswith("__") or (path.with_suffix(".pyx").exists() and path.suffix == ".py"):
            continue
        test = f"test_{path.stem}.py"
        if not (TESTS / relative.parent / test).exists() and not (relative.parts[0] == "_fast" and test in everywhere):
            missing.append(str(relative))
    return sorted(missing)


def listed(name: str) -> set[str]:
    """Read one of the lists."""
    return set((LISTS / name).read_text("utf-8").splitlines())


if __name__ == "__main__":
    (LISTS / "not_built.txt").write_text("".join(f"{line}\n" for line in not_built()), "utf-8")
    (LISTS / "without_test.txt").write_text("".join(f"{line}\n" for line in without_test()), "utf-8")
