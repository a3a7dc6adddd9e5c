"""_fast.demultiplex: any bytes of a peer lead to frames of streams, or to the end of the connection."""

from __future__ import annotations

import contextlib

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import http2_frames as wire
from tests._fast.test_multiplex import peer

NUMBERS = st.sampled_from([0, 1, 2, 3, 5, 7, 1 << 30])
PAYLOADS = st.one_of(st.binary(max_size=64), st.sampled_from([b"", bytes(4), bytes(8), b"\xff" * 4, b"\x88"]))
FRAMES = st.builds(
    lambda kind, flags, number, payload: wire.frame_head(len(payload), kind, flags, number) + payload,
    st.integers(0, 12),
    st.sampled_from([0, 1, 4, 5, 8, 0x20, 0xFF]),
    NUMBERS,
    PAYLOADS,
)
NOISE = st.lists(st.one_of(FRAMES, FRAMES, FRAMES, st.binary(max_size=30)), max_size=40)


@settings(deadline=None, max_examples=150)
@given(NOISE, st.integers(1, 200))
def test_any_bytes(frames: list[bytes], cut: int) -> None:
    data = b"".join(frames)

    async def run() -> None:
        async with peer() as found:
            members = found.begun(3)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for at in range(0, len(data), cut):
                    found.send(data[at : at + cut])
                    await trio.sleep(0)
            await trio.sleep(0)
            for one in members:
                with contextlib.suppress(OSError):
                    for part in iter(one.recv, None):
                        if not part:
                            break
                one.close()
            assert not found.mux.members

    trio.run(run)
