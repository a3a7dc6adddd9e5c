"""zones: words, locks and tables between processes, and which zones a reload keeps."""

from __future__ import annotations

import mmap
import os
import signal
import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.zones import Lock, Table, Words, Zone, ZoneError, Zones


def in_child(work: Callable[[], None]) -> int:
    """Run it in a forked process; the exit status (negative: the signal that killed it)."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def a_zone(size: int = 65536, shared: bool = True) -> Zone:
    zone = Zone("z", size, "test", shared=shared)
    zone.map()
    return zone


@pytest.mark.parametrize("shared", [True, False])
def test_words(shared: bool) -> None:
    words = a_zone(shared=shared).words(3)
    assert len(words) == words.count == 3
    words.store(1, -5)
    assert words.add(1, 8) == 3 and words.load(1) == 3
    assert words.fetch(1, 7) == 3
    assert words.cas(1, 7, 9) and not words.cas(1, 7, 10)
    assert words.view.tolist() == [0, 9, 0]
    words.view[2] = 2**62
    assert words.load(2) == 2**62
    for index in (-1, 3):
        with pytest.raises(IndexError):
            words.load(index)


def test_the_memory_is_not_left() -> None:
    memory = bytearray(64)
    with pytest.raises(ValueError, match="too small"):
        Words(memory, 8, 8)
    with pytest.raises(ValueError, match="multiple of 8"):
        Words(memory, 4, 1)
    with pytest.raises(ValueError):
        Words(memory, 128, 0)
    with pytest.raises(BufferError):
        Words(b"read only", 0, 1)


def test_words_of_several_processes() -> None:
    words = a_zone().words(1)

    def count() -> None:
        for _ in range(5000):
            words.add(0, 1)

    pids = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            count()
            os._exit(0)
        pids.append(pid)
    count()
    for pid in pids:
        os.waitpid(pid, 0)
    assert words.load(0) == 20000


def test_the_lock_guards_between_processes() -> None:
    zone = a_zone()
    view = zone.words(1).view

    def count() -> None:
        for _ in range(3000):
            with zone.lock:
                view[0] = view[0] + 1

    pids = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            count()
            os._exit(0)
        pids.append(pid)
    count()
    for pid in pids:
        os.waitpid(pid, 0)
    assert view[0] == 9000


def test_threads_of_one_process_do_not_deadlock() -> None:
    zone = a_zone()
    view = zone.words(1).view

    def count() -> None:
        for _ in range(2000):
            with zone.lock:
                view[0] = view[0] + 1

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert view[0] == 6000


def test_a_dead_holder_has_the_next_one_check() -> None:
    memory = mmap.mmap(-1, 4096)
    calls: list[int] = []
    lock = Lock(memory, 0, True, lambda: calls.append(1))

    def die() -> None:
        lock.__enter__()
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(die) == -signal.SIGKILL
    with lock:
        assert calls == [1]
    with lock:
        assert calls == [1]
    assert in_child(die) == -signal.SIGKILL
    lock.check = lambda: 1 // 0
    with pytest.raises(ZeroDivisionError):
        lock.__enter__()
    with lock:
        pass


def test_a_table_survives_a_writer_that_died() -> None:
    zone = a_zone()
    table = zone.table(16, 1, 100)
    for i in range(50):
        table.set_word(table.insert(b"%d" % i), 0, i)

    def die() -> None:
        zone.lock.__enter__()
        for i in range(10):
            table.remove(table.get(b"%d" % i))
        table.insert(b"new")
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(die) == -signal.SIGKILL
    with zone.lock:
        assert len(table) == 41
        assert table.key(table.oldest()) == b"10"
        assert [table.word(table.get(b"%d" % i), 0) for i in range(10, 50)] == list(range(10, 50))
        assert table.get(b"3") == -1 and table.get(b"new") >= 0


def test_records_in_the_order_of_their_use() -> None:
    table = a_zone().table(16, 2, 3)
    assert table.oldest() == -1 and table.get(b"a") == -1
    a, b, c = (table.insert(key) for key in (b"a", b"b", b"c"))
    assert len(table) == 3 and table.oldest() == a
    assert table.insert(b"d") == -1
    assert table.insert(b"a") == a and table.oldest() == b and table.newest() == [a, c, b]
    table.touch(b)
    assert table.oldest() == c and table.newest() == [b, a, c]
    assert (table.newest(2), table.newest(0), table.newest(9)) == ([b, a], [], [b, a, c])
    assert table.add_word(c, 1, 5) == 5
    table.remove(c)
    assert table.get(b"c") == -1 and len(table) == 2
    d = table.insert(b"d")
    assert table.key(d) == b"d" and table.word(d, 1) == 0
    for wrong in (-1, 3):
        with pytest.raises(IndexError):
            table.word(wrong, 0)
    with pytest.raises(IndexError):
        table.set_word(d, 2, 0)
    table.clear()
    assert len(table) == 0 and table.oldest() == -1
    with pytest.raises(IndexError):
        table.remove(d)


def test_long_keys() -> None:
    table = a_zone().table(16, 1, 10)
    long = b"k" * 100
    one, other = table.insert(long), table.insert(long + b"!")
    assert one != other and table.get(long) == one
    # a short key that looks like the long one's digest is another key
    assert table.get(table.key(one)) == -1
    assert table.get(b"") == -1
    empty = table.insert(b"")
    assert table.get(b"") == empty and table.key(empty) == b""


_steps = st.lists(st.tuples(st.sampled_from(["insert", "remove", "touch", "evict"]), st.integers(0, 30)), max_size=120)


@settings(max_examples=150, deadline=None)
@given(_steps)
def test_a_table_is_an_ordered_dictionary(steps: list[tuple[str, int]]) -> None:
    table = Table(bytearray(4096), 0, 16, 1, 12, 12345)
    model: dict[bytes, int] = {}
    for step, number in steps:
        key = b"%d" % number if number % 7 else b"long" * 20 + b"%d" % number
        if step == "insert":
            index = table.insert(key)
            if key in model:
                model[key] = model.pop(key)
                assert table.word(index, 0) == model[key]
            elif len(model) == 12:
                assert index == -1
            else:
                model[key] = number
                table.set_word(index, 0, number)
        elif step == "evict":
            index = table.oldest()
            if model:
                assert table.word(index, 0) == model.pop(next(iter(model)))
                table.remove(index)
            else:
                assert index == -1
        elif key in model:
            if step == "remove":
                table.remove(table.get(key))
                del model[key]
            else:
                table.touch(table.get(key))
                model[key] = model.pop(key)
        else:
            assert table.get(key) == -1
    for _ in range(2):
        assert len(table) == len(model)
        assert [table.word(index, 0) for index in table.newest()] == list(model.values())[::-1]
        assert all(table.word(table.get(key), 0) == value for key, value in model.items())
        table.repair()


def test_a_table_as_large_as_its_zone() -> None:
    zone = a_zone(1 << 20)
    table = zone.table(16, 2)
    assert 14000 < table.count < 17000  # nginx's documentation: about 16 thousand states in a megabyte
    assert zone.left < 200
    for i in range(table.count):
        assert table.insert(b"%d" % i) >= 0
    assert table.insert(b"one more") == -1
    with pytest.raises(ZoneError, match='zone "z" is too small'):
        zone.words(1000)
    with pytest.raises(ZoneError, match='zone "z" is too small'):
        a_zone(128).table(16, 2)
    with pytest.raises(ZoneError, match='zone "z" is too small'):
        a_zone(32)


@pytest.mark.parametrize(("key_size", "words", "count"), [(8, 1, 1), (17, 1, 1), (16, -1, 1), (16, 1, 0)])
def test_tables_that_cannot_be(key_size: int, words: int, count: int) -> None:
    with pytest.raises(ValueError):
        Table(bytearray(4096), 0, key_size, words, count, 1)


def test_messages_of_declarations() -> None:
    zones = Zones()
    zone = zones.add("x", 0, "limit_req")
    assert zones.add("x", 65536, "limit_req") is zone and zone.size == 65536
    assert zones.add("x", 0, "limit_req") is zone
    with pytest.raises(ZoneError) as caught:
        zones.add("x", 65536, "limit_conn")
    assert str(caught.value) == 'the shared memory zone "x" is already declared for a different use'
    with pytest.raises(ZoneError) as caught:
        zones.add("x", 4096, "limit_req")
    assert str(caught.value) == 'the size 4096 of shared memory zone "x" conflicts with already declared size 65536'
    zones.add("y", 0, "limit_req")
    with pytest.raises(ZoneError, match='zero size shared memory zone "y"'):
        zones.map()


def test_a_reload_keeps_what_is_equal() -> None:
    def declare(size: int, owner: str, reuse: bool = True) -> tuple[Zones, list[object]]:
        zones, handed = Zones(), []
        zone = zones.add("x", size, owner, reuse=reuse)

        class User:
            def attach(self, zone: Zone, old: object) -> None:
                handed.append(old)
                zone.data = old if old is not None and reuse else zone.words(1)

        zone.user = User()
        return zones, handed

    first, handed = declare(65536, "a")
    first.map()
    words = first.get("x").data  # type: ignore[union-attr]
    words.store(0, 42)
    assert handed == [None]

    second, handed = declare(65536, "a")
    second.map(first)
    assert handed == [words] and second.get("x").data.load(0) == 42  # type: ignore[union-attr]
    with second.get("x").lock:  # type: ignore[union-attr]
        pass

    for size, owner in ((131072, "a"), (65536, "b")):
        third, handed = declare(size, owner)
        third.map(second)
        assert handed == [None] and third.get("x").data.load(0) == 0  # type: ignore[union-attr]

    fourth, handed = declare(65536, "a", reuse=False)
    fourth.map(second)
    assert handed == [words] and fourth.get("x").data is not words  # type: ignore[union-attr]
