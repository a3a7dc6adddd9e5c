from __future__ import annotations

from pathlib import Path

import pytest

from gateway.upstream.passing import strip_scheme
from tests.engine import serving
from tests.fakes import answer, farm


async def test_variables(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        tcp, unix = await peers.tcp(answer()), await peers.unix(answer())
        port = tcp.rpartition(":")[2]
        text = f"""
            upstream app {{ server {tcp}; }}
            server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass $arg_to; }} }}"""
        async with serving(text) as engine:
            for target in (tcp, unix, "app", "APP", f"uwsgi://{tcp}", f"UWSGI://{tcp}", f"localhost:{port}"):
                assert (await engine.get(f"/?to={target}")).status == 200, target
            for target, status, words in (
                ("", 500, 'no host in upstream ""'),
                ("127.0.0.1", 500, 'no port in upstream "127.0.0.1"'),
                ("other", 500, 'no port in upstream "other"'),
                ("a:b", 500, 'invalid port in upstream "a:b"'),
                ("no-such-host.invalid:1", 502, "no-such-host.invalid could not be resolved (3: Host not found)"),
            ):
                assert (await engine.get(f"/?to={target}")).status == status, target
                assert words in engine.log.lines[-1]


@pytest.mark.parametrize("text", [b"a:1", b"uwsgi://a:1", b"Uwsgi://a:1"])
def test_scheme(text: bytes) -> None:
    assert strip_scheme(text, (b"uwsgi://",)) == b"a:1"
