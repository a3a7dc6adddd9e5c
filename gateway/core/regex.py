"""Regular expressions in nginx's own language, PCRE2, on bytes (nginx: src/core/ngx_regex.c).

They are compiled by the `pcre2` package, whose wheel carries libpcre2 (10.47): it says what a pattern is, so that no
machine needs the library or its headers. Where the system has a libpcre2 too, as Debian and its like always do, that
does the matching (_fast/pcre2.pyx): the wheel keeps its library's symbols to itself, and by way of the package a match
costs 4,000 instructions, with its frames, its match data and its objects, where the library needs 300.

The inner layer also lets us take back what the package adds for likeness to `re`: ALT_BSUX, which changes the
meaning of `\\x{41}`. (`\\C` stays refused: that is built into the wheel's library.) Neither UTF nor UCP is set, as
in nginx: a byte is a character, and subjects may be invalid UTF-8; a pattern that begins with `(*UTF)` asks for the
check itself. Patterns are JIT compiled where memory may be executable; a match that overflows the JIT's 32
KiB stack is done again by the interpreter.

Which character an error message points `at` is libpcre2's choice and differs between its releases, in nginx too.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from pcre2 import _cy

from gateway._fast.pcre2 import Pattern, group, span
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

    def __init__(self, subject: bytes, regex: Regex, spans: bytes | None, data: Any) -> None:
        self.subject = subject
        self.regex = regex
        self._spans = spans
        self._data = data  # of the package, where there are no spans

    @property
    def named(self) -> tuple[str, ...]:
        """Names of the groups, known when the pattern was compiled."""
        return self.regex.named

    def group(self, number: int | str) -> bytes | None:
        """The bytes of a group (0: all of the match); None when it took no part or the pattern has no such group."""
        regex = self.regex
        at: Any = regex.numbers.get(number, -1) if isinstance(number, str) else number
        if at < 0 or at > regex.groups:
            return None
        if self._spans is not None:
            return group(self.subject, self._spans, at)
        return _substring(self._data, self.subject, at)  # type: ignore[no-any-return]

    def span(self, number: int = 0) -> tuple[int, int]:
        """Where a group stands in the subject; (-1, -1) when it took no part."""
        if self._spans is not None:
            return span(self._spans, number)
        found: tuple[int, int] = _cy.match_substring_span_bynumber(self._data, self.subject, number)
        return found


class Regex:
    """A compiled pattern."""

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
        # the variables that they become
        self.variables: tuple[tuple[str, int], ...] = tuple((name.lower(), self.numbers[name]) for name in self.named)
        self._fast: Pattern | None = None
        with suppress(LookupError):
            self._fast = Pattern(to_bytes(pattern), _CASELESS if caseless else 0)

    def __repr__(self) -> str:
        return f"Regex({self.pattern!r}{', caseless=True' if self.caseless else ''})"

    def search(self, subject: bytes) -> Captures | None:
        """Match anywhere in the subject; MatchError when that cannot be decided."""
        fast = self._fast
        if fast is None:
            data = self._slowly(subject)
            return None if data is None else Captures(subject, self, None, data)
        found = fast.find(subject)
        if found is None:
            return None
        if isinstance(found, int):
            raise MatchError(found, subject, self.pattern)
        return Captures(subject, self, found, None)

    def test(self, subject: bytes) -> bool:
        """Whether the pattern matches, for callers that need no groups."""
        fast = self._fast
        if fast is None:
            return self._slowly(subject) is not None
        found = fast.find(subject)
        if isinstance(found, int):
            raise MatchError(found, subject, self.pattern)
        return found is not None

    def _slowly(self, subject: bytes) -> Any:
        """By the package."""
        try:
            return _match(self._code, subject, len(subject), 0, _ANY_CONTEXT)[0]
        except _cy.LibraryError as error:
            return self._again(error.code, subject)

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
