from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http


def load(lines: str, passing: str = "proxy_pass http://127.0.0.1:1/x/;") -> None:
    load_http("server { listen 127.0.0.1:8080; location /a/ { " + passing + lines + "} }")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("proxy_redirect nothing;", 'invalid parameter "nothing"'),
        ("proxy_redirect off; proxy_redirect default;", '"proxy_redirect" directive is duplicate'),
        ("proxy_redirect default; proxy_redirect off;", '"proxy_redirect" directive is duplicate'),
        ("proxy_redirect ~( /;", "pcre2_compile() failed"),
        ("proxy_cookie_domain one;", 'invalid parameter "one"'),
        ("proxy_cookie_domain a b; proxy_cookie_domain off;", '"proxy_cookie_domain" directive is duplicate'),
        ("proxy_cookie_path one;", 'invalid parameter "one"'),
        ("proxy_cookie_path off; proxy_cookie_path a b;", '"proxy_cookie_path" directive is duplicate'),
        ("proxy_cookie_flags one;", 'invalid parameter "one"'),
        ("proxy_cookie_flags off; proxy_cookie_flags one secure;", '"proxy_cookie_flags" directive is duplicate'),
    ],
)
def test_refused(lines: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(lines)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("passing", "words"),
    [
        ("", '"proxy_redirect default" should be placed after the "proxy_pass" directive'),
        (
            "proxy_pass http://$host;",
            '"proxy_redirect default" cannot be used with "proxy_pass" directive with variables',
        ),
    ],
)
def test_the_default_redirect_follows_from_proxy_pass(passing: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load("proxy_redirect default;", passing)
    assert words in str(caught.value)


def test_accepted() -> None:
    load(
        """proxy_redirect default; proxy_redirect http://back/ /; proxy_redirect ~^http://([^/]+)(/.*)$ $2;
        proxy_redirect ~*^HTTP://x /; proxy_cookie_domain .back $host; proxy_cookie_domain ~\\.back$ $host;
        proxy_cookie_path /x/ /; proxy_cookie_path ~^/x/(.*)$ /$1; proxy_cookie_path ~*/Y/ /;
        proxy_cookie_flags one secure httponly samesite=lax; proxy_cookie_flags ~ nosecure nohttponly nosamesite;
        proxy_cookie_flags $arg_name $arg_flag;"""
    )
    load("proxy_redirect off; proxy_cookie_domain off; proxy_cookie_path off; proxy_cookie_flags off;")
