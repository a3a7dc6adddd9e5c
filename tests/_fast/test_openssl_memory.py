"""What OpenSSL gave back is kept for its next connection."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gateway._fast import openssl

# A Python with OpenSSL inside it does not show the function that is asked for.
LINKED = openssl.where() in openssl.candidates()[:1]
needs_linked = pytest.mark.skipif(not LINKED, reason="Python's OpenSSL is not a library of its own")

SHAKE_HANDS = """
import ssl, threading
from gateway._fast import openssl_memory as memory
def shake(context):
    ends = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(*ends, server_hostname="nobody")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return len(ends[1].read())
"""

CALLS = """
import ctypes
from gateway._fast import openssl, openssl_memory as memory; assert memory.use()
crypto = ctypes.CDLL(openssl.candidates()[0])
take, give, resize = crypto.CRYPTO_malloc, crypto.CRYPTO_free, crypto.CRYPTO_realloc
take.restype = resize.restype = ctypes.c_void_p
take.argtypes = ctypes.c_size_t, ctypes.c_char_p, ctypes.c_int
give.argtypes = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
resize.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_int
"""


def in_a_process(code: str) -> list[str]:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


@needs_linked
def test_it_comes_first_or_not_at_all() -> None:
    memory = "from gateway._fast import openssl_memory as memory; "
    first = memory + "print(memory.use()); import ssl; print(len(ssl.OPENSSL_VERSION) > 9)"
    assert in_a_process(first) == ["True", "True"]
    late = "import ssl; ssl.create_default_context(); " + memory + "print(memory.use(), memory.held())"
    assert in_a_process(late) == ["False", "0"]


@needs_linked
def test_what_a_connection_gave_back_serves_the_next_one_and_no_more_is_kept() -> None:
    code = (
        "from gateway._fast import openssl_memory as memory; assert memory.use()"
        + SHAKE_HANDS
        + """
context = ssl.create_default_context()
assert all(shake(context) > 100 for _ in range(200))
one = memory.held()
assert all(shake(context) > 100 for _ in range(200))
print(one > 0, memory.held() - one)
most = 0
def end(connections):
    global most
    while connections:
        connections.pop()
        most = max(most, memory.held())
end([context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="nobody") for _ in range(1000)])
print(1 << 18 < most <= 1 << 19)
"""
    )
    assert in_a_process(code) == ["True", "0", "True"]


@needs_linked
def test_other_threads_leave_it_alone() -> None:
    code = (
        "from gateway._fast import openssl_memory as memory; assert memory.use()"
        + SHAKE_HANDS
        + """
context = ssl.create_default_context()
shake(context)
before = memory.held()
done = []
def work():
    done.append(all(shake(context) > 100 for _ in range(50)) and memory.held() == before)
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(*done)
"""
    )
    assert in_a_process(code) == ["True"] * 4


@needs_linked
def test_the_server_uses_it() -> None:
    """Nothing that is imported before has asked OpenSSL for memory."""
    # the command as it is, but for the start itself
    code = """
import sys, types
from gateway import cli
seen = []
class Start(types.ModuleType):
    def __getattr__(self, name):
        if name == "main":
            return lambda *_: 0
        raise AttributeError(name)
from gateway._fast import openssl_memory as memory
real = memory.use
stand_in = types.SimpleNamespace(use=lambda: seen.append(real()))
import gateway._fast as fast
fast.openssl_memory = sys.modules["gateway._fast.openssl_memory"] = stand_in
sys.modules["gateway.process.start"] = Start("gateway.process.start")
cli.serve(["gateway", "-c", "nginx.conf", "-p", "/"], None)
print(*seen)
"""
    assert in_a_process(code) == ["True"]


@needs_linked
def test_small_pieces_lie_side_by_side() -> None:
    """They may grow, malloc() has none of them, and where the arena is full there are malloc()'s."""
    code = (
        CALLS
        + """
memory.serve()
import threading
for size, room in ((16, 16), (24, 24), (200, 208), (1024, 1024)):
    some = [take(size, b"", 0) for _ in range(1000)]
    print(sum(b - a == room for a, b in zip(some, some[1:])) > 700)
    print(all(one % min(room & -room, 16) == 0 for one in some))
    for number, one in enumerate(some):
        ctypes.memset(one, number % 251, size)
    print(all(ctypes.string_at(one, size) == bytes([number % 251]) * size for number, one in enumerate(some)))
    grown = [resize(one, larger, b"", 0) for one, larger in zip(some[:4], (size, size + 1, 5000, 100000))]
    print(grown[0] == some[0], all(ctypes.string_at(one, size) == bytes([n]) * size for n, one in enumerate(grown)))
    last = some[-1]
    for one in (*grown, *some[4:]):
        give(one, b"", 0)
    print(take(size, b"", 0) == last)
    def elsewhere():
        mine = [take(size, b"", 0) for _ in range(100)]
        for one in (*mine, last):
            give(one, b"", 0)
    thread = threading.Thread(target=elsewhere); thread.start(); thread.join()
    number = 20000 if size == 1024 else 5000
    many = [take(size, b"", 0) for _ in range(number)]
    print(len(set(many)) == number and last not in many)
    for one in many:
        ctypes.memset(one, 1, size)
    for one in many:
        give(one, b"", 0)
print(1)
"""
    )
    assert in_a_process(code) == ["True"] * 28 + ["1"]


@needs_linked
def test_a_configuration_leaves_room_for_connections() -> None:
    code = (
        CALLS
        + """
def in_the_arena(pieces):
    return sum(b - a == 1024 for a, b in zip(pieces, pieces[1:]))
loaded = [take(1024, b"", 0) for _ in range(1000)]
print(in_the_arena(loaded) < 512, in_the_arena(loaded[-100:]) == 0)
memory.serve()
print(in_the_arena([take(1024, b"", 0) for _ in range(1000)]) > 700)
"""
    )
    assert in_a_process(code) == ["True"] * 3
