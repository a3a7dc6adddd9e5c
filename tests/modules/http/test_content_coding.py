"""What brotli and zstd have in common: flush points, the end, and what is counted."""

from __future__ import annotations

from gateway.modules.http.content_coding import Compressor


class Encoder:
    """Keeps what it gets until it is asked for it."""

    def __init__(self) -> None:
        self.kept = b""

    def process(self, data: bytes) -> bytes:
        self.kept += data
        return b""

    def flush(self) -> bytes:
        data, self.kept = self.kept, b""
        return data

    def finish(self) -> bytes:
        return self.flush() + b"."


def test_flush_and_end() -> None:
    compressor = Compressor(Encoder(), 1000)
    assert compressor([b"a", b"b"], False, False) == []
    assert compressor([b"c"], False, True) == [b"abc"]
    assert compressor([], False, True) == []
    assert compressor([b"d"], True, False) == [b"d."]
    assert compressor([b"e"], True, False) == []
    assert (compressor.taken, compressor.sent, compressor.room) == (4, 5, 1000)
