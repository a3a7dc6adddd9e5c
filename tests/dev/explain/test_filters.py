"""What filters do to a response, and why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dev.explain.told import one, texts, told

HTTP = """
gzip on;
gzip_types text/plain;
add_header X-Outer 1;
server {
    listen 8080;
    default_type text/plain;
    location /inner { add_header X-Inner "$uri"; return 200 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; }
    location /outer { return 200 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; }
    location /short { return 200 a; }
    location /css { default_type text/css; return 200 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; }
    location /gone { return 410; }
    location /merged { add_header_inherit merge; add_header X-Inner 1; return 200; }
    location /sub { sub_filter a b; sub_filter_types *; return 200 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; }
}
"""


@pytest.mark.parametrize(
    ("path", "field", "says"),
    [
        ("/outer", "Accept-Encoding: gzip", "gzip compresses the response"),
        ("/outer", "Accept-Encoding: br", 'gzip does nothing: the request\'s Accept-Encoding is "br"'),
        ("/short", "Accept-Encoding: gzip", "gzip does nothing: 1 bytes are less than gzip_min_length 20"),
        ("/css", "Accept-Encoding: gzip", "gzip does nothing: text/css is not in gzip_types"),
        ("/gone", "Accept-Encoding: gzip", "gzip does nothing: status 410 is not compressed"),
    ],
)
def test_gzip(tmp_path: Path, path: str, field: str, says: str) -> None:
    found = told(tmp_path, HTTP, path, field)
    assert says in texts(found, "filter")
    assert ("Content-Encoding: gzip" in one(found, "answer").details) == says.startswith("gzip compresses")


def test_added_fields_and_those_that_are_lost(tmp_path: Path) -> None:
    found = told(tmp_path, HTTP, "/inner")
    assert texts(found, "header") == ["X-Inner: /inner"]
    assert one(found, "dropped").text.startswith("add_header X-Outer of an outer block does not hold here")
    assert "X-Outer: 1" not in one(found, "answer").details
    assert told(tmp_path, HTTP, "/merged").of("dropped") == []


def test_a_field_that_needs_always(tmp_path: Path) -> None:
    found = told(tmp_path, HTTP, "/gone")
    assert one(found, "header").text == 'X-Outer is left out: without "always" not with 410'


def test_others(tmp_path: Path) -> None:
    assert "sub works on the response" in texts(told(tmp_path, HTTP, "/sub"), "filter")
