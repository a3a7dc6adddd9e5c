from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gateway.protocol.image_head import GIF, JPEG, PNG, WEBP, kind_of, size_of

KINDS = (JPEG, GIF, PNG, WEBP)


def image(kind: str, size: tuple[int, int] = (300, 200), mode: str = "RGB", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, 1).save(out, kind.upper(), **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (300, 200), (129, 4097)])
def test_what_pillow_writes(kind: str, size: tuple[int, int]) -> None:
    data = image(kind, size)
    assert kind_of(data) == kind
    found = size_of(kind, data)
    assert found is not None and (found.width, found.height) == size


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 10}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0"}])
def test_forms_of_webp(options: dict[str, Any]) -> None:
    found = size_of(WEBP, image(WEBP, (513, 77), **options))
    assert found is not None and (found.width, found.height) == (513, 77)


def test_what_a_jpeg_has_beside_its_pixels() -> None:
    plain, more = size_of(JPEG, image(JPEG)), size_of(JPEG, image(JPEG, exif=b"Exif\0\0" + bytes(1000)))
    assert plain is not None and plain.extra == 0
    assert more is not None and more.extra == 1008


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"no image, but text", b"GIF88a" + bytes(20), b"RIFF1234WAVEabcd"])
def test_what_is_no_image(data: bytes) -> None:
    assert kind_of(data) is None


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (JPEG, b"\xff\xd8" + bytes(30)),
        (PNG, b"\x89PNG\r\n\x1a\n" + bytes(8)),
        (WEBP, b"RIFF1234WEBPVP8 " + bytes(4) + b"\1" + bytes(20)),
        (WEBP, b"RIFF1234WEBPVP8 " + bytes(20)),
        (WEBP, b"RIFF1234WEBPVP8L" + bytes(20)),
        (WEBP, b"RIFF1234WEBPVP8?" + bytes(20)),
        (WEBP, b"RIFF1234WEBPxxxx" + bytes(20)),
        (WEBP, b"RIFF1234WEBPVP8X"),
    ],
)
def test_what_says_no_size(kind: str, data: bytes) -> None:
    assert kind_of(data) == kind
    assert size_of(kind, data) is None


@given(st.sampled_from(KINDS), st.binary(max_size=100))
def test_nothing_is_raised(kind: str, noise: bytes) -> None:
    size_of(kind, image(kind, (2, 2))[:20] + noise)
    size_of(kind, noise)
