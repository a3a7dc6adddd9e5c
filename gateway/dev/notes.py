"""What a directive is for, in a sentence, and an example of it: gateway's own words, in directive_notes.tsv.

A line of the table holds for the directives that its first column names, `{f}_x` for x of every family (proxy_x,
uwsgi_x, …), there and in the example {f} is the family. Its second column is empty or the area (core, http, stream,
mail) that it is for. Syntax and default are given where nginx's documentation has none: for gateway's own directives
and a few others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from gateway.config import known

TABLE: Final = "directive_notes.tsv"
HEAD: Final = "names\tarea\tpurpose\texample\tsyntax\tdefault"
FAMILIES: Final = ("proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached", "tunnel")


@dataclass(frozen=True, slots=True)
class Note:
    """What is said of a directive in one area."""

    purpose: str
    example: str  # statements, as they stand in a configuration
    syntax: str = ""
    default: str = ""


@cache
def table() -> dict[tuple[str, str], Note]:
    """The notes by directive and area; the area is empty where there is one for all."""
    exact: dict[tuple[str, str], Note] = {}
    of_families: dict[tuple[str, str], Note] = {}
    for line in files("gateway.dev").joinpath(TABLE).read_text("utf-8").splitlines():
        if line.startswith("#") or line == HEAD:
            continue
        names, area, purpose, *rest = (line + "\t" * 5).split("\t")[:6]
        for name in names.split(","):
            if name.startswith("{f}"):
                for family in FAMILIES:
                    of_family = name.replace("{f}", family)
                    of_families[of_family, area] = _note(of_family, family, purpose, *rest)
            else:
                exact[name, area] = _note(name, "", purpose, *rest)
    wanted = {*known.table(), *known.OWN}
    return {key: note for key, note in {**of_families, **exact}.items() if key[0] in wanted}


def _note(name: str, family: str, *parts: str) -> Note:
    to = _TO.get(family, "")
    return Note(*(part.replace("{name}", name).replace("{f}", family).replace("{to}", to) for part in parts))


# How each family names the server behind.
_TO: Final = {
    "proxy": "http://127.0.0.1:8000",
    "fastcgi": "unix:/run/php-fpm.sock",
    "uwsgi": "unix:/run/app.sock",
    "scgi": "127.0.0.1:4000",
    "grpc": "grpc://127.0.0.1:50051",
    "memcached": "127.0.0.1:11211",
    "tunnel": "$host:$request_port",
}


def note(name: str, area: str) -> Note:
    """What is said of a directive."""
    found = table()
    return found.get((name, area)) or found.get((name, "")) or Note("", "")
