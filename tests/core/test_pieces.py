from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.core.pieces import FileSlice, Piece, data_of, total


def test_what_pieces_stand_for(tmp_path: Path) -> None:
    content = os.urandom(200_000)
    (tmp_path / "file").write_bytes(content)
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    try:
        pieces: list[Piece] = [b"before ", FileSlice(fd, 10, 150_000), b"", FileSlice(fd, 199_999, 1)]
        parts = list(data_of(pieces))
        assert b"".join(parts) == b"before " + content[10:150_010] + content[-1:]
        assert max(map(len, parts)) <= 65536
        assert total(pieces) == 7 + 150_000 + 1
        with pytest.raises(OSError, match="became shorter"):
            list(data_of([FileSlice(fd, 199_990, 20)]))
    finally:
        os.close(fd)
