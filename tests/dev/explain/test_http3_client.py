"""What explain finds out where HTTP/3 is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.protocol.http3_frames import DATA, HEADERS, varint
from tests.certificates import write
from tests.dev.explain.told import one, texts, told

pytest.importorskip("aioquic")


def _server(folder: Path, inside: str) -> str:
    chain, key = write(folder, "localhost")
    return f"ssl_certificate {chain}; ssl_certificate_key {key}; server {{ listen 8443 quic; {inside} }}"


def test_what_the_request_is_there(tmp_path: Path) -> None:
    seen = "$server_protocol|$http3|$http2|$host|$http_host|$http_connection|$scheme|$https|$ssl_protocol|$remote_addr"
    http = _server(tmp_path, f'server_name a; location / {{ add_header Seen "{seen}"; return 204; }}')
    asked = ("Connection: close", "X-Name: 1")
    found = told(tmp_path, http, "https://a:8443/x", *asked, client="2001:db8::7", http_version="3")
    assert one(found, "protocol").details == ["a client does not send this: Connection"]
    answer = one(found, "answer")
    assert (answer.text, answer.data["status"]) == ("HTTP/3 204", 204)
    assert answer.details == ["seen: HTTP/3.0|h3||a|||https|on|TLSv1.3|2001:db8::7"]
    assert one(found, "server").text == 'a: its server_name is "a"'


def test_what_the_application_gets(tmp_path: Path) -> None:
    http = _server(tmp_path, "location / { uwsgi_pass 192.0.2.1:1; uwsgi_param P $server_protocol; }")
    found = told(tmp_path, http, "https://a:8443/", "X-Some: v", http_version="3")
    parameters = one(found, "upstream").data["parameters"]
    assert {("P", "HTTP/3.0"), ("HTTP_HOST", "a:8443"), ("HTTP_X_SOME", "v")} <= set(parameters)


@pytest.mark.parametrize("size", [12, 900_000, 3_000_000_000])
def test_bodies(size: int, tmp_path: Path) -> None:
    http = _server(
        tmp_path,
        """client_max_body_size 0; location / { uwsgi_request_buffering off; uwsgi_param L $content_length;
        uwsgi_pass 192.0.2.1:1; } location /all { proxy_pass http://192.0.2.1; }""",
    )
    http = http.replace("ssl_certificate ", "client_body_timeout 10s; ssl_certificate ", 1)
    found = told(tmp_path, http, "https://a:8443/", f"Content-Length: {size}", method="POST", http_version="3")
    assert one(found, "answer").data["status"] == 200
    assert ("L", str(size)) in one(found, "upstream").data["parameters"]
    if size < 10_000_000:
        found = told(tmp_path, http, "https://a:8443/all", f"Content-Length: {size}", method="POST", http_version="3")
        assert one(found, "answer").data["status"] == 200


def test_what_is_refused(tmp_path: Path) -> None:
    found = told(tmp_path, _server(tmp_path, "return 204;"), "https://a:8443/", "Host: a b", http_version="3")
    assert one(found, "answer").data["status"] == 400
    found = told(tmp_path, _server(tmp_path, "return 444;"), "https://a:8443/", http_version="3")
    assert one(found, "answer").text == "the connection is closed without an answer"
    assert texts(found, "protocol")[-1].startswith("the stream is reset, error 0x10")
    found = told(tmp_path, _server(tmp_path, "ssl_reject_handshake on;"), "https://a:8443/", http_version="3")
    assert one(found, "answer").text == "the connection is closed without an answer"
    assert texts(found, "protocol")[-1].startswith("the connection is closed, error 0x1")
    found = told(tmp_path, _server(tmp_path, "http3 off; return 204;"), "https://a:8443/", http_version="3")
    assert one(found, "answer").text == "the connection is closed without an answer"


def test_interim_answers_and_trailers_are_not_the_answer() -> None:
    import pylsqpack

    from gateway.dev.explain.http3_client import Http3Answer

    def block(*fields: tuple[bytes, bytes]) -> bytes:
        encoded = pylsqpack.Encoder().encode(0, list(fields))[1]
        return varint(HEADERS) + varint(len(encoded)) + encoded

    data = block((b":status", b"103"), (b"link", b"</a>")) + varint(0x21) + varint(3) + b"abc"
    data += block((b":status", b"404"), (b"x-long", b"l" * 40_000)) + varint(DATA) + varint(4) + b"none"
    data += block((b"x-behind", b"1"))
    answer = Http3Answer()
    for at in range(0, len(data), 7):
        answer.feed(data[at : at + 7])
    assert answer.head == b"HTTP/3 404\r\nx-long: " + b"l" * 40_000
