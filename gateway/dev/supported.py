"""What of nginx's configuration is built: `python -m gateway.dev.supported` prints it, --write into docs/supported.md.

Counted from the directives that the modules declare, against the table of all that nginx has.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.config import known
from gateway.config.directive import Directive
from gateway.config.known import Known
from gateway.config.loader import CONTEXT_NAMES
from gateway.dev import markers
from gateway.modules import MODULES

PAGE: Final = Path(__file__).parents[2] / "docs" / "supported.md"

# More names than this in one cell help nobody.
_SHOWN: Final = 40


@dataclass(slots=True)
class Count:
    """One of nginx's modules."""

    name: str
    built: list[str] = field(default_factory=list)
    without_effect: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def counts() -> list[Count]:
    """By nginx's modules, those with the most built first."""
    declared: dict[str, list[Directive]] = {}
    for module in MODULES:
        for directive in module.directives:  # type: ignore[attr-defined]
            declared.setdefault(directive.name, []).append(directive)
    found: dict[str, Count] = {}
    for entries in known.table().values():
        for entry in entries:
            count = found.setdefault(entry.module, Count(entry.module))
            if entry.name == "include" or any(_same(entry, directive) for directive in declared.get(entry.name, ())):
                count.built.append(entry.name)
            elif entry.no_effect:
                count.without_effect.append(entry.name)
            else:
                count.missing.append(entry.name)
    return sorted(found.values(), key=lambda count: (-len(count.built), count.name))


def _same(entry: Known, directive: Directive) -> bool:
    return any(name in entry.contexts for context, name in CONTEXT_NAMES.items() if context & directive.contexts)


def table() -> str:
    """The part of the page."""
    found = counts()
    built, idle, missing = (
        sum(map(len, part))
        for part in zip(*((c.built, c.without_effect, c.missing) for c in found), strict=True)
    )  # fmt: skip
    lines = [
        f"Of nginx's {built + idle + missing} directives {built} are built, {idle} are accepted and have no use here, "
        f"and {missing} are refused with file and line as not supported yet.",
        "",
        "| nginx's module | built | no use here | not yet |",
        "| --- | ---: | --- | --- |",
    ]
    for count in found:
        if count.built:
            total = len(count.built) + len(count.without_effect) + len(count.missing)
            lines.append(
                f"| {plain(count.name)} | {len(count.built)} of {total} | {_names(count.without_effect)} "
                f"| {_names(count.missing)} |"
            )
    none = [f"{plain(count.name)} ({len(count.missing)})" for count in found if not count.built and count.missing]
    if none:
        lines += ["", f"Nothing yet of: {', '.join(none)}."]
    owners: dict[str, list[str]] = {}
    for name, owner in known.OWN.items():
        owners.setdefault(owner, []).append(name)
    for owner, names in owners.items():
        whose = "gateway's own" if owner == "gateway" else f"{owner}, in its syntax"
        lines += ["", f"Of {whose}, which open nginx does not have: {_names(names)}."]
    return "\n".join(lines)


def plain(module: str) -> str:
    return module.removeprefix("ngx_").removesuffix("_module").removesuffix("_filter")


def _names(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in sorted(names)[:_SHOWN])
    return f"{shown}, …" if len(names) > _SHOWN else shown


def main(arguments: list[str]) -> int:
    """Print the table, or write it."""
    if arguments == ["--write"]:
        markers.write(PAGE, "supported directives", table())
    else:
        print(table())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
