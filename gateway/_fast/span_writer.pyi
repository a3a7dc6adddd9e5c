from typing import final

def key_of(name: bytes) -> bytes:
    """An attribute's name, ready to be written."""

@final
class SpanWriter:
    """One span after the other, each as the bytes of OTLP's message Span; begun and ended without a wait between."""

    def __init__(self) -> None: ...
    def begin(
        self, trace: bytes, span: bytes, parent: bytes, state: bytes, name: bytes, start_ns: int, end_ns: int
    ) -> None:
        """What a server did; `parent`: eight bytes, zeros for none; `state`: of the field tracestate."""
    def text(self, key: bytes, value: bytes, listed: bool = False) -> None:
        """An attribute; `listed`: its value is an array with this one text in it."""
    def number(self, key: bytes, value: int) -> None: ...
    def end(self, failed: bool) -> bytes: ...
