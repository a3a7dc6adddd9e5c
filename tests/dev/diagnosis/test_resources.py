"""What the machine has no more of, or does not give."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from gateway.dev.diagnosis import resources
from gateway.dev.diagnosis.failure import Failure


class Failed(Failure):
    def __init__(self, message: bytes, code: int) -> None:
        self.message = message
        self.code = code

    @property
    def errno(self) -> int:
        return self.code


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EMFILE, "worker_rlimit_nofile 65536;"),
        (errno.ENFILE, "fs.file-max"),
        (errno.ENOSPC, "df -i"),
        (errno.EROFS, "read-only"),
        (errno.ENOENT, "is gone"),
    ],
)
def test_what_has_run_out(code: int, words: str) -> None:
    assert words in (resources.FAMILY.text(Failed(b'pwrite() "/var/tmp/a/1" failed', code)) or "")


def test_whose_folder_it_is(tmp_path: Path) -> None:
    text = resources.FAMILY.text(Failed(b'open() "%b/1" failed' % os.fsencode(tmp_path), errno.EACCES))
    assert text is not None and str(tmp_path) in text and "chmod 777" not in text
