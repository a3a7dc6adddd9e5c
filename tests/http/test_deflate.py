from __future__ import annotations

import zlib
from typing import Any

import pytest

from gateway.http import deflate

DATA = b"".join(b"line %d of a text, and its words\n" % (number * 7919) for number in range(2000))


def stream(level: int, window: int, memory: int) -> Any:
    make, own = deflate.compressor(level)
    return make(own, zlib.DEFLATED, window + 16, memory)


@pytest.mark.parametrize("package", [True, False])
@pytest.mark.parametrize("level", range(1, 10))
def test_any_level(level: int, package: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not package:
        monkeypatch.setattr(deflate, "_isal", None)
    made = stream(level, 15, 8)
    reader = zlib.decompressobj(31)
    assert reader.decompress(made.compress(DATA) + made.flush(zlib.Z_SYNC_FLUSH)) == DATA
    assert reader.decompress(made.compress(b"more") + made.flush(zlib.Z_FINISH)) == b"more" and reader.eof


@pytest.mark.parametrize("window", range(9, 16))
@pytest.mark.parametrize("memory", [1, 9])
def test_windows(window: int, memory: int) -> None:
    made = stream(3, window, memory)
    assert zlib.decompress(made.compress(DATA) + made.flush(), 31) == DATA


@pytest.mark.parametrize("level", [1, 2, 3])
def test_levels_keep_their_meaning(level: int) -> None:
    sizes = []
    for make in (stream, lambda level, window, memory: zlib.compressobj(level, 8, window + 16, memory)):
        made = make(level, 15, 8)
        sizes.append(len(made.compress(DATA) + made.flush()))
    assert sizes[0] <= sizes[1] * 1.05


def test_who_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deflate, "_isal", None)
    assert deflate.words().startswith("zlib 1.")
