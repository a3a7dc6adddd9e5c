"""Server side includes: bytes to text and commands; nginx's ngx_http_ssi_parse.

`feed(data)` gives events: Text for what stays as it is, Command for `<!--#name key="value" -->`, Complaint with nginx's
log text where a command goes wrong, and FAILED where that command ends. It may be left and gone on with between two
events. How the input was split makes no difference. At the end `finish()` gives what was held back; what is left of a
command that never ended is dropped, as in nginx (which drops a mere `<!-` as well).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_PARAMS: Final = 16
_COMMAND_LENGTH: Final = 32
_PARAM_LENGTH: Final = 32

_OPEN: Final = b"<!--#"
_SPACE: Final = re.compile(rb"[ \r\n\t]*")
_NAME: Final = re.compile(rb".[^ \r\n\t-]*", re.DOTALL)
_KEY: Final = re.compile(rb".[^ \r\n\t=-]*", re.DOTALL)
_VALUES: Final = {
    0x22: re.compile(rb'(?:[^"\\]|\\.)*', re.DOTALL),
    0x27: re.compile(rb"(?:[^'\\]|\\.)*", re.DOTALL),
}
# After a mistake all is skipped up to "-->"; what comes after a dash that is none of it is not looked at again.
_SKIPPED: Final = re.compile(rb"(?:[^-]+|-[^-]|--[^>])*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Text:
    """`data[start:end]`; `held` bytes at the beginning of data came before the part that was fed last."""

    data: bytes
    start: int
    end: int
    held: int

    @property
    def bytes(self) -> bytes:
        return self.data if self.start == 0 and self.end == len(self.data) else self.data[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Command:
    name: bytes
    params: list[tuple[bytes, bytes]]

    @property
    def text(self) -> bytes:
        """The command written anew, for a block that keeps it."""
        params = b"".join([b' %b="%b"' % param for param in self.params])
        return b"<!--#%b%b -->" % (self.name, params)


@dataclass(frozen=True, slots=True)
class Complaint:
    message: bytes


class _Failed:
    """The end of a command that is none."""


FAILED: Final = _Failed()

Event = Text | Command | Complaint | _Failed


class _Wrong(Exception):
    """A mistake at this place; `dashes` of the end were met with it."""

    def __init__(self, message: bytes, at: int, dashes: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.dashes = dashes


class _More(Exception):
    """The command goes on in what has not come yet."""


class Parser:
    """Reads one document; `value_length` is the most that a parameter's value may have."""

    def __init__(self, value_length: int = 255) -> None:
        self._value_length = value_length
        self._held = b""  # the beginning of a command, or of what may be one
        self._skipping = False

    def plain(self, data: bytes) -> bool:
        """Whether feed() would give this back as it is: no command is in it, and none goes on or may begin."""
        return (
            not self._held and not self._skipping and _OPEN not in data and b"<" not in data[1 - len(_OPEN) :]
        )

    def feed(self, data: bytes) -> Iterator[Event]:
        held = len(self._held)
        if held:
            data = self._held + data
            self._held = b""
        at, end = 0, len(data)
        while at < end:
            if self._skipping:
                skipped = _SKIPPED.match(data, at)
                assert skipped is not None
                at = skipped.end()
                if data[at : at + 3] != b"-->":
                    self._held = data[at:]
                    return
                at += 3
                self._skipping = False
                yield FAILED
                continue
            found = data.find(_OPEN, at)
            if found < 0:
                found = _may_begin(data, at)
                if found > at:
                    yield Text(data, at, found, held)
                self._held = data[found:]
                return
            if found > at:
                yield Text(data, at, found, held)
            try:
                command, at = self._command(data, found + len(_OPEN))
            except _More:
                self._held = data[found:]
                return
            except _Wrong as wrong:
                self._skipping = True
                at = wrong.at - wrong.dashes
                yield Complaint(wrong.message)
                continue
            yield command

    def finish(self) -> bytes:
        held = self._held
        return held if len(held) < len(_OPEN) and not self._skipping else b""

    def _command(self, data: bytes, at: int) -> tuple[Command, int]:
        at = _skip(data, at)
        name, at = _word(_NAME, data, at)
        if len(name) > _COMMAND_LENGTH:
            raise _Wrong(
                b'the "%b..." SSI command is too long' % name[: _COMMAND_LENGTH + 1],
                at - len(name) + _COMMAND_LENGTH + 1,
            )
        if at == len(data):
            raise _More
        params: list[tuple[bytes, bytes]] = []
        while True:
            at = _skip(data, at)
            if data[at] == 0x2D:
                return Command(name, params), _close(data, at + 1, name)
            key, at = _word(_KEY, data, at)
            if len(key) > _PARAM_LENGTH:
                raise _Wrong(
                    b'too long "%b..." parameter in "%b" SSI command' % (key[: _PARAM_LENGTH + 1], name),
                    at - len(key) + _PARAM_LENGTH + 1,
                )
            value, at = self._value(data, at, key, name)
            params.append((key, value))

    def _value(self, data: bytes, at: int, key: bytes, name: bytes) -> tuple[bytes, int]:
        if at == len(data):
            raise _More
        char = data[at : at + 1]
        if char == b"-":
            message = b'unexpected "-" symbol after "%b" parameter in "%b" SSI command' % (key, name)
            raise _Wrong(message, at + 1, 1)
        at = _skip(data, at)
        char = data[at : at + 1]
        if char != b"=":
            message = b'unexpected "%b" symbol after "%b" parameter in "%b" SSI command' % (char, key, name)
            raise _Wrong(message, at + 1, char == b"-")
        at = _skip(data, at + 1)
        char = data[at : at + 1]
        pattern = _VALUES.get(data[at])
        if pattern is None:
            message = b'unexpected "%b" symbol before value of "%b" parameter in "%b" SSI command' % (char, key, name)
            raise _Wrong(message, at + 1, char == b"-")
        found = pattern.match(data, at + 1)
        assert found is not None
        value = found[0]
        limit = self._value_length
        end = found.end()
        if end < len(data) and data[end] == 0x5C:
            value += b"\\"  # what it quotes has not come yet
        if len(value) > limit:
            raise _Wrong(
                b'too long "%b..." value of "%b" parameter in "%b" SSI command' % (value[: limit + 1], key, name),
                at + 1 + limit + 1,
            )
        if end + 1 >= len(data):
            raise _More
        after = data[end + 1 : end + 2]
        if after not in (b" ", b"\r", b"\n", b"\t", b"-"):
            message = b'unexpected "%b" symbol after "%b" value of "%b" parameter in "%b" SSI command'
            raise _Wrong(message % (after, value, key, name), end + 2)
        return value, end + 1


def _may_begin(data: bytes, at: int) -> int:
    """Where the last bytes may be the beginning of a command; the end if they are none."""
    end = len(data)
    for size in range(min(len(_OPEN) - 1, end - at), 0, -1):
        if data.endswith(_OPEN[:size]):
            return end - size
    return end


def _skip(data: bytes, at: int) -> int:
    """Skip white space; there is something behind it. Errors: _More."""
    found = _SPACE.match(data, at)
    assert found is not None
    if found.end() == len(data):
        raise _More
    return found.end()


def _word(pattern: re.Pattern[bytes], data: bytes, at: int) -> tuple[bytes, int]:
    found = pattern.match(data, at)
    assert found is not None
    return found[0], found.end()


def _close(data: bytes, at: int, name: bytes) -> int:
    """The `->` behind the first dash. Errors: _More, _Wrong."""
    for wanted in (b"-", b">"):
        char = data[at : at + 1]
        if not char:
            raise _More
        at += 1
        if char != wanted:
            raise _Wrong(b'unexpected "%b" symbol in "%b" SSI command' % (char, name), at)
    return at
