"""Words that the system would not see whole are errors with file and line, in every directive that names something."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.process.running import GATEWAY, Running


def in_http(text: str) -> str:
    return f"http {{\n{text} }}"


def in_server(text: str, ssl: str = "") -> str:
    return f"http {{ server {{ listen 127.0.0.1:8080 {ssl};\n{text} }} }}"


@pytest.mark.parametrize(
    "text",
    [
        '\nuser "a\0b";',
        '\nuser root "a\0b";',
        '\nerror_log "a\0b";',
        '\npid "a\0b";',
        '\nenv "a\0b=c";',
        '\nworking_directory "/a\0b";',
        in_http('access_log "a\0b";'),
        in_http('client_body_temp_path "a\0b";'),
        in_http('proxy_cache_path "a\0b" keys_zone=c:1m;'),
        in_http('upstream u { server "unix:/a\0b"; }'),
        in_server('root "a\0b";'),
        in_server('error_log "a\0b";'),
        in_server('listen "unix:/a\0b";'),
        in_server('listen "127.0.0.1\0:8081";'),
        in_server('ssl_certificate "a\0b"; ssl_certificate_key "a\0b";', "ssl"),
        in_server('location / { proxy_pass "http://unix:/a\0b"; }'),
        'stream { server {\nlisten "unix:/a\0b"; return x; } }',
        'stream { upstream u {\nserver "unix:/a\0b"; } }',
    ],
    ids=lambda text: text.rpartition("\n")[2].partition(" ")[0],
)
def test_a_nul_byte(text: str, tmp_path: Path) -> None:
    with Running(tmp_path, GATEWAY) as running:
        (tmp_path / "nginx.conf").write_text(f"events {{ }} {text}")
        done = running.run("-t")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "[emerg]" in done.stderr and "nginx.conf:2\n" in done.stderr
    assert not list(tmp_path.glob("a*"))
