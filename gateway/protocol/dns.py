"""DNS messages (RFC 1035): the questions that a resolver asks, and what it uses of the answers.

Two verbs: `query` makes a message, `parse` reads one. Limits and words for what is wrong with an answer are nginx's
(ngx_resolver.c), with one reading for all types of questions.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

A: Final = 1
CNAME: Final = 5
PTR: Final = 12
AAAA: Final = 28
SRV: Final = 33
_DNAME: Final = 39
_IN: Final = 1

FORMERR: Final = 1
SERVFAIL: Final = 2
NXDOMAIN: Final = 3
REFUSED: Final = 5

_HEADER: Final = struct.Struct("!6H")
_RECORD: Final = struct.Struct("!HHIH")  # after the name: type, class, TTL, length
_SERVICE: Final = struct.Struct("!3H")

_RECURSION_DESIRED: Final = 0x0100
_TRUNCATED: Final = 0x0200
# Response, opcode 0, and what is reserved: an answer to a standard query has this under the mask.
_STANDARD_MASK: Final = 0xF870
_STANDARD: Final = 0x8000

# Compression pointers can make a loop; a name of 255 bytes needs no more steps.
_STEPS: Final = 128
# A TTL with the highest bit set counts as none (RFC 2181, 8).
_TTL_LIMIT: Final = 1 << 31

_LABEL: Final = 63
_ADDRESS_SIZES: Final = {A: 4, AAAA: 16}
_TYPE_NAMES: Final = {A: "A", AAAA: "AAAA"}


class DnsError(ValueError):
    """A message that is not an answer; str() is nginx's log line."""


@dataclass(frozen=True, slots=True)
class Service:
    """An SRV record."""

    priority: int
    weight: int
    port: int
    target: bytes


@dataclass(slots=True)
class Answer:
    """What was read of an answer. With FORMERR and codes above REFUSED only `ident` and `code` are set."""

    ident: int
    code: int
    truncated: bool = False
    name: bytes = b""  # of the question, in lower case
    type: int = 0
    ttl: int = _TTL_LIMIT - 1  # the least of all records
    addresses: list[bytes] = field(default_factory=list)  # packed, of the type that was asked for
    services: list[Service] = field(default_factory=list)
    names: list[bytes] = field(default_factory=list)  # of PTR records
    cname: bytes | None = None
    unexpected: list[int] = field(default_factory=list)  # types of records that no one asked for


def query(ident: int, name: bytes, kind: int) -> bytes:
    """A question for a name, with recursion. Errors: ValueError for what cannot be a name."""
    labels = name.split(b".")
    if any(not 0 < len(label) <= _LABEL for label in labels):
        raise ValueError("invalid name")
    packed = b"".join(bytes((len(label),)) + label for label in labels)
    return _HEADER.pack(ident, _RECURSION_DESIRED, 1, 0, 0, 0) + packed + struct.pack("!xHH", kind, _IN)


def parse(data: bytes, *, tcp: bool = False) -> Answer:
    """Read an answer. Errors: DnsError."""
    if len(data) < _HEADER.size:
        raise DnsError("short DNS response")
    ident, flags, questions, count, _, _ = _HEADER.unpack_from(data)
    truncated = bool(flags & _TRUNCATED)
    if flags & _STANDARD_MASK != _STANDARD or (truncated and tcp):
        raise DnsError(f"invalid {'TCP' if tcp else 'UDP'} DNS response {ident} fl:{flags:04X}")
    code = flags & 0xF
    answer = Answer(ident, code, truncated)
    if code == FORMERR or code > REFUSED:
        return answer
    if questions != 1:
        raise DnsError("invalid number of questions in DNS response")
    at = _end_of_question(data)
    if at + 4 + count * (2 + _RECORD.size) > len(data):
        raise DnsError("short DNS response")
    answer.name = _name(data, _HEADER.size)
    answer.type, question_class = struct.unpack_from("!HH", data, at)
    if question_class != _IN:
        raise DnsError(f"unknown query class {question_class} in DNS response")
    if answer.type not in (A, AAAA, SRV, PTR):
        raise DnsError(f"unknown query type {answer.type} in DNS response")
    if code or truncated:
        return answer
    at += 4
    for _ in range(count):
        at = _read_record(data, at, answer)
    return answer


def _end_of_question(data: bytes) -> int:
    """Where its type begins; its name must stand there in full."""
    at = _HEADER.size
    while at < len(data):
        size = data[at]
        if size & 0xC0:
            raise DnsError("unexpected compression pointer in DNS response")
        at += 1
        if not size:
            if at == _HEADER.size + 1:
                raise DnsError("zero-length domain name in DNS response")
            return at
        at += size
    raise DnsError("short DNS response")


def _read_record(data: bytes, at: int, answer: Answer) -> int:
    """Add one record to the answer; where the next one begins."""
    at = _skip_name(data, at)
    if at + _RECORD.size >= len(data):
        raise DnsError("short DNS response")
    kind: int
    size: int
    kind, record_class, ttl, size = _RECORD.unpack_from(data, at)
    if record_class != _IN:
        raise DnsError(f"unexpected RR class {record_class} in DNS response")
    answer.ttl = min(answer.ttl, ttl if ttl < _TTL_LIMIT else 0)
    at += _RECORD.size
    end: int = at + size
    if kind in _ADDRESS_SIZES and answer.type in _ADDRESS_SIZES:
        if kind != answer.type:
            raise DnsError(f"unexpected {_TYPE_NAMES[kind]} record in DNS response")
        if size != _ADDRESS_SIZES[kind]:
            raise DnsError(f"invalid {_TYPE_NAMES[kind]} record in DNS response")
        if end > len(data):
            raise DnsError("short DNS response")
        answer.addresses.append(data[at:end])
    elif kind == SRV and answer.type == SRV:
        if at + _SERVICE.size >= len(data):
            raise DnsError("short DNS response")
        priority, weight, port = _SERVICE.unpack_from(data, at)
        # RFC 2782 gives no weight a small chance; nginx gives it that of 1.
        answer.services.append(Service(priority, weight or 1, port, _name(data, at + _SERVICE.size)))
    elif kind == PTR and answer.type == PTR:
        answer.names.append(_name(data, at))
    elif kind == CNAME:
        answer.cname = _name(data, at)
    elif kind != _DNAME:
        answer.unexpected.append(kind)
    return end


def _skip_name(data: bytes, at: int) -> int:
    start = at
    while at < len(data):
        size = data[at]
        if size & 0xC0:
            return at + 2
        at += 1
        if not size:
            if at - start < 2:
                raise DnsError("invalid name in DNS response")
            return at
        at += size
    raise DnsError("short DNS response")


def _name(data: bytes, at: int) -> bytes:
    """A name with its compression pointers followed, in lower case and without the last dot."""
    labels: list[bytes] = []
    for _ in range(_STEPS):
        if at >= len(data):
            raise DnsError("name is out of DNS response")
        size = data[at]
        at += 1
        if not size:
            return b".".join(labels).lower()
        if size & 0xC0:
            if size & 0xC0 != 0xC0:
                raise DnsError("invalid label type in DNS response")
            if at >= len(data):
                raise DnsError("name is out of DNS response")
            at = (size & 0x3F) << 8 | data[at]
        else:
            labels.append(data[at : at + size])
            at += size
    raise DnsError("compression pointers loop in DNS response")
