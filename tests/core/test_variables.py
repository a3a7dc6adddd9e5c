"""The registry of variables: families and their members."""

from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving


async def test_a_family_has_a_member_without_a_name() -> None:
    conf = "server { listen 127.0.0.1:8080; location / { return 200 $arg_a:$arg_:$http_:$cookie_; } }"
    async with serving(conf) as engine:
        assert (await engine.get("/?a=1")).body == b"1:::"


@pytest.mark.parametrize(
    "text", ["map $uri $host { default x; }", "server { listen 127.0.0.1:80; set $uri x; }", "geo $request_uri { }"]
)
def test_what_is_the_server_s_own_cannot_be_redefined(text: str) -> None:
    with pytest.raises(ConfigError, match=r'the duplicate "(host|uri|request_uri)" variable in nginx\.conf:2'):
        load_http(text)
