"""Writing and reading ASN.1 in DER (X.690), as far as certificates and requests for them need it."""

from __future__ import annotations

import base64
import datetime
from typing import Final, NamedTuple

INTEGER, BITS, OCTETS, NULL, OID, UTF8, SEQUENCE, SET = 0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x30, 0x31
BOOLEAN, UTC_TIME, GENERAL_TIME = 0x01, 0x17, 0x18

_LONG: Final = 0x80  # a length of more than one byte begins with this and their number
_FIRST_GENERAL_YEAR: Final = 2050  # RFC 5280, 4.1.2.5


class Malformed(ValueError):
    """It is no DER, or not what was expected there."""


class Element(NamedTuple):
    """One value as it was read."""

    tag: int
    body: bytes
    whole: bytes


def element(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    if size < _LONG:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG | len(length))) + length + body


def sequence(*parts: bytes) -> bytes:
    return element(SEQUENCE, *parts)


def set_of(*parts: bytes) -> bytes:
    return element(SET, *sorted(parts))


def integer(value: int) -> bytes:
    return element(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def bits(data: bytes, unused: int = 0) -> bytes:
    return element(BITS, bytes((unused,)), data)


def octets(data: bytes) -> bytes:
    return element(OCTETS, data)


def boolean(value: bool) -> bytes:
    return element(BOOLEAN, b"\xff" if value else b"\0")


def text(value: str) -> bytes:
    return element(UTF8, value.encode())


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    body = bytearray()
    for number in (first * 40 + second, *rest):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | 0x80)
        body += bytes(reversed(groups))
    return element(OID, bytes(body))


def tagged(number: int, *parts: bytes, constructed: bool = True) -> bytes:
    """A context-specific tag, as [0] in a grammar."""
    return element(0x80 | (0x20 if constructed else 0) | number, *parts)


def time(moment: datetime.datetime) -> bytes:
    utc = moment.astimezone(datetime.UTC)
    if utc.year < _FIRST_GENERAL_YEAR:
        return element(UTC_TIME, utc.strftime("%y%m%d%H%M%SZ").encode())
    return element(GENERAL_TIME, utc.strftime("%Y%m%d%H%M%SZ").encode())


def read(data: bytes, at: int = 0) -> tuple[Element, int]:
    """The element that begins there, and where the next one does. Errors: Malformed."""
    begin = at
    if at + 2 > len(data):
        raise Malformed("it ends early")
    tag, size = data[at], data[at + 1]
    at += 2
    if size >= _LONG:
        count = size & 0x7F
        if not 0 < count <= 4 or at + count > len(data):
            raise Malformed("a length of no sense")
        size = int.from_bytes(data[at : at + count], "big")
        at += count
    if at + size > len(data):
        raise Malformed("it ends early")
    return Element(tag, data[at : at + size], data[begin : at + size]), at + size


def parts(data: bytes) -> list[Element]:
    """All elements that follow each other. Errors: Malformed."""
    found, at = [], 0
    while at < len(data):
        each, at = read(data, at)
        found.append(each)
    return found


def read_time(each: Element) -> datetime.datetime:
    """Errors: Malformed."""
    # Not strptime(), which imports a module when it is called first: a worker's user may not be able to read that.
    digits = {UTC_TIME: 2, GENERAL_TIME: 4}.get(each.tag, 0)
    text = each.body[:-1]
    if not digits or each.body[-1:] != b"Z" or len(text) != digits + 10 or not text.isdigit():
        raise Malformed("no time")
    year, rest = int(text[:digits]), text[digits:]
    if digits == 2:
        year += 1900 if year >= 50 else 2000  # RFC 5280, 4.1.2.5.1
    month, day, hour, minute, second = (int(rest[at : at + 2]) for at in range(0, 10, 2))
    try:
        return datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC)
    except ValueError:
        raise Malformed("no time") from None


def pem(kind: str, data: bytes) -> str:
    encoded = base64.b64encode(data).decode()
    lines = [encoded[at : at + 64] for at in range(0, len(encoded), 64)]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""])


def unpem(kind: str, text: str) -> list[bytes]:
    """What stands between all lines of this kind. Errors: Malformed."""
    found = []
    for each in text.split(f"-----BEGIN {kind}-----")[1:]:
        body, end, _ = each.partition(f"-----END {kind}-----")
        if not end:
            raise Malformed(f"no end of a {kind}")
        try:
            found.append(base64.b64decode("".join(body.split()), validate=True))
        except ValueError as error:
            raise Malformed(str(error)) from None
    return found
