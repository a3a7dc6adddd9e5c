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
