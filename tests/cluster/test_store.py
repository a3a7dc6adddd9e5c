from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import trio

from gateway.cluster.address import parse_address
from gateway.cluster.store import StoreError, StoreSettings, opened
from tests.cluster.redis import SERVER, Redis, needs_redis
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
    with pytest.raises(StoreError, match="Connection refused"):
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


def _started(folder: Path, name: str, *options: str) -> Redis:
    (folder / name).mkdir()
    made = Redis(folder / name, *options)
    made.start()
    return made


async def test_tls_and_a_password(tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        capture_output=True, timeout=30, check=True,
    )  # fmt: skip
    port = free_port()
    files = ["--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-ca-cert-file", str(certificate)]
    files += ["--tls-auth-clients", "no", "--requirepass", "pass"]
    redis = _started(tmp_path, "tls", "--tls-port", str(port), *files)
    try:
        address = parse_address(f"rediss://:pass@127.0.0.1:{port}")
        async with opened(StoreSettings(address, trusted=certificate.read_text())) as store:
            assert await store.run(_ECHO, ["k"], [b"x"]) == [b"k", b"x"]
        with pytest.raises(StoreError):  # nobody has said that this certificate may be trusted
            async with opened(StoreSettings(address)) as store:
                await store.run(_ECHO, ["k"], [b"x"])
    finally:
        redis.kill()


async def test_sentinel_finds_the_primary_also_a_new_one(tmp_path: Path) -> None:
    first = _started(tmp_path, "first")
    second = _started(tmp_path, "second", "--replicaof", "127.0.0.1", str(first.port))
    (tmp_path / "sentinel.conf").write_text(
        f"sentinel monitor main 127.0.0.1 {first.port} 1\nsentinel down-after-milliseconds main 500\n"
        "sentinel failover-timeout main 2000\n"
    )
    watcher = Redis(tmp_path)
    assert SERVER is not None
    conf = str(tmp_path / "sentinel.conf")
    command = [SERVER, conf, "--sentinel", "--port", str(watcher.port), "--bind", "127.0.0.1"]
    watcher.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    settings = StoreSettings(parse_address(f"redis+sentinel://127.0.0.1:{watcher.port}/main"))

    async def set_there(value: str) -> None:
        with trio.fail_after(40):
            while True:
                try:
                    async with opened(settings) as store:
                        await store.run("redis.call('SET', KEYS[1], ARGV[1])", ["k"], [value])
                        return
                except StoreError:
                    await trio.sleep(0.2)

    try:
        await set_there("1")
        assert first.ask("GET", "k") == b"$1\r\n1\r\n"
        with trio.fail_after(20):  # the watcher has to know the replica
            while b"slaves=1" not in watcher.ask("INFO", "sentinel") or second.ask("GET", "k") != b"$1\r\n1\r\n":
                await trio.sleep(0.1)
        first.kill()
        await set_there("2")
        assert second.ask("GET", "k") == b"$1\r\n2\r\n"
    finally:
        for each in (first, second, watcher):
            each.kill()


async def test_a_cluster(tmp_path: Path) -> None:
    alike = ("--cluster-enabled", "yes", "--cluster-port")
    nodes = [_started(tmp_path, str(number), *alike, str(free_port())) for number in range(3)]
    hosts = [f"127.0.0.1:{node.port}" for node in nodes]
    try:
        command = ["redis-cli", "--cluster", "create", *hosts, "--cluster-replicas", "0", "--cluster-yes"]
        subprocess.run(command, capture_output=True, timeout=60, check=True)
        settings = StoreSettings(parse_address(f"redis+cluster://{','.join(hosts)}"))
        with trio.fail_after(20):
            while not all(b"cluster_state:ok" in node.ask("CLUSTER", "INFO") for node in nodes):
                await trio.sleep(0.1)
        async with opened(settings) as store:
            for number in range(20):
                keys = [f"gateway:{{keyval:{number}}}:{part}" for part in "abcd"]
                answer = await store.run("return {KEYS[4], ARGV[1]}", keys, [number])
                assert answer == [keys[3].encode(), b"%d" % number]
    finally:
        for node in nodes:
            node.kill()
