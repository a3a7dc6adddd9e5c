def decode(text: bytes) -> tuple[int, int]:
    """The first code point of a text in UTF-8, and its bytes; -1 if it goes on, -2 if it is none."""

class ToUtf8:
    """Recodes a charset of single bytes, by the text of each of its 256; it has no state."""

    def __init__(self, texts: list[bytes]) -> None: ...
    def __call__(self, data: bytes) -> bytes: ...

class Points:
    """Which byte a code point is in the other charset; 0 is none."""

    def add(self, point: int, byte: int) -> None: ...

class FromUtf8:
    """Recodes one body from UTF-8, part by part; what is invalid becomes `?`, as nginx skips it."""

    def __init__(self, points: Points) -> None: ...
    def __call__(self, data: bytes) -> bytes: ...
