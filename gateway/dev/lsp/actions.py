"""The ways out that check knows, as an editor's code actions: each a change of lines of a text that was looked at."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from gateway.config.text import to_str
from gateway.config.whole_file import read_whole
from gateway.dev.check.edits import Edit, apply
from gateway.dev.lsp.wire import units

KIND = "quickfix"


def way_out(title: str, edits: Iterable[Edit]) -> dict[str, Any] | None:
    """What goes with a diagnostic until an editor asks: by file its change, and which text it is a change of."""
    by_file: dict[str, list[Edit]] = {}
    for edit in edits:
        by_file.setdefault(edit.where.file, []).append(edit)
    changes = {}
    for file, of_file in by_file.items():
        if not file:
            return None  # of -g, which is in no file
        before = to_str(read_whole(file))
        after = apply(before, of_file)
        if after != before:
            changes[file] = {"seen": mark(before), "edit": changed(before, after)}
    return {"title": title, "changes": changes} if changes else None


def mark(text: str) -> int:
    """By which a text is known again."""
    return zlib.crc32(text.encode("utf-8", "surrogateescape"))


def changed(before: str, after: str) -> dict[str, Any]:
    """The lines that are other ones, as one TextEdit."""
    old, new = before.split("\n"), after.split("\n")
    most = min(len(old), len(new)) - 1
    head = next((n for n in range(most) if old[n] != new[n]), most)
    left = min(len(old), len(new)) - head
    tail = next((n for n in range(left) if old[-1 - n] != new[-1 - n]), left)
    end = {"line": len(old) - tail, "character": 0}
    if tail == 0:
        end = {"line": len(old) - 1, "character": units(old[-1], len(old[-1]))}
    text = "\n".join(new[head:]) if tail == 0 else "".join(f"{line}\n" for line in new[head : len(new) - tail])
    return {"range": {"start": {"line": head, "character": 0}, "end": end}, "newText": text}


def actions(
    diagnostics: list[dict[str, Any]], params: dict[str, Any], text_of: Callable[[str], str]
) -> list[dict[str, Any]]:
    """For the diagnostics that the asked range touches; none of those whose text has changed since."""
    only = params.get("context", {}).get("only")
    if only and not any(f"{KIND}.".startswith(f"{kind}.") for kind in only):
        return []
    first, last = params["range"]["start"]["line"], params["range"]["end"]["line"]
    found = []
    for each in diagnostics:
        data = each.get("data")
        if data is None or each["range"]["end"]["line"] < first or each["range"]["start"]["line"] > last:
            continue
        if any(mark(text_of(file)) != change["seen"] for file, change in data["changes"].items()):
            continue
        changes = {Path(file).as_uri(): [change["edit"]] for file, change in data["changes"].items()}
        found.append({"title": data["title"], "kind": KIND, "diagnostics": [each], "edit": {"changes": changes}})
    return found
