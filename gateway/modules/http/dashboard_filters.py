"""The language that picks requests: words that all have to hold, `!` before one that must not.

status:5xx status>=400 time>0.5 time>500ms bytes<100 method:POST path:/api host:a up:8001 client:10. location:/x error
replay text; "=" is as good as ":".
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
_COMPARED: Final = re.compile(r"(status|time|bytes)(<=|>=|<|>)(\d+(?:\.\d+)?)(ms|s)?", re.ASCII | re.IGNORECASE)
_KEYED: Final = re.compile(r"([A-Za-z]+)[:=](.*)", re.DOTALL)
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
        key, unit = compared[1].lower(), (compared[4] or "").lower()
        if unit and key != "time":
            raise BadFilter(f'"{word}": only a time has a unit')
        return _comparison(_NUMBERS[key], compared[2], float(compared[3]) / (1000 if unit == "ms" else 1))
    if word == "error":
        return lambda entry: bool(entry.get("notes"))
    if word == "replay":
        return lambda entry: bool(entry.get("replay"))
    keyed = _KEYED.fullmatch(word)
    if keyed is not None:
        key, value = keyed[1].lower(), keyed[2]
        if key == "status":
            return _status(value.lower())
        if key in _KEYS:
            name, wanted = _KEYS[key], value.lower()
            return lambda entry: wanted in str(entry.get(name, "")).lower()
        if key in _NUMBERS:
            raise BadFilter(f'"{word}" is compared with <, <=, > or >=')
        if word[len(key)] == ":" and not value.startswith("//"):
            raise BadFilter(f'"{key}:" is nothing to filter by: {", ".join(["status", *_NUMBERS, *_KEYS])}')
    return _text(word.lower())


def _text(wanted: str) -> Test:
    """A word by itself."""
    return lambda entry: (
        wanted in str(entry.get("uri", "")).lower()
        or wanted in (str(entry.get("method", "")).lower(), str(entry.get("status", "")))
        or any(wanted in str(note).lower() for note in entry.get("notes", ()))
    )


def _status(value: str) -> Test:
    if not re.fullmatch(r"[1-5](?:xx|\d\d)", value):
        raise BadFilter(f'"status:{value}": 404, 4xx, or status>=400')
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
