"""What is known of a variable: for `gateway help '$host'`, and for the pages of the documentation.

The modules say which there are, variable_notes.tsv in gateway's own words what each is. A name there that ends in "_"
is that of a family, `$http_x` for every x. The second column is empty or the area (http, stream) of the line.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from gateway.core.variables import PrefixVariable
from gateway.modules.http import HTTP_MODULES
from gateway.modules.stream import STREAM_MODULES

TABLE: Final = "variable_notes.tsv"
HEAD: Final = "names\tarea\twhat"


@dataclass(frozen=True, slots=True)
class Described:
    """A variable, as the modules of one area have it."""

    name: str
    area: str  # http or stream
    module: str
    family: bool  # the name is the begin of many
    what: str

    @property
    def written(self) -> str:
        """As it stands in a configuration."""
        return f"${self.name}NAME" if self.family else f"${self.name}"


@cache
def table() -> dict[tuple[str, str], str]:
    """The notes by variable and area; the area is empty where there is one for all."""
    found = {}
    for line in files("gateway.dev").joinpath(TABLE).read_text("utf-8").splitlines():
        if line.startswith("#") or line == HEAD:
            continue
        names, area, what = line.split("\t")
        for name in names.split(","):
            found[name, area] = what
    return found


@cache
def everything() -> dict[str, list[Described]]:
    """All variables by name; those that are in http and in stream have two entries."""
    found: dict[str, list[Described]] = {}
    for area, modules in (("http", HTTP_MODULES), ("stream", STREAM_MODULES)):
        for module in modules:
            for each in getattr(module, "variables", ()):
                family = isinstance(each, PrefixVariable)
                name = each.prefix if family else each.name
                entries = found.setdefault(name, [])
                if all(entry.area != area for entry in entries):
                    what = table().get((name, area)) or table().get((name, ""), "")
                    entries.append(Described(name, area, module.name, family, what))
    return dict(sorted(found.items()))


def of(name: str) -> list[Described]:
    """What is known of a name with or without its `$`; that of its family where it is none of its own."""
    bare = name.strip("${}").lower()
    exact = everything().get(bare)
    if exact is not None:
        return exact
    families = [each for each, entries in everything().items() if entries[0].family and bare.startswith(each)]
    return everything()[max(families, key=len)] if families else []


def text(name: str) -> str:
    """All that is known of a variable, as paragraphs; nothing where it is not known."""
    return "\n\n".join("\n".join(_lines(each)) for each in merged(of(name)))


def merged(entries: list[Described]) -> list[Described]:
    """One entry where http and stream say the same."""
    return entries[:1] if len({each.what for each in entries}) == 1 else entries


def areas(name: str) -> str:
    """Where a variable may stand."""
    return " and ".join(each.area for each in of(name))


def _lines(each: Described) -> Iterator[str]:
    yield f"{each.written}  (a variable of {each.area}'s {each.module})"
    yield f"  {each.what}"
    yield f"  in       {areas(each.name) if len(merged(of(each.name))) == 1 else each.area}"


def nearest(name: str) -> str:
    """A variable that may have been meant."""
    near = difflib.get_close_matches(name.strip("${}").lower(), everything(), 1)
    return f"${near[0]}" if near else ""
