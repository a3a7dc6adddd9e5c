"""What a peer sent is refused, and what TLS cannot do; shared by everything here that reads bytes from a peer."""

from __future__ import annotations

from typing import Any


class HeadError(Exception):
    """A head or a body that is refused, with the status nginx answers and the words of its error log.

    `head` is what was understood until then (None where there is nothing), so that the access log has its `$request`.
    `action` ends the line in nginx's log ("… while reading client request line"); `lingering` says that nginx reads on
    for a while before it closes, so that the client sees the answer. `part` is what came before and is good.
    """

    def __init__(
        self,
        status: int,
        message: str,
        head: Any = None,
        *,
        action: str = "",
        lingering: bool = False,
        level: str = "info",
        part: bytes = b"",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.head = head
        self.action = action
        self.lingering = lingering
        self.level = level
        self.part = part

    def __str__(self) -> str:
        return f"{self.message} while {self.action}" if self.action else self.message


class Http2Error(Exception):
    """An HTTP/2 connection ends: GOAWAY with this code, and nginx's words for the log."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class QpackError(Exception):
    """Fields of an HTTP/3 client are refused: the connection's error, or 0 if the request alone is too large."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class TlsError(ValueError):
    """A value that TLS cannot use; str() has nginx's words, `about` the directives that it is about."""

    def __init__(self, message: str, *about: str) -> None:
        super().__init__(message)
        self.about = about


class TlsFailure(OSError):
    """A call of OpenSSL's failed on a connection: `words` are nginx's, `reason` is OpenSSL's number, 0 for none.

    `left`: the peer ended the connection in the middle of the handshake. `errno` is the socket's, where it is to blame.
    """

    def __init__(self, words: bytes, reason: int = 0, errno: int = 0, *, left: bool = False) -> None:
        super().__init__(errno, words.decode("utf-8", "replace"))
        self.words = words
        self.reason = reason
        self.left = left
