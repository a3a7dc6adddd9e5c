"""Values that come from outside, in every line that they can reach. The right answers are nginx's.

nginx passes on, byte for byte, what a configuration names; what it escapes are the fields of a log and the names in a
certificate (tests/_fast/test_x509.py). A value with a line feed is then the configuration's choice: a capture and $uri
are decoded, $args and $request_uri are not, and a header field that has one is refused where it comes in.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import answer, farm
from tests.http_peers import Heard, answering
from tests.modules.http.test_log import serving
from tests.speeches import FASTCGI, SCGI, UWSGI, Asked, Speech

PAYLOADS = {
    "CR": b"\r",
    "LF": b"\n",
    "CRLF and a field": b"\r\nX-Admin: 1",
    "colon": b": x",
    "UTF-8": "ü".encode(),
    "no UTF-8": b"\xff",
    "DEL and ESC": b"\x7f\x1b",
    "quote and backslash": b'"\\',
}
SOURCES = ("$named", "$request_body", "$http_x", "$cookie_x")
DEFAULT = {b"\r": rb"\x0D", b"\n": rb"\x0A", b'"': rb"\x22", b"\\": rb"\x5C", b"\x7f": rb"\x7F", b"\x1b": rb"\x1B"}
JSON = {b"\r": rb"\r", b"\n": rb"\n", b'"': rb"\"", b"\\": rb"\\", b"\x1b": rb"\u001B"}


def request(source: str, where: str, value: bytes) -> bytes:
    """One that brings the value by this way."""
    quoted = b"".join([b"%%%02x" % byte for byte in value])
    path = b"/%b/" % where.encode() + (quoted if source == "$named" else b"x")
    field = value if source in ("$http_x", "$cookie_x") else b"-"
    body = value if source == "$request_body" else b"-"
    head = b"POST %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: %b\r\nCookie: x=%b\r\n" % (path, field, field)
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def possible(source: str, value: bytes) -> bool:
    """A line feed ends a field, and a carriage return before none is no end."""
    return source not in ("$http_x", "$cookie_x") or not set(value) & set(b"\r\n")


CASES = [
    pytest.param(source, value, id=f"{source} {name}")
    for source in SOURCES
    for name, value in PAYLOADS.items()
    if possible(source, value)
]


@pytest.mark.parametrize(("source", "value"), CASES)
async def test_to_an_http_upstream_and_to_the_client(source: str, value: bytes, tmp_path: Path) -> None:
    heard: list[Heard] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", heard))
        text = f"""client_body_temp_path {tmp_path}; proxy_temp_path {tmp_path};
            log_format d "[{source}]"; log_format j escape=json "[{source}]"; log_format n escape=none "[{source}]";
            access_log {tmp_path}/d d; access_log {tmp_path}/j j; access_log {tmp_path}/n n;
            server {{ listen 127.0.0.1:80; location ~ "^/up/(?<named>(?s:.*))$" {{
                proxy_set_header X-S "a{source};b"; add_header X-S "a{source};b"; proxy_pass http://{address}; }} }}"""
        async with serving(text) as engine:
            data = await engine.raw(request(source, "up", value))
    line = b"\r\nX-S: a" + value + b";b\r\n"
    assert line in b"\r\n" + heard[0].raw + b"\r\n" and line in data
    logged = {b"d": DEFAULT, b"j": JSON, b"n": {}}
    for name, escapes in logged.items():
        shown = b"".join([_shown(value[i : i + 1], escapes, name == b"d") for i in range(len(value))])
        assert (tmp_path / name.decode()).read_bytes() == b"[" + shown + b"]\n"


def _shown(byte: bytes, escapes: dict[bytes, bytes], ascii_only: bool) -> bytes:
    if byte in escapes:
        return escapes[byte]
    return b"\\x%02X" % byte[0] if ascii_only and byte >= b"\x7f" else byte


@pytest.mark.parametrize("speech", [UWSGI, SCGI, FASTCGI], ids=lambda speech: speech.name)
@pytest.mark.parametrize(("source", "value"), CASES)
async def test_to_a_param(source: str, value: bytes, speech: Speech, tmp_path: Path) -> None:
    asked: list[Asked] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(speech.ok, asked=asked, speech=speech))
        text = f"""client_body_temp_path {tmp_path}; {speech.name}_temp_path {tmp_path};
            server {{ listen 127.0.0.1:80; location ~ "^/up/(?<named>(?s:.*))$" {{
                {speech.name}_param S "a{source};b"; {speech.name}_param CONTENT_LENGTH $content_length;
                {speech.passing(address)} }} }}"""
        async with serving(text) as engine:
            await engine.raw(request(source, "up", value))
    assert asked[0].params[b"S"] == b"a" + value + b";b"


@pytest.mark.parametrize("value", PAYLOADS.values(), ids=PAYLOADS)
async def test_into_a_redirect(value: bytes, tmp_path: Path) -> None:
    text = """server { listen 127.0.0.1:80; location ~ "^/raw/((?s:.*))$" { return 302 http://h/$1; }
        location ~ "^/rewritten/" { rewrite "^/rewritten/((?s:.*))$" /y$1 redirect; } }"""
    async with serving(text) as engine:
        data = await engine.raw(request("$named", "raw", value))
        assert b"\r\nLocation: http://h/" + value + b"\r\n" in data
        data = await engine.raw(request("$named", "rewritten", value))
        assert b"\r\nX-Admin" not in data and data.startswith(b"HTTP/1.1 302 ")
