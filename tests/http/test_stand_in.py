from __future__ import annotations

import pytest

from gateway._fast.errors import HeadError
from gateway.core.template import compile_template
from gateway.http.stand_in import stand_in
from tests.engine import serving

TEXT = """
map $arg_a $mapped { default no; 1 yes; }
server { listen 127.0.0.1:8080; server_name site; }
"""


async def test_what_variables_say_of_it() -> None:
    async with serving(TEXT) as engine:
        registry = engine.cycle.variables
        root = engine.cycle.servers[0].root
        request = stand_in(engine.cycle, engine.worker, root, b"GET", b"/a%20b?a=1", b"Up.test:81")
        for text, value in (
            ("$request_method $uri $request_uri $args $is_args", b"GET /a b /a%20b?a=1 a=1 ?"),
            ("$host $http_host $server_name $scheme", b"up.test Up.test:81 site http"),
            ("$remote_addr $proxy_add_x_forwarded_for", b"127.0.0.1 127.0.0.1"),
            ("$http_cookie$cookie_x$content_length$upstream_addr", b""),
            ("$server_addr $server_port $remote_port", b"127.0.0.1 80 "),
            ("$bytes_sent $body_bytes_sent $connection $connection_requests $pipe", b"0 0 0 1 ."),
            ("$mapped $server_protocol", b"yes HTTP/1.0"),
        ):
            template = compile_template(text, registry)
            registry.finish()
            assert template(request) == value, text
        with pytest.raises(HeadError):
            stand_in(engine.cycle, engine.worker, engine.cycle.servers[0].root, b"GET", b"/a b", b"x")
