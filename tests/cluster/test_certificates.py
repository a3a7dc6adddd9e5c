from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest
import trio

from gateway.cluster.certificates import IssuerFiles, OneOrder
from gateway.cluster.maps import Map
from gateway.cluster.store import Store
from gateway.cluster.tickets import Sealer
from gateway.core import certify
from gateway.core.acme_files import write
from gateway.core.acme_store import HttpSolver, Issuer, Wanted
from gateway.core.keys import PrivateKey
from gateway.core.logs import Log
from gateway.protocol import der
from tests.cluster.nodes import connected, sync_with
from tests.cluster.redis import Redis, needs_redis
from tests.engine import MemorySink

pytestmark = needs_redis
WANTED = Wanted(("a.example",))
NAME = f"{WANTED.name}.pem"
ENTRIES = "gateway:{acme:le}:entries"


class Node:
    """One gateway: the files of its issuer, and its parts of a round and of an order."""

    def __init__(self, redis: Redis, folder: Path, secret: bytes = b"x" * 32) -> None:
        folder.mkdir()
        self.folder = folder
        self.issuer = Issuer("le", str(folder), wanted=[WANTED])
        self.sink = MemorySink()
        sealer, log, sync = Sealer(secret, b"acme"), Log(self.sink), sync_with(redis)
        self.map = Map("acme", IssuerFiles(self.issuer, sealer, log), sync)
        self.order = OneOrder(IssuerFiles(self.issuer, sealer, log), sync, log)

    def put(self, days_ago: float = 0) -> str:
        key = PrivateKey.make()
        began = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days_ago)
        leaf = certify.server(["a.example"], key, certify.Issuer(certify.name("x"), key), 90, began)
        write(self.issuer.path(NAME), text := key.pem() + der.pem("CERTIFICATE", leaf))
        return text

    def has(self, name: str = NAME) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""


async def rounds(store: Store, *nodes: Node, times: int = 3) -> int:
    sent = 0
    for _ in range(times):
        for node in nodes:
            sent += await node.map.round(store)
    return sent


async def test_what_one_has_all_have(redis: Redis, tmp_path: Path) -> None:
    one, other = Node(redis, tmp_path / "1"), Node(redis, tmp_path / "2")
    text = one.put()
    account = PrivateKey.make().pem()
    write(one.issuer.path("account.key"), account)
    async with connected(redis) as store:
        await rounds(store, one, other)
        assert (other.has(), other.has("account.key")) == (text, account)
        assert (other.folder / NAME).stat().st_mode & 0o777 == 0o600
        assert any("certificate for a.example came from another node" in line for line in other.sink.lines)
        assert await rounds(store, one, other) == 0, "it does not go round for ever"
        stored = redis.ask("HGETALL", ENTRIES)
        assert b"account.key" in stored and b"PRIVATE" not in stored and b"CERTIFICATE" not in stored
        redis.ask("FLUSHALL")
        late = Node(redis, tmp_path / "3")
        await rounds(store, late, one, other)
        assert (late.has(), late.has("account.key")) == (text, account), "an emptied store is filled again"


async def test_the_newer_one_stays(redis: Redis, tmp_path: Path) -> None:
    one, other = Node(redis, tmp_path / "1"), Node(redis, tmp_path / "2")
    one.put(days_ago=50)
    new = other.put(days_ago=1)
    accounts = [PrivateKey.make().pem() for _ in range(2)]
    for node, account in zip((one, other), accounts, strict=True):
        write(node.issuer.path("account.key"), account)
    async with connected(redis) as store:
        await rounds(store, one, other, times=4)
        assert one.has() == other.has() == new
        assert [one.has("account.key"), other.has("account.key")] == accounts, "each has one already"
        assert await rounds(store, one, other) == 0
        # one that was away comes back with what it had
        away = Node(redis, tmp_path / "3")
        away.put(days_ago=60)
        await rounds(store, away, one)
        assert away.has() == one.has() == new


async def test_two_of_the_same_second(redis: Redis, tmp_path: Path) -> None:
    nodes = [Node(redis, tmp_path / name) for name in "12"]
    key = PrivateKey.make()
    began = datetime.datetime.now(datetime.UTC)
    for node in nodes:
        leaf = certify.server(["a.example"], key, certify.Issuer(certify.name("x"), key), 90, began)
        write(node.issuer.path(NAME), key.pem() + der.pem("CERTIFICATE", leaf))
    assert nodes[0].has() != nodes[1].has()
    async with connected(redis) as store:
        await rounds(store, *nodes, times=4)
        assert nodes[0].has() == nodes[1].has()
        assert await rounds(store, *nodes) == 0


async def test_a_token_is_shown_by_all_and_gone(redis: Redis, tmp_path: Path) -> None:
    one, other = Node(redis, tmp_path / "1"), Node(redis, tmp_path / "2")
    solver = HttpSolver(one.issuer)
    async with connected(redis) as store:
        await rounds(store, one, other)
        solver.show("a.example", "a-to_ken", "a-to_ken.print")
        await rounds(store, one, other)
        assert other.issuer.shown(b"a-to_ken") == b"a-to_ken.print"
        solver.hide("a.example", "a-to_ken", "a-to_ken.print")
        await rounds(store, one, other)
        assert other.issuer.shown(b"a-to_ken") is None
        assert await rounds(store, one, other) == 0
        # left behind
        solver.show("a.example", "left", "left.print")
        await rounds(store, one, other)
        for node in (one, other):
            os.utime(node.folder / "challenges" / "left", (1, 1))
            os.utime(node.folder / "challenges")
        await rounds(store, one, other)
        assert one.issuer.shown(b"left") is other.issuer.shown(b"left") is None


async def test_what_no_node_has_put_there(redis: Redis, tmp_path: Path) -> None:
    """Who writes into the store can neither plant files nor have a key shown under the name of a token."""
    one, other = Node(redis, tmp_path / "1"), Node(redis, tmp_path / "2")
    write(one.issuer.path("account.key"), PrivateKey.make().pem())
    text = one.put()
    async with connected(redis) as store:
        await rounds(store, one)
        assert redis.ask(
            "EVAL",
            f"""local h = '{ENTRIES}' local sealed = redis.call('HGET', h, 'account.key')
            local names = {{'challenges/stolen', '../x', 'challenges/../../y', 'other.pem', 'lock', 'nonsense'}}
            for i, name in ipairs(names) do
              redis.call('HSET', h, name, sealed) redis.call('ZADD', 'gateway:{{acme:le}}:numbers', 100 + i, name) end
            redis.call('HSET', h, 'account.key', 'x') redis.call('SET', 'gateway:{{acme:le}}:number', '200')
            return 1""",
            "0",
        ) == b":1\r\n"  # fmt: skip
        await rounds(store, other, one)
        assert other.has() == text
        found = {str(path.relative_to(other.folder)) for path in other.folder.rglob("*")}
        kinds = (".pem", ".key", ".crt")
        assert found == {NAME.replace(".pem", kind) for kind in kinds}, "not even the account, which is damaged"
        assert sum('sealed with another "ticket_key"' in line for line in other.sink.lines) == 1
        stranger = Node(redis, tmp_path / "3", b"y" * 32)
        await rounds(store, stranger)
        assert not stranger.has()
        assert sum('sealed with another "ticket_key"' in line for line in stranger.sink.lines) == 1


async def in_thread(work: object, *arguments: object) -> object:
    return await trio.to_thread.run_sync(work, *arguments)  # type: ignore[arg-type]


async def test_one_orders(redis: Redis, tmp_path: Path) -> None:
    one, other = Node(redis, tmp_path / "1"), Node(redis, tmp_path / "2")
    assert await in_thread(one.order.begin, False) is True
    assert await in_thread(one.order.begin, False) is True, "it has it already"
    assert await in_thread(other.order.begin, True) is False, "also where it is urgent"
    text = one.put()
    await in_thread(one.order.end)
    assert await in_thread(other.order.begin, False) is True
    assert other.has() == text, "what the other one has made is here before anything is ordered"
    assert 0 < int(redis.ask("PTTL", "gateway:{acme:le}:lock")[1:]) <= 60_000
    redis.ask("PEXPIRE", "gateway:{acme:le}:lock", "1")  # the other one has died
    await trio.sleep(0.05)
    assert await in_thread(one.order.begin, False) is True
    await in_thread(other.order.end)
    assert redis.ask("EXISTS", "gateway:{acme:le}:lock") == b":1\r\n", "that of another one stays"


async def test_a_token_is_told_before_it_is_asked_for(redis: Redis, tmp_path: Path) -> None:
    one, other = Node(redis, tmp_path / "1"), Node(redis, tmp_path / "2")
    assert await in_thread(one.order.begin, False) is True
    solver = HttpSolver(one.issuer, one.order)
    await in_thread(solver.show, "a.example", "token", "token.print")
    async with connected(redis) as store:
        await other.map.round(store)
    assert other.issuer.shown(b"token") == b"token.print"


async def test_without_the_store(redis: Redis, tmp_path: Path) -> None:
    one = Node(redis, tmp_path / "1")
    redis.kill()
    assert await in_thread(one.order.begin, False) is False, "there is time"
    assert not one.sink.lines
    for _ in range(2):
        assert await in_thread(one.order.begin, True) is True
    assert len(one.sink.lines) == 1 and "this node orders without asking the others" in one.sink.lines[0]
    await in_thread(one.order.tell)
    await in_thread(one.order.end)


async def test_the_lock_is_kept_while_an_order_goes_on(
    redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Node(redis, tmp_path / "1")
    monkeypatch.setattr("gateway.cluster.certificates._RENEW_S", 0.05)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.order.keep_lock)
        assert await in_thread(one.order.begin, False) is True
        redis.ask("PEXPIRE", "gateway:{acme:le}:lock", "5000")
        with trio.fail_after(30):
            while int(redis.ask("PTTL", "gateway:{acme:le}:lock")[1:]) <= 5000:
                await trio.sleep(0.02)
        nursery.cancel_scope.cancel()
