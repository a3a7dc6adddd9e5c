"""flv: from any byte on."""

from __future__ import annotations

from pathlib import Path

from tests.engine import serving

HEAD = b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"


async def test_from_a_byte_on(tmp_path: Path) -> None:
    data = bytes(range(200))
    (tmp_path / "a.flv").write_bytes(data)
    async with serving(f"server {{ listen 127.0.0.1:80; root {tmp_path}; location / {{ flv; }} }}") as engine:
        for target, body in (
            ("/a.flv", data),
            ("/a.flv?start=150", HEAD + data[150:]),
            ("/a.flv?start=0", data),
            ("/a.flv?start=200", data),
            ("/a.flv?start=x", data),
            ("/a.flv?start=99999999999999999999999", data),
        ):
            assert (await engine.get(target)).body == body, target
        part = await engine.get("/a.flv?start=150", {"Range": "bytes=10-14"})
        assert (part.status, part.body) == (206, (HEAD + data[150:])[10:15])
        assert (await engine.request("POST", "/a.flv", body=b"a")).status == 405
        assert (await engine.get("/")).status == 403
        assert (await engine.get("/none")).status == 404


async def test_a_part_has_an_etag_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.flv").write_bytes(bytes(200))
    async with serving(f"server {{ listen 127.0.0.1:80; root {tmp_path}; location / {{ flv; }} }}") as engine:
        whole, part = [(await engine.get(target)).header("etag") for target in ("/a.flv", "/a.flv?start=150")]
    assert whole is not None and part is not None
    assert (whole.endswith(b'-c8"'), part.endswith(b'-3f"')) == (True, True)  # 200; 50 behind a head of 13
