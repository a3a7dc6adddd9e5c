"""Regular expressions in nginx's own language, PCRE2, on bytes (nginx: src/core/ngx_regex.c).

They come from the `pcre2` package, whose wheel carries libpcre2 (10.47), so that no machine needs its headers.
Measured on a busy machine, CPU time of one match of `^/static/(?<rest>.*)$` on 23 bytes: Python's `re` 0.46 µs, the
package's `Pattern.search` 3.6, its inner layer's `_cy.match` 0.5, which we therefore call; `search()` here 1.2 with
its Captures, `test()` 0.65, a group 0.65 more. A binding of our own could at best
halve that and would need libpcre2 at build time: the wheel keeps the library's symbols to itself.

The inner layer also lets us take back what the package adds for likeness to `re`: ALT_BSUX, which changes the
meaning of `\\x{41}`. (`\\C` stays refused: that is built into the wheel's library.) Neither UTF nor UCP is set, as
in nginx: a byte is a character, and subjects may be invalid UTF-8; a pattern that begins with `(*UTF)` asks for the
check itself. Each match has its own match data, and compiled code is only read, so threads, forks and the collector
see no shared state. Patterns are JIT compiled where memory may be executable; a match that overflows the JIT's 32
KiB stack is done again by the interpreter.

Which character an error message points `at` is libpcre2's choice and differs between its releases, in nginx too.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from pcre2 import _cy

from gateway.config.text import to_bytes, to_str

# from pcre2.h; the package names only the options that `re` has
_CASELESS = 0x00000008
_ALT_BSUX = 0x00000002
_NEVER_BACKSLASH_C = 0x00100000
_ERROR_JIT_STACKLIMIT = -46

_ANY_CONTEXT = _cy.create_match_context()
_match = _cy.match
_substring = _cy.match_substring_bynumber


class RegexError(ValueError):
    """A pattern that does not compile; str() is nginx's message."""


class MatchError(RuntimeError):
    """A match that could not be decided: the limit of backtracking, or invalid UTF-8 under `(*UTF)`."""

    def __init__(self, code: int, subject: bytes, pattern: str) -> None:
        super().__init__(f'pcre2_match() failed: {code} on "{to_str(subject)}" using "{pattern}"')
        self.code = code


class Captures:
    """What one match captured; the groups are cut out when asked for."""

    __slots__ = ("_data", "regex", "subject")

    def __init__(self, data: Any, subject: bytes, regex: Regex) -> None:
        self._data = data
        self.subject = subject
        self.regex = regex

    @property
    def named(self) -> tuple[str, ...]:
        """Names of the groups, known when the pattern was compiled."""
        return self.regex.named

    def group(self, number: int | str) -> bytes | None:
        """The bytes of a group (0: all of the match); None when it took no part or the pattern has no such group."""
        if number.__class__ is str:
            number = self.regex.numbers.get(number, -1)
        if 0 <= number <= self.regex.groups:  # type: ignore[operator]
            return _substring(self._data, self.subject, number)  # type: ignore[no-any-return]
        return None

    def span(self, number: int = 0) -> tuple[int, int]:
        """Where a group stands in the subject; (-1, -1) when it took no part."""
        span: tuple[int, int] = _cy.match_substring_span_bynumber(self._data, self.subject, number)
        return span


class Regex:
    """A compiled pattern."""

    __slots__ = ("_code", "_interpreted", "caseless", "groups", "named", "numbers", "pattern")

    def __init__(self, pattern: str, caseless: bool = False) -> None:
        self.pattern = pattern
        self.caseless = caseless
        self._code: Any = self._compile()
        self._interpreted: Any = None
        # without executable memory (systemd's MemoryDenyWriteExecute=) the interpreter does it
        with suppress(_cy.LibraryError):
            _cy.jit_compile(self._code)
        self.groups: int = _cy.pattern_capture_count(self._code)
        self.numbers: dict[str, int] = _cy.pattern_name_dict(self._code)
        # in the order of the groups, as they read in the pattern
        self.named: tuple[str, ...] = tuple(sorted(self.numbers, key=self.numbers.__getitem__))

    def __repr__(self) -> str:
        return f"Regex({self.pattern!r}{', caseless=True' if self.caseless else ''})"

    def search(self, subject: bytes) -> Captures | None:
        """Match anywhere in the subject; MatchError when that cannot be decided."""
        try:
            data = _match(self._code, subject, len(subject), 0, _ANY_CONTEXT)[0]
        except _cy.LibraryError as error:
            data = self._again(error.code, subject)
        return None if data is None else Captures(data, subject, self)

    def test(self, subject: bytes) -> bool:
        """Whether the pattern matches, for callers that need no groups."""
        try:
            return _match(self._code, subject, len(subject), 0, _ANY_CONTEXT)[0] is not None
        except _cy.LibraryError as error:
            return self._again(error.code, subject) is not None

    def _again(self, code: int, subject: bytes) -> Any:
        if code != _ERROR_JIT_STACKLIMIT:
            raise MatchError(code, subject, self.pattern) from None
        if self._interpreted is None:
            self._interpreted = self._compile()
        try:
            return _match(self._interpreted, subject, len(subject), 0, _ANY_CONTEXT)[0]
        except _cy.LibraryError as error:
            raise MatchError(error.code, subject, self.pattern) from None

    def _compile(self) -> Any:
        pattern = to_bytes(self.pattern)
        try:
            return _cy.compile(pattern, _CASELESS if self.caseless else 0, _ALT_BSUX | _NEVER_BACKSLASH_C)
        except _cy.PatternError as error:
            message = f'pcre2_compile() failed: {_cy.LibraryError(error.code).msg} in "{self.pattern}"'
            if error.pos != len(pattern):
                message += f' at "{to_str(pattern[error.pos :])}"'
            raise RegexError(message) from None
