"""Records of requests, written straight into the slots of a core.ring."""

from collections.abc import Callable
from typing import Any, final

from gateway._fast.request_head import RequestHead
from gateway._fast.zones import Words

FIGURES: int

def front_of(place: bytes, server: bytes) -> bytes:
    """What a record of this location has behind its figures."""

def perhaps_secret(text: bytes) -> bool:
    """Whether a field's name, or a text with names in it, may ask for a mask; never False where it does."""

@final
class RingWriter:
    """`before` bytes of words stand before each slot: its record's number (0 while it is written), its length.

    A record is begun and ended without a wait between. What has no room is left out, and `cut` says so. A field whose
    name may mean a secret is given to `mask`, with its value: the value to write comes back. Of a client's cookies and
    its Authorization what is secret is left out without it.
    """

    slots: int
    size: int
    cut: bool
    def __init__(
        self,
        memory: Any,
        offset: int,
        head: Words,
        last: int,
        before: int,
        slots: int,
        size: int,
        seed: bytes,
        mask: Callable[[bytes, bytes], bytes] | None = None,
    ) -> None: ...
    def begin(self) -> int:
        """The number of the record that is written from here on."""
    def end(self) -> None: ...
    def put(self, data: bytes) -> int:
        """A record as it is; its number."""
    def figures(
        self,
        at: float,
        seconds: float,
        sent: int,
        length: int,
        status: int,
        port: int,
        complete: bool,
        id: bytes | None,
    ) -> None:
        """FIGURES bytes: four words, the id in two, status, port, and two flags. With an id of its own, its text.

        `length`: what the answer's Content-Length says, or -1.
        """
    def text(self, text: bytes | None, most: int) -> None:
        """A length (32 bits) and the text, of which no more than `most`."""
    def asked(
        self,
        front: bytes,
        method: bytes,
        protocol: bytes | None,
        scheme: bytes,
        client: bytes,
        host: bytes | None,
        kind: bytes | None,
        head: RequestHead,
    ) -> None:
        """What was asked, in the order that request_history_record reads it in; `kind`: the answer's Content-Type.

        Without a protocol it is what stands in the line.
        """
    def fields(self, head: RequestHead) -> None:
        """The client's: F before the length of lines as they came, A before one that is written anew."""
    def tag(self, letter: int) -> None:
        """A letter: what comes behind is of this kind."""
    def answered(self, name: bytes, value: bytes) -> None:
        """One of the response's, with the letter R."""
    def plain(self, name: bytes, value: bytes) -> None:
        """One whose name is known to mean no secret."""
