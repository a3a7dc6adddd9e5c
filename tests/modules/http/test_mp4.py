"""mp4: the arguments, and what is answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.modules.http.mp4 import milliseconds
from tests.engine import serving
from tests.protocol.test_mp4 import FILM, Film, samples

CONF = """
server {
    listen 127.0.0.1:80;
    root %s;
    location / { mp4; }
    location /small/ { alias %s/; mp4; mp4_buffer_size 100; mp4_max_buffer_size 200; }
    location /key/ { alias %s/; mp4; mp4_start_key_frame on; }
}
"""


@pytest.fixture
def conf(tmp_path: Path) -> str:
    (tmp_path / "a.mp4").write_bytes(FILM.build())
    (tmp_path / "b.mp4").write_bytes(Film(FILM.sizes, FILM.chunks, FILM.sync, moov_first=False).build())
    (tmp_path / "none.mp4").write_bytes(b"not a film at all")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder").mkdir()
    return CONF % ((tmp_path,) * 3)


async def test_parts(conf: str) -> None:
    async with serving(conf) as engine:
        for target, numbers in (
            ("/a.mp4?start=0.1", (1, 2, 3)),
            ("/a.mp4?start=0.1&end=0.3", (1, 2)),
            ("/a.mp4?end=0.2", (0, 1)),
            ("/b.mp4?start=0", (0, 1, 2, 3)),
            ("/key/a.mp4?start=0.3", (2, 3)),
            ("/a.mp4?start=0.1&end=0.05", (1, 2, 3)),
        ):
            reply = await engine.get(target)
            assert reply.status == 200
            assert samples(reply.body) == [FILM.sample(number) for number in numbers], target
            assert reply.header("content-length") == b"%d" % len(reply.body)
            whole = reply.body
            piece = await engine.get(target, {"Range": f"bytes={len(whole) - 9}-{len(whole) - 2}"})
            assert (piece.status, piece.body) == (206, whole[-9:-1])


async def test_as_it_is(conf: str, tmp_path: Path) -> None:
    async with serving(conf) as engine:
        for args in ("", "?start=0", "?start=x", "?start=", "?end=0", "?start=-1"):
            assert (await engine.get("/a.mp4" + args)).body == FILM.build(), args
        assert (await engine.get("/empty.mp4")).body == b""
        assert (await engine.request("HEAD", "/a.mp4?start=0.1")).status == 200


async def test_refused(conf: str) -> None:
    async with serving(conf) as engine:
        for target, words in (
            ("/a.mp4?start=9", "mp4 start time exceeds file duration"),
            ("/none.mp4?start=1", "mp4 atom too large"),
            ("/small/a.mp4?start=0.1", "you may want to increase mp4_max_buffer_size"),
            ("/empty.mp4?start=1", "no mp4 trak atoms were found in"),
        ):
            assert (await engine.get(target)).status == 500
            assert [line for line in engine.log.lines if words in line and ".mp4" in line]
        assert (await engine.get("/no.mp4")).status == 404
        assert (await engine.get("/folder")).status == 301
        assert (await engine.get("/folder/")).status == 403
        assert (await engine.request("POST", "/a.mp4", body=b"a")).status == 405


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((b"1", 1000), (b"1.5", 1500), (b".25", 250), (b"1.23456", 1234), (b"1.", 1000), (b"1.2.3", -1), (b"a", -1)),
        *((b"", -1), (None, -1), (b"9" * 30, -1), (b"-1", -1), (b"9" * 5000, -1), (b"0" * 5000, 0)),
    ],
)
def test_milliseconds(text: bytes | None, value: int) -> None:
    assert milliseconds(text) == value
