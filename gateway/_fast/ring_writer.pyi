"""Records of requests, for the slots of a core.ring."""

from collections.abc import Callable
from typing import Any, final

from gateway._fast.request_head import RequestHead
from gateway._fast.zones import Words

FIGURES: int

def id_of(word: int) -> str:
    """The id of a record without a text of its own for it, 32 hexadecimal digits, from the word that it has instead."""

def front_of(place: bytes, server: bytes) -> bytes:
    """What each record of this location begins with."""

def perhaps_secret(text: bytes) -> bool:
    """Whether a field's name, or a text with names in it, may ask for a mask; never False where it does."""

@final
class RingWriter:
    """A slot is `before` bytes of words (its record's number, 0 while it is written; its length, and above 32 bits
    where its beginning is kept) and the first `near` bytes of its record. What goes beyond them lies behind all slots,
    in parts of `size - near`, so that most records are side by side.

    A record is begun and ended without a wait between. What has no room is cut, and the record says so. A field whose
    name may mean a secret is given to `mask`, with its value: the value to write comes back. Of a client's cookies and
    its Authorization what is secret is left out without it.
    """

    slots: int
    size: int
    def __init__(
        self,
        memory: Any,
        offset: int,
        head: Words,
        last: int,
        before: int,
        slots: int,
        near: int,
        size: int,
        seed: bytes,
        mask: Callable[[bytes, bytes], bytes] | None = None,
    ) -> None: ...
    def begin(
        self,
        at: float,
        seconds: float,
        sent: int,
        length: int,
        status: int,
        port: int,
        version: int,
        complete: bool,
        id: bytes | None,
        front: bytes,
        scheme: bytes,
        client: bytes,
        kind: bytes | None,
        kept: int = 0,
    ) -> int:
        """The number of the record that is written from here on. It begins with what front_of() made, unless that is
        `kept` among the ring's texts; FIGURES bytes are next.

        `length`: what the answer's Content-Length says, or -1; `kind`: its Content-Type. With an id of its own, its
        text is next; then the client and the kind, each text behind its length (32 bits).
        """
    def end(self) -> None: ...
    def put(self, data: bytes) -> int:
        """A record as it is; its number."""
    def text(self, text: bytes | None, most: int) -> None:
        """A length (32 bits) and the text, of which no more than `most`."""
    def tag(self, letter: int) -> None:
        """A letter: what comes behind is of this kind."""
    def head(self, head: RequestHead, method: bytes) -> None:
        """The letter H, a length, and the client's line and fields, one line each, with what is secret masked.

        `method`: of a line that could not be read.
        """
    def answered(self, name: bytes, value: bytes) -> None:
        """One of the response's fields, with the letter R."""
    def plain(self, name: bytes, value: bytes) -> None:
        """One whose name is known to mean no secret."""
