"""What mail clients send before they are logged in: the lines of POP3 and SMTP (imap_commands has IMAP's).

Three verbs: `receive_data(bytes)`, `next_event()`, which returns a Command, INVALID, LITERAL or NEED_DATA, and
`restart()`. After AUTH the lines are answers to the server's challenges, `continuing`, until `restart()`. Nothing
that a client sends raises; what a client may make us keep is what the reader asks for, `room`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_LETTERS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

# The words of each protocol before a login, and how many arguments nginx takes at most; None: all of the rest is one.
_ANY: Final = 3
POP3: Final[Mapping[bytes, int | None]] = {
    **dict.fromkeys((b"APOP", b"QUIT", b"CAPA", b"AUTH", b"NOOP", b"STLS"), _ANY),
    b"USER": None,
    b"PASS": None,
}
SMTP: Final[Mapping[bytes, int | None]] = dict.fromkeys(
    (b"HELO", b"EHLO", b"QUIT", b"AUTH", b"NOOP", b"MAIL", b"RSET", b"RCPT", b"VRFY", b"EXPN", b"HELP", b"STARTTLS"),
    11,
)


class Event(enum.Enum):
    """What is no command."""

    NEED_DATA = 0
    INVALID = 1  # a line that nobody understands
    LITERAL = 2  # of IMAP: the client waits to be told that it may send one


NEED_DATA, INVALID, LITERAL = Event.NEED_DATA, Event.INVALID, Event.LITERAL


@dataclass(frozen=True, slots=True)
class Command:
    """A line; `name` is empty for one that answers a challenge."""

    name: bytes  # in upper case
    args: list[bytes]
    text: bytes = b""  # from the name to the last argument, as it was written


class CommandReader:
    """What the readers of the three protocols have in common: bytes that no event has taken yet, at most `size`."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.data = bytearray()
        self.continuing = False
        self.shown = b""  # what was read last, for the error log
        self.literal_follows = False  # what was invalid has announced bytes that come unasked: no line can be found

    def receive_data(self, data: bytes) -> None:
        self.data += data

    def next_event(self) -> Command | Event:
        raise NotImplementedError

    def restart(self) -> None:
        """The next line is a command again."""
        self.continuing = False

    @property
    def room(self) -> int:
        """How much may be read; 0 when one command alone is too long."""
        return self.size - len(self.data)

    def clear(self) -> bytes:
        """What is there and was not read; after it nothing is."""
        rest = bytes(self.data)
        self.data.clear()
        self.restart()
        return rest

    def take_line(self) -> bytes | Event:
        """A line without its end; INVALID if that is none, a carriage return alone."""
        end = self.data.find(b"\n")
        if end < 0:
            return NEED_DATA
        self.shown = bytes(self.data)
        line = bytes(self.data[:end])
        del self.data[: end + 1]
        line = line.removesuffix(b"\r")
        return INVALID if b"\r" in line else line


class LineReader(CommandReader):
    """POP3's and SMTP's commands; `words` are the ones that there are."""

    def __init__(self, words: Mapping[bytes, int | None], size: int) -> None:
        super().__init__(size)
        self._words = words

    def next_event(self) -> Command | Event:
        line = self.take_line()
        if isinstance(line, Event):
            return line
        if self.continuing:
            first, *others = line.split(b" ")
            return Command(b"", [first, *filter(None, others)])
        word, _, rest = line.partition(b" ")
        name = word.upper()
        most = self._words.get(name, -1)
        if most == -1 or not _LETTERS.issuperset(word):
            return INVALID
        if most is None:
            args = [rest.lstrip(b" ")] if rest.strip(b" ") else []
        else:
            args = [arg for arg in rest.split(b" ") if arg]
            if len(args) > most:
                return INVALID
        self.continuing = name == b"AUTH"
        return Command(name, args, line.rstrip(b" "))
