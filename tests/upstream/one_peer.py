"""A server whose only location passes to one peer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.engine import Engine, serving
from tests.fakes import Peer, farm

STATES = "$upstream_addr|$upstream_status|$upstream_response_length"


@asynccontextmanager
async def one(peer: Peer | str, tmp_path: Path, inside: str = "", outside: str = "") -> AsyncIterator[Engine]:
    """A server whose only location passes to this peer (or address)."""
    async with farm(tmp_path) as peers:
        address = peer if isinstance(peer, str) else await peers.tcp(peer)
        text = f"""
            uwsgi_temp_path {tmp_path}; client_body_temp_path {tmp_path}; {outside}
            server {{ listen 127.0.0.1:8080; server_name localhost;
                location / {{ uwsgi_pass {address}; uwsgi_param CONTENT_LENGTH $content_length;
                              add_header X-States "{STATES}" always; {inside} }}
                location /plain {{ return 200 plain:$uri; }}
                location @named {{ return 200 named; }}
            }}"""
        async with serving(text) as engine:
            yield engine


def lines(engine: Engine, level: str = "") -> list[str]:
    """The error log without what stands around the messages."""
    return [line for line in engine.log.lines if f"[{level}" in line]
