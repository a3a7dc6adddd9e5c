from __future__ import annotations

from pathlib import Path

from tests.engine import serving
from tests.fakes import Asked, answer, farm


async def test_a_request_goes_to_the_application(tmp_path: Path) -> None:
    asked: list[Asked] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(asked=asked))
        text = f"""
        server {{ listen 127.0.0.1:8080; server_name example.org;
            location / {{
                uwsgi_pass {address};
                uwsgi_param REQUEST_METHOD $request_method;
                uwsgi_param QUERY_STRING $query_string;
                uwsgi_modifier1 5; uwsgi_modifier2 6;
            }} }}
        """
        async with serving(text) as engine:
            reply = await engine.get("/x?a=1", {"X-Tag": "one"}, host="example.org:8080")
            assert reply.status == 200
            assert reply.body == b"ok\n"
            assert reply.header("content-type") == b"text/plain"
    (request,) = asked
    assert request.modifiers == (5, 6)
    assert request.pairs == [
        (b"REQUEST_METHOD", b"GET"),
        (b"QUERY_STRING", b"a=1"),
        (b"HTTP_HOST", b"example.org:8080"),
        (b"HTTP_CONNECTION", b"close"),
        (b"HTTP_X_TAG", b"one"),
    ]
