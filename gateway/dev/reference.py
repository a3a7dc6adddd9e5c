"""What is known of a directive: `gateway help DIRECTIVE`, and the pages of the documentation.

python -m gateway.dev.reference FOLDER      writes one page for each of nginx's modules, and an index
"""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import Final

from gateway.config import known
from gateway.config.directive import Arguments, Directive
from gateway.config.known import Known
from gateway.config.loader import CONTEXT_NAMES
from gateway.dev.supported import plain
from gateway.modules import MODULES

_COUNTS: Final = {"noargs": "nothing", "any": "any number of arguments", "flag": "on or off"}


def declared(name: str) -> list[Directive]:
    """What the modules declare by this name."""
    return [each for module in MODULES for each in module.directives if each.name == name]  # type: ignore[attr-defined]


def text(name: str) -> str:
    """All that is known of a directive, as paragraphs; nothing where it is not known."""
    parts = [_of_nginx(entry) for entry in known.table().get(name, ())]
    if name in known.OWN:
        owner = known.OWN[name]
        whose = "gateway's own, nginx does not have it" if owner == "gateway" else f"of {owner}, in its syntax"
        parts += [_own(each, whose) for each in declared(name)]
    return "\n\n".join(dict.fromkeys(parts))


def _of_nginx(entry: Known) -> str:
    state = "built"
    if entry.no_effect:
        state = f"accepted, without effect: {entry.no_effect}"
    elif entry.name != "include" and not any(_names(each) & entry.contexts for each in declared(entry.name)):
        state = "not built yet: refused, with file and line"
    return "\n".join(
        [
            f"{entry.name}  (nginx's {plain(entry.module)})",
            f"  takes    {_takes(entry.arguments)}{', and a block' if entry.block else ''}",
            f"  context  {', '.join(sorted(entry.contexts, key=_order))}",
            f"  here     {state}",
        ]
    )


def _own(directive: Directive, whose: str) -> str:
    return "\n".join(
        [
            f"{directive.name}  ({whose})",
            f"  takes    {_counts(directive.arguments)}{', and a block' if directive.block else ''}",
            f"  context  {', '.join(sorted(_names(directive), key=_order))}",
            "  here     built",
        ]
    )


def _names(directive: Directive) -> set[str]:
    return {name for context, name in CONTEXT_NAMES.items() if context & directive.contexts}


def _order(context: str) -> int:
    names = list(CONTEXT_NAMES.values())
    return names.index(context) if context in names else len(names)


def _takes(kinds: str) -> str:
    return ", or ".join(_COUNTS.get(kind) or _kind(kind) for kind in kinds.split())


def _kind(kind: str) -> str:
    if kind.endswith("more"):
        return f"{kind[0]} or more arguments"
    numbers = kind.removeprefix("take")
    if numbers == "1":
        return "1 argument"
    return f"{', '.join(numbers[:-1])}{' or ' if len(numbers) > 1 else ''}{numbers[-1]} arguments"


def _counts(arguments: Arguments) -> str:
    if arguments.is_flag:
        return _COUNTS["flag"]
    if arguments.minimum is not None:
        return f"{arguments.minimum} or more arguments" if arguments.minimum else _COUNTS["any"]
    numbers = sorted(arguments.counts)
    return _kind(f"take{''.join(map(str, numbers))}") if numbers != [0] else _COUNTS["noargs"]


def nearest(name: str) -> str:
    """A directive that may have been meant."""
    near = difflib.get_close_matches(name, [*known.table(), *known.OWN], 1)
    return near[0] if near else ""


def names() -> list[str]:
    return sorted({*known.table(), *known.OWN})


def pages() -> dict[str, str]:
    """The pages by their names: one for each module, and an index of all directives."""
    by_module: dict[str, list[str]] = {}
    for name in names():
        for entry in known.table().get(name, ()):
            by_module.setdefault(plain(entry.module), []).append(name)
        if name in known.OWN:
            by_module.setdefault(f"of {known.OWN[name]}", []).append(name)
    found: dict[str, str] = {}
    index = ["# All directives", ""]
    for module, of_module in sorted(by_module.items()):
        page = f"{module.replace(' ', '-')}.md"
        parts = [f"# {module}", ""]
        for name in dict.fromkeys(of_module):
            parts += [f"## {name}", "", "```text", text(name), "```", ""]
            index.append(f"* [`{name}`]({page}#{name})")
        found[page] = "\n".join(parts)
    found["index.md"] = "\n".join([*index[:2], *sorted(set(index[2:])), ""])
    return found


def main(arguments: list[str]) -> int:
    """Write the pages into a folder."""
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in pages().items():
        (folder / name).write_text(page, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
