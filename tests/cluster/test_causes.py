"""What stands in the error log when the store is not what it should be."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from gateway.cluster.address import parse_address
from gateway.cluster.causes import explained, said
from gateway.cluster.store import Store, StoreSettings
from gateway.cluster.sync import SIZE, Sync
from gateway.core.logs import Log
from tests.certificates import authority, certificate
from tests.cluster.nodes import mapped
from tests.cluster.redis import REDIS, Redis, needs_redis
from tests.cluster.test_sync import Probe, lines, until
from tests.engine import MemorySink
from tests.process.running import free_port

PART = "(it is part of a cluster: redis+cluster://HOST,HOST finds the right node)"


class Everywhere(Probe):
    """Keys of many slots, as zones have them."""

    async def round(self, store: Store) -> int:
        for number in range(10):
            await store.run("return redis.call('SET', KEYS[1], 1)", [f"gateway:{{{number}}}:k"], [])
        self.rounds += 1
        return 1


def node(url: str, timeout: float = 20.0, trusted: str | None = None) -> Sync:
    made = Sync(StoreSettings(parse_address(url), timeout=timeout, trusted=trusted), 0.01, Log(MemorySink()))
    mapped("sync", made, SIZE)
    made.members.append(Everywhere())
    return made


async def complaint(url: str, timeout: float = 20.0, trusted: str | None = None) -> str:
    """What is said, once, for all that it is tried again."""
    sync = node(url, timeout, trusted)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sync.run, None)  # type: ignore[arg-type]
        await until(lambda: sync.show()["failures"] > 1)  # type: ignore[operator]
        nursery.cancel_scope.cancel()
    (line,) = lines(sync)
    assert line.endswith("; until it answers, each node goes by what it knows itself")
    return line


async def works(url: str, trusted: str | None = None) -> bool:
    sync = node(url, trusted=trusted)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sync.run, None)  # type: ignore[arg-type]
        await until(lambda: sync.online or lines(sync))
        nursery.cancel_scope.cancel()
    return not lines(sync)


@needs_redis
async def test_passwords_and_rights(tmp_path: Path) -> None:
    redis = Redis(tmp_path, "--requirepass", "secret")
    redis.start()
    try:
        where = f"127.0.0.1:{redis.port}"
        line = await complaint(f"redis://{where}")
        assert '(it wants a password: "password_file=FILE")' in line
        for wrong in (":other", "nobody:secret"):
            line = await complaint(f"redis://{wrong}@{where}")
            assert "(the user of the URL or the password is wrong)" in line
            assert "other" not in line and "secret" not in line
        assert "is out of range" in await complaint(f"redis://:secret@{where}/999")
        assert await works(f"redis://:secret@{where}")
        assert '(it wants a password: "password_file=FILE")' in await complaint(f"redis+sentinel://{where}/x")
    finally:
        redis.kill()


@needs_redis
@pytest.mark.parametrize(
    ("rule", "fine"),
    [("~gateway:* +@all -@dangerous", True), ("~other:* +@all", False), ("~* +@all -@scripting", False)],
)
async def test_a_user_with_few_rights(redis: Redis, rule: str, fine: bool) -> None:
    assert redis.ask("ACL", "SETUSER", "gw", "on", ">pass", "resetkeys", *rule.split()) == b"+OK\r\n"
    url = f"redis://gw:pass@127.0.0.1:{redis.port}"
    if fine:
        assert await works(url)
    else:
        assert '(its ACL for this user must have "~PREFIX:* +@all -@dangerous")' in await complaint(url)


@needs_redis
async def test_tls_that_is_not_meant(tmp_path: Path) -> None:
    issued = certificate("127.0.0.1")
    chain, key, trusted = tmp_path / "c.pem", tmp_path / "k.pem", authority().cert_pem.bytes().decode()
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    (tmp_path / "ca.pem").write_text(trusted)
    port = free_port()
    files = ["--tls-cert-file", str(chain), "--tls-key-file", str(key), "--tls-ca-cert-file", str(tmp_path / "ca.pem")]
    redis = Redis(tmp_path, "--tls-port", str(port), "--tls-auth-clients", "no", *files)
    redis.start()
    try:
        assert await works(f"rediss://127.0.0.1:{port}", trusted)
        line = await complaint(f"rediss://127.0.0.1:{port}")
        assert '(who signed its certificate is not known: "trusted_certificate=FILE")' in line
        line = await complaint(f"rediss://localhost:{port}", trusted=trusted)
        assert "(its certificate is for another name than the host of the URL)" in line
        assert "(if it speaks TLS there: rediss:// is with)" in await complaint(f"redis://127.0.0.1:{port}")
        line = await complaint(f"rediss://127.0.0.1:{redis.port}", timeout=0.5)
        assert "(if it speaks no TLS there: redis:// is without)" in line
    finally:
        redis.kill()


@contextmanager
def pretender(answer: bytes | None) -> Iterator[str]:
    """Something that answers always the same; None: nothing."""
    listening = socket.create_server(("127.0.0.1", 0))
    kept = []

    def serve() -> None:
        while True:
            try:
                wire, _ = listening.accept()
                kept.append(wire)
                if answer is not None and wire.recv(65536):
                    wire.sendall(answer)
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for wire in kept:
            wire.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"-ERR unknown command `HELLO`, with args beginning with: `3`\r\n", "(it is too old: Redis 6 and any Valkey"),
        (b"-NOPROTO unsupported protocol version\r\n", "(it is too old: Redis 6 and any Valkey will do)"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "(what listens there is neither Valkey nor Redis)"),
        (b"-LOADING the dataset is loaded into memory\r\n", "the dataset is loaded into memory"),
        (b"-MISCONF it cannot write its snapshot\r\n", "it cannot write its snapshot"),
        (None, "no answer in time"),
    ],
)
async def test_something_else_answers(answer: bytes | None, words: str) -> None:
    with pretender(answer) as url:
        assert words in await complaint(url, 20.0 if answer else 0.3)


async def test_nobody_there() -> None:
    assert "Connection refused (111)" in await complaint(f"redis://127.0.0.1:{free_port()}")
    assert "No such file or directory (2)" in await complaint("unix:///no/such/socket")
    assert "redis://no-such-host.invalid:6379: " in await complaint("redis://no-such-host.invalid")


@needs_redis
async def test_a_cluster_and_a_single_server_confounded(tmp_path: Path) -> None:
    """Asked as one, a node of a cluster says MOVED; and while a slot moves ASK, which the URL for clusters follows."""
    nodes = []
    try:
        for number in range(3):
            (tmp_path / str(number)).mkdir()
            each = Redis(tmp_path / str(number), "--cluster-enabled", "yes", "--cluster-port", str(free_port()))
            nodes.append(each)
            each.start()
        assert PART in await complaint(nodes[0].url)
        hosts = [f"127.0.0.1:{each.port}" for each in nodes]
        assert REDIS is not None
        subprocess.run(
            ["redis-cli", "--cluster", "create", *hosts, "--cluster-replicas", "0", "--cluster-yes"],
            capture_output=True, timeout=60, check=True,
        )  # fmt: skip
        with trio.fail_after(60):
            while not all(b"cluster_state:ok" in each.ask("CLUSTER", "INFO") for each in nodes):
                await trio.sleep(0.1)
        assert PART in await complaint(nodes[0].url)
        url = f"redis+cluster://{','.join(hosts)}"
        assert await works(url)

        slot = nodes[0].ask("CLUSTER", "KEYSLOT", "gateway:{1}:k")[1:].decode().strip()
        names = [each.ask("CLUSTER", "MYID").split(b"\r\n")[1].decode() for each in nodes]
        holder = next(
            index for index, each in enumerate(nodes) if not each.ask("GET", "gateway:{1}:k").startswith(b"-MOVED")
        )
        taker = (holder + 1) % 3
        sync = node(url)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sync.run, None)  # type: ignore[arg-type]
            await until(lambda: sync.online)
            assert nodes[taker].ask("CLUSTER", "SETSLOT", slot, "IMPORTING", names[holder]) == b"+OK\r\n"
            assert nodes[holder].ask("CLUSTER", "SETSLOT", slot, "MIGRATING", names[taker]) == b"+OK\r\n"
            moved = nodes[holder].ask("MIGRATE", "127.0.0.1", str(nodes[taker].port), "gateway:{1}:k", "0", "5000")
            assert moved.startswith(b"+"), moved
            rounds = sync.show()["rounds"]
            await until(lambda: sync.show()["rounds"] > rounds + 5)  # type: ignore[operator]
            for each in nodes:
                assert each.ask("CLUSTER", "SETSLOT", slot, "NODE", names[taker]) == b"+OK\r\n"
            rounds = sync.show()["rounds"]
            await until(lambda: sync.show()["rounds"] > rounds + 5)  # type: ignore[operator]
            assert sync.online and not [line for line in lines(sync) if "is back" not in line], lines(sync)
            nursery.cancel_scope.cancel()
    finally:
        for each in nodes:
            each.kill()
    redis = Redis(tmp_path)
    redis.start()
    try:
        line = await complaint(f"redis+cluster://127.0.0.1:{redis.port}")
        assert "it is no cluster, but a single server" in line
    finally:
        redis.kill()


def test_words() -> None:
    address = parse_address("unix:///x")
    assert explained("Connection lost", address) == "Connection lost", "no TLS there"
    assert explained("OOM command not allowed", address) == "OOM command not allowed (its memory is full)"
    outer = RuntimeError("Unable to establish a connection")
    outer.__cause__ = ExceptionGroup("g", [OSError(111, "Connection refused")])
    assert said(outer) == "Connection refused (111)"
    outer.__cause__ = TimeoutError()
    assert said(outer) == "no answer in time"
    assert said(KeyError()) == "KeyError"
    looped = ValueError("x")
    looped.__context__ = looped
    assert said(looped) == "x"
