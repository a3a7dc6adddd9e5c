from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.stream_engine import load_stream, serving


async def test_by_variable_names_and_conditions(tmp_path: Path) -> None:
    conf = f"""
        log_format f "$status $bytes_sent $remote_addr";
        server {{ listen 1; return hi; access_log {tmp_path}/$protocol f; access_log {tmp_path}/never$pid f if=0; }}
        server {{ listen 2; deny all; return hi; access_log {tmp_path}/$protocol f; }}
    """
    async with serving(conf) as engine:
        await engine.talk()
        await engine.ended()
        await engine.talk(listening=1)
        await engine.ended()
        assert (tmp_path / "TCP").read_text() == "200 2 127.0.0.1\n403 0 127.0.0.1\n"
        assert [file.name for file in tmp_path.iterdir()] == ["TCP"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("access_log /x;", "log format is not specified"),
        ("access_log /x combined;", 'unknown log format "combined"'),
    ],
)
def test_refused(line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_stream(f"log_format f a; server {{ listen 1; return a; {line} }}")
