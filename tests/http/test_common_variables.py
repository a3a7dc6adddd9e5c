"""The variables that upstreams are told, against requests of every kind."""

from __future__ import annotations

from tests.engine import serving

CONF = """
server { listen 127.0.0.1:8080; server_name Some.Name other;
    location / { root /srv/files;
        return 200 "$host|$request_method|$request_uri|$uri|$document_uri|$args|$query_string|$server_protocol|\
$scheme|$server_name|$request_port|$content_length|$content_type|$document_root|$http_x_y|$http_none"; }
}"""


async def test_values() -> None:
    async with serving(CONF) as engine:
        reply = await engine.raw(
            b"POST /a%20b/../c?x=1&y HTTP/1.1\r\nHost: Some.Name:81\r\nX-Y: one\r\nx-y: two\r\nContent-Length: 2\r\n"
            b"Content-Type: text/plain\r\nConnection: close\r\n\r\nok"
        )
        assert reply.partition(b"\r\n\r\n")[2] == (
            b"some.name|POST|/a%20b/../c?x=1&y|/c|/c|x=1&y|x=1&y|HTTP/1.1|http|some.name|81|2|text/plain|/srv/files|"
            b"one, two|"
        )
        reply = await engine.raw(b"GET / HTTP/1.0\r\n\r\n")
        assert reply.partition(b"\r\n\r\n")[2] == (
            b"some.name|GET|/|/|/|||HTTP/1.0|http|some.name||||/srv/files||"
        )


FOUND_ONCE = """
server { listen 127.0.0.1:8080; limit_rate 5k;
    location / { set $early "$sent_http_content_type|$limit_rate";
        add_header X-Kept "$early|$sent_http_content_type|$limit_rate"; return 200 text; }
    location /late { add_header X-Kept "$sent_http_content_type"; return 200 text; }
}"""


async def test_what_is_sent_is_found_once() -> None:
    async with serving(FOUND_ONCE) as engine:
        assert (await engine.get("/")).header("x-kept") == b"|0||0"
        assert (await engine.get("/late")).header("x-kept") == b"text/plain"
