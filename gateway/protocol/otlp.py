"""Spans as collectors take them: OTLP's messages (opentelemetry.proto.trace.v1) in protobuf's encoding.

Four small messages are written and one is read. The classes that protoc makes of their descriptions, and what these
need to run, would be imported into each worker for that. A span itself is written by _fast/span_writer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

# Where a collector takes spans: the gRPC method.
EXPORT: Final = b"/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def varint(number: int) -> bytes:
    """A number of protobuf's, seven bits in each byte; a negative one as 64 bits."""
    number &= (1 << 64) - 1
    if number < 128:
        return bytes((number,))
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    made.append(number)
    return bytes(made)


def _field(number: int, data: bytes) -> bytes:
    """Something with a length: bytes, a string, a message; all field numbers here are below 16."""
    return bytes((number << 3 | 2,)) + varint(len(data)) + data


def _text(data: bytes) -> bytes:
    """A string has to be UTF-8: collectors refuse a whole batch for one that is not."""
    if data.isascii():
        return data
    return data.decode("utf-8", "replace").encode()


def _attribute(name: bytes, value: bytes) -> bytes:
    """A KeyValue."""
    return _field(1, _text(name)) + _field(2, _field(1, _text(value)))


def origin(attributes: Iterable[tuple[bytes, bytes]], scope: bytes, version: bytes) -> tuple[bytes, bytes]:
    """Who sends spans: the Resource and the scope, as fields of messages that hold spans."""
    resource = _field(1, b"".join(_field(1, _attribute(name, value)) for name, value in attributes))
    return resource, _field(1, _field(1, _text(scope)) + _field(2, _text(version)))


def request(source: tuple[bytes, bytes], spans: Iterable[bytes]) -> bytes:
    """An ExportTraceServiceRequest in gRPC's frame."""
    resource, scope = source
    message = _field(1, resource + _field(2, scope + b"".join([_field(2, each) for each in spans])))
    return b"\0" + len(message).to_bytes(4, "big") + message


def rejected(answer: bytes) -> tuple[int, bytes]:
    """How many spans of a request a collector did not take, though it answered that all is well, and why.

    Errors: ValueError, for what is no ExportTraceServiceResponse in gRPC's frame.
    """
    if answer[:1] not in (b"", b"\0"):
        raise ValueError("the answer is compressed")
    count, why = 0, b""
    for number, value in _fields(answer[5:]):
        if number == 1 and isinstance(value, bytes):
            for inner, said in _fields(value):
                if inner == 1 and isinstance(said, int):
                    count = said
                elif inner == 2 and isinstance(said, bytes):
                    why = said
    return count, why


def _fields(message: bytes) -> Iterable[tuple[int, int | bytes]]:
    """The fields of a message: numbers and what has a length. Errors: ValueError."""
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _read_varint(message, at)
            yield tag >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind, -1)
        if kind == 2:
            size, at = _read_varint(message, at)
        if size < 0 or at + size > len(message):
            raise ValueError("a field that ends behind its message")
        yield tag >> 3, message[at : at + size]
        at += size


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(message) and shift < 64:
        byte = message[at]
        number |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return number, at
        shift += 7
    raise ValueError("a number that does not end")
