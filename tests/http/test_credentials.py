"""Credentials: what of an Authorization field is a user and a password."""

from __future__ import annotations

from base64 import b64encode

import pytest

from tests.engine import serving

TEXT = 'server { listen 127.0.0.1:80; location / { return 200 "[$remote_user]"; } }'


@pytest.mark.parametrize(
    ("field", "user"),
    [
        ("Basic " + b64encode(b"me:secret").decode(), b"me"),
        ("BASIC    " + b64encode(b"me:").decode().rstrip("="), b"me"),
        ("Basic " + b64encode(b"me:a:b").decode(), b"me"),
        ("Basic " + b64encode(b"me").decode(), b""),
        ("Basic " + b64encode(b":secret").decode(), b""),
        ("Basic ", b""),
        ("Basic !!!", b""),
        ("Bearer " + b64encode(b"me:secret").decode(), b""),
    ],
)
async def test_remote_user(field: str, user: bytes) -> None:
    async with serving(TEXT) as engine:
        assert (await engine.get("/", {"Authorization": field})).body == b"[%b]" % user
        assert (await engine.get("/")).body == b"[]"
