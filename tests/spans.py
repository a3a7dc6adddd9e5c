"""Spans as a worker writes them."""

from __future__ import annotations

from collections.abc import Iterable

from gateway._fast.span_writer import SpanWriter, key_of

_writer = SpanWriter()
Attribute = tuple[bytes, bytes | int] | tuple[bytes, bytes, bool]


def span(
    trace: bytes,
    own: bytes,
    name: bytes,
    start_ns: int,
    end_ns: int,
    attributes: Iterable[Attribute] = (),
    parent: bytes = bytes(8),
    state: bytes = b"",
    failed: bool = False,
) -> bytes:
    """Attributes are names and values; True behind one for a list."""
    _writer.begin(trace, own, parent, state, name, start_ns, end_ns)
    for key, value, *listed in attributes:
        if isinstance(value, int):
            _writer.number(key_of(key), value)
        else:
            _writer.text(key_of(key), value, bool(listed))
    return _writer.end(failed)
