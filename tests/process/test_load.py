"""Reading nginx.conf for the processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from gateway.core.zones import Zone
from tests.modules.loading import load_text
from tests.process.memory_log import memory_log


def test_listens(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, "events { } http { server { listen 127.0.0.1:1; } server { listen 127.0.0.2:2; } }")
    assert [address.text for address in loaded.listens] == ["127.0.0.1:1", "127.0.0.2:2"]
    assert load_text(tmp_path, "events { }").listens == ()


def test_more_listening_sockets_than_connections(tmp_path: Path) -> None:
    text = "events { worker_connections 1; } http { server { listen 127.0.0.1:1; } }"
    with pytest.raises(ConfigError, match=r"^1 worker_connections are not enough for 1 listening sockets$"):
        load_text(tmp_path, text)


def test_an_earlier_mistake_comes_before_one_of_reading(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown directive"):
        load_text(tmp_path, "events { } what; http {")
    with pytest.raises(ConfigError, match="unexpected end of file"):
        load_text(tmp_path, "events { } http {")


def test_warnings_before_the_mistake(tmp_path: Path) -> None:
    log, lines = memory_log()
    with pytest.raises(ConfigError):
        load_text(tmp_path, "events { debug_connection 127.0.0.1; } what;", log=log)
    assert len(lines) == 1
    assert "[warn]" in lines[0]


class NoUse:
    def attach(self, zone: Zone, old: object) -> None:
        """Nothing is cut from it."""


def test_zones_of_an_old_configuration_go_on(tmp_path: Path) -> None:
    old = load_text(tmp_path, "events { }")
    old.zones.add("z", 8192, "test").user = NoUse()
    old.share(None)
    new = load_text(tmp_path, "events { }")
    new.zones.add("z", 8192, "test").user = NoUse()
    new.share(old)
    zones = [loaded.zones.get("z") for loaded in (old, new)]
    assert zones[0] is not None
    assert zones[1] is not None
    assert zones[0]._memory is zones[1]._memory
    assert old.counters is new.counters


def test_a_zone_that_cannot_be(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, "events { }")
    loaded.zones.add("z", 0, "test")
    with pytest.raises(ConfigError, match='zero size shared memory zone "z"'):
        loaded.share(None)


def further(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, text)
    errors = (caught.value, *caught.value.further)
    return [f"{error.message} {error.where.line if error.where else 0}" for error in errors]


def test_all_mistakes_in_one_run(tmp_path: Path) -> None:
    text = "events { }\nwhat;\nhttp {\n server { listen 1.2.3.4:x; root }\n gzip maybe;;\n location / { }\n}\n"
    text += "user a b c;"
    assert further(tmp_path, text) == [
        'unknown directive "what" 2',
        'invalid port in "1.2.3.4:x" of the "listen" directive 4',
        'invalid number of arguments in "root" directive 4',
        'unexpected "}" 4',
        'invalid value "maybe" in "gzip" directive, it must be "on" or "off" 5',
        'unexpected ";" 5',
        '"location" directive is not allowed here 6',
        'invalid number of arguments in "user" directive 8',
    ]


def test_consequences_of_a_mistake_are_not_told(tmp_path: Path) -> None:
    text = "events { }\nhttp {\n log_format main;\n access_log a main;\n gzip x;\n"
    assert further(tmp_path, text) == [
        'invalid number of arguments in "log_format" directive 3',
        'invalid value "x" in "gzip" directive, it must be "on" or "off" 5',
        'unexpected end of file, expecting "}" 6',
    ]
    text = "events { }\nhttp {\n server {\n location / { root x;\n }\n server { }\n server { }\n"
    assert further(tmp_path, text) == [
        '"server" directive is not allowed here 6',
        'unexpected end of file, expecting "}" 8',
    ]


def test_a_mistake_that_is_found_at_the_end_stands_alone(tmp_path: Path) -> None:
    assert further(tmp_path, "http { }") == ['no "events" section in configuration 0']
