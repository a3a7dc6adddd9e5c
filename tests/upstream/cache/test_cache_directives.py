from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from gateway.core.logs import Log
from gateway.core.zones import ZoneError
from tests.engine import MemorySink, load_http

PATH = "proxy_cache_path /nowhere keys_zone=one:1m;"
SERVER = "server { listen 127.0.0.1:8080; location / { proxy_pass http://127.0.0.1:1; %s } }"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("proxy_cache one; proxy_cache off;", '"proxy_cache" directive is duplicate'),
        ("proxy_cache two;", '"proxy_cache" zone "two" is unknown in nginx.conf:'),
        ("proxy_store on; proxy_cache one;", '"proxy_cache" directive is incompatible with "proxy_store"'),
        ("proxy_cache one; proxy_store on;", '"proxy_store" directive is incompatible with "proxy_cache"'),
        ("proxy_cache_valid x;", 'invalid time value "x"'),
        ("proxy_cache_valid 99 1m;", 'invalid status "99"'),
        ("proxy_cache_valid 600 1m;", 'invalid status "600"'),
        ("proxy_cache_valid all 1m;", 'invalid status "all"'),
        ("proxy_cache_methods PUT;", 'invalid value "PUT"'),
        ("proxy_cache_use_stale http_418;", 'invalid value "http_418"'),
        ("proxy_cache_lock yes;", 'invalid value "yes" in "proxy_cache_lock" directive'),
        ("proxy_cache_key a; proxy_cache_key b;", '"proxy_cache_key" directive is duplicate'),
    ],
)
def test_refused(line: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(PATH + SERVER % line)
    assert words in str(caught.value)


def test_an_unknown_zone_is_said_where_the_block_ends() -> None:
    """As in nginx, which knows of it when all of the block has been read."""
    with pytest.raises(ConfigError) as caught:
        load_http(f"{PATH}\nproxy_cache two;\n{SERVER % ''}\n\n")
    message, _, line = str(caught.value).rpartition(":")
    assert message == '"proxy_cache" zone "two" is unknown in nginx.conf' and int(line) > 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("levels=1:2", '"proxy_cache_path" must have "keys_zone" parameter'),
        ("keys_zone=a", 'invalid keys zone size "keys_zone=a"'),
        ("keys_zone=a:x", 'invalid keys zone size "keys_zone=a:x"'),
        ("keys_zone=a:1", 'keys zone "keys_zone=a:1" is too small'),
        ("keys_zone=a:1m levels=3", 'invalid "levels" "levels=3"'),
        ("keys_zone=a:1m levels=1:1:1:1", 'invalid "levels" "levels=1:1:1:1"'),
        ("keys_zone=a:1m levels=1:", 'invalid "levels" "levels=1:"'),
        ("keys_zone=a:1m use_temp_path=x", 'invalid use_temp_path value "use_temp_path=x", it must be "on" or "off"'),
        ("keys_zone=a:1m inactive=x", 'invalid inactive value "inactive=x"'),
        ("keys_zone=a:1m max_size=x", 'invalid max_size value "max_size=x"'),
        ("keys_zone=a:1m min_free=x", 'invalid min_free value "min_free=x"'),
        ("keys_zone=a:1m loader_files=x", 'invalid loader_files value "loader_files=x"'),
        ("keys_zone=a:1m manager_sleep=x", 'invalid manager_sleep value "manager_sleep=x"'),
        ("keys_zone=a:1m else=x", 'invalid parameter "else=x"'),
        ("keys_zone=a:1m else", 'invalid parameter "else"'),
        ("keys_zone=one:2m", 'the size 2097152 of shared memory zone "one" conflicts'),
        ("keys_zone=one:1m", 'duplicate zone "one"'),
    ],
)
def test_a_path_refused(words: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(PATH + f"proxy_cache_path /elsewhere {words} inactive=1m;")
    assert message in str(caught.value)


def test_a_path_is_used_once() -> None:
    with pytest.raises(ConfigError, match="the same path name"):
        load_http(PATH + "uwsgi_cache_path /nowhere/ keys_zone=two:1m;")


def test_a_zone_is_of_one_protocol() -> None:
    with pytest.raises(ConfigError, match="already declared for a different use"):
        load_http(PATH + "uwsgi_cache_path /elsewhere keys_zone=one:1m;")


def test_the_parameters(tmp_path: Path) -> None:
    results = load_http(
        f"""proxy_cache_path {tmp_path}/ levels=2:1 keys_zone=one:1m inactive=5m max_size=1g min_free=2k
        use_temp_path=off loader_files=7 loader_sleep=1ms loader_threshold=2ms manager_files=8 manager_sleep=3ms
        manager_threshold=4;"""
        + SERVER % "proxy_cache one;"
    )
    location = results.servers[0].locations.find(None, b"/")  # type: ignore[arg-type]
    assert location is not None
    cache = next(conf for module, conf in location.confs.items() if module.name == "proxy").cache.zone.data
    assert (cache.inactive, cache.max_size, cache.min_free, cache.use_temp_path) == (300, 1 << 30, 2048, False)
    assert (cache.loader_files, cache.loader_sleep, cache.loader_threshold) == (7, 0.001, 0.002)
    assert (cache.manager_files, cache.manager_sleep, cache.manager_threshold) == (8, 0.003, 4.0)
    assert cache.file_of(bytes.fromhex("b7f54b2df7773722d382f4809d65029c")) == bytes(tmp_path) + (
        b"/9c/2/b7f54b2df7773722d382f4809d65029c"
    )


def test_a_key_is_asked_for() -> None:
    log = Log(MemorySink())
    text = "uwsgi_cache_path /nowhere keys_zone=one:1m; server { listen 127.0.0.1:8080; location / { %s } }"
    load_http(text % "uwsgi_pass 127.0.0.1:1; uwsgi_cache one;", log=log)
    load_http(text % "uwsgi_pass 127.0.0.1:1; uwsgi_cache one; uwsgi_cache_key x;")


def test_another_directory_after_a_reload() -> None:
    from gateway.core.temp_files import TempPath
    from gateway.core.zones import Zone
    from gateway.upstream.cache.file_cache import FileCache

    log = Log(MemorySink())
    old = Zone("one", 1 << 16, "proxy_cache", shared=False)
    old.user = FileCache("one", TempPath("/a", (1, 2)), log)
    old.map()
    for path, words in (
        (TempPath("/b", (1, 2)), 'cache "one" uses the "/b" cache path while previously it used the "/a" cache path'),
        (TempPath("/a", (2, 2)), 'cache "one" had previously different levels'),
    ):
        new = Zone("one", 1 << 16, "proxy_cache", shared=False)
        new.user = FileCache("one", path, log)
        with pytest.raises(ZoneError, match=words):
            new.map(old)
