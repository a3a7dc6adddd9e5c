"""HTTP/1's framing: bodies that end where they should not, and responses in chunks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import serving


@pytest.mark.parametrize(("target", "answer"), [("/", b""), ("/return", b"HTTP/1.1 200 "), ("/none", b"HTTP/1.1 404 ")])
@pytest.mark.parametrize(
    ("field", "body"),
    [
        (b"Content-Length: 10", b"12345"),
        (b"Content-Length: 10", b""),
        (b"Transfer-Encoding: chunked", b"a\r\n12345"),
        (b"Transfer-Encoding: chunked", b"5\r\n12345\r\n"),
        (b"Transfer-Encoding: chunked", b"5"),
    ],
)
async def test_a_client_that_ends_within_a_body_that_is_wanted_gets_no_answer(
    target: str, answer: bytes, field: bytes, body: bytes, tmp_path: Path
) -> None:
    text = f"""client_body_temp_path {tmp_path}; server {{ listen 127.0.0.1:8080;
        location / {{ uwsgi_pass 127.0.0.1:1; }}
        location /return {{ return 200 x; }} location /none {{ root {tmp_path}; }} }}"""
    async with serving(text) as engine:
        head = b"POST %b HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % (target.encode(), field)
        data = await engine.raw(head + body, end=True)
        assert data.startswith(answer) and bool(data) is bool(answer)


@pytest.mark.parametrize("chunked", [True, False])
async def test_requests_behind_a_body_are_read_from_where_it_ends(chunked: bool, tmp_path: Path) -> None:
    text = (
        f"""client_body_temp_path {tmp_path}; server {{ listen 127.0.0.1:8080; location / {{ return 200 $uri; }} }}"""
    )
    field, body = (
        (b"Transfer-Encoding: chunked", b"3\r\nabc\r\n0\r\n\r\n") if chunked else (b"Content-Length: 3", b"abc")
    )
    first = b"POST /one HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n%b" % (field, body)
    async with serving(text) as engine:
        data = await engine.raw(first + b"GET /two HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert data.count(b"HTTP/1.1 200 OK") == 2 and b"/one" in data and data.endswith(b"/two")


async def test_a_body_of_unknown_length_goes_out_in_chunks(tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"x" * 300)
    text = f"server {{ listen 127.0.0.1:8080; root {tmp_path}; gzip on; gzip_types *; gzip_min_length 1; }}"
    head = b"GET /page HTTP/1.%d\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
    async with serving(text) as engine:
        data = await engine.raw(head % 1)
        assert b"Transfer-Encoding: chunked" in data and data.endswith(b"\r\n0\r\n\r\n")
        assert b"chunked" not in await engine.raw(head % 0)
