"""An editor for tests: it starts `gateway lsp` and speaks with it over its standard input and output."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gateway.dev.lsp.wire import Message, Reader, packed

ROOT = Path(__file__).parents[3]
LIMIT_S = 60


class Editor:
    def __init__(self, folder: Path, *arguments: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "gateway", "lsp", "--stdio", *arguments]
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self.folder = folder
        self.diagnostics: dict[str, list[dict[str, Any]]] = {}  # by names of files in the folder
        self._reader = Reader()
        self._answers: dict[int, Message] = {}
        self._number = 0

    def say(self, method: str, **params: Any) -> None:
        self._send({"method": method, "params": params})

    def ask(self, method: str, **params: Any) -> Any:
        """The result; an error of the server's fails the test."""
        answer = self.whole_answer(method, **params)
        assert "error" not in answer, answer
        return answer["result"]

    def whole_answer(self, method: str, **params: Any) -> Message:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        self.until(lambda: self._number in self._answers)
        return self._answers.pop(self._number)

    def open(self, name: str, text: str) -> None:
        document = {"uri": self.uri(name), "languageId": "nginx", "version": 1, "text": text}
        self.say("textDocument/didOpen", textDocument=document)

    def change(self, name: str, text: str) -> None:
        self.say("textDocument/didChange", textDocument={"uri": self.uri(name)}, contentChanges=[{"text": text}])

    def at(self, name: str, line: int, character: int) -> dict[str, Any]:
        return {"textDocument": {"uri": self.uri(name)}, "position": {"line": line, "character": character}}

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    def told(self, name: str) -> list[dict[str, Any]]:
        """The next diagnostics of a file."""
        self.diagnostics.pop(name, None)
        self.until(lambda: name in self.diagnostics)
        return self.diagnostics[name]

    def until(self, condition: Callable[[], bool]) -> None:
        assert self.process.stdout is not None
        end = time.monotonic() + LIMIT_S
        while not condition():
            left = end - time.monotonic()
            assert left > 0 and select.select([self.process.stdout], [], [], left)[0], "the server says nothing"
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, "the server has ended"
            for message in self._reader.feed(data):
                self._take(message)

    def _take(self, message: Message) -> None:
        if "id" in message:
            self._answers[message["id"]] = message
        elif message["method"] == "textDocument/publishDiagnostics":
            path = Path(message["params"]["uri"].removeprefix("file://"))
            self.diagnostics[str(path.relative_to(self.folder))] = message["params"]["diagnostics"]

    def _send(self, message: Message) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(packed(message))


@contextlib.contextmanager
def editor(folder: Path, *arguments: str) -> Iterator[Editor]:
    """From initialize to exit, which the server ends by itself after."""
    made = Editor(folder, *arguments)
    try:
        found = made.ask("initialize", processId=None, rootUri=folder.as_uri(), capabilities={})
        assert found["serverInfo"]["name"] == "gateway"
        made.say("initialized")
        yield made
        made.ask("shutdown")
        made.say("exit")
        assert made.process.wait(LIMIT_S) == 0
    finally:
        made.process.kill()
        made.process.wait()
        for stream in (made.process.stdin, made.process.stdout):
            if stream is not None:
                stream.close()
