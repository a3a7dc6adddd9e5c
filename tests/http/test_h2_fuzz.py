"""Frames at random on whole connections: whatever comes, no handler raises, and the next client is served.

Sequences of a kind that is easily wrong are files in tests/data/http2, a frame in hexadecimal on each line.
HTTP2_SEEDS=0-5000 tries more of those that are made at random.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from random import Random

import hpack
import trio

from tests import http2_frames as wire
from tests.engine import Engine, serving
from tests.http2_client import http2, request

DATA = Path(__file__).parent.parent / "data" / "http2"

CONF = """
limit_req_zone $uri zone=slow:1m rate=10r/s;
limit_conn_zone $binary_remote_addr zone=conns:1m;
server {
    listen 127.0.0.1:8080; server_name localhost; http2 on; root %s; lingering_close off; client_max_body_size 1000;
    location / { add_trailer X-T t; gzip on; gzip_types *; gzip_min_length 1; }
    location /text { return 200 "text"; }
    location /slow { limit_req zone=slow burst=5; limit_conn conns 3; limit_rate 1000; }
    location /up { proxy_pass http://127.0.0.1:1; proxy_request_buffering off; error_page 502 =200 /text; }
    location /chunk { http2_chunk_size 7; }
}
"""
PATHS = ("/large", "/text", "/slow", "/up", "/chunk/../large", "/none", "*", "", "/a b")


def one_frame(random: Random, encoder: hpack.Encoder, opened: list[int]) -> bytes:
    stream = random.choice([0, 1, *opened[-4:], *range(1, 12, 2), 2, 2**31 - 1])
    kind = random.randrange(14)
    size = random.choice([0, 1, 4, 5, 8, 9, 100])
    payload = random.randbytes(size)
    if kind < 5:
        stream = (opened[-1] if opened else -1) + 2 if random.random() < 0.9 else stream
        opened.append(stream)
        fields = request(random.choice(PATHS), method=random.choice(["GET", "POST", "HEAD", "CONNECT", "X"]))
        fields += random.choices(
            [(b"content-length", b"5"), (b"te", b"trailers"), (b"x-y", b"z" * 500), (b"accept-encoding", b"gzip"),
             (b"range", b"bytes=1-5"), (b"expect", b"100-continue"), (b"Bad", b"x"), (b"cookie", b"a=b")],
            k=random.randrange(3),
        )  # fmt: skip
        if random.random() < 0.1:
            random.shuffle(fields)
        block = encoder.encode(fields, huffman=random.random() < 0.7)
        flags = random.choice([0, wire.END_STREAM, wire.END_STREAM])
        return wire.headers(stream, block, flags, random.choice([10, 16384]))
    if kind == 5:
        return wire.frame_head(size, wire.DATA, random.choice([0, wire.END_STREAM]), stream) + payload
    if kind == 6:
        return wire.window_update(stream, random.choice([1, 100, 70_000, wire.MAX_WINDOW]))
    if kind == 7:
        values = [(random.randrange(1, 8), random.choice([0, 1, 100, 16384, 65535, wire.MAX_WINDOW]))]
        return wire.settings(values)
    if kind == 8:
        return wire.rst_stream(stream, random.choice([0, 2, 8]))
    if kind == 9:
        return wire.frame_head(5, wire.PRIORITY, 0, stream or 1) + random.choice(
            [random.randbytes(5), bytes([random.randrange(2) << 7, 0, 0, random.randrange(12), random.randrange(256)])]
        )
    if kind == 10:
        return wire.frame_head(8, wire.PING, random.choice([0, 1]), 0) + random.randbytes(8)
    flags = random.randrange(256)
    return wire.frame_head(size, random.randrange(11), flags, stream) + payload


def made(seed: int) -> list[bytes]:
    random = Random(seed)
    encoder = hpack.Encoder()
    opened: list[int] = []
    return [one_frame(random, encoder, opened) for _ in range(random.choice([3, 10, 40]))]


async def meets(engine: Engine, frames: list[bytes], random: Random) -> None:
    """Send them, in parts of any size, and take what comes until nothing more does."""
    data = wire.PREFACE + wire.settings([]) + b"".join(frames)
    async with engine.connect() as stream:
        with contextlib.suppress(trio.BrokenResourceError):
            while data:
                size = random.choice([1, 9, 50, len(data), len(data)])
                part, data = data[:size], data[size:]
                await stream.send_all(part)
                await trio.sleep(0)
            with trio.move_on_after(0.01):
                while await stream.receive_some():
                    pass


def seeds() -> range:
    first, _, last = os.environ.get("HTTP2_SEEDS", "0-150").partition("-")
    return range(int(first), int(last))


async def test_whatever_comes_the_next_one_is_served(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(range(256)) * 500)
    kept = [(path.name, list(map(bytes.fromhex, path.read_text().split()))) for path in sorted(DATA.iterdir())]
    async with serving(CONF % tmp_path) as engine:
        for name, frames in [*kept, *((f"seed {seed}", made(seed)) for seed in seeds())]:
            await meets(engine, frames, Random(name))
            async with http2(engine) as client:
                assert (await client.get("/text")).body == b"text", name
            bad = [line for line in engine.log.lines if "Traceback" in line or "[alert]" in line]
            assert not bad, (name, bad)
        with trio.fail_after(5):
            while engine.worker.connections:  # nobody is left, whatever was open
                await trio.sleep(0.01)
