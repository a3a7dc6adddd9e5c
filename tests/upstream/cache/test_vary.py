from __future__ import annotations

from typing import Any

import pytest

from gateway.upstream.cache.vary import variant

MAIN = bytes(16)


class _Head:
    def __init__(self, *fields: tuple[bytes, bytes]) -> None:
        self.given = fields

    def fields(self) -> tuple[tuple[bytes, bytes], ...]:
        return self.given


def hashed(vary: bytes, *fields: tuple[bytes, bytes]) -> bytes:
    request: Any = type("Request", (), {"head": _Head(*fields)})()
    return variant(request, MAIN, vary)


def test_the_hash_is_nginxs() -> None:
    from hashlib import md5

    assert hashed(b"X-A", (b"x-a", b"1")) == md5(MAIN + b"x-a:1\r\n", usedforsecurity=False).digest()
    assert hashed(b"", (b"a", b"b")) == md5(MAIN, usedforsecurity=False).digest()


@pytest.mark.parametrize(
    ("vary", "one", "other"),
    [
        (b"x-a, X-B", [(b"X-A", b"1"), (b"X-B", b"2")], [(b"x-b", b"2"), (b"Else", b"3"), (b"x-a", b"1")]),
        (b"Accept-Encoding", [(b"accept-encoding", b"gzip, br")], [(b"Accept-Encoding", b" gzip,,  br,")]),
        (b"Accept-Language", [(b"Accept-Language", b"a,b")], [(b"Accept-Language", b"a"), (b"accept-language", b"b")]),
        (b"X-A", [(b"X-A", b"1,2")], [(b"X-A", b"1"), (b"X-A", b"2")]),
    ],
)
def test_the_same_variant(vary: bytes, one: list[Any], other: list[Any]) -> None:
    assert hashed(vary, *one) == hashed(vary, *other)


def test_other_variants() -> None:
    values = [(), ((b"X-A", b"1"),), ((b"X-A", b"1 "),), ((b"X-A", b"2"),), ((b"X-B", b"1"),)]
    assert len({hashed(b"X-A", *fields) for fields in values}) == 4
