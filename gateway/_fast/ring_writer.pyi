"""Records of requests, written straight into the slots of a core.ring."""

from collections.abc import Callable
from typing import Any

from gateway._fast.request_head import RequestHead
from gateway._fast.zones import Words

FIGURES: int

def perhaps_secret(text: bytes) -> bool:
    """Whether a field's name, or a text with names in it, may ask for a mask; never False where it does."""

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
        self, at: float, seconds: float, sent: int, status: int, port: int, complete: bool, id: bytes | None
    ) -> None:
        """FIGURES bytes: three words, the id in two, status, port, and two flags. With an id of its own, its text."""
    def text(self, text: bytes | None, most: int) -> None:
        """A length (32 bits) and the text, of which no more than `most`."""
    def line(
        self,
        place: bytes,
        server: bytes,
        method: bytes,
        protocol: bytes | None,
        scheme: bytes,
        client: bytes,
        host: bytes,
        target: bytes,
    ) -> None:
        """What was asked, in the order that request_history_record reads it in."""
    def tag(self, letter: int) -> None:
        """A letter: what comes behind is of this kind."""
    def asked(self, head: RequestHead) -> None:
        """The client's fields, each with its letter A, what stands between name and value, and their lengths."""
    def answered(self, name: bytes, value: bytes) -> None:
        """One of the response's, with the letter R."""
    def plain(self, name: bytes, value: bytes) -> None:
        """One whose name is known to mean no secret."""
