"""What the HTTP server answers that `auth_http` names: the fields of a head are all that counts."""

from __future__ import annotations

from typing import Final

_MOST: Final = 1024  # nginx reads no more of an answer
_NAME: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")


class AnswerError(ValueError):
    """What came is no answer; str() is nginx's word for what is wrong with it."""


class AnswerReader:
    """The fields of an answer, by their names in lower case; of several of one name the last one."""

    def __init__(self) -> None:
        self._data = b""
        self._begun = False
        self.fields: dict[bytes, bytes] = {}

    @property
    def room(self) -> int:
        return _MOST - len(self._data)

    def receive_data(self, data: bytes) -> bool:
        """True when the head is whole. Errors: AnswerError."""
        self._data += data
        if not self._begun:
            if b"HTTP/".startswith(self._data[:5]):
                if len(self._data) < 5:
                    return False
                line, end, _ = self._data.partition(b"\n")
                if not end:
                    return False
                if b"\r" in line.removesuffix(b"\r"):
                    raise AnswerError("response")
                at = len(line) + 1
            else:
                at = 0  # fields at once
            self._at = at
            self._begun = True
        while True:
            end_of_line = self._data.find(b"\n", self._at)
            if end_of_line < 0:
                return False
            line = self._data[self._at : end_of_line].removesuffix(b"\r")
            self._at = end_of_line + 1
            if not line:
                return True
            name, _, value = line.partition(b":")
            if not name or name.startswith(b"-") or not _NAME.issuperset(name) or b"\r" in value:
                raise AnswerError("header in response")
            self.fields[name.lower()] = value.strip(b" ")
