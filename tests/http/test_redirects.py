"""redirects: where a request goes on, what it takes along, and when it does not go."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import serving

# A limit is asked for where the URI leads to a location, as in nginx: a named one is not found by its URI.
LIMITS = """
    server { listen 127.0.0.1:8080; client_body_temp_path %s; root /nowhere;
        location / { client_max_body_size 10m; try_files $uri @app; }
        location /error { client_max_body_size 10m; error_page 404 = @app; }
        location /path { client_max_body_size 10m; try_files $uri /app; }
        location /rewritten { client_max_body_size 10m; rewrite ^ /app; }
        location /small { client_max_body_size 5; error_page 413 = @app; }
        location /if { client_max_body_size 10m; if ($arg_a) { return 200 in; } return 200 out; }
        location @app { client_max_body_size 5; return 200 $status; }
        location /app { client_max_body_size 5; return 200 path; } }
"""


@pytest.mark.parametrize(
    ("target", "status"),
    [("/", 200), ("/error", 200), ("/path", 413), ("/rewritten", 413), ("/small", 200), ("/if?a=1", 200)],
)
async def test_a_named_location_does_not_look_at_the_length_again(target: str, status: int, tmp_path: Path) -> None:
    async with serving(LIMITS % tmp_path) as engine:
        for extra in ({}, {"Expect": "100-continue"}):
            reply = await engine.request("POST", target, extra, b"x" * 50)
            assert reply.status == status, reply.body


@pytest.mark.parametrize(
    ("target", "seen"),
    [("/a?b", b"/a?b"), ("/a", b"/a?"), ("/a?b?c", b"/a?b?c"), ("@named", b"@ /x?y")],
)
async def test_a_target_is_cut_at_its_first_question_mark(target: str, seen: bytes) -> None:
    text = f"""server {{ listen 127.0.0.1:8080; root /nowhere; location / {{ try_files /none {target}; }}
        location /a {{ return 200 "$uri?$args"; }} location @named {{ return 200 "@ $uri?$args"; }} }}"""
    async with serving(text) as engine:
        assert (await engine.get("/x?y")).body == seen


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("try_files /none /x;", 'rewrite or internal redirection cycle while internally redirecting to "/x"'),
        ("error_page 404 /x; log_not_found off; recursive_error_pages on; return 404;",
         'rewrite or internal redirection cycle while internally redirecting to "/x"'),
        ("try_files /none @again;", 'rewrite or internal redirection cycle while redirect to named location "@again"'),
        ("try_files /none @other;", 'could not find named location "@other"'),
    ],
)  # fmt: skip
async def test_one_that_cannot_be_is_500_and_says_why(location: str, message: str) -> None:
    text = f"""server {{ listen 127.0.0.1:8080; root /nowhere; location / {{ {location} }}
        location @again {{ error_page 404 = @again; recursive_error_pages on; return 404; }} }}"""
    async with serving(text) as engine:
        assert (await engine.get("/x")).status == 500
        assert any(message in line for line in engine.log.lines), engine.log.lines
