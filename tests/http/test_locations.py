"""nginx's choice among locations: exact, longest prefix, nested ones, regular expressions."""

from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving

CONF = r"""
server {
    listen 127.0.0.1:1;
    location = /exact { return 200 exact; }
    location / { return 200 root; }
    location /images/ {
        return 200 images;
        location /images/big/ { return 200 big; }
        location ^~ /images/kept/ { return 200 kept; }
        location = /images/one.png { return 200 one; }
        location ~ \.svg$ { return 200 inner-svg; }
    }
    location ^~ /static/ {
        return 200 static;
        location /static/deep/ { return 200 deep; }
        location ~ /deep/.*\.css$ { return 200 css; }
    }
    location ~ \.png$ {
        return 200 png;
        location ~ ^/(a|b)/ { return 200 "png-$1"; }
    }
    location ~ \.svg$ { return 200 svg; }
}
"""


@pytest.mark.parametrize(
    ("uri", "chosen"),
    [
        ("/exact", b"exact"),
        ("/exact/", b"root"),
        ("/other", b"root"),
        ("/other.png", b"png"),
        ("/a/other.png", b"png-a"),
        ("/images/", b"images"),
        ("/images/x", b"images"),
        ("/images/big/x", b"big"),
        ("/images/big/x.png", b"png"),
        ("/images/one.png", b"one"),
        ("/images/two.png", b"png"),
        ("/images/two.svg", b"inner-svg"),
        # ^~ rules out the regular expressions of its own level; those of the outer level are asked
        ("/images/kept/x.png", b"png"),
        ("/images/kept/x.svg", b"svg"),
        ("/static/x.png", b"static"),
        ("/static/deep/x.png", b"deep"),
        ("/static/deep/x.css", b"css"),
        ("/static", b"root"),
    ],
)
async def test_choice(uri: str, chosen: bytes) -> None:
    async with serving(CONF) as engine:
        assert (await engine.get(uri)).body == chosen


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        *(("/one", 301), ("/one/", 502), ("/two", 301), ("/three", 204), ("/four", 204), ("/five", 204)),
        *(("/six", 301), ("/six/", 205), ("/six/x", 502)),
    ],
)
async def test_a_slash_is_added_for_what_is_passed_on(uri: str, status: int) -> None:
    """A location of a *_pass that ends in a slash, exact ones too, unless the URI has a location of its own."""
    conf = """
    server {
        listen 127.0.0.1:1;
        location / { return 204; }
        location = /one/ { proxy_pass http://127.0.0.1:1; }
        location /two/ { proxy_pass http://127.0.0.1:1; }
        location = /three/ { proxy_pass http://127.0.0.1:1; }
        location /three { return 204; }
        location = /four/ { proxy_pass http://127.0.0.1:1; }
        location = /four { return 204; }
        location = /six/ { return 205; }
        location /six/ { proxy_pass http://127.0.0.1:1; }
        location = /five/ { return 200; }
    }
    """
    async with serving(conf) as engine:
        assert (await engine.get(uri)).status == status


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ("location ~ ^/a { location /a/b { } }", r'location "/a/b" is outside location "\^/a"'),
        ("location /a { location /b { } }", 'location "/b" is outside location "/a"'),
        ("location ~ /a { location @n { } }", 'named location "@n" can be on the server level only'),
        ("large_client_header_buffers 4 100;", 'the "large_client_header_buffers" size must be equal to or greater'),
    ],
)
def test_refused(inside: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_http(f"server {{ listen 127.0.0.1:80; {inside} }}")


@pytest.mark.parametrize(
    "text",
    [
        "server { listen 127.0.0.1:80; location ~ /a { location /a/b { } location ~ /c { } location = /a { } } }",
        "server { listen 127.0.0.1:80; server_name a*; } server { listen 127.0.0.1:81; server_name b; }",
        "server { listen 127.0.0.1:80; large_client_header_buffers 4 512; }",
        "server { listen 127.0.0.1:80; location / { proxy_cookie_flags a foo; proxy_pass http://127.0.0.1:1; } }",
        "server { listen 127.0.0.1:80; return 200 $ssl_curve$ssl_sigalgs$ssl_early_data$ssl_ech_status$http3; }",
    ],
)
def test_taken(text: str) -> None:
    load_http(text)


def test_a_wildcard_where_none_may_be_among_several_servers() -> None:
    text = "server { listen 127.0.0.1:80; server_name a*; } server { listen 127.0.0.1:80; server_name b; }"
    with pytest.raises(ConfigError, match=r'invalid server name or wildcard "a\*" on 127\.0\.0\.1:80'):
        load_http(text)
