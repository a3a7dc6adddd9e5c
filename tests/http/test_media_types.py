"""Media types: what a filter works on, as gzip_types says it."""

from __future__ import annotations

import pytest

from gateway.http.media_types import HTML, is_of
from gateway.http.response import Response
from tests.engine import serving, warnings_of


@pytest.mark.parametrize(
    ("types", "content_type", "expected"),
    [
        (HTML, b"text/html", True),
        (HTML, b"Text/HTML", True),
        (HTML, b"text/plain", False),
        (HTML, None, False),
        (frozenset({b"*"}), b"image/png", True),
        (frozenset({b"*"}), None, True),
    ],
)
def test_is_of(types: frozenset[bytes], content_type: bytes | None, expected: bool) -> None:
    response = Response()
    response.content_type = content_type
    assert is_of(types)(response) is expected


async def test_html_is_always_among_them_and_case_is_none() -> None:
    text = """server { listen 127.0.0.1:80; gzip on; gzip_min_length 0; gzip_types TEXT/plain text/plain;
        location /html { default_type text/html; return 200 x; }
        location /png { default_type image/png; return 200 x; }
        location /plain { return 200 x; } }"""
    async with serving(text) as engine:
        for target, encoding in (("/html", b"gzip"), ("/plain", b"gzip"), ("/png", None)):
            reply = await engine.get(target, {"Accept-Encoding": "gzip"})
            assert reply.header("content-encoding") == encoding


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('gzip_types text/plain TEXT/plain;', 'duplicate MIME type "TEXT/plain"'),
        ('gzip_types text/html;', 'duplicate MIME type "text/html"'),
    ],
)
def test_one_that_stands_twice_is_a_warning(text: str, words: str) -> None:
    assert warnings_of(text) == [f"{words} in nginx.conf:2"]
