from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.upstream.exchange.http_target import BadPrefix, parse_url, request_target


@pytest.mark.parametrize(
    ("url", "address", "host", "port", "uri"),
    [
        (b"http://back", b"back", b"back", b"80", b""),
        (b"HTTP://back/", b"back", b"back", b"80", b"/"),
        (b"http://back:80/x", b"back:80", b"back", b"80", b"/x"),
        (b"http://127.0.0.1:8080/x?y", b"127.0.0.1:8080", b"127.0.0.1:8080", b"8080", b"/x?y"),
        (b"http://back?y", b"back", b"back", b"80", b"?y"),
        (b"https://back", b"back", b"back", b"443", b""),
        (b"HTTPS://back:443/x", b"back:443", b"back", b"443", b"/x"),
        (b"https://back:80/x", b"back:80", b"back:80", b"80", b"/x"),
        (b"http://back#y", b"back", b"back", b"80", b"#y"),
        (b"http://[::1]:81/", b"[::1]:81", b"[::1]:81", b"81", b"/"),
        (b"http://unix:/run/app.sock", b"unix:/run/app.sock", b"localhost", b"", b""),
        (b"http://unix:/run/app.sock:/x", b"unix:/run/app.sock", b"localhost", b"", b"/x"),
    ],
)
def test_urls(url: bytes, address: bytes, host: bytes, port: bytes, uri: bytes) -> None:
    destination, _ = parse_url(url)
    found = (destination.url, destination.address, destination.host, destination.port, destination.uri)
    assert found == (url, address, host, port, uri)


@pytest.mark.parametrize("url", [b"back", b"ftp://back", b"//back", b""])
def test_other_schemes(url: bytes) -> None:
    with pytest.raises(BadPrefix, match="invalid URL prefix"):
        parse_url(url)


@pytest.mark.parametrize("url", [b"http://", b"http://back:x/", b"http://back:70000/", b"http://:80/"])
def test_bad_addresses(url: bytes) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        parse_url(url)
    assert caught.value.args[1] == url[7:]


def asked(uri: bytes, **changes: Any) -> Any:
    head = SimpleNamespace(target=b"/a/./c%20d?x", quoted_uri=True)
    request = SimpleNamespace(
        uri=uri, args=b"x", valid_unparsed_uri=True, valid_location=True, internal=False, head=head
    )
    request.main = request
    for name, value in changes.items():
        setattr(request, name, value)
    return request


@pytest.mark.parametrize(
    ("uri", "changes", "target"),
    [
        # nothing in the URL: as the client wrote it, unless it was changed
        (b"", {}, b"/a/./c%20d?x"),
        (b"", {"valid_unparsed_uri": False}, b"/a/c%20d?x"),
        # a URI in the URL stands for the location's name
        (b"/b/", {}, b"/b/c%20d?x"),
        (b"/", {}, b"/c%20d?x"),
        (b"/b/", {"args": b""}, b"/b/c%20d"),
        # rewrite … break: what it made is the URI
        (b"/b/", {"valid_unparsed_uri": False, "valid_location": False}, b"/a/c%20d?x"),
    ],
)
def test_the_request_line(uri: bytes, changes: dict[str, Any], target: bytes) -> None:
    assert request_target(asked(b"/a/c d", **changes), uri, b"/a/", whole=False) == target


def test_an_uri_without_anything_to_quote_is_taken_as_it_is() -> None:
    request = asked(b"/a/c", head=SimpleNamespace(target=b"/a/c", quoted_uri=False), args=b"")
    assert request_target(request, b"/b/", b"/a/", whole=False) == b"/b/c"


def test_a_url_with_variables() -> None:
    assert request_target(asked(b"/a/c d"), b"/whole?of=it", b"", whole=True) == b"/whole?of=it"
    assert request_target(asked(b"/a/c d"), b"", b"", whole=True) == b"/a/./c%20d?x"
