"""Access log lines: a format's parts evaluated, escaped and joined in one pass."""

from collections.abc import Callable, Iterable
from typing import Any, Final

ESCAPES: Final[dict[str, int]]

def escape(value: bytes, how: int) -> bytes:
    """The value with what is unsafe escaped as log_format's escape= says."""

class LineFormat:
    """A compiled log_format: text (bytes) and getters; calling it gives one request's line with its newline."""

    def __init__(self, parts: Iterable[bytes | Callable[[Any], bytes | None]], escape: int) -> None: ...
    def __call__(self, request: Any) -> bytes: ...
    def make(self, request: Any) -> bytes: ...
