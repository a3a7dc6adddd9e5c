"""Directives and variables as pages of the documentation: one for each, one for each module, and an index.

python -m gateway.dev.reference_pages FOLDER
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Final

from gateway.dev import reference, variables
from gateway.dev.fmt import formatted
from gateway.dev.reference import Entry
from gateway.modules import MODULES

VARIABLES: Final = "variables.md"


def pages() -> dict[str, str]:
    """The pages by the names of their files."""
    found = {page(name): _page(name) for name in reference.names()}
    modules: dict[str, list[Entry]] = {}
    for name in reference.names():
        for entry in reference.entries(name):
            modules.setdefault(entry.module, []).append(entry)
    found |= _variables()
    index = ["# Directives", "", "Each directive has a page of its own; here they are by module and by name.", ""]
    index += [f"[Variables]({VARIABLES}) have one too.", ""]
    index += ["## By module", ""]
    for module, of_module in sorted(modules.items()):
        found[module_page(module)] = _module(module, of_module)
        index.append(f"* [{module}]({module_page(module)}) ({len({each.name for each in of_module})})")
    index += ["", "## By name", ""]
    for name in reference.names():
        purpose = next((each.note.purpose for each in reference.entries(name)), "")
        index.append(f"* [`{name}`]({page(name)}){': ' if purpose else ''}{purpose}")
    found["index.md"] = "\n".join([*index, ""])
    return found


def page(name: str) -> str:
    """The name of a directive's page; `index.md` is the index, not the directive `index`."""
    return "index-directive.md" if name == "index" else f"{name}.md"


def module_page(module: str) -> str:
    """The name of a module's page; no directive is called so."""
    return f"module-{module.replace(' ', '-')}.md"


def _page(name: str) -> str:
    lines = [f"# {name}", ""]
    all_entries = reference.entries(name)
    for entry in all_entries:
        if len(all_entries) > 1:
            lines += [f"## {entry.whose}", ""]
        lines += _entry(entry)
    return "\n".join([*lines, ""])


def _entry(entry: Entry) -> list[str]:
    lines = [entry.note.purpose, ""] if entry.note.purpose else []
    if entry.syntax:
        lines += ["```text", *entry.usages(), "```", ""]
    state = entry.state + (f"; also takes {_codes(entry.more)}, which open nginx does not" if entry.more else "")
    default = ", ".join(_default(entry.name, each) for each in entry.default)
    rows = [
        ("Takes", entry.takes + (", and a block" if entry.block else "")),
        *([("Words", _codes(reference.words(entry)))] if reference.words(entry) else []),
        ("Default", default or "none"),
        ("Context", ", ".join(entry.contexts)),
        ("Since", _since(entry)),
        ("Module", f"[{entry.whose}]({module_page(entry.module)})"),
        ("State here", state),
    ]
    lines += ["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows), ""]
    if entry.note.example:
        lines += ["```nginx", formatted(entry.note.example).rstrip(), "```", ""]
    return lines


def _since(entry: Entry) -> str:
    if entry.since:
        return f"nginx {entry.since}"
    if entry.whose.startswith("nginx's"):
        return "an early release of nginx"
    return "not in open nginx"


def _default(name: str, value: str) -> str:
    """A default; `8 4k|8k` depends on the machine and is two of them."""
    first, *others = (part.split() for part in value.split("|"))
    whole = [first, *(first[: max(len(first) - len(each), 0)] + each for each in others)]
    return " or ".join(f"`{' '.join([name, *words])};`" for words in whole)


def _codes(words: tuple[str, ...]) -> str:
    return ", ".join(_code(word) for word in words)


def _code(text: str) -> str:
    """Code in a cell of a table, where a bar would end the cell."""
    return f"`{text}`" if "|" not in text else " or ".join(f"`{part.strip()}`" for part in text.split("|"))


def _module(module: str, entries: list[Entry]) -> str:
    lines = [f"# {module}", "", "| directive | where it may stand | here |", "| --- | --- | --- |"]
    for entry in entries:
        state = entry.state.partition(":")[0]
        lines.append(f"| [`{entry.name}`]({page(entry.name)}) | {', '.join(entry.contexts)} | {state} |")
    return "\n".join([*lines, ""])


def _variables() -> dict[str, str]:
    """A page for each variable, and their index."""
    found = {}
    index = ["# Variables", "", "What stands behind a `$` in a configuration. A NAME at the end is any name.", ""]
    for name, entries in variables.everything().items():
        file = f"variable-{name.rstrip('_') + '-NAME' if entries[0].family else name}.md"
        lines = [f"# {entries[0].written}", ""]
        for each in variables.merged(entries):
            lines += [*([f"## In {each.area}", ""] if len(variables.merged(entries)) > 1 else []), each.what, ""]
        lines += ["| | |", "| --- | --- |", f"| In | {', '.join(each.area for each in entries)} |"]
        lines += [f"| Module | {', '.join(_linked(each.module, each.area) for each in entries)} |", ""]
        found[file] = "\n".join(lines)
        index.append(f"* [`{entries[0].written}`]({file}): {entries[0].what}")
    return found | {VARIABLES: "\n".join([*index, ""])}


@cache
def _linked(module: str, area: str) -> str:
    """The module of a variable, with the page of its directives."""
    known = {entry.module for name in reference.names() for entry in reference.entries(name)}
    page_of = next((each for each in (module, f"{area}_{module}") if each in known), "")
    for each in MODULES if not page_of else ():
        if getattr(each, "name", "") == module:  # one whose directives are another module's, or gateway's own
            directives = [directive.name for directive in each.directives]  # type: ignore[attr-defined]
            entries = [entry for name in directives for entry in reference.entries(name) if entry.area == area]
            page_of = entries[0].module if entries else ""
    return f"[{module}]({module_page(page_of)})" if page_of else module


def main(arguments: list[str]) -> int:
    """Write the pages into a folder."""
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
