from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import trio

from gateway.cluster.address import parse_address
from gateway.cluster.store import StoreError, StoreSettings, opened
from tests.cluster.redis import Redis, needs_redis
from tests.process.running import free_port

pytestmark = needs_redis
_ECHO = "return {KEYS[1], ARGV[1]}"


async def test_a_script(redis: Redis) -> None:
    async with opened(StoreSettings(parse_address(redis.url))) as store:
        for _ in range(2):
            assert await store.run(_ECHO, ["k"], [b"\xff\0"]) == [b"k", b"\xff\0"]
        redis.ask("SCRIPT", "FLUSH")
        assert await store.run(_ECHO, ["k"], [1]) == [b"k", b"1"]


async def test_nobody_there() -> None:
    address = parse_address(f"redis://127.0.0.1:{free_port()}")
    with pytest.raises(StoreError, match="connection"):
        async with opened(StoreSettings(address)) as store:
            await store.run(_ECHO, ["k"], [1])


async def test_one_that_does_not_answer(redis: Redis) -> None:
    settings = StoreSettings(parse_address(redis.url), timeout=0.2)
    began = trio.current_time()
    with pytest.raises(StoreError):
        async with opened(settings) as store:
            await store.run(_ECHO, ["k"], [1])
            redis.pause()
            await store.run(_ECHO, ["k"], [1])
    assert trio.current_time() - began < 15
    redis.go_on()


async def test_a_password(tmp_path: Path) -> None:
    redis = Redis(tmp_path, "--requirepass", "secret")
    redis.start()
    try:
        where = redis.url.removeprefix("redis://")
        async with opened(StoreSettings(parse_address(f"redis://:secret@{where}"))) as store:
            assert await store.run(_ECHO, ["k"], [1]) == [b"k", b"1"]
        for wrong in ("", ":other@"):
            with pytest.raises(StoreError):
                async with opened(StoreSettings(parse_address(f"redis://{wrong}{where}"))) as store:
                    await store.run(_ECHO, ["k"], [1])
    finally:
        redis.kill()


async def test_by_a_socket(tmp_path: Path) -> None:
    redis = Redis(tmp_path, "--unixsocket", str(tmp_path / "s"))
    redis.start()
    try:
        async with opened(StoreSettings(parse_address(f"unix://{tmp_path}/s"))) as store:
            assert await store.run(_ECHO, ["k"], [1]) == [b"k", b"1"]
    finally:
        redis.kill()


_IMPORTS = """
import importlib, sys, trio
from gateway.cluster.address import parse_address
from gateway.cluster.store import NEEDED, StoreSettings, opened
for name in NEEDED:
    importlib.import_module(name)
before = set(sys.modules)
async def main():
    async with opened(StoreSettings(parse_address(sys.argv[1]))) as store:
        await store.run("return 1", ["k"], [])
trio.run(main)
print(sorted(set(sys.modules) - before))
"""


def test_nothing_is_imported_by_a_connection(redis: Redis) -> None:
    """A worker that has given up its rights may not read where that lies."""
    done = subprocess.run([sys.executable, "-c", _IMPORTS, redis.url], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


async def test_a_mistake_of_ours_is_no_fault_of_the_store(redis: Redis) -> None:
    with pytest.raises(ExceptionGroup):
        async with opened(StoreSettings(parse_address(redis.url))):
            raise ZeroDivisionError
