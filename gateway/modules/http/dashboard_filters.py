"""The language that picks requests: words that all have to hold, `!` before one that must not.

status:5xx status:404 time>0.5 bytes<100 method:POST path:/api host:a up:8001 client:10. location:/x error replay text
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

Entry = dict[str, Any]
Test = Callable[[Entry], bool]

_KEYS: Final = {
    "method": "method", "path": "uri", "uri": "uri", "host": "host", "up": "upstream", "client": "client",
    "location": "location", "server": "server", "id": "id", "cache": "cache", "replay": "replay",
}  # fmt: skip
_NUMBERS: Final = {"status": "status", "time": "seconds", "bytes": "bytes"}
_COMPARED: Final = re.compile(r"(status|time|bytes)(<=|>=|<|>)(\d+(?:\.\d+)?)")
_MOST_WORDS: Final = 20


class BadFilter(ValueError):
    """str() says which word is none."""


def compiled(text: str) -> Test:
    """Errors: BadFilter."""
    tests = [_one(word) for word in text.split()[:_MOST_WORDS]]
    return lambda entry: all(test(entry) for test in tests)


def _one(word: str) -> Test:
    bare = word.lstrip("!")
    if bare and bare != word:
        inner, wanted_so = _one(bare), (len(word) - len(bare)) % 2 == 0
        return lambda entry: inner(entry) is wanted_so
    compared = _COMPARED.fullmatch(word)
    if compared is not None:
        return _comparison(_NUMBERS[compared[1]], compared[2], float(compared[3]))
    if word == "error":
        return lambda entry: bool(entry.get("notes"))
    if word == "replay":
        return lambda entry: bool(entry.get("replay"))
    key, colon, value = word.partition(":")
    if key == "status" and colon:
        return _status(value)
    if key in _KEYS and colon:
        name, wanted = _KEYS[key], value.lower()
        return lambda entry: wanted in str(entry.get(name, "")).lower()
    if colon and key.isalpha() and key.islower():
        raise BadFilter(f'"{key}:" is nothing to filter by: {", ".join(["status", *_KEYS])}')
    wanted_text = word.lower()
    return lambda entry: (
        wanted_text in str(entry.get("uri", "")).lower()
        or any(wanted_text in str(note).lower() for note in entry.get("notes", ()))
    )


def _status(value: str) -> Test:
    if not re.fullmatch(r"[1-5](?:xx|\d\d)", value):
        raise BadFilter(f'"status:{value}": 404, or 4xx')
    begin = value[0] if value.endswith("xx") else value
    return lambda entry: str(entry.get("status", "")).startswith(begin)


def _comparison(key: str, sign: str, than: float) -> Test:
    def test(entry: Entry) -> bool:
        try:
            value = float(entry.get(key, ""))
        except ValueError:
            return False
        if sign == "<":
            return value < than
        if sign == ">":
            return value > than
        return value <= than if sign == "<=" else value >= than

    return test
