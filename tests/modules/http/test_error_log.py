"""error_log in all its contexts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.config.errors import ConfigError
from gateway.core.logs import DEBUG, ERROR, INFO, WARN, FileSink, Log
from gateway.core.syslog import SyslogSink
from gateway.process.load import Loaded
from tests.modules.loading import load_text


def destinations(log: Log) -> list[tuple[Any, int]]:
    return [
        (sink.file.name if isinstance(sink, FileSink) else sink.peer.name, sink.level)
        for sink in log.sinks
        if isinstance(sink, FileSink | SyslogSink)
    ]


def location_log(loaded: Loaded, *path: int) -> Log:
    assert loaded.http is not None
    location = loaded.http.servers[0].root
    for index in path:
        location = location.children[index]
    log: Log = location.core.error_log
    return log


def test_main(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path, "error_log a; error_log /b debug; error_log syslog:server=127.0.0.1 warn; events { }"
    )
    assert destinations(loaded.log) == [("/b", DEBUG), ("127.0.0.1", WARN), (f"{tmp_path}/a", ERROR)]
    assert not loaded.uses_stderr


def test_inner_blocks_have_their_own_or_the_outer_one(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path,
        """events { }
        http {
            error_log h info;
            server {
                listen 127.0.0.1:1;
                location /a { }
                location /b { error_log b; error_log stderr warn; location /b/c { } }
            }
        }""",
    )
    assert destinations(location_log(loaded, 0)) == [(f"{tmp_path}/h", INFO)]
    assert destinations(location_log(loaded, 1)) == [("", WARN), (f"{tmp_path}/b", ERROR)]
    assert location_log(loaded, 1, 0) is location_log(loaded, 1)
    assert loaded.uses_stderr
    assert loaded.log.sinks == []


def test_without_any_it_is_the_main_one(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, "events { } http { server { listen 127.0.0.1:1; location / { } } }")
    assert location_log(loaded, 0) is loaded.log


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("error_log x loud;", 'invalid log level "loud"'),
        ("error_log x info debug;", 'duplicate log level "debug"'),
        ("error_log syslog:;", 'unknown syslog parameter ""'),
        ("error_log syslog:server=nosuch.invalid;", 'host not found in syslog server "nosuch.invalid"'),
        ("error_log memory:32k;", "gateway has no memory: log, name a file, stderr or syslog:"),
        ("error_log;", 'invalid number of arguments in "error_log" directive'),
    ],
)
def test_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, f"events {{ }} {text}")
    assert str(caught.value) == f"{message} in {tmp_path}/nginx.conf:1"
