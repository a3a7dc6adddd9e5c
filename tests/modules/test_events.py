"""The events block; messages compared with a real nginx."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.modules.loading import load_text
from tests.process.memory_log import memory_log


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'no "events" section in configuration'),
        ("events { } events { }", '"events" directive is duplicate in %s:1'),
        ("events { worker_connections x; }", 'invalid number "x" in %s:1'),
        (
            "events { worker_connections 9; worker_connections 9; }",
            '"worker_connections" directive is duplicate in %s:1',
        ),
        ("events { worker_connections 0; }", "0 worker_connections are not enough for 0 listening sockets"),
        ("events { use kqueue; }", 'invalid event type "kqueue" in %s:1'),
        ("events { use epoll; use epoll; }", '"use" directive is duplicate in %s:1'),
        ("events { listen 80; }", '"listen" directive is not allowed here in %s:1'),
    ],
)
def test_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, text)
    assert str(caught.value) == message.replace("%s", f"{tmp_path}/nginx.conf")


def test_what_has_no_meaning_is_taken(tmp_path: Path) -> None:
    log, lines = memory_log()
    load_text(tmp_path, "events { use epoll; multi_accept on; accept_mutex off; }", log=log)
    assert lines == []


def test_there_is_no_debug_log(tmp_path: Path) -> None:
    log, lines = memory_log()
    load_text(tmp_path, "events { debug_connection 127.0.0.1; }", log=log)
    words = '"debug_connection" is ignored, there is no debug log here'
    assert lines == [f"[warn] {words} in {tmp_path}/nginx.conf:1"]


def test_more_connections_than_descriptors(tmp_path: Path) -> None:
    log, lines = memory_log()
    load_text(tmp_path, "worker_rlimit_nofile 100; events { worker_connections 101; }", log=log)
    assert lines == ["[warn] 101 worker_connections exceed open file resource limit: 100"]
