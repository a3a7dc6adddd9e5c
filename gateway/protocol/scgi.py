"""SCGI: a netstring of params, CONTENT_LENGTH first, then the body as it is. The answer is that of a CGI program."""

from __future__ import annotations

from collections.abc import Iterable

Field = tuple[bytes, bytes]


class BadRequest(ValueError):
    """Bytes that are no SCGI request."""


def encode(pairs: Iterable[Field], content_length: int) -> bytes:
    """What is sent before the body."""
    parts = [b"CONTENT_LENGTH\0%d\0" % content_length]
    parts += [b"%b\0%b\0" % pair for pair in pairs]
    content = b"".join(parts)
    return b"%d:%b," % (len(content), content)


def decode(data: bytes) -> tuple[list[Field], bytes] | None:
    """(pairs, what follows); None when it is not whole. Errors: BadRequest."""
    digits, colon, rest = data.partition(b":")
    if (not digits.isdigit() and (digits or colon)) or len(digits) > 18:
        raise BadRequest("no length")
    if not colon or len(rest) <= int(digits):
        return None
    size = int(digits)
    texts = rest[:size].split(b"\0")
    if rest[size : size + 1] != b"," or len(texts) % 2 == 0 or texts[-1]:
        raise BadRequest("no netstring of pairs")
    return list(zip(texts[:-1:2], texts[1::2], strict=True)), rest[size + 1 :]
