"""The facts of nginx's directives that its table does not have: syntax, default, and since when.

python -m gateway.dev.facts FOLDER      makes directive_facts.tsv

FOLDER is xml/en/docs of nginx's documentation (github.com/nginx/nginx.org). Nothing but these facts is taken from
there: what a directive is for, and an example, are gateway's own (directive_notes.tsv).
"""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from gateway.config import known
from gateway.config.known import Known

TABLE: Final = Path(__file__).with_name("directive_facts.tsv")

HEAD: Final = "name\tmodule\tsyntax\tdefault\tsince"

_DIRECTIVE: Final = re.compile(r'<directive name="([^"]+)">(.*?)</directive>', re.S)
_SINCE: Final = re.compile(r"<appeared-in>\s*(.*?)\s*</appeared-in>", re.S)
_CONTEXT: Final = re.compile(r"<context>\s*(.*?)\s*</context>", re.S)

# Between two of several forms, and between two lines of one default.
NEXT: Final = " ¦ "


@dataclass(frozen=True, slots=True)
class Facts:
    """What is written down of a directive of one module."""

    name: str
    module: str
    syntax: tuple[str, ...]  # several, where it has several forms; without the name
    default: tuple[str, ...]  # none, one or more lines, without the name
    since: str  # empty: since ever


@cache
def table() -> dict[tuple[str, str], Facts]:
    """The facts by directive and module."""
    found = {}
    for line in files("gateway.dev").joinpath(TABLE.name).read_text("utf-8").splitlines():
        if line.startswith("#") or line == HEAD:
            continue
        name, module, syntax, default, since = line.split("\t")
        forms, defaults = ([] if not part else part.split(NEXT) for part in (syntax, default))
        forms = ["" if form == "-" else form for form in forms]
        found[name, module] = Facts(name, module, tuple(forms), tuple(defaults), since)
    return found


def _text(xml: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", xml)).split())


def _read(folder: Path) -> Iterator[tuple[str, set[str], Facts]]:
    for path in sorted(folder.rglob("*.xml")):
        area = path.parent.name if path.parent.name in ("http", "stream", "mail") else "core"
        for name, body in _DIRECTIVE.findall(re.sub(r"<!--.*?-->", "", path.read_text("utf-8"), flags=re.S)):
            head = body.split("<para", 1)[0]
            forms = [_text(form) for form in re.findall(r"<syntax[^>/]*>(.*?)</syntax>|<syntax[^>]*/>", head, re.S)]
            defaults = [_text(each) for each in re.findall(r"<default>(.*?)</default>", head, re.S)]
            since = _SINCE.search(head)
            version = since[1].removesuffix(".") if since else ""
            facts = Facts(name, path.stem, tuple(forms), tuple(each for each in defaults if each), version)
            yield area, set(_CONTEXT.findall(head)), facts


def area_of(module: str) -> str:
    for area in ("http", "stream", "mail"):
        if module.startswith(f"ngx_{area}"):
            return area
    return "core"


def _best(entry: Known, found: list[tuple[str, set[str], Facts]]) -> Facts | None:
    """A module of the program may be described on another module's page: the same area and contexts are meant."""
    area = area_of(entry.module)
    contexts = {context.removeprefix("stream ").removeprefix("mail ") for context in entry.contexts}
    fitting = [
        (facts.module == entry.module, len(contexts & places), facts)
        for of, places, facts in found
        if of == area and (facts.module == entry.module or contexts & places)
    ]
    return max(fitting, key=lambda each: each[:2])[2] if fitting else None


def made(folder: Path) -> str:
    """The text of directive_facts.tsv."""
    by_name: dict[str, list[tuple[str, set[str], Facts]]] = {}
    for each in _read(folder):
        by_name.setdefault(each[2].name, []).append(each)
    lines = [
        "# Made by python -m gateway.dev.facts from the sources of nginx's documentation (see there). Facts only.",
        f"# Several forms are parted by {NEXT.strip()}; - is a form without arguments.",
        HEAD,
    ]
    for name, entries in known.table().items():
        for entry in entries:
            facts = _best(entry, by_name.get(name, []))
            if facts is not None:
                forms, default = (NEXT.join(each or "-" for each in part) for part in (facts.syntax, facts.default))
                lines.append("\t".join((name, entry.module, forms, default, facts.since)))
    return "\n".join([*lines, ""])


def main(arguments: list[str]) -> int:
    """Write the table."""
    TABLE.write_text(made(Path(arguments[0])), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
