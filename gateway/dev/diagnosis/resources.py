"""What this machine has no more of, or does not give: descriptors, room on a disk, folders for temporary files."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Hashable
from typing import Final

from gateway.core.descriptors import none_left
from gateway.dev.diagnosis.accounts import who_we_are
from gateway.dev.diagnosis.failure import Failure, Family
from gateway.dev.diagnosis.path_walk import PASS, WRITE, Missing, denied, my_groups

_PATH: Final = re.compile(rb'"(/[^"]*)"')


def _path(failure: Failure) -> str:
    found = _PATH.search(failure.message)
    return found[1].decode("utf-8", "surrogateescape") if found else ""


def _key(failure: Failure) -> Hashable:
    return failure.errno, os.path.dirname(_path(failure))


def _text(failure: Failure) -> str | None:
    code, path = failure.errno, _path(failure)
    if code in (errno.EMFILE, errno.ENFILE):
        return none_left(code)
    if code in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"no room is left for {path}, in bytes (df -h {_folder(path)}), files (df -i) or its owner's quota: make "
            "room, or let another disk hold it (the *_temp_path directives, proxy_cache_path)"
        )
    if code == errno.EROFS:
        return f"the disk of {path} is mounted read-only (systemd: ReadWritePaths=), or name another folder"
    if code in (errno.EACCES, errno.EPERM):
        return _may_not_write(path)
    if code == errno.ENOENT:
        return f"the folder {_folder(path)} is gone: it is made at the start, so start again, and let nothing clear it"
    return None


def _folder(path: str) -> str:
    return os.path.dirname(path) or "."


def _may_not_write(path: str) -> str:
    try:
        denial = denied(_folder(path), WRITE, os.geteuid(), my_groups())
    except (Missing, OSError):
        denial = None
    if denial is None:
        return f"{who_we_are()} may write to {_folder(path)} by its modes: SELinux, AppArmor or systemd denies"
    what = "pass" if denial.wanted == PASS else "write to"
    return f"{who_we_are()} may not {what} {denial.component}: give it the folder, or name another *_temp_path"


FAMILY: Final = Family(
    (b"socket() failed", b"pwrite() ", b'writev() "', b'write() "', b"pwritev() ", b"mkdir() ", b"open() failed"),
    _key,
    _text,
)
