"""What is wrong in a configuration, for an editor: what -t and check say, by file, of texts that nobody has saved.

Reading a configuration loads certificates, asks for names and may wait. So it is done in a process of its own, which
is ended when the text changes meanwhile. What would run code of the folder (py_import, load_module) is not read there
at all: an editor opens files that one has not looked at yet.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Any, Final

from gateway.config import codes, parser
from gateway.config.errors import ConfigError, Where
from gateway.config.report import Report
from gateway.config.text import to_str
from gateway.config.whole_file import read_whole, unsaved
from gateway.core.logs import Log, console
from gateway.dev.check import command
from gateway.dev.check.circles import ASKING
from gateway.dev.lsp import places
from gateway.dev.lsp.actions import way_out
from gateway.dev.lsp.wire import units
from gateway.dev.start_block import walk
from gateway.process import options as process_options

_SEVERITIES: Final = {"error": 1, "warn": 2, "note": 3}
_RUNS_CODE: Final = ("py_import", "load_module")
# A file that stands alone lacks what others define: upstreams, zones, variables, files beside it.
_NOT_ALONE: Final = ("GW007", "GW008")
_NAMES: Final = ("host not found", "zero size", "no port in", "no resolver", "no \"ssl_certificate\"")

Found = dict[str, list[dict[str, Any]]]


def root_of(file: str, named: str = "") -> str:
    """The main file of the configuration that a file belongs to; nothing where it stands alone."""
    for candidate in [named] if named else [str(each / "nginx.conf") for each in Path(file).parents]:
        if candidate == file:
            return file
        if os.path.exists(candidate):
            source = parser.load(candidate)
            if any(os.path.normpath(name) == file for name, _ in source.files):
                return candidate
    return ""


def find(file: str, text: str, named: str = "") -> Found:
    """Diagnostics by file, of the configuration that this one belongs to."""
    root, alone = root_of(file, named), ""
    if not root:
        alone = places.context_of_file(text)
        root = file
        if alone != "main":
            root = f"{file}.as-included"
            unsaved[root] = places.whole_of(alone, file).encode()
    found = _Found(root if root != file and alone else "", alone not in ("", "main"))
    source = parser.load(root, mend=True)
    code = next((each for each in walk(source.statements.readable()) if each.name in _RUNS_CODE), None)
    if code is not None:
        found.add(code.where, "an editor does not load it, since this line runs code: gateway -t does", "note")
        for error in [*(source.mistakes or ()), *([source.error] if source.error else ())]:
            found.mistake(error, source)
        return found.by_file
    prefix = None if root == process_options.SYSTEM_CONF else os.path.dirname(root)
    options = process_options.resolve(conf_file=root, prefix=prefix, test=True, quiet=True)
    try:
        from gateway.process.load import load

        whole = load(options, Log())
        if alone in ("", "main"):  # elsewhere another file makes them
            whole.check_zones()
        loaded = whole.source
    except ConfigError as error:
        for one in [error, *error.further]:
            found.mistake(one, one.source or source)
        return found.by_file
    for each in command.check(loaded, skip=ASKING):
        title = f"{each.rule.name}: as check --fix does ({each.rule.id})"
        data = way_out(title, each.problem.edits)
        found.add(each.problem.where, each.problem.text, each.rule.severity, each.rule.id, data=data)
    for name, _ in loaded.files:
        found.by_file.setdefault(os.path.normpath(name), [])
    return found.by_file


class _Found:
    def __init__(self, left_out: str, alone: bool) -> None:
        self.by_file: Found = {}
        self._left_out = left_out
        self._alone = alone

    def mistake(self, error: ConfigError, source: Any) -> None:
        kind = codes.kind_of(error.message)
        if self._alone and (kind.code in _NOT_ALONE or error.message.startswith(_NAMES)):
            return
        report = Report(error, color=False, program="gateway", source=source)
        where = report.where() or Where(source.files[0][0] if source.files else "", 1)
        notes = report.notes()
        lines = [error.message, *(note.text for note in notes if note.where is None)]
        related = [(note.where, note.text) for note in notes if note.where is not None and note.where.file]
        missing = next((place for place, words in related if words.endswith("is missing here")), None)
        self.add(missing or report.narrowed(where), "\n".join(lines), "error", kind.code, related)

    def add(
        self,
        where: Where,
        text: str,
        severity: str,
        code: str = "",
        related: list[tuple[Where, str]] | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        if not where.file or where.file == self._left_out:
            return
        one: dict[str, Any] = {
            "range": _range(where), "severity": _SEVERITIES[severity], "source": "gateway", "message": text,
        }  # fmt: skip
        if code:
            one["code"] = code
        if data is not None:
            one["data"] = data
        if related:
            one["relatedInformation"] = [
                {"location": {"uri": Path(place.file).as_uri(), "range": _range(place)}, "message": words}
                for place, words in related if os.path.isabs(place.file)
            ]  # fmt: skip
        self.by_file.setdefault(os.path.normpath(where.file), []).append(one)


def _range(where: Where) -> dict[str, dict[str, int]]:
    """The word at the place."""
    lines: list[str] = []
    with contextlib.suppress(OSError):
        lines = to_str(read_whole(where.file)).split("\n")
    number = max(where.first_line - 1, 0)
    line = lines[number] if number < len(lines) else ""
    begin = min(where.column - 1, len(line))
    end = begin
    while end < len(line) and not line[end].isspace() and line[end] not in ";{":
        end += 1
    return {
        "start": {"line": number, "character": units(line, begin)},
        "end": {"line": number, "character": units(line, max(end, min(begin + 1, len(line))))},
    }


class Search:
    """One reading in a process of its own; `out` has the answer, as JSON, and its end."""

    def __init__(self, file: str, texts: dict[str, str], named: str = "") -> None:
        self.file = file
        self.out, theirs = os.pipe()
        self._pid = os.fork()
        self._data = b""
        if self._pid:
            os.close(theirs)
            return
        try:
            _answer(theirs, file, texts, named)
        finally:
            os._exit(0)

    def more(self) -> Found | None:
        """What has come; the whole at the end, nothing found where the process failed."""
        data = os.read(self.out, 65536)
        if data:
            self._data += data
            return None
        self.end()
        try:
            found: Found = json.loads(self._data)
        except ValueError:
            found = {self.file: []}
        return found

    def end(self) -> None:
        if self.out >= 0:
            os.close(self.out)
            self.out = -1
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)


def _answer(out: int, file: str, texts: dict[str, str], named: str) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)  # the editor's
    console.enabled = False
    unsaved.update((name, text.encode("utf-8", "surrogateescape")) for name, text in texts.items())
    found = find(file, texts[file], named)
    found.setdefault(file, [])
    data = json.dumps(found).encode()
    while data:
        data = data[os.write(out, data) :]
