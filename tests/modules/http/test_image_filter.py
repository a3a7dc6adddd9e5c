from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from gateway.config.errors import ConfigError
from gateway.modules.http import image_filter
from tests.engine import load_http, serving
from tests.protocol.test_image_head import KINDS, image


def conf(folder: Path, more: str) -> str:
    return f"server {{ listen 80; location / {{ root {folder}; {more} }} }}"


def opened(data: bytes) -> Image.Image:
    found = Image.open(io.BytesIO(data))
    found.load()
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("rule", "size"),
    [
        ("resize 30 30", (30, 20)),
        ("resize - 10", (15, 10)),
        ("resize 30 -", (30, 20)),
        ("resize 1000 1000", (300, 200)),
        ("crop 50 50", (50, 50)),
        ("crop 400 50", (300, 50)),
        ("rotate 90", (200, 300)),
        ("rotate 180", (300, 200)),
        ("resize 30 30; image_filter rotate 270", (20, 30)),
        ("resize $arg_w $arg_h", (60, 40)),
    ],
)
async def test_sizes(tmp_path: Path, kind: str, rule: str, size: tuple[int, int]) -> None:
    (tmp_path / "i").write_bytes(image(kind))
    async with serving(conf(tmp_path, f"image_filter {rule};")) as engine:
        reply = await engine.get("/i?w=60&h=90")
        assert reply.status == 200 and reply.header("content-type") == f"image/{kind}".encode()
        assert int(reply.header("content-length") or 0) == len(reply.body)
        assert opened(reply.body).size == size
        assert reply.header("accept-ranges") is None


async def test_what_fits_stays_as_it_is(tmp_path: Path) -> None:
    data = image("png", (10, 10))
    (tmp_path / "i").write_bytes(data)
    async with serving(conf(tmp_path, "image_filter resize 10 10;")) as engine:
        reply = await engine.get("/i")
        assert reply.body == data
        assert not (reply.header("etag") or b"").startswith(b"W/")
    (tmp_path / "i").write_bytes(image("jpeg", (10, 10), exif=b"Exif\0\0" + bytes(900)))
    async with serving(conf(tmp_path, "image_filter resize 10 10;")) as engine:
        reply = await engine.get("/i")
        assert len(reply.body) < 900  # too much of it was no image
        assert (reply.header("etag") or b"").startswith(b"W/")


async def test_a_turn_is_to_the_left(tmp_path: Path) -> None:
    source = Image.new("RGB", (20, 10))
    source.putpixel((19, 0), (255, 255, 255))
    source.save(tmp_path / "i", "PNG")
    async with serving(conf(tmp_path, "image_filter rotate $arg_a;")) as engine:
        assert opened((await engine.get("/i?a=90")).body).getpixel((0, 0)) == (255, 255, 255)
        assert opened((await engine.get("/i?a=270")).body).getpixel((9, 19)) == (255, 255, 255)
        assert (await engine.get("/i?a=45")).status == 415


async def test_test_and_size(tmp_path: Path) -> None:
    (tmp_path / "i").write_bytes(image("gif"))
    (tmp_path / "t").write_bytes(b"no image, but some text")
    (tmp_path / "cut").write_bytes(image("png")[:16])
    async with serving(conf(tmp_path, "image_filter test;")) as engine:
        reply = await engine.get("/i")
        assert reply.body == image("gif") and reply.header("content-type") == b"image/gif"
        assert (await engine.get("/t")).status == 415
        assert (await engine.get("/none")).status == 415
    async with serving(conf(tmp_path, "image_filter size;")) as engine:
        reply = await engine.get("/i")
        assert reply.body == b'{ "img" : { "width": 300, "height": 200, "type": "gif" } }\r\n'
        assert reply.header("content-type") == b"application/json" and reply.header("last-modified") is None
        assert (await engine.get("/t")).body == b"{}\r\n"
        assert (await engine.get("/cut")).body == b"{}\r\n"
        reply = await engine.request("HEAD", "/i")
        assert reply.header("content-length") == b"60" and reply.body == b""


async def test_error_page(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"x" * 100000)
    more = "error_page 415 = /empty; image_filter resize 1 1;"
    text = conf(tmp_path, more).replace("location / ", "location = /empty { return 200 empty; } location / ", 1)
    async with serving(text) as engine:
        reply = await engine.get("/t")
        assert (reply.status, reply.body) == (200, b"empty")


async def test_too_large(tmp_path: Path) -> None:
    (tmp_path / "i").write_bytes(image("png") + bytes(2000))
    async with serving(conf(tmp_path, "image_filter_buffer 1k; image_filter test;")) as engine:
        assert (await engine.get("/i")).status == 415
        assert any("image filter: too big response: " in line for line in engine.log.lines)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_cut(tmp_path: Path, kind: str) -> None:
    (tmp_path / "i").write_bytes(image(kind)[:40])
    async with serving(conf(tmp_path, "image_filter resize 10 10;")) as engine:
        assert (await engine.get("/i")).status == 415


def test_a_bomb_is_not_unpacked() -> None:
    data = image("png", (9000, 9000), "1")
    assert len(data) < 100000
    with pytest.raises(image_filter.Refused, match="9000 x 9000 pixels are too many"):
        image_filter.make(data, "png", image_filter.Job(image_filter.RESIZE, 1, 1, 0, 1, 0, True, False))


async def test_quality_and_sharpness(tmp_path: Path) -> None:
    Image.radial_gradient("L").convert("RGB").save(tmp_path / "i", "JPEG", quality=100)
    more = "image_filter resize 200 200; image_filter_jpeg_quality $arg_q; image_filter_sharpen $arg_s;"
    async with serving(conf(tmp_path, more)) as engine:
        good, bad, sharp = [await engine.get(f"/i?{args}") for args in ("q=95", "q=5", "q=95&s=100")]
        assert len(bad.body) < len(good.body) and b"quality = 5" in bad.body
        assert sharp.body != good.body
        assert (await engine.get("/i?q=0")).status == 415


async def test_transparency(tmp_path: Path) -> None:
    indexed = Image.new("P", (20, 20), 0)
    indexed.putpalette([255, 255, 255, 0, 0, 0])
    indexed.save(tmp_path / "p", "GIF", transparency=0)
    Image.new("RGBA", (20, 20), (1, 2, 3, 128)).save(tmp_path / "a", "PNG")
    async with serving(conf(tmp_path, "image_filter resize 10 10; image_filter_sharpen 10;")) as engine:
        kept = opened((await engine.get("/p")).body).convert("RGBA").getpixel((0, 0))
        alpha = opened((await engine.get("/a")).body).getpixel((0, 0))
        assert isinstance(kept, tuple) and kept[3] == 0
        assert isinstance(alpha, tuple) and alpha[3] == 128
    async with serving(conf(tmp_path, "image_filter resize 10 10; image_filter_transparency off;")) as engine:
        lost = opened((await engine.get("/p")).body)
        assert "transparency" not in lost.info


@pytest.mark.parametrize("mode", ["L", "LA", "1", "P", "I;16", "RGBA"])
async def test_modes(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (20, 20)).save(tmp_path / "i", "PNG")
    async with serving(conf(tmp_path, "image_filter resize 10 10; image_filter_sharpen 5;")) as engine:
        assert opened((await engine.get("/i")).body).size == (10, 10)


async def test_progressive(tmp_path: Path) -> None:
    (tmp_path / "i").write_bytes(image("jpeg"))
    async with serving(conf(tmp_path, "image_filter resize 100 100; image_filter_interlace on;")) as engine:
        assert opened((await engine.get("/i")).body).info.get("progressive")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_filter blur;", 'invalid parameter "blur"'),
        ("image_filter rotate 45;", 'invalid parameter "45"'),
        ("image_filter turn 90;", 'invalid parameter "turn"'),
        ("image_filter resize 0 1;", 'invalid parameter "0"'),
        ("image_filter crop 1 x;", 'invalid parameter "x"'),
        ("image_filter_jpeg_quality 0;", 'invalid value "0"'),
        ("image_filter_sharpen -;", 'invalid value "-"'),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(f"server {{ location / {{ {text} }} }}")
    assert str(caught.value).startswith(message)
