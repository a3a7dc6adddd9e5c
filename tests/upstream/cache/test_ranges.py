from __future__ import annotations

import pytest

from gateway.upstream.cache.ranges import begins_before


@pytest.mark.parametrize(
    ("field", "answer"),
    [
        (b"bytes=0-", True),
        (b"bytes=99-200", True),
        (b"Bytes= 99-", True),
        (b"bytes=100-", False),
        (b"bytes=4096-5000,0-1", False),
        (b"bytes=-5", False),
        (b"bytes=%b-" % (b"9" * 5000), False),
        (b"bytes= -5", False),
        (b"bytes=x", True),
        (b"lines=500-", True),
        (b"bytes=", True),
        (b"", True),
    ],
)
def test_where_a_range_begins(field: bytes, answer: bool) -> None:
    assert begins_before(field, 100) is answer
