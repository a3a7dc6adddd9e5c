"""What an editor offers and explains: directives in their context, variables, and what an argument may be."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from gateway.config import known
from gateway.config.outline import context_of
from gateway.config.parser import Statement
from gateway.dev import reference
from gateway.dev import variables as described
from gateway.dev.check.command import about
from gateway.dev.lsp.places import At
from gateway.dev.start_block import walk

# The protocol's numbers of kinds.
_KEYWORD, _VARIABLE, _VALUE, _FILE, _MODULE = 14, 6, 12, 17, 9
_MOST: Final = 200
_NAME: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
# Directives that make variables: which word names it.
_MAKERS: Final = {"set": 0, "map": -1, "geo": -1, "split_clients": -1, "auth_request_set": 0, "keyval": -1}


def hover(at: At) -> str:
    """In Markdown; nothing where nothing is known."""
    variable = variable_at(at)
    if variable:
        found = described.text(variable)
        return f"```text\n{found}\n```" if found else ""
    name = at.words[0] if at.words else at.word
    found = reference.text(name) or about(name)
    return f"```text\n{found}\n```" if found else ""


def variable_at(at: At) -> str:
    """The name of the variable at the place, without its `$`."""
    for match in _NAME.finditer(at.word):
        if match.start() <= len(at.begun) <= match.end():
            return (match[1] or match[2]).lower()
    return ""


def made_here(name: str, statements: Iterable[Statement]) -> str:
    """What in the configuration makes a variable, in Markdown."""
    makers = [each for each in statements if made_by(each).lower() == name]
    lines = [f"{' '.join([each.name, *each.args])}  ({each.where})" for each in makers]
    return "```text\n" + "\n".join([f"${name} is made by", *lines]) + "\n```" if lines else ""


def directives(context: str) -> Iterator[reference.Entry]:
    """All that may stand there, each once."""
    for name in reference.names():
        for entry in reference.entries(name):
            if context in entry.contexts or name == "include":
                yield entry
                break


def completions(at: At, around: list[str], folder: str, statements: list[Statement]) -> list[dict[str, Any]]:
    """`around`: the blocks in which the file itself is included."""
    blocks = [*around, *at.blocks]
    if blocks and blocks[-1] in known.DATA_BLOCKS:
        return []
    if not at.words:
        return [_directive(entry) for entry in directives(context_of(blocks)) if entry.name.startswith(at.begun)]
    if "$" in at.begun:
        begun = at.begun.rpartition("$")[2].lstrip("{")
        return [
            {"label": f"${name}", "kind": _VARIABLE, "filterText": f"${name}", "insertText": name}
            for name in variables(statements) if name.startswith(begun)
        ][:_MOST]  # fmt: skip
    return [{"label": word, "kind": kind} for word, kind in _arguments(at, context_of(blocks), folder, statements)]


def _directive(entry: reference.Entry) -> dict[str, Any]:
    return {
        "label": entry.name, "kind": _MODULE if entry.block else _KEYWORD, "detail": (entry.usages() or [""])[0],
        "documentation": entry.note.purpose,
        "insertText": entry.name + (" {" if entry.block and entry.takes == "nothing" else " "),
    }  # fmt: skip


def variables(statements: Iterable[Statement]) -> list[str]:
    """Those of the modules, and those that the configuration makes."""
    from gateway.modules import MODULES

    found = {each.name for module in MODULES for each in getattr(module, "variables", ()) if hasattr(each, "name")}
    for statement in walk(list(statements)):
        made = made_by(statement)
        if made:
            found.add(made)
    return sorted(name for name in found if name)


def made_by(statement: Statement) -> str:
    """The variable that a directive makes."""
    if statement.name in _MAKERS and statement.args:
        word = statement.args[_MAKERS[statement.name]]
        return word[1:] if word.startswith("$") else ""
    return ""


def _arguments(
    at: At, context: str, folder: str, statements: list[Statement]
) -> Iterator[tuple[str, int]]:
    name = at.words[0]
    if name == "include" or name.endswith(("_certificate", "_certificate_key")):
        yield from ((path, _FILE) for path in _files(at.begun, folder))
        return
    offered: list[str] = []
    if name.endswith("_pass"):
        offered = [each.args[0] for each in walk(statements) if each.name == "upstream" and each.args]
        offered = [f"http://{each}" for each in offered] if name == "proxy_pass" else offered
    elif name in ("error_page", "try_files"):
        offered = [each.args[0] for each in walk(statements) if each.name == "location" and each.args[0][:1] == "@"]
    elif len(at.words) == 1:
        entry = known.find(name, context)
        if entry is not None and entry.arguments == "flag":
            offered = ["on", "off"]
        elif name == "listen":
            offered = ["80", "443", "[::]:80", "[::]:443", "unix:"]
    elif name == "listen":
        offered = ["default_server", "ssl", "proxy_protocol", "reuseport", "backlog="]
    yield from ((word, _VALUE) for word in dict.fromkeys(offered) if word.startswith(at.begun))


def _files(begun: str, folder: str) -> list[str]:
    begun = begun.strip("\"'")
    found = glob.glob(glob.escape(os.path.join(folder, begun)) + "*")[:_MOST]
    cut = len(os.path.join(folder, "")) if not begun.startswith("/") else 0
    return sorted(path[cut:] + ("/" if os.path.isdir(path) else "") for path in found)
