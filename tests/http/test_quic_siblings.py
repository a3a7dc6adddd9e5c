"""What workers with QUIC pass on to each other."""

from __future__ import annotations

import os
import socket

import pytest
import trio

from gateway.http import quic_siblings
from gateway.http.quic_siblings import CID_SIZE, Siblings, owner, tagged, untagged
from tests.lanes import running, until


def unexpected(*_: object) -> None:
    raise AssertionError("nobody was to be called")


PEER = b"\x02\x00\x12\x34\x7f\x00\x00\x01" + bytes(8)


def test_whose_an_id_is() -> None:
    mine = tagged(os.urandom(CID_SIZE))
    assert len(mine) == CID_SIZE and owner(mine) == os.getpid()
    assert mine != tagged(os.urandom(CID_SIZE)), "what is behind it stays random"
    assert owner(untagged()) == 0 and len(untagged()) == CID_SIZE
    assert owner(b"") == owner(mine[:-1]) == owner(b"\xff" * CID_SIZE) == 0


async def test_a_packet_goes_to_its_worker() -> None:
    passed: list[tuple[bytes, bytes, bytes | None]] = []
    async with running() as lane:
        ours = Siblings(lane, b"127.0.0.1:1", b"generation", lambda *found: passed.append(found), unexpected)
        ours.pass_on(os.getpid(), b"packet", PEER, b"\x7f\0\0\1")
        ours.pass_on(os.getpid(), b"", PEER, None)
        ours.pass_on(2**22 - 1, b"to nobody", PEER, None)
        await until(lambda: len(passed) == 2)
        assert passed == [(b"packet", PEER, b"\x7f\0\0\1"), (b"", PEER, None)]
        second = Siblings(lane, b"127.0.0.1:1", b"generation", unexpected, unexpected)
        assert second.socket is None, "the name is taken: it lives without"
        second.pass_on(os.getpid(), b"packet", PEER, None)
        second.announce()
        second.close()
        ours.close()


async def test_workers_of_another_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    replaced: list[bool] = []
    siblings: set[int] = set()
    monkeypatch.setattr(quic_siblings, "is_relative", siblings.__contains__)
    async with running() as lane:
        ours = Siblings(lane, b"127.0.0.1:2", b"one", unexpected, lambda: replaced.append(True))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.bind(b"\0gateway-quic-77-127.0.0.1:2")
            to = b"\0gateway-quic-%d-127.0.0.1:2" % os.getpid()
            for data in (b"\0\0two", b"", b"\0", b"\xff\xffshort"):
                other.sendto(data, to)
            await trio.sleep(0.1)
            assert not replaced, "it is of no sibling"
            siblings.add(77)
            other.sendto(b"\0\0one", to)
            other.sendto(b"\0\0two", to)
            await until(lambda: replaced)
            await trio.sleep(0.05)
            assert replaced == [True], "only the one of another configuration"
        ours.close()
