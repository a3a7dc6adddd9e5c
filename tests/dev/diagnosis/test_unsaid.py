"""Failures without a line in the error log: which line of the configuration answers so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dev.diagnosis.asking import explaining

SAYS = "The error log says nothing of it: {}.\n"


@pytest.mark.parametrize(
    ("inside", "method", "status", "why"),
    [
        ("location /x { return 404; }", "GET", 404, "return 404 (nginx.conf:4)"),
        ("if ($request_method = POST) { return 405; } root {tmp};", "POST", 405, "return 405 (nginx.conf:4)"),
        (
            "location /x { if ($arg_a) { return 403; } if ($arg_b) { return 403 no; } return 403; }",
            "GET",
            403,
            "return 403 (nginx.conf:4), or another of its 3",
        ),
        (
            "root {tmp}; location / { try_files $uri $uri/ =404; }",
            "GET",
            404,
            "try_files $uri $uri/ =404 (nginx.conf:4): none of its files is there (root {tmp} (nginx.conf:4))",
        ),
        (
            "location /x { internal; root {tmp}; }",
            "GET",
            404,
            "this location is internal (nginx.conf:4): only error_page, try_files, X-Accel-Redirect and the like lead "
            "into it, and no client",
        ),
        (
            "location /x { alias {tmp}/a; }",
            "PUT",
            405,
            "PUT came to what serves files (alias {tmp}/a (nginx.conf:4)), and those are read by GET and HEAD alone: a "
            "location with the application's *_pass does not match this URI",
        ),
        (
            "location / { auth_request /a; root {tmp}; } location /a { return 403; }",
            "GET",
            403,
            "auth_request /a (nginx.conf:4) was answered with 403",
        ),
        ("location / { mirror off; return 410; }", "GET", 410, "return 410 (nginx.conf:4)"),
    ],
)
async def test_the_line_that_answers(tmp_path: Path, inside: str, method: str, status: int, why: str) -> None:
    (tmp_path / "a").write_text("")
    text = "diagnosis_page local; " + inside.replace("{tmp}", str(tmp_path))
    async with explaining(text, tmp_path) as engine:
        reply = await engine.request(method, "/x")
        page = reply.body.decode()
        assert reply.status == status
        assert SAYS.format(why.replace("{tmp}", str(tmp_path))) in page
