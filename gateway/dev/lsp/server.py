"""The language server: what it says it can, what it is told of texts, and what it answers."""

from __future__ import annotations

import argparse
import os
import select
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import gateway
from gateway.config import parser
from gateway.config.errors import ConfigError, Where
from gateway.config.outline import Outline
from gateway.config.parser import Source, Statement, expand, full_name
from gateway.config.text import to_str
from gateway.config.tree import words
from gateway.config.whole_file import read_whole, unsaved
from gateway.dev import fmt
from gateway.dev.lsp import places
from gateway.dev.lsp import words as offered
from gateway.dev.lsp.actions import KIND, actions
from gateway.dev.lsp.findings import Found, Search, root_of
from gateway.dev.lsp.wire import Malformed, Message, Reader, characters, packed, units
from gateway.dev.start_block import walk

# So long nothing is typed before it is looked at.
_PAUSE_S: Final = 0.3
_NO_METHOD, _BAD_REQUEST, _FAILED = -32601, -32600, -32803
_CLASS, _FUNCTION, _MODULE = 5, 12, 2

CAPABILITIES: Final[dict[str, Any]] = {
    "positionEncoding": "utf-16",
    "textDocumentSync": {"openClose": True, "change": 1, "save": False},
    "hoverProvider": True,
    "completionProvider": {"triggerCharacters": ["$", "/"]},
    "definitionProvider": True,
    "documentSymbolProvider": True,
    "documentFormattingProvider": True,
    "codeActionProvider": {"codeActionKinds": [KIND]},
}

_SETUP: Final = """\
An editor starts it; `gateway help lsp` is not what it speaks. How to set up VS Code, Neovim, Helix and Emacs stands in
docs/editors.md.
"""


def command_line() -> argparse.ArgumentParser:
    """The command line of the verb."""
    made = argparse.ArgumentParser(
        prog="gateway lsp",
        description="For editors: a language server over standard input and output. Mistakes and what check finds "
        "while one types, what each directive and variable is, the edits of check --fix, completion in its context, "
        "the way to includes and upstreams, the form of a file.",
        epilog=_SETUP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("-c", dest="conf", default="", metavar="FILE", help="the main file, where it is not found so")
    made.add_argument("--stdio", action="store_true", help="what editors say; it speaks nothing else")
    return made


def main(argv: Sequence[str]) -> int:
    options = command_line().parse_args(argv)
    conf = str(Path(options.conf).absolute()) if options.conf else ""
    return Server(conf, _write).run(0)


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


class Refused(Exception):
    """The answer is an error of this code, with these words."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Server:
    """One editor's."""

    def __init__(self, conf: str, send: Callable[[bytes], None]) -> None:
        self._conf = conf
        self._send = send
        self._texts: dict[str, str] = {}  # open ones, by path
        self._told: dict[str, set[str]] = {}  # by the file that was looked at: whose mistakes were told
        self._shown: Found = {}  # the diagnostics that an editor has, by file
        self._waiting: dict[str, float] = {}  # to be looked at, since when
        self._search: Search | None = None
        self._over = self._left = False

    # -- the loop

    def run(self, descriptor: int) -> int:
        """Until the editor says so, or is gone; the exit code."""
        reader = Reader()
        while not self._left:
            watched = [descriptor] + ([self._search.out] if self._search is not None else [])
            ready = select.select(watched, [], [], self._pause())[0]
            if self._search is not None and self._search.out in ready:
                found = self._search.more()
                if found is not None:
                    self._tell(self._search.file, found)
                    self._search = None
            if descriptor in ready:
                data = os.read(descriptor, 65536)
                if not data:
                    break
                try:
                    for message in reader.feed(data):
                        self.take(message)
                except Malformed as why:
                    print(f"gateway lsp: {why}", file=sys.stderr)
                    break
            self._begin_search()
        if self._search is not None:
            self._search.end()
        return 0 if self._over else 1

    def _pause(self) -> float | None:
        if self._search is not None or not self._waiting:
            return None
        return max(min(self._waiting.values()) + _PAUSE_S - time.monotonic(), 0.0)

    def _begin_search(self) -> None:
        if self._search is not None:
            if self._search.file in self._waiting:
                self._search.end()  # the text has changed meanwhile
                self._search = None
            return
        for file, since in list(self._waiting.items()):
            if time.monotonic() >= since + _PAUSE_S:
                del self._waiting[file]
                if file in self._texts:
                    self._search = Search(file, self._texts, self._conf)
                    return

    def _tell(self, file: str, found: Found) -> None:
        told = {name for name, diagnostics in found.items() if diagnostics} | {file}
        for name in sorted(told | self._told.get(file, set())):
            if os.path.isabs(name):
                self._shown[name] = found.get(name, [])
                params = {"uri": Path(name).as_uri(), "diagnostics": found.get(name, [])}
                self._send(packed({"method": "textDocument/publishDiagnostics", "params": params}))
        self._told[file] = told

    # -- messages

    def take(self, message: Message) -> None:
        """One of the editor's."""
        method, id = message.get("method"), message.get("id")
        if method is None:
            return  # an answer, and we asked nothing
        params = message.get("params") or {}
        try:
            result = self._do(method, params)
        except Refused as why:
            if id is not None:
                self._send(packed({"id": id, "error": {"code": why.code, "message": str(why)}}))
        except Exception as bug:  # the editor goes on
            print(f"gateway lsp: {method}: {type(bug).__name__}: {bug}", file=sys.stderr)
            if id is not None:
                self._send(packed({"id": id, "error": {"code": _FAILED, "message": f"{type(bug).__name__}: {bug}"}}))
        else:
            if id is not None:
                self._send(packed({"id": id, "result": result}))

    def _do(self, method: str, params: dict[str, Any]) -> Any:
        if method == "initialize":
            self._conf = (params.get("initializationOptions") or {}).get("conf") or self._conf
            info = {"name": "gateway", "version": gateway.__version__}
            return {"capabilities": CAPABILITIES, "serverInfo": info}
        if method == "shutdown":
            self._over = True
            return None
        if method == "exit":
            self._left = True
            return None
        if method.startswith("textDocument/"):
            return self._of_text(method.partition("/")[2], params)
        if method.startswith(("$/", "workspace/", "window/")) or method == "initialized":
            return None
        raise Refused(_NO_METHOD, f"{method} is not spoken here")

    def _of_text(self, what: str, params: dict[str, Any]) -> Any:
        document = params["textDocument"]
        file = path_of(document["uri"])
        if what in ("didOpen", "didChange"):
            text = document["text"] if what == "didOpen" else params["contentChanges"][-1]["text"]
            self._texts[file] = text
            unsaved[file] = text.encode("utf-8", "surrogateescape")
            for each in self._texts:
                self._waiting[each] = time.monotonic()  # one file's change is another one's mistake
            return None
        if what == "didClose":
            self._texts.pop(file, None)
            unsaved.pop(file, None)
            self._waiting.pop(file, None)
            self._tell(file, {file: []})
            return None
        answer = {
            "hover": self._hover, "completion": self._completion, "definition": self._definition,
            "documentSymbol": self._symbols, "formatting": self._formatting, "codeAction": self._actions,
        }.get(what)  # fmt: skip
        if answer is None:
            raise Refused(_NO_METHOD, f"textDocument/{what} is not spoken here")
        if file not in self._texts:
            raise Refused(_BAD_REQUEST, f"{file} is not open")
        return answer(file, params)

    # -- answers

    def _at(self, file: str, params: dict[str, Any]) -> places.At | None:
        text = self._texts[file]
        lines = text.split("\n")
        line = min(params["position"]["line"], len(lines) - 1)
        return places.look(text, places.offset(lines, line, characters(lines[line], params["position"]["character"])))

    def _hover(self, file: str, params: dict[str, Any]) -> Any:
        at = self._at(file, params)
        text = offered.hover(at) if at is not None else ""
        if at is not None and not text and (name := offered.variable_at(at)):
            source, _ = self._source(file)
            text = offered.made_here(name, walk(source.statements.readable()))
        return {"contents": {"kind": "markdown", "value": text}} if text else None

    def _completion(self, file: str, params: dict[str, Any]) -> Any:
        at = self._at(file, params)
        if at is None:
            return []
        source, around = self._source(file)
        return offered.completions(at, around, os.path.dirname(source.files[0][0]), source.statements.readable())

    def _source(self, file: str) -> tuple[Source, list[str]]:
        """The configuration that a file belongs to, and the blocks that it is included in."""
        root = root_of(file, self._conf)
        source = parser.load(root or file, mend=True)
        if not source.files:
            source.files.append((root or file, b""))
        if root in ("", file):
            return source, [] if root else places.blocks_around(places.context_of_file(self._texts[file]))
        included = next((where for name, where in source.included.items() if os.path.normpath(name) == file), None)
        outline = Outline(source.files, source.included)
        if included is None:
            return source, []
        return source, [each.tokens[0].text for each in outline.path(included)]

    def _definition(self, file: str, params: dict[str, Any]) -> Any:
        at = self._at(file, params)
        if at is None or not at.words:
            return None
        source, _ = self._source(file)
        if at.words[0] == "include":
            folder = os.path.dirname(source.files[0][0]) + "/"
            name = full_name(at.word.strip("\"'"), folder)
            return [_place(Where(each, 1)) for each in (expand(name) if any(c in name for c in "*?[") else [name])]
        wanted = at.word.strip("\"'")
        found = [each.where for each in walk(source.statements.readable()) if _defines(each, wanted)]
        return [_place(where) for where in found]

    def _symbols(self, file: str, params: dict[str, Any]) -> Any:
        source = parser.parse(self._texts[file], file)
        lines = self._texts[file].split("\n")
        return [_symbol(each, lines) for each in source.statements.readable() if _shown(each, file)]

    def _actions(self, file: str, params: dict[str, Any]) -> Any:
        return actions(self._shown.get(file, []), params, lambda name: to_str(read_whole(name)))

    def _formatting(self, file: str, params: dict[str, Any]) -> Any:
        text = self._texts[file]
        try:
            after = fmt.formatted(text, file)
        except (ConfigError, fmt.Changed) as why:
            raise Refused(_FAILED, str(why)) from None
        lines = text.split("\n")
        whole = {"start": {"line": 0, "character": 0}, "end": _line_end(lines, len(lines) - 1)}
        return [] if after == text else [{"range": whole, "newText": after}]


def _line_end(lines: list[str], number: int) -> dict[str, int]:
    return {"line": number, "character": units(lines[number], len(lines[number]))}


def path_of(uri: str) -> str:
    """Of a file:// URI; what else is opened has a name that no file has."""
    parts = urlsplit(uri)
    return os.path.normpath(unquote(parts.path)) if parts.scheme == "file" else uri


def _place(where: Where) -> dict[str, Any]:
    at = {"line": max(where.first_line - 1, 0), "character": max(where.column - 1, 0)}
    return {"uri": Path(where.file).as_uri(), "range": {"start": at, "end": at}}


def _defines(statement: Statement, word: str) -> bool:
    """Whether a directive makes what a word names."""
    if word.startswith("$"):
        return offered.made_by(statement) == word[1:].strip("{}")
    if word.startswith("@"):
        return statement.name == "location" and statement.args == [word]
    host = word.partition("://")[2] or word
    if statement.name == "upstream":
        return statement.args == [host.partition("/")[0]]
    name = word.partition("zone=")[2].partition(":")[0] or word
    zones = [each for each in statement.args if each.startswith(("zone=", "keys_zone="))]
    return statement.name.endswith(("_zone", "_cache_path")) and any(
        each.partition("=")[2].partition(":")[0] == name for each in zones
    )


def _shown(statement: Statement, file: str) -> bool:
    return statement.block is not None and statement.where.file == file


def _symbol(statement: Statement, lines: list[str]) -> dict[str, Any]:
    where = statement.where
    start = {"line": where.first_line - 1, "character": units(lines[where.first_line - 1], where.column - 1)}
    last = (statement.end or where).line - 1
    inner = statement.block.readable() if statement.block is not None else []
    kind = {"server": _CLASS, "location": _FUNCTION}.get(statement.name, _MODULE)
    return {
        "name": words(statement), "kind": kind,
        "range": {"start": start, "end": _line_end(lines, last)},
        "selectionRange": {"start": start, "end": _line_end(lines, where.first_line - 1)},
        "children": [_symbol(each, lines) for each in inner if _shown(each, where.file)],
    }  # fmt: skip
