"""The registry of variables: families and their members."""

from __future__ import annotations

from tests.engine import serving


async def test_a_family_has_a_member_without_a_name() -> None:
    conf = "server { listen 127.0.0.1:8080; location / { return 200 $arg_a:$arg_:$http_:$cookie_; } }"
    async with serving(conf) as engine:
        assert (await engine.get("/?a=1")).body == b"1:::"
