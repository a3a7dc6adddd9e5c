"""What IMAP clients send before they are logged in: tagged commands with atoms, quoted strings and literals."""

from __future__ import annotations

from typing import Final

from gateway.protocol.mail_commands import INVALID, LITERAL, NEED_DATA, Command, CommandReader, Event

_COMMANDS: Final = frozenset((b"NOOP", b"LOGIN", b"LOGOUT", b"STARTTLS", b"CAPABILITY", b"AUTHENTICATE"))
_TAG: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")
_LONGEST_TAG: Final = 32
_MOST_ARGUMENTS: Final = 3
# A literal that is longer than any buffer is refused when it has to be kept; this keeps its length a number.
_LENGTH_DIGITS: Final = 18


class ImapReader(CommandReader):
    """Commands, whose strings may be literals: then they come in several lines."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.tag = b""  # of the present command, with its space
        self._name = b""  # of a command of which a line was read
        self._args: list[bytes] = []
        self._literal = -1  # how long the literal is that comes next

    def restart(self) -> None:
        super().restart()
        self._forget()

    def _forget(self) -> None:
        self._name = b""
        self._args = []
        self._literal = -1

    @property
    def room(self) -> int:
        return self.size - len(self.data) - sum(len(arg) for arg in self._args)

    def next_event(self) -> Command | Event:
        while True:
            if self._literal >= 0:
                if len(self.data) < self._literal:
                    return NEED_DATA
                self._args.append(bytes(self.data[: self._literal]))
                del self.data[: self._literal]
                self._literal = -1
            line = self.take_line()
            if line is NEED_DATA:
                return NEED_DATA
            found = self._read(line) if isinstance(line, bytes) else INVALID
            if found is INVALID:
                self._forget()
                raw = self.shown.partition(b"\n")[0].removesuffix(b"\r")
                self.literal_follows = raw.endswith(b"+}") and len(raw) > len(b"{1+}")
            if found is not None:
                return found

    def _read(self, line: bytes) -> Command | Event | None:
        """One line; None if the command goes on with a literal that comes unasked."""
        at = 0
        if self.continuing:
            return self._arguments(line, 0)
        if not self._name:
            tag, space, rest = line.partition(b" ")
            if not space or len(tag) > _LONGEST_TAG or not _TAG.issuperset(tag):
                return INVALID
            self.tag = tag + b" "
            at = len(line) - len(rest.lstrip(b" "))
            word = line[at:].partition(b" ")[0]
            if word.upper() not in _COMMANDS:
                return INVALID
            self._name = word.upper()
            at += len(word)
        elif line and not line.startswith(b" "):
            return INVALID  # behind a literal
        return self._arguments(line, at)

    def _arguments(self, line: bytes, at: int) -> Command | Event | None:
        end = len(line)
        first = self.continuing  # whose first argument begins with the line, whatever it is
        while True:
            while at < end and line[at : at + 1] == b" " and not first:
                at += 1
            if at >= end and not first:
                return self._complete()
            if len(self._args) >= _MOST_ARGUMENTS:
                return INVALID
            start = line[at : at + 1]
            if start == b"{" and not first:
                return self._announced(line[at:])
            if start == b'"' and not first:
                found = _quoted(line, at + 1)
                if found is None:
                    return INVALID
                arg, at = found
            else:
                space = line.find(b" ", at)
                arg, at = line[at : space if space >= 0 else end], space if space >= 0 else end
            self._args.append(arg)
            first = False

    def _announced(self, text: bytes) -> Event | None:
        """`{12}` or `{12+}`, at the end of a line."""
        if not text.endswith(b"}"):
            return INVALID
        digits = text[1:-1].removesuffix(b"+")
        if len(digits) > _LENGTH_DIGITS or not (digits.isdigit() or not digits):
            return INVALID
        self._literal = int(digits or b"0")
        return None if text.endswith(b"+}") else LITERAL

    def _complete(self) -> Command:
        command = Command(self._name, self._args)
        self.continuing = self.continuing or self._name == b"AUTHENTICATE"
        self._forget()
        return command


def _quoted(line: bytes, at: int) -> tuple[bytes, int] | None:
    """A quoted string whose first quote was read, and where it ends; None if a backslash has nothing behind it."""
    made = bytearray()
    while at < len(line):
        char = line[at]
        at += 1
        if char == ord(b'"'):
            return bytes(made), at
        if char == ord(b"\\"):
            if at >= len(line):
                return None
            char = line[at]
            at += 1
        made.append(char)
    return bytes(made), at
